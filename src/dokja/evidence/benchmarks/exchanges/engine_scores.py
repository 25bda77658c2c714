"""The scores that an engine wrote down itself, so that two runs of it can be laid side by side.

Read are the result files of lm-evaluation-harness (`results_*.json`) and Inspect's logs, in its
own form (`.eval`) or in JSON. Figures are compared as they are written, to the last digit: the same
answers must give the same score, not nearly the same.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import InputError, Mistake
from dokja.evidence.benchmarks.importers.zips import open_zip

__all__ = ["Difference", "Scores", "differences", "newest_result", "read_scores"]

_HEADER = "header.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What an engine says that a run scored.

    Attributes:
        file: Where it says so.
        values: Each figure by its name, as text.
    """

    file: Path
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure that is not the same in two runs.

    Attributes:
        name: Which.
        recorded: In the recorded run; None where it is not there.
        replayed: In the replayed run; None where it is not there.
    """

    name: str
    recorded: str | None
    replayed: str | None

    def __str__(self) -> str:
        recorded = "absent" if self.recorded is None else self.recorded
        replayed = "absent" if self.replayed is None else self.replayed
        return f"{self.name}: recorded {recorded}, replayed {replayed}"


def differences(recorded: Scores, replayed: Scores) -> tuple[Difference, ...]:
    """Return every figure that is not the same, by name.

    Example:
        >>> one = Scores(file=Path("a"), values={"acc": "0.5"})
        >>> [str(each) for each in differences(one, Scores(file=Path("b"), values={"acc": "0.25"}))]
        ['acc: recorded 0.5, replayed 0.25']
    """
    names = sorted(recorded.values.keys() | replayed.values.keys())
    pairs = ((name, recorded.values.get(name), replayed.values.get(name)) for name in names)
    return tuple(
        Difference(name=name, recorded=one, replayed=other)
        for name, one, other in pairs
        if one != other
    )


def newest_result(path: Path) -> Path:
    """Return the result file that lies here: the path itself, or the newest below it.

    Raises:
        InputError: There is none.
    """
    if path.is_file():
        return path
    found = [*path.rglob("*.json"), *path.rglob("*.eval")] if path.is_dir() else []
    results = [each for each in found if _is_result_name(each.name)]
    if not results:
        expected = "results_*.json of lm-eval, or a log of Inspect (.eval or .json)"
        raise InputError(
            [Mistake(file=str(path), place="", read="no result file", expected=expected)]
        )
    return max(results, key=lambda each: (each.stat().st_mtime_ns, each.name))


def read_scores(path: Path) -> Scores:
    """Return the scores in a result file, or in the newest one of a folder.

    Raises:
        InputError: There is none, it cannot be read, or it is of another kind.
        ExtraMissingError: It is compressed in a way that needs the extra `import`.
    """
    file = newest_result(path)
    try:
        raw = _header(file) if file.suffix == ".eval" else file.read_bytes()
    except (OSError, KeyError) as error:
        raise InputError([_wrong(file, f"no result ({error})")]) from error
    try:
        said = json.loads(raw, parse_constant=str)  # engines write NaN, which JSON does not know
        values = dict(_lm_eval(said) if "versions" in said or "n-shot" in said else _inspect(said))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError([_wrong(file, f"another file ({error})")]) from error
    if not values:
        raise InputError([_wrong(file, "no score")])
    return Scores(file=file, values=values)


def _wrong(file: Path, read: str) -> Mistake:
    expected = "a result file of lm-eval, or a log of Inspect, with at least one score"
    return Mistake(file=str(file), place="", read=read, expected=expected)


def _header(file: Path) -> bytes:
    """Return the part of an Inspect log that holds its results; an unfinished one has none."""
    with open_zip(file) as log:
        return log.read(_HEADER)


def _lm_eval(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for task, figures in said["results"].items():
        for name, value in figures.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield f"{task}/{name}", repr(value)


def _inspect(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    results = said["results"]
    for name in ("total_samples", "completed_samples"):
        yield name, repr(results[name])
    for score in results["scores"]:
        where = "/".join(str(score[key]) for key in ("scorer", "name", "reducer") if score.get(key))
        for name, metric in score["metrics"].items():
            yield f"{where}/{name}", repr(metric["value"])


def _is_result_name(name: str) -> bool:
    return not name.startswith((".", "samples_")) and name != "eval-set.json"
