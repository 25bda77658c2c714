"""Enters a run into a programme's ledger, and says beforehand whether the ledger would take it.

It stands apart from `measure` because nothing else there needs the ledger, which takes longer to
load than a suite to read.
"""

from pathlib import Path

import click

from dokja.cli.measuring import Prepared
from dokja.cli.printing import now, say
from dokja.cli.programmes import unbroken
from dokja.errors import DuplicateEntryError
from dokja.evidence.benchmarks.running import OpenRun, Summary, measured_draft, run_id
from dokja.evidence.benchmarks.scoring import SCORER
from dokja.values import is_identifier

__all__ = ["enter", "refuse_entered", "tried"]

ACTOR = "dokja"


def refuse_entered(programme: Path, made: Prepared, *, stage: str) -> None:
    """Refuse, before anything is asked, what the ledger would refuse when it is done.

    Raises:
        click.UsageError: The label cannot name a model in a ledger.
        DuplicateEntryError: The model's run of this suite at this stage is there already.
    """
    label = made.plan.system.label
    if not is_identifier(label):
        raise click.UsageError(
            f"{label!r} cannot name a model in a ledger; give it its name there with --label"
        )
    name = run_id(stage, label, made.plan.asked.suite)
    with unbroken(programme) as opened:
        if opened.ledger.find(name) is not None:
            raise DuplicateEntryError(f"{name} is in the ledger already. Nothing was asked.")


def tried(programme: Path, made: Prepared) -> bool | None:
    """Return whether the scorer's extraction was audited; None where it may give no evidence.

    A suite's scorer is tried before anything is asked for a programme; `exact-text`, by which
    files of items are scored, has no option that could make it another one.
    """
    scorer = made.form.scorer
    if scorer.kind == SCORER:
        return True
    with unbroken(programme) as opened:
        found = [
            entry
            for entry in opened.ledger.entries(kind="sanity")
            if entry.body["scorer"] == str(scorer.digest)
        ]
    if found and found[-1].body["passed"] is True:
        return found[-1].body["audited"] is True
    what = "failed the sanity suite" if found else "was not tried"
    say(
        f"The scorer {scorer.kind} ({scorer.digest.short}…) {what}, so that its scores are no "
        f"evidence. Nothing was asked. Try it: dokja sanity SUITE --programme {programme}",
        error=True,
    )
    return None


def enter(programme: Path, folder: Path, made: Prepared, summary: Summary, *, stage: str) -> None:
    """Append the run to a programme's ledger, with its records as a blob."""
    with (
        unbroken(programme) as opened,
        OpenRun(folder, order=made.order) as run,
    ):
        draft = measured_draft(
            summary,
            run,
            stage=stage,
            model=made.plan.system.label,
            on=now().date(),
            actor=ACTOR,
        )
        opened.blobs.put((folder / "records.jsonl").read_bytes())
        opened.ledger.append([draft], at=now())
