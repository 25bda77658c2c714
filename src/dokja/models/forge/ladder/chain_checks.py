"""V0, what is signed and said: signatures, the chain, receipts, log spans, the record, its papers.

Each problem of a chain belongs to one check. Whether the seed was drawn as it should be is V1.0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from dokja.errors import RecordError
from dokja.models.forge.ladder.artefacts import Artefacts, reason_of
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.records import (
    BuildRecord,
    Chain,
    KeyRegister,
    KeyStanding,
    LogSpan,
    Metrics,
    PlanFacts,
    Problem,
    ProblemKind,
    check_chain,
    liveness,
    make_record,
)
from dokja.models.forge.running.recording import papers

__all__ = ["chain_findings", "paper_findings", "problems_of", "record_findings", "span_findings"]

_SIGNED = frozenset(
    {
        ProblemKind.SIGNATURE,
        ProblemKind.UNKNOWN_KEY,
        ProblemKind.KEY_NOT_VALID,
        ProblemKind.KEY_REVOKED,
        ProblemKind.OTHER_BUILDER,
    }
)
_CONTINUOUS = frozenset(
    {
        ProblemKind.GAP,
        ProblemKind.PREDECESSOR,
        ProblemKind.CLOCK,
        ProblemKind.ORDER,
        ProblemKind.NO_SEAL,
    }
)
_WITNESSED = frozenset(
    {
        ProblemKind.RECEIPT_ENTRY,
        ProblemKind.RECEIPT_SIGNATURE,
        ProblemKind.RECEIPT_CLOCK,
        ProblemKind.UNKNOWN_WITNESS,
        ProblemKind.WITNESS_NOT_VALID,
        ProblemKind.NO_RECEIPT,
    }
)
_UNKNOWN = frozenset({ProblemKind.UNKNOWN_KEY, ProblemKind.UNKNOWN_WITNESS})
_NO_KEYS = KeyRegister(keys=())
_GIVE_KEYS = "Give the programme's register with --keys keys.toml."
_PIECE = 1 << 20


def problems_of(artefacts: Artefacts, settings: Settings) -> tuple[Problem, ...]:
    """Return what is wrong with the chain; without a register, nothing about unknown keys."""
    chain = artefacts.chain
    if chain is None:
        return ()
    found = check_chain(chain, keys=settings.keys or _NO_KEYS, threads=settings.threads)
    if settings.keys is None:
        return tuple(one for one in found if one.kind not in _UNKNOWN)
    return found


def chain_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.1 signatures, V0.2 the chain, V0.3 receipts and live share."""
    problems = problems_of(artefacts, settings)
    yield _signatures(artefacts, settings, problems)
    yield _continuous(artefacts, problems)
    yield from _receipts(artefacts, settings, problems)


def _without_chain(artefacts: Artefacts, check: str, title: str) -> Finding:
    damaged = artefacts.chain_is_damaged
    return Finding(
        check=check,
        title=title,
        outcome=Outcome.FAIL if damaged and check == "V0.2" else Outcome.NOT_AVAILABLE,
        why=f"the chain cannot be read: {artefacts.absent.get('chain', '')}",
        remedy="Restore chain.jsonl from the witness or a mirror."
        if damaged
        else "Give the folder with the run's chain.jsonl by --artefacts.",
    )


def _signatures(artefacts: Artefacts, settings: Settings, problems: Sequence[Problem]) -> Finding:
    title = "signatures and keys"
    chain = artefacts.chain
    mine = [one for one in problems if one.kind in _SIGNED]
    envelope = _envelope_fault(artefacts, settings)
    if envelope and any(one.kind is ProblemKind.UNKNOWN_KEY for one in mine):
        # One key that nobody knows is one fault, wherever it signed.
        envelope = None if "does not know the key" in envelope else envelope
    if (
        chain is None
        and envelope is None
        and (artefacts.record is None or artefacts.chain_is_damaged)
    ):
        return _without_chain(artefacts, "V0.1", title)
    why = [*_grouped(mine), *([envelope] if envelope else [])]
    base = Finding(
        check="V0.1",
        title=title,
        outcome=Outcome.FAIL,
        value=0 if chain is None else len(chain.links),
        power="one changed byte of an entry or of the record",
        why=". ".join(why),
        remedy="Ask the builder for the chain that was signed, and the register for the key.",
    )
    if why:
        return base
    if settings.keys is None:
        return replace(
            base,
            outcome=Outcome.UNDECIDED,
            why="every signature is right, but no register says whose keys these are",
            remedy=_GIVE_KEYS,
        )
    count = 0 if chain is None else len(chain.links)
    signed = "the record and " if artefacts.record is not None else ""
    why_not = f"{signed}{count} entries are signed by keys that the register has"
    return replace(base, outcome=Outcome.PASS, why=why_not, remedy="")


def _grouped(problems: Sequence[Problem]) -> list[str]:
    """Return one sentence a kind of problem: one key that nobody knows is one fault, not 40."""
    found: dict[ProblemKind, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.kind, []).append(problem)
    return [
        str(some[0]) + (f" (and {len(some) - 1} more entries)" if len(some) > 1 else "")
        for some in found.values()
    ]


