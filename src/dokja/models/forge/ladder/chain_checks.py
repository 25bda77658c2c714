"""V0, what is signed: signatures, the chain, receipts, and the logs that it is bound to.

Each problem of a chain belongs to one check. Whether the seed was drawn as it should be is V1.0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from dokja.errors import RecordError
from dokja.models.forge.ladder.artefacts import Artefacts, reason_of
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.records import (
    Chain,
    KeyRegister,
    KeyStanding,
    LogSpan,
    Metrics,
    Problem,
    ProblemKind,
    check_chain,
    liveness,
)

__all__ = ["NO_KEYS", "chain_findings", "problems_of", "span_findings"]

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
NO_KEYS = KeyRegister(keys=())
"""Nobody is known."""

_GIVE_KEYS = "Give the programme's register with --keys keys.toml."
_PIECE = 1 << 20


def problems_of(artefacts: Artefacts, settings: Settings) -> tuple[Problem, ...]:
    """Return what is wrong with the chain; without a register, nothing about unknown keys."""
    chain = artefacts.chain
    if chain is None:
        return ()
    keys = settings.keys or NO_KEYS
    if artefacts.judged is None or artefacts.judged[0] is not keys:
        problems = check_chain(chain, keys=keys, threads=settings.threads)
        artefacts.judged = (keys, problems)
    found = artefacts.judged[1]
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
        read = artefacts.attestation(settings.keys or NO_KEYS)
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
    if artefacts.plan is None or artefacts.joint:
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
    unsigned = {one.line for one in problems if one.kind is ProblemKind.RECEIPT_SIGNATURE}
    found = liveness(chain, component=component, steps=steps, keys=settings.keys, unsigned=unsigned)
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
    paths = {name: _log_path(artefacts, name) for name in {said.log.file for said in spans}}
    whole = {
        name: _held(path, [said.log for said in spans if said.log.file == name])
        for name, path in paths.items()
        if path is not None
    }
    for said in spans:
        if said.log.file not in whole:
            absent.add(said.log.file)
            continue
        read += said.log.stop - said.log.start
        if said.log not in whole[said.log.file]:
            wrong.append(
                f"{said.log.file}, bytes {said.log.start} to {said.log.stop}: "
                f"steps {said.first} to {said.last} are not what was signed"
            )
    settings.progress("V0.8", read)
    outcome = Outcome.FAIL if wrong else Outcome.NOT_AVAILABLE if absent else Outcome.PASS
    held = f"not at hand: {', '.join(sorted(absent))}" if absent else f"{len(spans)} pieces of logs"
    why = "; ".join(wrong[:5]) or held
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


def _log_path(artefacts: Artefacts, relative: str) -> Path | None:
    """Return a log's path; None where there is none, or its name would lead out of the folder."""
    if artefacts.folder is None:
        return None
    path = (artefacts.folder / relative).resolve()
    return path if path.is_relative_to(artefacts.folder.resolve()) and path.is_file() else None


def _held(path: Path, spans: Sequence[LogSpan]) -> set[LogSpan]:
    """Return which spans of a log hold the bytes that were signed."""
    with path.open("rb", buffering=0) as file:
        return {span for span in spans if _span_holds(file, span)}


def _span_holds(file: BinaryIO, span: LogSpan) -> bool:
    running = sha256()
    file.seek(span.start)
    left = span.stop - span.start
    while left and (piece := file.read(min(left, _PIECE))):
        running.update(piece)
        left -= len(piece)
    return left == 0 and running.hexdigest() == span.digest.hex
