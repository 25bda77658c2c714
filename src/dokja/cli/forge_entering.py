"""`dokja forge enter`: a verified build record becomes an entry that a grade may rest on."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.programmes import unbroken
from dokja.errors import Mistake, RecordError
from dokja.evidence.ledger import Draft, Programme
from dokja.evidence.ledger.kinds.builds import BuildCheck, reached_level
from dokja.models.forge.ladder import Finding, Level
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.verify import live_share
from dokja.models.forge.ladder.verify import verify as verify_levels
from dokja.models.forge.records import (
    BuildRecord,
    KeyRegister,
    read_attestation,
    read_chain,
    read_keys,
)
from dokja.models.forge.records.facts import Component, Leaf
from dokja.models.forge.records.record import SCHEMA
from dokja.values import Digest, Json

__all__ = ["enter"]

_NUMBERED = 2  # parts of a check's number; a third part is a result of its own, such as a licence


@click.command
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--programme", required=True, type=click.Path(path_type=Path), help="Its folder.")
@click.option("--model", required=True, help="The model's id in the ledger.")
@click.option("--team", required=True, help="The team that built it, as the ledger names it.")
@click.option("--level", default="V2", show_default=True, type=click.Choice(["V0", "V1", "V2"]))
@click.option("--keys", type=click.Path(path_type=Path), help="Register of known keys (TOML).")
@click.option(
    "--bases", multiple=True, type=click.Path(path_type=Path), help="Where others' weights lie."
)
@click.option("--as", "renamed", multiple=True, metavar="ID=ID", help="The ledger's component id.")
@click.option(
    "--place",
    default="builder",
    show_default=True,
    type=click.Choice(["examiner", "builder"]),
    help="Who verifies.",
)
@click.option("--actor", default="office", show_default=True, help="Who enters it.")
@as_json
def enter(
    run: Path,
    *,
    programme: Path,
    model: str,
    team: str,
    level: str,
    keys: Path | None,
    bases: tuple[Path, ...],
    renamed: tuple[str, ...],
    place: str,
    actor: str,
    as_json: bool,
) -> int:
    """Verify the record of RUN and enter it, check by check, into a programme's ledger.

    What failed, or could not be told, is entered as well: the entry says what was found, and a
    grade rests on that as the rulebook says. Only what an examiner verified can settle a grade.

    \b
    Example:
      dokja forge enter build/run-t4 --programme build/sample --model garam-1 --team garam \\
          --as body=language-body
    """
    register = None if keys is None else read_keys(keys)
    with Console(stderr=True).status("verifying"):
        findings = verify_levels(
            open_artefacts(run, bases=bases),
            upto=Level.parse(level),
            settings=Settings(keys=register),
        )
    path = run / "record.json"
    attestation = read_attestation(path, keys=register or KeyRegister(keys=()))
    body = _body(
        attestation.record,
        findings,
        names=dict(one.split("=", 1) for one in renamed if "=" in one),
        on=now().date(),
    )
    body |= {"model": model, "builder": team, "signer": attestation.signer, "place": place}
    body["run"] = read_chain(run).links[0].digest.short
    data = path.read_bytes()
    body["record"] = str(Digest.of(data))
    with unbroken(programme) as opened:
        _refuse_strangers(opened, body, model=model, file=str(run))
        blob = opened.blobs.put(data)
        entry_id = f"build/{model}/{blob.short}/{place}"
        draft = Draft(kind="build", actor=actor, body=body, blobs=(blob,), id=entry_id)
        (entry,) = opened.ledger.append([draft], at=now())
    if as_json:
        emit({"schema": "dokja.forge.enter/1", "seq": entry.seq, "id": entry.id, "body": body})
        return 0
    claim = body.get("claim") or "nothing"
    say(
        f"entry {entry.seq}, {entry.id}: claims {claim}, verified to {body['level']} by the {place}"
    )
    return 0


def _refuse_strangers(
    programme: Programme, body: Mapping[str, Any], *, model: str, file: str
) -> None:
    """Refuse a record of components that the model's entry does not declare.

    Raises:
        RecordError: The ledger declares no such model, or other components.
    """
    declared = [
        entry.body
        for entry in programme.ledger.entries(kind="model")
        if entry.body["model"] == model
    ]
    said: Any = declared[-1] if declared else {}
    known = [part["component"] for part in said.get("components", ())]
    strange = [one["component"] for one in body["components"] if one["component"] not in known]
    if declared and not strange:
        return
    expected = f"components of {model}: {', '.join(known)}" if declared else "a model of the ledger"
    read = f"the component {', '.join(strange)}" if declared else f"the model {model}"
    remedy = "Name it as the ledger does with --as ID=ID, or declare it first."
    wrong = Mistake(file=file, place="components", read=read, expected=expected, remedy=remedy)
    raise RecordError([wrong])


def _body(
    record: BuildRecord,
    findings: Sequence[Finding],
    *,
    names: Mapping[str, str],
    on: date,
) -> dict[str, Json]:
    """Return the body of a `build` entry, without what the command line adds."""
    claims = {one["component"]: one["claim"] for one in record.claim["components"]}
    checks = [_check(one, names) for one in findings if one.check.count(".") < _NUMBERED]
    level = reached_level([BuildCheck.model_validate(one) for one in checks])
    body: dict[str, Json] = {
        "on": on.isoformat(),
        "record_schema": SCHEMA,
        "table": record.claim_table,
        "components": [_component(one, claims[one.id], names) for one in record.components],
        "findings": [*checks],
        "level": level,
        "live_share": live_share(findings) or 0.0,
    }
    if record.claim["claim"] is not None:
        body["claim"] = record.claim["claim"]
    return body


def _component(
    component: Component, claim: str | None, names: Mapping[str, str]
) -> dict[str, Json]:
    found: dict[str, Json] = {
        "component": names.get(component.id, component.id),
        "role": component.role,
        "leaves": [_leaf(one) for one in component.leaves],
        "steps": [str(step.get("do", "?")) for step in component.steps],
    }
    optional = {"claim": claim, "root": component.root, "parameters": component.parameters}
    return found | {key: value for key, value in optional.items() if value is not None}


def _leaf(leaf: Leaf) -> dict[str, Json]:
    optional = {"root": leaf.root, "licence": leaf.licence, "record": leaf.record}
    known = {key: value for key, value in optional.items() if value is not None}
    return {"kind": leaf.kind.value, "name": leaf.name, **known}


def _check(finding: Finding, names: Mapping[str, str]) -> dict[str, Json]:
    found: dict[str, Json] = {"check": finding.check, "outcome": finding.outcome.value}
    if finding.component:
        component = finding.component.split("/")[0]
        found["component"] = names.get(component, component)
    for key in ("value", "threshold"):
        said = getattr(finding, key)
        if isinstance(said, int | float) and not isinstance(said, bool):
            found[key] = float(said)
    return found
