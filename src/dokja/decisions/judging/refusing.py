"""Entries that no judge can take: rulings on nothing, and rules that changed under one version."""

from dokja.decisions.rules import Record, Rulebook, Said, entry_name
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import RulebookAdopted, Ruling

__all__ = ["adoption_mistakes", "ruling_mistakes"]


def ruling_mistakes(rulebook: Rulebook, record: Record, *, stage: str) -> list[Mistake]:
    """Return every ruling of a stage on a gate, a team or a model that is not there.

    A rulebook version that knows no gate at all leaves the rulings under later versions alone.
    """
    mistakes: list[Mistake] = []
    for said in record.every(Ruling):
        if said.body.stage == stage:
            mistakes += _ruling(rulebook, record, said)
    return mistakes


def _ruling(rulebook: Rulebook, record: Record, said: Said[Ruling]) -> list[Mistake]:
    body = said.body
    gates = rulebook.gates
    models = {
        name: model.body for name, model in record.models().items() if model.body.team == body.team
    }
    found = []
    if gates and body.gate not in gates:
        found.append(("gate", body.gate, ", ".join(gates)))
    if body.team not in record.teams():
        found.append(("team", body.team, ", ".join(record.teams()) or "none is declared"))
    elif body.model is not None and body.model not in models:
        found.append(("model", body.model, ", ".join(models) or "none is declared"))
    return [
        Mistake(file=entry_name(said), place=place, read=repr(read), expected=f"one of: {known}")
        for place, read, known in found
    ]


def adoption_mistakes(rulebook: Rulebook, record: Record) -> list[Mistake]:
    """Return every adoption that pins other bytes under the version that judges."""
    return [
        Mistake(
            file=entry_name(said),
            place="digest",
            read=f"version {rulebook.version!r} of {rulebook.id!r} with the digest "
            f"{said.body.digest}",
            expected=f"that of the rulebook that judges, {rulebook.digest}",
            remedy="A version is never edited: give the changed rules a version of their own.",
        )
        for said in record.every(RulebookAdopted)
        if (said.body.rulebook, said.body.version) == (rulebook.id, rulebook.version)
        and said.body.digest != str(rulebook.digest)
    ]
