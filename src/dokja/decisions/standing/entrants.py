"""Who stands in a stage, and how many more do whom the ledger does not name.

Teams enter by a model that was submitted to the stage or by their application; where neither is
recorded, by having been let through the stage before it. The others of a count that was published
without names are entrants too: they can take places, and nothing else is known of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dokja.decisions.rules import Record, Rulebook, Said, entry_name
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import Applications, Model, Outcome

__all__ = ["Entrants", "entrants_of", "models_of", "outcome_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrants:
    """Who stands in a stage.

    Attributes:
        teams: Their ids, in order of the ids.
        unnamed: How many more there are.
        entries: Numbers of the entries that say so.
    """

    teams: tuple[str, ...]
    unnamed: int
    entries: tuple[int, ...]


def outcome_of(record: Record, stage: str) -> Said[Outcome] | None:
    """Return the last published outcome of a stage, if there is one."""
    found = [said for said in record.every(Outcome) if said.body.stage == stage]
    return found[-1] if found else None


def models_of(record: Record, team: str, *, stage: str) -> tuple[Said[Model], ...]:
    """Return the models with which a team stands in a stage, in order of their ids.

    A model that names no stage stands in every stage of its team.
    """
    return tuple(
        said
        for _, said in sorted(record.models().items())
        if said.body.team == team
        and said.body.role == "candidate"
        and (stage in said.body.stages or not said.body.stages)
    )


def entrants_of(
    rulebook: Rulebook, record: Record, *, stage: str
) -> tuple[Entrants, list[Mistake]]:
    """Return who stands in a stage, and every entry that lets in somebody who cannot be there."""
    mistakes: list[Mistake] = []
    submitted = [
        said
        for said in record.every(Model)
        if said.body.role == "candidate" and stage in said.body.stages
    ]
    applied = [said for said in record.every(Applications) if said.body.stage == stage]
    teams = {said.body.team for said in submitted}
    for application in applied:
        teams |= set(application.body.teams)
        mistakes += [
            _stranger(application, team, record.teams())
            for team in application.body.teams
            if team not in record.teams()
        ]
    before = _before(rulebook, record, stage=stage)
    let_through = {team for outcome in before for team in outcome.body.advance}
    counts = [said.body.count for said in applied]
    if not teams:
        teams = {team for team in let_through if team in record.teams()}
        counts.append(sum(outcome.body.to_count for outcome in before))
    elif before and not _is_re_entry(rulebook, stage):
        mistakes += _uninvited(
            stage, teams - let_through, submitted=submitted, applied=applied, before=before
        )
    mistakes += [
        Mistake(
            file=entry_name(said),
            place="count",
            read=str(said.body.count),
            expected=f"at least the {len(teams)} teams that the ledger names",
        )
        for said in applied
        if said.body.count < len(teams)
    ]
    own = outcome_of(record, stage)
    if own is not None:
        counts.append(own.body.from_count)
    used = [said.seqs for said in submitted]
    used += [said.seqs for said in applied]
    used += [said.seqs for said in before]
    entrants = Entrants(
        teams=tuple(sorted(teams & record.teams().keys())),
        unnamed=max([0, *(count - len(teams) for count in counts)]),
        entries=tuple(sorted({seq for seqs in used for seq in seqs})),
    )
    return entrants, mistakes


def _is_re_entry(rulebook: Rulebook, stage: str) -> bool:
    """Tell whether a stage fills the places that another left open, and so admits newcomers."""
    return any(
        rules.vacancy is not None and rules.vacancy.stage == stage
        for rules in rulebook.stages.values()
    )


def _before(rulebook: Rulebook, record: Record, *, stage: str) -> list[Said[Outcome]]:
    """Return the outcomes that let teams into a stage: of the one before, and of its re-entry."""
    after = rulebook.stages[stage].after
    if after is None:
        return []
    names = {after}
    for name, rules in rulebook.stages.items():
        target = rules.vacancy.stage if rules.vacancy is not None else None
        if name == after and target not in {None, stage}:
            names.add(str(target))
        if target == after:
            names.add(name)
    found = [outcome_of(record, name) for name in sorted(names)]
    return [outcome for outcome in found if outcome is not None]


def _uninvited(
    stage: str,
    teams: Iterable[str],
    *,
    submitted: Iterable[Said[Model]],
    applied: Iterable[Said[Applications]],
    before: Iterable[Said[Outcome]],
) -> list[Mistake]:
    """Return a mistake for every team that the stage before did not let through."""
    named = ", ".join(f"{outcome.seq} ({outcome.id})" for outcome in before)
    mistakes = []
    for team in sorted(teams):
        places = [(entry_name(s), "stages") for s in submitted if s.body.team == team]
        places += [(entry_name(s), "teams") for s in applied if team in s.body.teams]
        mistakes += [
            Mistake(
                file=file,
                place=place,
                read=f"{team!r} in {stage!r}",
                expected=f"a team that the stage before lets through; see ledger entry {named}",
            )
            for file, place in places
        ]
    return mistakes


def _stranger(said: Said[Applications], team: str, known: Iterable[str]) -> Mistake:
    return Mistake(
        file=entry_name(said),
        place="teams",
        read=repr(team),
        expected="one that the ledger declares: " + (", ".join(known) or "none is declared"),
    )
