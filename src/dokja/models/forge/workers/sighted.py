"""The engine `sighted`: trains a picture encoder, a projector and a Llama body together.

    python -m dokja.models.forge.workers.sighted job.json

A job is as for every engine; its structure is the body's, and its start holds `vision_tower.` and
`multi_modal_projector.` besides. Every instance is a window of text whose first eight tokens
are the name of a drawn figure, and a picture of that figure, speckled, stands before it: without
looking, nobody knows how the name begins. Figures, names and speckles follow from the data's seed
and the instance's number, so that a resumed training sees the same pictures. fp32 on a CPU.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dokja.errors import DokjaError, EngineError, Mistake, RecipeError
from dokja.models.forge.corpora.batches import TokenData, open_data
from dokja.models.forge.engines import checkpoints, contract, job_files, jobs, runs
from dokja.models.forge.transforms.draws import normals, permutation, words
from dokja.models.forge.workers import training
from dokja.models.forge.workers.networks import arrays
from dokja.models.forge.workers.settings import environment, prepare
from dokja.models.forge.workers.sighted_network import Sighted
from dokja.models.forge.zoo.encoders import SIDE, sighted_config
from dokja.models.weights import open_source

__all__ = ["Pictures", "main", "train"]

FIGURES = 16
NAME = 8
_DOTS = 6
_SPECKLES = 0.2


class Pictures:
    """Pictures of named figures, one for every instance.

    Args:
        seed: From which it follows which figure comes when, and its speckles. Figures and names
            are the same for every seed.
        vocabulary: How many tokens names are made of.
    """

    def __init__(self, seed: bytes, *, vocabulary: int) -> None:
        self._seed = seed
        dots = SIDE - 2
        self._figures = np.zeros((FIGURES, SIDE, SIDE), dtype=np.float32)
        for figure in range(FIGURES):
            chosen = permutation(b"figures", str(figure), count=dots * dots)[: 2 * _DOTS]
            self._figures[figure, 1 + chosen // dots, 1 + chosen % dots] = 1.0
        self.names = np.array(
            [permutation(b"names", str(n), count=vocabulary)[:NAME] for n in range(FIGURES)]
        )

    def of(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return pictures `(n, side, side)` and names `(n, 8)` of some instances."""
        pictures, names = [], []
        for instance in range(start, stop):
            drawn = words(self._seed, f"picture/{instance}", count=1)
            figure = int(drawn[0] % FIGURES)
            speckles = normals(self._seed, f"speckles/{instance}", shape=(SIDE, SIDE))
            pictures.append(self._figures[figure] + np.float32(_SPECKLES) * speckles)
            names.append(self.names[figure])
        return np.stack(pictures), np.stack(names)


def train(job: jobs.Job, *, base: Path, data: TokenData, signals: training.Signals) -> int:
    """Run a job to its end, or until it is asked to stop; return the exit code.

    Raises:
        DokjaError: The job cannot be done; see the message.
    """
    _refuse(job)
    began = time.monotonic()
    prepare(job)
    if runs.is_done(job, base=base):
        return contract.DONE
    resumed = runs.newest_state(job, base=base)
    held = _Held(job, base=base, resumed=resumed)
    run = runs.Run(job, base=base, engine="sighted", clock=lambda: datetime.now(UTC))
    try:
        run.begin(environment(job, engine="sighted", processes=1), resumed=resumed)
        if resumed is None:
            run.keep(held.state())
        while held.step < job.last_step:
            loss, norm = held.take_step(data)
            run.tell([loss], [norm])
            asked = signals.received is not None and held.step < job.last_step
            if job.wants_checkpoint(held.step) or asked:
                run.keep(held.state())
            if asked:
                run.interrupt(f"asked to stop by {signals.received}; a checkpoint was written")
                return contract.INTERRUPTED
        run.finish(held.state(), device_seconds=time.monotonic() - began)
    finally:
        run.close()
    return contract.DONE


