"""`dokja simulate`: how often rules would send the truly better team home, before a stage opens."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja import __version__
from dokja.cli.printing import as_json, emit, say
from dokja.cli.rulebooks import named
from dokja.cli.simulate_design import planned
from dokja.decisions.rules import Part, Rulebook, Stage, load_rulebook
from dokja.errors import InputError, Mistake
from dokja.evidence.statistics.simulating import (
    DoubtEffect,
    Lever,
    Outcome,
    Simulation,
    TeamFate,
    simulate,
)
from dokja.public.reports import (
    Assumption,
    SimulationReport,
    simulation_text,
    write_simulation_page,
)
from dokja.public.reports.names import Names
from dokja.public.reports.terms import Text

__all__ = ["simulate_command"]

_GAPS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
_DRAWS = 62_500
_LEAST_DRAWS = 1_000
_DECIMALS = 4
_UNCHANGED = "Nothing was simulated and nothing was written."


@click.command("simulate")
@click.argument("name", metavar="RULEBOOK")
@click.option("--stage", help="The stage; by default the only one that is decided on points.")
@click.option(
    "--design",
    type=click.Path(path_type=Path),
    help="A TOML file with what the rulebook leaves open.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.QUANTITY=VALUE",
    help="One such quantity, such as expert.raters=20 or teams=6.",
)
@click.option(
    "--gap",
    "gaps",
    multiple=True,
    type=click.FloatRange(0, min_open=True),
    help="A true gap to ask about, in points.",
)
@click.option(
    "--draws",
    default=_DRAWS,
    show_default=True,
    type=click.IntRange(_LEAST_DRAWS, 1_000_000),
    help="Stages drawn for each figure.",
)
@click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="The rulebook's by default.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the answer as one page.")
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", help="Language of the text.")
@as_json
def simulate_command(name: str, *, as_json: bool, **given: Any) -> int:
    """Say how often the rules of RULEBOOK would send the truly better team home.

    RULEBOOK is a file or a packaged version. Stages are drawn under its parts, points, cut and
    ties; what it leaves open, such as how many items and readers there are and how far teams lie
    apart, comes from a design and is listed with its source. The answer says what would halve the
    error. Nothing is measured, and no team is judged.

    \b
    Examples:
      dokja simulate sample/programme/rulebook.toml
      dokja simulate k-ai-2025/2026-01-15 --stage stage-1 --html build/simulation.html
      dokja simulate k-ai-2025/2026-01-15 --stage stage-1 --set expert.raters=40
    """
    data, file = named(name)
    rulebook = load_rulebook(data, file=file)
    stage = _stage(rulebook, given["stage"], file=file)
    _refuse_place(given["html"])
    design = planned(rulebook, stage, design=given["design"], settings=given["settings"], file=file)
    seed = rulebook.probability.seed if given["seed"] is None else given["seed"]
    with Console(stderr=True).status("drawing stages"):
        found = simulate(design.stage, gaps=given["gaps"] or _GAPS, draws=given["draws"], seed=seed)
    report = _report(rulebook, stage, assumptions=design.assumptions, found=found)
    if given["html"] is not None:
        write_simulation_page(report, out=given["html"])
    if as_json:
        emit(_document(report))
        return 0
    say(simulation_text(report, given["lang"]))
    if given["html"] is not None:
        say()
        say(f"page: {given['html']}")
    return 0


def _stage(rulebook: Rulebook, asked: str | None, *, file: str) -> str:
    """Return the stage that is meant.

    Raises:
        InputError: There is no such stage, it is not cut by points, or several could be meant.
    """
    cut = [name for name, stage in rulebook.stages.items() if _is_cut(stage)]
    on_points = [name for name in cut if rulebook.stages[name].kind == "points"]
    if asked is None and len(on_points or cut) == 1:
        return (on_points or cut)[0]
    if asked in cut:
        return asked
    expected = (
        f"one of {', '.join(cut)}" if cut else "a rulebook with a stage that is cut by points"
    )
    read = "no stage" if asked is None else f"{asked!r}"
    mistake = Mistake(file=file, place="--stage", read=read, expected=expected)
    raise InputError([mistake], changed=_UNCHANGED)


def _is_cut(stage: Stage) -> bool:
    return stage.kind != "vote" and bool(stage.parts) and stage.planned_advance is not None


def _refuse_place(html: Path | None) -> None:
    """Refuse a page that cannot be written, before anything is drawn.

    Raises:
        InputError: Its folder is not there, or it is one.
    """
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        expected = "the name of a file in a folder that is there"
        mistake = Mistake(file="--html", place="", read=str(html), expected=expected)
        raise InputError([mistake], changed=_UNCHANGED)


def _report(
    rulebook: Rulebook, stage: str, *, assumptions: tuple[Assumption, ...], found: Simulation
) -> SimulationReport:
    rules = rulebook.stages[stage]
    names = Names(
        tables={
            # What is assumed of the stage stands beside what is assumed of its parts.
            "stage": {stage: Text(ko=rules.title.ko, en=rules.title.en)},
            "part": {"stage": Text(ko="단계", en="Stage")}
            | {part.id: Text(ko=part.title.ko, en=part.title.en) for part in _every(rules.parts)},
            "gate": {
                gate: Text(ko=rulebook.gates[gate].title.ko, en=rulebook.gates[gate].title.en)
                for gate in rules.gates
            },
        }
    )
    return SimulationReport(
        rulebook=Text(ko=rulebook.title.ko, en=rulebook.title.en),
        version=rulebook.version,
        digest=str(rulebook.digest),
        stage=stage,
        names=names,
        gates=tuple(rules.gates),
        assumptions=assumptions,
        simulation=found,
    )


def _every(parts: Sequence[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        yield from _every(part.parts)


def _document(report: SimulationReport) -> dict[str, Any]:
    """Return the answer as one JSON document; a key that has no value is not there."""
    found = report.simulation
    return {
        "schema": "dokja.simulate/1",
        "rulebook": {"version": report.version, "digest": report.digest},
        "stage": report.stage,
        "teams": found.stage.teams,
        "places": found.stage.places,
        "seed": found.seed,
        "draws": found.overall.draws,
        "software": f"Dokja {__version__}",
        "overall": _outcome(found.overall),
        "curve": [{"gap": at.gap} | _outcome(at.outcome) for at in found.curve],
        "needed": [
            {"wrong_at_most": share} | ({} if gap is None else {"gap": _rounded(gap)})
            for share, gap in found.needed
        ],
        "field": [_fate(team) for team in found.teams],
        "noise": {
            "sd": _rounded(found.noise_sd),
            "parts": [
                {"part": one.part, "sd": _rounded(one.sd), "share": _rounded(one.share)}
                | ({} if one.subjects is None else {"subjects": _rounded(one.subjects)})
                for one in found.noise
            ],
        },
        "levers": [
            _lever(effect.lever)
            | _outcome(effect.outcome)
            | ({} if effect.ratio is None else {"ratio": _rounded(effect.ratio)})
            for effect in found.levers
        ],
        "halving": [
            {"levers": [_lever(lever) for lever in way.levers]} | _outcome(way.outcome)
            for way in found.halving
        ],
        "all_levers": _outcome(found.everything),
        "doubts": [_doubt(effect) | _outcome(effect.outcome) for effect in found.doubts],
        "assumptions": [_assumption(one) for one in report.assumptions],
    }


def _fate(team: TeamFate) -> dict[str, float]:
    return {
        "place": team.place,
        "points": _rounded(team.points),
        "on": _rounded(team.on),
        "undecided": _rounded(team.undecided),
        "last": _rounded(team.last),
        "regret": _rounded(team.regret),
    }


def _doubt(effect: DoubtEffect) -> dict[str, Any]:
    doubt = effect.doubt
    part = {} if doubt.part is None else {"part": doubt.part}
    assumed = {} if doubt.assumed is None else {"assumed": doubt.assumed}
    return {"quantity": doubt.quantity, **part, **assumed, "instead": doubt.instead}


def _outcome(outcome: Outcome) -> dict[str, float]:
    return {
        "wrong": _rounded(outcome.wrong),
        "monte_carlo_error": _rounded(outcome.error),
        "undecided_share": _rounded(outcome.undecided),
        "going_on": _rounded(outcome.going),
        "regret_points": _rounded(outcome.regret),
    }


def _lever(lever: Lever) -> dict[str, Any]:
    part = {} if lever.part is None else {"part": lever.part}
    return {"lever": lever.kind, **part, "before": lever.before, "after": lever.after}


def _assumption(one: Assumption) -> dict[str, Any]:
    said = {"part": one.part, "quantity": one.quantity, "value": one.value, "source": one.source}
    kept = {key: value for key, value in said.items() if value not in {None, ""}}
    return {**kept, "origin": one.origin}


def _rounded(number: float) -> float:
    return round(number, _DECIMALS) + 0.0  # never -0.0
