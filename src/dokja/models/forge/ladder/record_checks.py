"""V0, the signed record: it says what chain and plan say, and its papers follow from it."""

from collections.abc import Iterator
from dataclasses import replace

from dokja.errors import RecordError
from dokja.models.forge.ladder.artefacts import Artefacts, reason_of
from dokja.models.forge.ladder.chain_checks import NO_KEYS
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.records import BuildRecord, PlanFacts, make_record
from dokja.models.forge.running.recording import papers

__all__ = ["paper_findings", "record_findings"]


def record_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.10: the signed record says what chain and plan say, and nothing else."""
    title = "record says what chain and plan say"
    try:
        record = artefacts.attestation(settings.keys or NO_KEYS).record
    except RecordError as error:
        there = artefacts.record is not None
        yield Finding(
            check="V0.10",
            title=title,
            outcome=Outcome.FAIL if there else Outcome.NOT_AVAILABLE,
            why=reason_of(error),
            remedy="Ask the builder for the signed record.json.",
        )
        return
    wrong = [*_against_chain(artefacts, record), *_against_plan(artefacts, record)]
    absent = artefacts.chain is None or artefacts.plan is None
    outcome = Outcome.FAIL if wrong else Outcome.UNDECIDED if absent else Outcome.PASS
    why = "every part of the record follows from chain and plan"
    if absent:
        why = "; ".join(f"{name}: {reason}" for name, reason in artefacts.absent.items())
    yield Finding(
        check="V0.10",
        title=title,
        outcome=outcome,
        value=str(record.digest),
        power="one changed word of the record",
        why="; ".join(wrong) or why,
        remedy="" if outcome is Outcome.PASS else "Ask for chain and plan as they were sealed.",
    )


def _against_chain(artefacts: Artefacts, record: BuildRecord) -> Iterator[str]:
    chain = artefacts.chain
    if chain is None:
        if artefacts.chain_is_damaged:
            yield "the chain that the record was made of cannot be read"
        return
    if record.chain.digest != chain.digest:
        yield f"the record was made of the chain {record.chain.digest}, not of {chain.digest}"
    facts = PlanFacts(
        name=record.name,
        size=record.size,
        claim_table=record.claim_table,
        claim=record.claim,
        components=record.components,
        data=record.data,
        tokenizer=record.tokenizer,
        steps={name: one.steps for name, one in record.chain.witnessed.items()},
    )
    try:
        made = make_record(chain, facts)
    except RecordError as error:
        yield reason_of(error)
        return
    if replace(made, chain=record.chain).to_json() != record.to_json():
        yield "the record says something else than the chain's entries"
    elif made.chain != record.chain and made.chain.digest == record.chain.digest:
        yield "the record counts witnessed steps otherwise than the chain"


def _against_plan(artefacts: Artefacts, record: BuildRecord) -> Iterator[str]:
    plan = artefacts.plan
    if plan is None:
        return
    if plan.digest != record.plan:
        yield f"plan.json is the plan {plan.digest}, the record names {record.plan}"
        return
    said = [(one.id, one.role, list(map(dict, one.steps))) for one in record.components]
    planned = [(one.id, one.descent.role, list(map(dict, one.stages))) for one in plan.components]
    same = (record.name, record.size, dict(record.claim)) == (
        plan.name,
        plan.size,
        dict(plan.claim),
    )
    if said != planned or not same:
        yield "the record's components, steps or claim are not those of the plan"


def paper_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.9: bills of materials and cards beside the record follow from it, byte by byte."""
    title = "bills and cards follow from the record"
    if artefacts.record is None:
        return
    try:
        made = papers(artefacts.attestation(settings.keys or NO_KEYS).record)
    except RecordError:
        return  # said by V0.1 and V0.10
    beside = artefacts.record.parent
    lying = {name: beside / name for name in made if (beside / name).is_file()}
    wrong = [name for name, path in lying.items() if path.read_bytes() != made[name]]
    outcome = Outcome.FAIL if wrong else Outcome.PASS if lying else Outcome.NOT_AVAILABLE
    yield Finding(
        check="V0.9",
        title=title,
        outcome=outcome,
        value=len(lying),
        power="one changed byte",
        why=f"not what follows from the record: {', '.join(wrong)}"
        if wrong
        else f"made again and equal: {', '.join(sorted(lying))}"
        if lying
        else "none lies beside the record",
        remedy="Make them again from the record; they are never edited by hand." if wrong else "",
    )