class _Held:
    """A network in training, with its optimizer and its pictures."""

    def __init__(
        self, job: jobs.Job, *, base: Path, resumed: checkpoints.Checkpoint | None
    ) -> None:
        self.step = job.first_step if resumed is None else resumed.state.step
        self._updates = 0 if resumed is None else resumed.state.updates
        self._job = job
        self._network = Sighted(job.structure)
        _load(self._network, resumed, start=base / job.start)
        self._trained = _trained(self._network, job)
        self._adamw = training.optimizer(job, self._trained)
        if resumed is not None:
            training.restore(self._adamw, resumed, fused=False, views=_whole, trained=self._trained)
        self._schedule = training.scheduler(job, self._adamw, first=self.step)
        self._pictures = Pictures(
            bytes.fromhex(str(job.data["seed"])), vocabulary=job.structure.vocabulary
        )

    def take_step(self, data: TokenData) -> tuple[float, float]:
        """Do the next step; return its loss and the gradient's norm."""
        start, stop = self._job.instances(self.step + 1)
        tokens = data.batch(start, stop)
        seen, names = self._pictures.of(start, stop)
        tokens[:, :NAME] = names
        self._network.zero_grad(set_to_none=True)
        loss = self._network(torch.from_numpy(seen), torch.from_numpy(tokens))
        loss.backward()
        bound = self._job.optimizer.clip
        norm = nn.utils.clip_grad_norm_(
            [parameter for _, parameter in self._trained],
            float("inf") if bound is None else bound,
        )
        self._adamw.step()
        self._schedule.step()
        self.step += 1
        self._updates += 1
        return float(loss.detach()), float(norm)

    def state(self) -> runs.State:
        """Return everything that a checkpoint holds."""
        moments: dict[str, Tensor] = {}
        for name, parameter in self._trained:
            held: Mapping[str, Tensor] = self._adamw.state.get(parameter, {})
            for which in ("exp_avg", "exp_avg_sq"):
                moments[f"{which}/{name}"] = held.get(which, torch.zeros_like(parameter)).detach()
        return runs.State(
            weights=arrays(iter(self._network.named_parameters())),
            config=sighted_config(self._job.structure),
            moments=arrays(iter(moments.items())),
            updates=self._updates,
        )


def _refuse(job: jobs.Job) -> None:
    reasons = []
    if job.structure.family != "llama" or job.structure.tied:
        reasons.append("a body that is no Llama with a head of its own")
    if job.adapter is not None:
        reasons.append("adapters")
    if job.teacher is not None:
        reasons.append("a teacher")
    if job.precision != "fp32" or job.device != "cpu":
        reasons.append(f"{job.precision} on {job.device}")
    if reasons:
        raise EngineError(
            f"sighted cannot do this job: it asks for {'; '.join(reasons)}. Nothing was changed."
        )


def _load(network: Sighted, resumed: checkpoints.Checkpoint | None, *, start: Path) -> None:
    source = open_source(start) if resumed is None else resumed.weights
    held = dict(network.named_parameters())
    wrong = [
        Mistake(
            file=source.name,
            place=f"tensor {name!r}",
            read=f"the shape {source.info(name).shape}" if name in source.names else "nothing",
            expected=f"the shape {tuple(held[name].shape)}" if name in held else "no such tensor",
        )
        for name in sorted({*source.names, *held})
        if name not in held
        or name not in source.names
        or source.info(name).shape != tuple(held[name].shape)
    ]
    if wrong:
        raise RecipeError(wrong)
    with torch.no_grad():
        for name, parameter in held.items():
            parameter.copy_(torch.from_numpy(source.read(name)))


def _trained(network: Sighted, job: jobs.Job) -> list[tuple[str, nn.Parameter]]:
    patterns = ("*",) if isinstance(job.trainable, str) else job.trainable
    found = []
    for name, parameter in sorted(network.named_parameters()):
        moves = any(fnmatchcase(name, one) for one in patterns)
        parameter.requires_grad_(moves)
        if moves:
            found.append((name, parameter))
    return found


def _whole(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    yield name, tensor


def main(words_given: Sequence[str]) -> int:
    """Run the job whose file is named; return the exit code."""
    if len(words_given) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return contract.BAD_INPUT
    path = Path(os.fspath(words_given[0]))
    try:
        job = job_files.read_job(path)
        with open_data(
            job.data,
            base=path.parent,
            length=job.batch.length,
            vocabulary=job.structure.vocabulary,
        ) as data:
            data.order.check(job.last_step * job.batch.sequences)
            return train(job, base=path.parent, data=data, signals=training.Signals())
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return contract.CANNOT_TELL
    except DokjaError as error:
        sys.stderr.write(f"{error}\n")
        return contract.BAD_INPUT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
