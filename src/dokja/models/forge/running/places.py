"""Where everything lies in a run's folder.

RUN/plan.json, recipe.toml      what was planned, as it was committed to
RUN/place.json                  where the plan's data lie, relative to the run
RUN/chain.jsonl                 what the run said while it ran
RUN/nonce                       the builder's secret until the seal
RUN/BODY/01-dus/                one folder for each stage of each component
RUN/BODY/02-train/              job.json, events.jsonl, checkpoints/, model/
RUN/digests/BODY/step-N.json    digests of every tensor, named by the chain
RUN/model/                      what came out
RUN/record.json                 the signed build record
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecordError
from dokja.values import Json, parse_json

__all__ = ["RunPlaces", "write_whole"]


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all, and wait for the disk."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    number = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(number, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


@dataclass(frozen=True, slots=True)
class RunPlaces:
    """The places in one run's folder.

    Attributes:
        folder: The run's folder.
    """

    folder: Path

    @property
    def nonce(self) -> Path:
        """The builder's secret."""
        return self.folder / "nonce"

    @property
    def model(self) -> Path:
        """What came out."""
        return self.folder / "model"

    @property
    def record(self) -> Path:
        """The signed build record."""
        return self.folder / "record.json"

    @property
    def plan_folder(self) -> Path:
        """The folder of the plan, where its data lie.

        Raises:
            RecordError: The run does not say where.
        """
        path = self.folder / "place.json"
        try:
            said = parse_json(path.read_bytes())
            return (self.folder / str(said["plan"])).resolve()
        except (OSError, ValueError, KeyError, TypeError) as error:
            wrong = Mistake(
                file=str(path),
                place="plan",
                read=f"nothing: {error}",
                expected="where the plan's data lie, relative to the run",
                remedy="Name the plan's folder again: dokja forge run PLAN -o RUN --resume",
            )
            raise RecordError([wrong]) from error

    def settle(self, plan: Path) -> None:
        """Remember where the plan lies."""
        said: Mapping[str, Json] = {"plan": os.path.relpath(plan, self.folder)}
        write_whole(self.folder / "place.json", json.dumps(said).encode() + b"\n")

    def stage(self, component: str, index: int, do: str) -> Path:
        """Return the folder of a stage, the first being 1."""
        return self.folder / component / f"{index + 1:02d}-{do}"

    def start(self, component: str) -> Path:
        """Return where a component's first weights lie."""
        return self.folder / component / "00-start"

    def digests(self, stage: str, step: int) -> Path:
        """Return the list of tensor digests of a state.

        Args:
            stage: The stage's folder relative to the run's, such as `body/01-train`.
            step: The state's step.
        """
        return self.folder / "digests" / stage / f"step-{step:08d}.json"

    def relative(self, path: Path) -> str:
        """Return a path as the chain writes it."""
        return path.relative_to(self.folder).as_posix()

    def write_digests(self, stage: str, step: int, said: Any) -> bytes:
        """Write a list of tensor digests; return its bytes."""
        path = self.digests(stage, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        data = (json.dumps(said, indent=0) + "\n").encode()
        write_whole(path, data)
        return data
