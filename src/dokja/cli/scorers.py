"""Scorers as they are named on the command line, and what they need from this machine."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.sanity import Labelled, Recall, extraction_recall, read_labelled
from dokja.evidence.benchmarks.scorers import KINDS, Aids, Scorer, open_sandbox, read_scorer
from dokja.evidence.benchmarks.scorers.declarations import NEEDED
from dokja.evidence.benchmarks.suites import read_suite_folder

if TYPE_CHECKING:
    from dokja.evidence.benchmarks.judges import ConnectedJudge

__all__ = ["aids_for", "named_scorer", "suite_replies"]

REPLIES = "replies.jsonl"


def named_scorer(name: str) -> Scorer:
    """Return the scorer of a kind, of a TOML file with a table [scorer], or of a suite folder.

    Raises:
        click.UsageError: It is none of these.
        SuiteError: The file or folder is wrong; every mistake at once.
    """
    path = Path(name)
    if name in KINDS and name not in NEEDED:
        scorer, _ = read_scorer({"kind": name}, file="")
        if scorer is not None:
            return scorer
    if path.is_dir():
        return read_suite_folder(path, salted=False).scorer
    if path.is_file():
        return _of_file(path)
    plain = ", ".join(kind for kind in KINDS if kind not in NEEDED)
    raise click.UsageError(
        f"{name!r} is no scorer; expected {plain}, a TOML file with a table [scorer], or a suite"
    )


def aids_for(
    scorer: Scorer,
    *,
    suite: Path | None = None,
    budget_granted: bool = True,
    audited: bool | None = None,
    judge: "ConnectedJudge | None" = None,
) -> Aids:
    """Return what a scorer needs; programs get a sandbox that was seen to work.

    Where nobody has said yet whether replies that cannot be read may be charged to the model, that
    is found out on the spot, from the labelled replies that are known for such a scorer and those
    of the suite.

    Args:
        scorer: Tells what becomes of replies.
        suite: The suite; a folder may hold labelled replies.
        budget_granted: Whether the model was given the declared budget of tokens.
        audited: Whether the extraction passed its audit; None to find out.
        judge: Who judges, where a judge is asked.

    Raises:
        ExtraMissingError: Programs are to be run, and there is no sandbox here.
        SuiteError: The suite's labelled replies cannot be read.
    """
    executor = open_sandbox() if scorer.kind == "code" else None
    aids = Aids(executor=executor, budget_granted=budget_granted)
    if judge is not None:
        aids = judge.beside(aids)
    if audited is not None:
        return replace(aids, audited=audited)
    labelled = suite_replies(suite)

    def read(ready: Aids) -> Recall | None:
        return extraction_recall(scorer, labelled=labelled, aids=ready)

    recall = read(aids) if judge is None else judge.judged(read, aids=aids)
    return replace(aids, audited=recall is not None and recall.suffices)


def suite_replies(folder: Path | None) -> tuple[Labelled, ...]:
    """Return the labelled replies of a suite folder; none where it has none."""
    if folder is None or not (folder / REPLIES).is_file():
        return ()
    suite = read_suite_folder(folder, salted=False)
    return read_labelled(folder / REPLIES, [suite.task(item) for item in suite.items])


def _of_file(path: Path) -> Scorer:
    file = str(path)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        wrong = Mistake(file=file, place="", read=str(error), expected="TOML in UTF-8")
        raise SuiteError([wrong]) from error
    table = said.get("scorer")
    if not isinstance(table, dict):
        wrong = Mistake(file=file, place="scorer", read="no table", expected="a table [scorer]")
        raise SuiteError([wrong])
    scorer, mistakes = read_scorer(table, file=file)
    if scorer is None:
        raise SuiteError(mistakes)
    return scorer
