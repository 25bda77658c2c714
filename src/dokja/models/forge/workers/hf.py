"""The engine `hf`: trains by a job file with transformers, accelerate and peft.

    python -m dokja.models.forge.workers.hf job.json
    torchrun --nproc-per-node 2 -m dokja.models.forge.workers.hf job.json

Started again on the same job, it goes on from the newest whole checkpoint. SIGTERM, SIGUSR1 and
SIGINT make it write a checkpoint, say so, and end with 130. Only the first process writes.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dokja.models.forge.workers.settings import offline

offline()  # before transformers is imported: it reads these settings once

from torch import Tensor, nn  # noqa: E402  # see above
from transformers import TrainerCallback  # noqa: E402  # see above

from dokja.models.forge.engines.jobs import Job  # noqa: E402  # see above
from dokja.models.forge.workers import programs  # noqa: E402  # see above
from dokja.models.forge.workers.keeping import Keeper  # noqa: E402  # see above
from dokja.models.forge.workers.loops import Loop  # noqa: E402  # see above
from dokja.models.forge.workers.networks import make  # noqa: E402  # see above
from dokja.models.forge.workers.training import Batches, Signals, scheduler  # noqa: E402  # see above

__all__ = ["PROGRAM", "main", "train"]


class _Callback(TrainerCallback):
    """What the Trainer asks, handed on to the keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Begin, now that accelerate has wrapped everything."""
        self._keeper.begin()

    def on_step_end(self, _: Any, state: Any, control: Any, **__: Any) -> None:
        """Let the keeper tell and keep; stop when it says so."""
        if self._keeper.after(self._keeper.first + state.global_step):
            control.should_training_stop = True


def _scores(network: nn.Module, ids: Tensor) -> Tensor:
    scores: Tensor = network(input_ids=ids, use_cache=False).logits
    return scores


def _loop(task: programs.Task) -> None:
    loop = Loop(
        task.job,
        task.held.network,
        loader=task.loader,
        teaching=task.teaching,
        callback=_Callback(task.keeper),
        optimizers=(task.adamw, scheduler(task.job, task.adamw, first=task.keeper.first)),
        measures=task.keeper.measures,
        scratch=task.scratch,
    )
    loop.train()


PROGRAM = programs.Program(engine="hf", make=make, scores=_scores, loop=_loop)
"""The engine as a worker."""


def train(job: Job, *, base: Path, data: Batches, signals: Signals | None = None) -> int:
    """Run a job with other tokens than a corpus's; see `programs.train`."""
    return programs.train(PROGRAM, job, base=base, data=data, signals=signals)


def main(words: Sequence[str]) -> int:
    """Run the job whose file is named; return the exit code."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    return programs.main(PROGRAM, words, usage=str(__doc__))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
