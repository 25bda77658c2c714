"""Whether a team's model reaches the required share of the frontier, as the ledger says.

The verdict itself is frozen in a `reach` entry: nothing is computed here. What is asked is whether
the entry answers the question that this version of the rulebook registered: the same target, the
same systems, the same convention, measured in the window. An answer to another question is no
answer, and says so.
"""

from collections.abc import Iterator, Sequence

from dokja.decisions.rules import (
    Record,
    Rulebook,
    Ruling,
    Said,
    Verdict,
    any_of,
    because,
    entry_name,
)
from dokja.decisions.rules.frontier import Frontier
from dokja.decisions.standing.entrants import models_of
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import Reach
from dokja.values import Json, Reason

__all__ = ["FRONTIER", "frontier_ruling", "reach_mistakes"]

FRONTIER = "frontier"
"""Names the rule; no gate can have this name."""

_VERDICTS = {"clears": Verdict.HOLDS, "does_not_clear": Verdict.FAILS}


def frontier_ruling(rulebook: Rulebook, record: Record, *, stage: str, team: str) -> Ruling | None:
    """Return whether a team reaches the frontier of a stage; nothing where the stage has none.

    A team with several models reaches it with any of them.
    """
    frontier = rulebook.stages[stage].frontier
    if frontier is None:
        return None
    models = [said.body.model for said in models_of(record, team, stage=stage)]
    if not models:
        lacking = because("model-not-declared", team=team)
        return Ruling(rule=FRONTIER, subject=team, verdict=Verdict.UNDECIDED, reasons=(lacking,))
    found = [
        _model(frontier, _last(record, model=model, stage=stage, rulebook=rulebook), model=model)
        for model in models
    ]
    return any_of(found, rule=FRONTIER, subject=team)


def reach_mistakes(rulebook: Rulebook, record: Record, *, stage: str) -> list[Mistake]:
    """Return every `reach` of a stage under this version that answers another question."""
    frontier = rulebook.stages[stage].frontier
    mistakes: list[Mistake] = []
    for said in record.every(Reach):
        body = said.body
        if body.stage != stage:
            continue
        models = record.models()
        if body.model not in models or models[body.model].body.team != body.team:
            known = ", ".join(n for n, m in models.items() if m.body.team == body.team) or "none"
            mistakes.append(
                _mistake(said, "model", repr(body.model), f"a model of its team: {known}")
            )
        if frontier is not None and body.rulebook == rulebook.version:
            mistakes += _strange(said, frontier)
    return mistakes


def _strange(said: Said[Reach], frontier: Frontier) -> Iterator[Mistake]:
    body, view = said.body, frontier.view
    asked: list[tuple[str, Json, Json]] = [
        ("required", body.required, frontier.verdict.ratio),
        ("convention", body.convention, view.convention),
        ("generalise_to", body.generalise_to, view.generalise_to),
        ("benchmarks", sorted(body.benchmarks), sorted(frontier.benchmarks)),
    ]
    for place, read, expected in asked:
        if read != expected:
            yield _mistake(said, place, repr(read), f"{expected!r}, as the rulebook registered")
    listed = {system.name for system in frontier.systems}
    unlisted = sorted(set(body.references) - listed)
    if unlisted:
        known = ", ".join(sorted(listed))
        yield _mistake(said, "references", ", ".join(unlisted), f"systems of the frontier: {known}")


def _mistake(said: Said[Reach], place: str, read: str, expected: str) -> Mistake:
    return Mistake(
        file=entry_name(said),
        place=place,
        read=read,
        expected=expected,
        remedy="Correct the entry, or compare again with: dokja compare --rulebook.",
    )


def _last(record: Record, *, model: str, stage: str, rulebook: Rulebook) -> Said[Reach] | None:
    """Return the reach that counts: the last of this version, else that of an accepted one."""
    accepted = (rulebook.version, *reversed(rulebook.stages[stage].accepts))
    for version in accepted:
        found = [
            said
            for said in record.every(Reach)
            if (said.body.stage, said.body.model, said.body.rulebook) == (stage, model, version)
        ]
        if found:
            return found[-1]
    return None


def _model(frontier: Frontier, said: Said[Reach] | None, *, model: str) -> Ruling:
    required = frontier.verdict.ratio
    if said is None:
        unmeasured = because("frontier-not-measured", model=model, required=required)
        return _ruling(model, Verdict.UNDECIDED, [unmeasured])
    body = said.body
    first, last = frontier.measure_between
    if not first <= body.on <= last:
        strange = because(
            "frontier-measured-outside",
            model=model,
            on=body.on.isoformat(),
            first=first.isoformat(),
            last=last.isoformat(),
            entries=said.seqs,
        )
        return _ruling(model, Verdict.UNDECIDED, [strange])
    reasons: list[Reason] = []
    lost = sorted({system.name for system in frontier.systems} - set(body.references))
    if lost:
        names: list[Json] = [*lost]
        reasons.append(
            because("frontier-system-lost", model=model, references=names, entries=said.seqs)
        )
    verdict = _VERDICTS.get(body.verdict, Verdict.UNDECIDED)
    if lost and frontier.on_reference_lost == "undecided" and verdict is Verdict.HOLDS:
        # Below one of those that are left is below the frontier, whoever else is missing.
        verdict = Verdict.UNDECIDED
        return _ruling(model, verdict, reasons)
    return _ruling(model, verdict, [_said(said, verdict=verdict), *reasons])


def _said(said: Said[Reach], *, verdict: Verdict) -> Reason:
    body = said.body
    params: dict[str, Json] = {
        "model": body.model,
        "reference": body.strictest or body.references[0],
        "ratio": None if body.ratio is None else float(body.ratio),
        "required": body.required,
    }
    if verdict is Verdict.HOLDS:
        return because("frontier-reached", entries=said.seqs, **params)
    if verdict is Verdict.FAILS:
        return because("frontier-not-reached", entries=said.seqs, **params)
    open_: list[Json] = [*body.reasons]
    return because("frontier-open", entries=said.seqs, **params, frontier_reasons=open_)


def _ruling(model: str, verdict: Verdict, reasons: Sequence[Reason]) -> Ruling:
    return Ruling(rule=FRONTIER, subject=model, verdict=verdict, reasons=tuple(reasons))
