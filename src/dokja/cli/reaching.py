"""What `dokja observe` measures beside a stage's frontier, from runs that are recorded."""

from collections.abc import Mapping
from datetime import date

from dokja import __version__
from dokja.cli.comparing import asked_by_rulebook
from dokja.cli.observations import ACTOR
from dokja.decisions.rules import Rulebook
from dokja.evidence.benchmarks.comparing import Occasion, compare, reach_draft
from dokja.evidence.benchmarks.records import RunRecord
from dokja.evidence.benchmarks.run_tables import table_of_runs
from dokja.evidence.ledger import Draft

__all__ = ["benchmarks_of", "reach_of"]


def benchmarks_of(rulebook: Rulebook, *, stage: str) -> tuple[str, ...]:
    """Return the benchmarks on which a stage asks for a share of the frontier."""
    frontier = rulebook.stages[stage].frontier
    return () if frontier is None else frontier.benchmarks


def reach_of(
    rulebook: Rulebook,
    runs: Mapping[str, Mapping[str, RunRecord]],
    *,
    stage: str,
    model: str,
    team: str,
    on: date,
    invented: bool,
) -> tuple[Draft, bytes] | None:
    """Return the entry that says whether a model reaches the frontier, and its document.

    Args:
        rulebook: It registers the question.
        runs: By benchmark and by model, as they are recorded.
        stage: The stage.
        model: The model.
        team: Whose it is.
        on: The day of the comparison.
        invented: Whether the programme is.

    Returns:
        None where the model did not answer every benchmark: then nothing was measured.
    """
    if not runs or any(model not in answered for answered in runs.values()):
        return None
    asked = asked_by_rulebook(rulebook, model, stage=stage, labels={})
    wanted = {model, *asked.question.references}
    tables = [
        table_of_runs({name: run for name, run in answered.items() if name in wanted})
        for answered in runs.values()
    ]
    evidence = [f"run/{stage}/{name}/{suite}" for suite, by in runs.items() for name in by]
    return reach_draft(
        compare(tables, asked.question),
        Occasion(
            stage=stage, team=team, model=model, rulebook=rulebook.version, on=on, actor=ACTOR
        ),
        software=f"dokja {__version__}",
        evidence=[one for one in evidence if one.split("/")[2] in wanted],
        invented=invented,
    )
