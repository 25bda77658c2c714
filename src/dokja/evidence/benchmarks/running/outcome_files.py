"""What became of every sample of a run as arrays, and several runs of one form as one table."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.outcomes import Charge, Outcome
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.order import Order
from dokja.evidence.benchmarks.running.plans import Plan, read_plan
from dokja.evidence.benchmarks.tables import OutcomeTable

__all__ = ["FILE", "OutcomeArrays", "run_table"]

FILE = "outcomes.npz"
_DATE = (1980, 1, 1, 0, 0, 0)


class OutcomeArrays:
    """Collects what became of samples.

    Args:
        order: Of the run.
        form: What was asked.
    """

    def __init__(self, order: Order, form: Form) -> None:
        self._order = order
        self._form = form
        shape = (order.epochs, order.items)
        self._outcomes = np.full(shape, Outcome.NOT_RUN.code, dtype=np.uint8)
        self._charges = np.full(shape, Charge.OPERATOR.code, dtype=np.uint8)
        self._scores: NDArray[np.float32] | None = None

    def take(self, sample: int, *, outcome: Outcome, charge: Charge, score: float | None) -> None:
        """Take one sample; repeats are passed over."""
        if sample >= self._order.scored:
            return
        epoch, place = divmod(sample, self._order.items)
        self._outcomes[epoch, place] = outcome.code
        self._charges[epoch, place] = charge.code
        if outcome is Outcome.SCORED and score is not None:
            if self._scores is None:
                self._scores = np.zeros(self._outcomes.shape, dtype=np.float32)
            self._scores[epoch, place] = score

    @property
    def packed(self) -> bytes:
        """The arrays as an `.npz` file, the same bytes for the same arrays."""
        questions = self._form.questions
        arrays: dict[str, NDArray[Any]] = {
            "outcomes": self._outcomes.T,
            "charges": self._charges.T,
            "items": np.array([question.handle for question in questions], dtype=np.str_),
            "strata": np.array([question.stratum for question in questions], dtype=np.str_),
        }
        if self._scores is not None:
            arrays["scores"] = self._scores.T
        if all(question.chance is not None for question in questions):
            arrays["chance"] = np.array([question.chance for question in questions], np.float64)
        for name in sorted({name for question in questions for name in question.clusters}):
            clusters = [question.clusters.get(name, "") for question in questions]
            arrays[f"cluster.{name}"] = np.array(clusters, dtype=np.str_)
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
            for name, array in arrays.items():
                page = io.BytesIO()
                np.lib.format.write_array(page, np.ascontiguousarray(array), allow_pickle=False)
                file.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), page.getvalue())
        return held.getvalue()


def run_table(folders: Sequence[Path]) -> OutcomeTable:
    """Return the outcomes of several runs on one form, one system a folder.

    Args:
        folders: Of finished or stopped runs, at least one.

    Raises:
        RunError: One is no run, has no outcomes yet, asked other items, was scored by another
            scorer, or carries the label of another; every mistake at once.
    """
    if not folders:
        raise ValueError("a table needs at least one run")
    plans = [read_plan(folder) for folder in folders]
    mistakes = [*_strangers(folders, plans)]
    arrays = [_arrays(folder, mistakes) for folder in folders]
    if mistakes:
        raise RunError(mistakes)
    first = arrays[0]
    epochs = min(each["outcomes"].shape[1] for each in arrays)
    scores = [
        each.get("scores", np.zeros(each["outcomes"].shape, dtype=np.float32)) for each in arrays
    ]
    return OutcomeTable(
        suite=plans[0].asked.suite,
        form=plans[0].asked.form,
        items=tuple(first["items"].tolist()),
        systems=tuple(plan.system.label for plan in plans),
        outcomes=np.stack([each["outcomes"][:, :epochs] for each in arrays], axis=1),
        charges=np.stack([each["charges"][:, :epochs] for each in arrays], axis=1),
        scores=(
            np.stack([each[:, :epochs] for each in scores], axis=1)
            if any("scores" in each for each in arrays)
            else None
        ),
        strata=tuple(first["strata"].tolist()),
        clusters={
            name.removeprefix("cluster."): tuple(values.tolist())
            for name, values in first.items()
            if name.startswith("cluster.")
        },
        chance=first.get("chance"),
    )


def _strangers(folders: Sequence[Path], plans: Sequence[Plan]) -> list[Mistake]:
    mistakes = []
    first = plans[0]
    labels: dict[str, Path] = {}
    for folder, plan in zip(folders, plans, strict=True):
        for place in ("suite", "form", "items_digest", "scorer_digest"):
            read, expected = getattr(plan.asked, place), getattr(first.asked, place)
            if read != expected:
                mistakes.append(
                    Mistake(
                        file=str(folder),
                        place=f"asked.{place}",
                        read=repr(read),
                        expected=f"{expected!r}, as in {folders[0]}",
                    )
                )
        label = plan.system.label
        if label in labels:
            expected = f"another label than that of {labels[label]}"
            mistakes.append(
                Mistake(file=str(folder), place="system.label", read=repr(label), expected=expected)
            )
        labels.setdefault(label, folder)
    return mistakes


def _arrays(folder: Path, mistakes: list[Mistake]) -> Mapping[str, NDArray[Any]]:
    path = folder / FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        mistakes.append(
            Mistake(
                file=str(path),
                place="",
                read=f"no outcomes ({error})",
                expected="the outcomes of a run",
                remedy=f"Make them again: dokja measure --resume {folder}",
            )
        )
        return {}
