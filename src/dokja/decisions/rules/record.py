"""The ledger as a judge reads it: what stands after corrections, typed, by kind.

An entry that does not fit its kind, or that names a team, model, component or gate that is not
there, is a mistake in the evidence: judging stops and tells of all of them. Entries about stages
that the rulebook does not know belong to other versions of it and are left alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Generic, TypeVar

from pydantic import ValidationError

from dokja.errors import EntryError, Mistake
from dokja.evidence.ledger import Entry, current
from dokja.evidence.ledger.kinds import (
    Body,
    Build,
    Component,
    Finding,
    Model,
    Programme,
    Team,
    check_body,
    read_body,
)

__all__ = ["Record", "Said", "entry_name", "read_record", "survey"]

B = TypeVar("B", bound=Body)
"""The kind of a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Generic[B]):
    """Something that stands in the ledger.

    Attributes:
        seq: Number of the entry.
        id: How the entry is referred to.
        seqs: Number of the entry, then of the correction that put the body in its place.
        body: What it says, typed by its kind.
    """

    seq: int
    id: str
    seqs: tuple[int, ...]
    body: B


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """An entry that was taken back.

    Attributes:
        kind: Its kind.
        seqs: Numbers of the entry and of the correction that took it back.
        body: What it had said.
    """

    kind: str
    seqs: tuple[int, ...]
    body: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Record:
    """What stands in the ledger.

    Attributes:
        said: Everything that stands, in order.
        withdrawn: What was taken back with nothing in its place.
        entries: Every entry, by its number.
    """

    said: tuple[Said[Body], ...]
    withdrawn: tuple[Withdrawn, ...]
    entries: Mapping[int, Entry]

    def every(self, kind: type[B]) -> tuple[Said[B], ...]:
        """Return all that was said of this kind, in order."""
        return self._by_kind.get(kind, ())  # type: ignore[return-value]  # filed by its body's kind

    @cached_property
    def _by_kind(self) -> Mapping[type[Body], tuple[Said[Body], ...]]:
        filed: dict[type[Body], list[Said[Body]]] = {}
        for said in self.said:
            filed.setdefault(type(said.body), []).append(said)
        return {kind: tuple(listed) for kind, listed in filed.items()}

    @cached_property
    def _teams(self) -> Mapping[str, Said[Team]]:
        return MappingProxyType({said.body.team: said for said in self.every(Team)})

    @cached_property
    def _models(self) -> Mapping[str, Said[Model]]:
        return MappingProxyType({said.body.model: said for said in self.every(Model)})

    def programme(self) -> Said[Programme] | None:
        """Return the entry that opened the programme, if there is one."""
        return next(iter(self.every(Programme)), None)

    def teams(self) -> Mapping[str, Said[Team]]:
        """Return the teams by id."""
        return self._teams

    def models(self) -> Mapping[str, Said[Model]]:
        """Return the models by id."""
        return self._models

    def component(self, model: str, component: str) -> Component | None:
        """Return a component as its team declares it."""
        said = self.models().get(model)
        if said is None:
            return None
        return next((c for c in said.body.components if c.component == component), None)


def entry_name(said: Said[B]) -> str:
    """Return how an entry is named in a mistake."""
    return f"ledger entry {said.seq} ({said.id})"


def read_record(entries: Iterable[Entry]) -> Record:
    """Return what stands in the ledger after corrections.

    Args:
        entries: All entries of the ledger, in any order.

    Raises:
        EntryError: Bodies do not fit their kinds, or name what is not there; every mistake.
    """
    record, mistakes = survey(entries)
    if mistakes:
        raise EntryError(mistakes)
    return record


def survey(entries: Iterable[Entry]) -> tuple[Record, list[Mistake]]:
    """Return what stands in the ledger, and every mistake in it.

    An entry with a mistake in its body is left out of the record; one that names what is not
    there is kept. So whoever judges can go on looking for mistakes, and tell all of them.

    Args:
        entries: All entries of the ledger, in any order.
    """
    ordered = sorted(entries, key=lambda entry: entry.seq)
    mistakes: list[Mistake] = []
    said: list[Said[Body]] = []
    withdrawn: list[Withdrawn] = []
    for standing in current(ordered):
        if standing.body is None:
            withdrawn.append(
                Withdrawn(kind=standing.kind, seqs=standing.seqs, body=dict(standing.entry.body))
            )
            continue
        try:
            body = read_body(standing.kind, standing.body)
        except (KeyError, ValidationError):  # told key by key by the check
            place = f"ledger entry {standing.seq} ({standing.id})"
            mistakes += check_body(standing.kind, standing.body, place=place)
        else:
            said.append(Said(seq=standing.seq, id=standing.id, seqs=standing.seqs, body=body))
    record = Record(
        said=tuple(said),
        withdrawn=tuple(withdrawn),
        entries=MappingProxyType({entry.seq: entry for entry in ordered}),
    )
    if record.programme() is None:
        mistakes.append(
            Mistake(
                file="the ledger",
                place="",
                read="no entry of kind programme",
                expected="one, which says what the programme is",
                remedy="Append one with: dokja ledger append",
            )
        )
    mistakes += _twice(record)
    mistakes += _strangers(record)
    return record, mistakes


def _twice(record: Record) -> list[Mistake]:
    """Return every team or model that is declared twice, not as a correction."""
    mistakes: list[Mistake] = []
    teams: dict[str, int] = {}
    models: dict[str, int] = {}
    for said in record.said:
        match said.body:
            case Team(team=name):
                first, what = teams.setdefault(name, said.seq), "team"
            case Model(model=name):
                first, what = models.setdefault(name, said.seq), "model"
            case _:
                continue
        if first != said.seq:
            mistakes.append(
                Mistake(
                    file=entry_name(said),
                    place=what,
                    read=f"{name!r}, which entry {first} declares already",
                    expected="another id, or a correction of that entry",
                )
            )
    return mistakes


def _strangers(record: Record) -> list[Mistake]:
    """Return every team, model and component that is named and not there."""
    teams, models = record.teams(), record.models()
    mistakes = [
        _strange(model, "team", model.body.team, teams)
        for model in models.values()
        if model.body.role == "candidate" and model.body.team not in teams
    ]
    for finding in record.every(Finding):
        body = finding.body
        if body.model not in models:
            mistakes.append(_strange(finding, "model", body.model, models))
        elif record.component(body.model, body.component) is None:
            declared = [part.component for part in models[body.model].body.components]
            mistakes.append(_strange(finding, "component", body.component, declared))
    for build in record.every(Build):
        mistakes += _strange_build(record, build)
    return mistakes


def _strange_build(record: Record, said: Said[Build]) -> Iterator[Mistake]:
    """Yield every model and component that a build names and that is not declared so."""
    models = record.models()
    if said.body.model not in models:
        yield _strange(said, "model", said.body.model, models)
        return
    declared = {part.component: part for part in models[said.body.model].body.components}
    for number, part in enumerate(said.body.components):
        place = f"components.{number}"
        if part.component not in declared:
            yield _strange(said, f"{place}.component", part.component, declared)
        elif part.role != declared[part.component].role:
            yield _strange(said, f"{place}.role", part.role, [declared[part.component].role])


def _strange(said: Said[B], place: str, name: str, known: Iterable[str]) -> Mistake:
    listed = ", ".join(known) or "none is declared"
    return Mistake(
        file=entry_name(said),
        place=place,
        read=repr(name),
        expected=f"one that the ledger declares: {listed}",
    )
