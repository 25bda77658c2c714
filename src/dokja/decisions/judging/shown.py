"""How the parts of a decision stand in its document: JSON values, key by key."""

from collections.abc import Mapping, Sequence

from dokja.decisions.rules import Rulebook
from dokja.decisions.rules.frontier import Frontier
from dokja.decisions.rules.schema import Titles
from dokja.decisions.standing import AggregateCheck, Chance, PartScore, RankRange
from dokja.values import Estimate, Json, Measured

__all__ = [
    "aggregate_json",
    "chance_json",
    "gates_json",
    "measured_json",
    "parts_json",
    "ranks_json",
    "score_json",
    "stage_json",
    "titles_json",
]


def measured_json(score: Measured) -> dict[str, Json]:
    """Return an estimate with its interval, or why there is none."""
    if not isinstance(score, Estimate):
        return {"missing": score.reason.value, "what": list(score.what)}
    return {
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "level": score.level,
        "kind": score.kind.value,
        "standard_error": score.standard_error,
        "rests_on": [[what, count] for what, count in score.rests_on],
        "method": score.method,
    }


def score_json(score: PartScore) -> dict[str, Json]:
    """Return a score in one part."""
    return {
        "part": score.part,
        "points": score.points,
        "score": measured_json(score.score),
        "rulebook": score.rulebook,
        "entries": list(score.entries),
        "invented": score.invented,
        "method": score.method,
    }


def ranks_json(ranks: RankRange) -> dict[str, Json]:
    """Return the ranks that a team can hold."""
    return {
        "best": ranks.best,
        "worst": ranks.worst,
        "level": ranks.level,
        "basis": ranks.basis.value,
    }


def chance_json(chance: Chance) -> dict[str, Json]:
    """Return a team's probabilities."""
    return {
        "advance": chance.advance.to_json(),
        "lowest": chance.lowest.to_json(),
        "monte_carlo_error": chance.monte_carlo_error,
        "basis": chance.basis.value,
    }


def aggregate_json(check: AggregateCheck) -> dict[str, Json]:
    """Return a published figure over several teams."""
    return {
        "part": check.part,
        "statistic": check.statistic,
        "score": measured_json(check.score),
        "teams": check.teams,
        "held_by": list(check.held_by),
        "agrees": check.agrees.value,
        "entries": list(check.entries),
    }


def titles_json(titles: Titles) -> dict[str, Json]:
    """Return words in both languages."""
    return {"ko": titles.ko, "en": titles.en}


def _sources(book: Rulebook, tags: Sequence[str]) -> list[Json]:
    return [{"tag": tag, "address": book.sources[tag].address} for tag in tags]


def stage_json(book: Rulebook, stage: str) -> Mapping[str, Json]:
    """Return what the rulebook says of a stage."""
    rules = book.stages[stage]
    days = {name: getattr(rules, name) for name in ("opens", "closes", "decided")}
    vacancy = rules.vacancy
    return {
        "id": stage,
        "title": titles_json(rules.title),
        "kind": rules.kind,
        "planned_advance": rules.planned_advance,
        "cut_among": rules.cut_among,
        "after": rules.after,
        **{name: None if day is None else day.isoformat() for name, day in days.items()},
        "ties": {"rule": rules.ties.rule, "part": rules.ties.part},
        "vacancy": None if vacancy is None else {"rule": vacancy.rule, "stage": vacancy.stage},
        "sources": _sources(book, rules.sources),
        **({} if rules.frontier is None else {"frontier": _target(book, rules.frontier)}),
    }


def _target(book: Rulebook, frontier: Frontier) -> dict[str, Json]:
    verdict, seen = frontier.verdict, frontier.view
    return {
        "counts": frontier.counts,
        "rule": frontier.rule,
        "ratio": verdict.ratio,
        "alpha_clear": verdict.alpha_clear,
        "alpha_fail": verdict.alpha_fail,
        "delta_min": verdict.delta_min,
        "mode": verdict.mode,
        "freeze_on": frontier.freeze_on.isoformat(),
        "measure_between": [day.isoformat() for day in frontier.measure_between],
        "benchmarks": list(frontier.benchmarks),
        "convention": seen.convention,
        "combine": seen.combine,
        "frontier_of": seen.frontier_of,
        "weights": seen.weights,
        "chance": seen.chance,
        "generalise_to": seen.generalise_to,
        "clusters": seen.clusters,
        "open": list(frontier.open),
        "on_reference_lost": frontier.on_reference_lost,
        "systems": [
            {
                "name": system.name,
                "version": system.version,
                "effort": system.effort,
                "released": system.released.isoformat(),
                "sources": _sources(book, system.sources),
            }
            for system in frontier.systems
        ],
        "sources": _sources(book, frontier.sources),
    }


def parts_json(book: Rulebook, stage: str) -> list[Json]:
    """Return every part; one without sources of its own has those of what it is a part of."""
    tags: dict[str | None, Sequence[str]] = {None: book.stages[stage].sources}
    for part, parent in book.parts(stage):
        tags[part.id] = part.sources or tags[parent]
    return [
        {
            "id": part.id,
            "title": titles_json(part.title),
            "points": part.points,
            "parent": parent,
            "scale": part.scale,
            "sources": _sources(book, tags[part.id]),
        }
        for part, parent in book.parts(stage)
    ]


def gates_json(book: Rulebook, stage: str) -> list[Json]:
    """Return the stage's gates."""
    return [
        {
            "id": name,
            "title": titles_json(gate.title),
            "question": titles_json(gate.question),
            "minimum_grade": gate.minimum_grade,
            "rests_on": gate.rests_on,
            "authority": gate.authority,
            "sources": _sources(book, gate.sources),
        }
        for name, gate in ((name, book.gates[name]) for name in book.stages[stage].gates)
    ]