def _envelope_fault(artefacts: Artefacts, settings: Settings) -> str | None:
    """Return what is wrong with the record's envelope; None where nothing is, or no record."""
    if artefacts.record is None:
        return None
    try:
        read = artefacts.attestation(settings.keys or _NO_KEYS)
    except RecordError as error:
        return reason_of(error)
    if settings.keys is None and read.standing is KeyStanding.UNKNOWN and read.signed:
        return None
    return f"record.json: {read.reason}" if not read.holds else None


def _continuous(artefacts: Artefacts, problems: Sequence[Problem]) -> Finding:
    title = "chain without a gap"
    chain = artefacts.chain
    if chain is None:
        return _without_chain(artefacts, "V0.2", title)
    mine = [one for one in problems if one.kind in _CONTINUOUS]
    wrong = [one for one in mine if one.kind.contradicts]
    outcome = Outcome.FAIL if wrong else Outcome.UNDECIDED if mine else Outcome.PASS
    why = f"{len(chain.links)} entries follow each other, from commit to seal"
    return Finding(
        check="V0.2",
        title=title,
        outcome=outcome,
        value=len(chain.links),
        power="one entry added, changed, moved or left out",
        why=". ".join(_grouped(wrong or mine)) or why,
        remedy=""
        if outcome is Outcome.PASS
        else "Restore the chain from the witness; or finish the run: dokja forge run --resume",
    )


def _receipts(
    artefacts: Artefacts, settings: Settings, problems: Sequence[Problem]
) -> Iterator[Finding]:
    title = "receipts and live share"
    chain = artefacts.chain
    if chain is None:
        yield _without_chain(artefacts, "V0.3", title)
        return
    mine = [one for one in problems if one.kind in _WITNESSED]
    steps: dict[str, int | None] = {}
    if artefacts.plan is None:
        steps = dict.fromkeys(sorted({said.component for _, said in chain.of(Metrics)}))
    for training in artefacts.trainings:
        name = training.component.id
        steps[name] = (steps.get(name) or 0) + training.steps
    if not steps:
        steps[""] = None
    for component, count in steps.items():
        yield _live(chain, settings, mine, component=component, steps=count)


def _live(
    chain: Chain,
    settings: Settings,
    problems: Sequence[Problem],
    *,
    component: str,
    steps: int | None,
) -> Finding:
    found = liveness(chain, component=component, steps=steps, keys=settings.keys)
    share = found.share
    unseen = found.unwitnessed + found.untold
    wrong = [one for one in problems if one.kind.contradicts]
    outcome = Outcome.PASS
    if wrong:
        outcome = Outcome.FAIL
    elif problems or unseen or (share == 0 and found.steps) or settings.keys is None:
        outcome = Outcome.UNDECIDED
    told = (
        f"of {found.steps} steps a witness saw {found.live} within ten minutes, {found.late} later "
        f"and {unseen} not at all"
    )
    remedy = ""
    if settings.keys is None:
        remedy = _GIVE_KEYS
    elif outcome is not Outcome.PASS:
        remedy = "Ask the witness for its own copy of what it saw."
    return Finding(
        check="V0.3",
        title="receipts and live share",
        outcome=outcome,
        component=component,
        value=share,
        power="history that was written after the fact: it is late, never live",
        why=". ".join([*_grouped(wrong or problems), told]),
        remedy=remedy,
    )


def span_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.8: the bytes of the logs are those that the chain is bound to."""
    title = "logs are those of the chain"
    if artefacts.chain is None:
        yield _without_chain(artefacts, "V0.8", title)
        return
    spans = [said for _, said in artefacts.chain.of(Metrics)]
    if not spans:
        return
    wrong, absent, read = [], set(), 0
    for said in spans:
        path = None if artefacts.folder is None else _inside(artefacts.folder, said.log.file)
        if path is None or not path.is_file():
            absent.add(said.log.file)
            continue
        read += said.log.stop - said.log.start
        if not _span_holds(path, said.log):
            wrong.append(
                f"{said.log.file}, bytes {said.log.start} to {said.log.stop}: "
                f"steps {said.first} to {said.last} are not what was signed"
            )
    settings.progress("V0.8", read)
    outcome = Outcome.FAIL if wrong else Outcome.NOT_AVAILABLE if absent else Outcome.PASS
    missing = f"not at hand: {', '.join(sorted(absent))}"
    why = "; ".join(wrong[:5]) or (missing if absent else f"{len(spans)} pieces of logs")
    yield Finding(
        check="V0.8",
        title=title,
        outcome=outcome,
        value=len(wrong),
        threshold=0,
        power="one changed byte of a logged step",
        read_bytes=read,
        why=why,
        remedy="" if outcome is Outcome.PASS else "Restore the logs as they were signed.",
    )


def _inside(folder: Path, relative: str) -> Path | None:
    """Return the path below a folder; None where the name would lead out of it."""
    path = (folder / relative).resolve()
    return path if path.is_relative_to(folder.resolve()) else None


def _span_holds(path: Path, span: LogSpan) -> bool:
    running = sha256()
    with path.open("rb") as file:
        file.seek(span.start)
        left = span.stop - span.start
        while left and (piece := file.read(min(left, _PIECE))):
            running.update(piece)
            left -= len(piece)
    return left == 0 and running.hexdigest() == span.digest.hex


def record_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.10: the signed record says what chain and plan say, and nothing else."""
    title = "record says what chain and plan say"
    try:
        record = artefacts.attestation(settings.keys or _NO_KEYS).record
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
        made = papers(artefacts.attestation(settings.keys or _NO_KEYS).record)
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
