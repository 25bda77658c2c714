"""What the ladder finds of each builder, the table of it, and what follows from the table."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from dokja.models.forge.demo.builders import DemoBuilder
from dokja.models.forge.ladder import Finding, Level, Outcome, level_outcome
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.challenge import draw_challenge, sealed_at
from dokja.models.forge.ladder.commitments import Beacon, NonceCommitment
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.v3 import ReplaySettings
from dokja.models.forge.ladder.v3 import check as replay_level
from dokja.models.forge.ladder.verify import verify
from dokja.models.forge.records import KeyRegister, KeyRole, RegisteredKey, read_chain
from dokja.values import Json
from dokja.values.keys import VerifierKey

__all__ = ["CHECKS", "Judged", "Lesson", "demo_table", "judge", "lessons"]

SEGMENTS = 30
"""Asked for; the runs of the demo hold six, so that all are replayed."""

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "V0": "signed, whole, witnessed",
        "V1.3": "first loss, bits (ln V is 8)",
        "V1": "all of the log's arithmetic",
        "V2.1": "start drawn from the seed",
        "V2.2": "trace of the start, z",
        "V2.3": "updates, share of the bound",
        "V2.4": "logged losses off by, nats",
        "V3": "replays: e, from segment to segment",
    }
)
"""Rows of the table: checks or levels, and what each cell says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A builder, verified.

    Attributes:
        builder: Who.
        findings: Of V0 to V3.
    """

    builder: DemoBuilder
    findings: tuple[Finding, ...]

    def of(self, check: str) -> tuple[Finding, ...]:
        """Return the findings of a check, such as `V2.3`, or of a level, such as `V1`."""
        return tuple(
            one for one in self.findings if one.check == check or one.check.startswith(f"{check}.")
        )

    def caught_by(self, check: str) -> bool:
        """Tell whether a check or level fails."""
        return any(one.outcome is Outcome.FAIL for one in self.of(check))

    @property
    def levels(self) -> tuple[Level, ...]:
        """Return the levels that catch it, each by itself."""
        return tuple(
            level for level in Level if level_outcome(self.findings, level) is Outcome.FAIL
        )

    @property
    def replays(self) -> tuple[Finding, ...]:
        """Return what each segment came to, in order."""
        return self.of("V3.3")

    def to_json(self) -> dict[str, Json]:
        """Return it as `dokja forge demo --json` prints it."""
        return {
            "builder": self.builder.name,
            "claims": self.builder.claims,
            "does": self.builder.does,
            "honest": self.builder.is_honest,
            "caught_by": [str(level) for level in self.levels],
            "findings": [one.to_json() for one in self.findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Something that the table shows.

    Attributes:
        says: A sentence.
        holds: Whether these runs show it.
    """

    says: str
    holds: bool


def judge(
    builder: DemoBuilder,
    run: Path,
    *,
    bases: Path,
    nonce: bytes,
    commitment: NonceCommitment,
    beacon: bytes,
    environment: Mapping[str, str],
) -> Judged:
    """Verify a run from V0 to V3, all segments replayed.

    Args:
        builder: Who built it.
        run: Its folder.
        bases: Where declared bases lie.
        nonce: An examiner's, committed to before the run.
        commitment: To the nonce.
        beacon: 32 bytes that stand for a public value from after the seal.
        environment: All of the environment that workers get.
    """
    chain = read_chain(run)
    keys = _register(run)
    artefacts = open_artefacts(run, bases=[bases])
    lower = verify(artefacts, upto=Level.V2, settings=Settings(keys=keys, corpora=True))
    sealed = sealed_at(chain) or chain.links[-1].entry.at
    after = sealed + timedelta(hours=1)
    challenge = draw_challenge(
        chain,
        segments=SEGMENTS,
        nonce=nonce,
        revealed_at=after,
        beacon=Beacon(name="beacon of the demo", round=1, value=beacon.hex(), at=after),
        commitment=commitment,
    )
    settings = ReplaySettings(scratch=run / "replays", environment=environment)
    return Judged(
        builder=builder, findings=(*lower, *replay_level(artefacts, challenge, settings=settings))
    )


def _register(run: Path) -> KeyRegister:
    """Return a register of the keys that a run's chain names: whoever signs is known."""
    links = read_chain(run).links
    begun = links[0].entry.at - timedelta(days=1)
    named = {(one.signer, KeyRole.BUILDER) for one in links}
    named |= {(one.receipt.witness, KeyRole.WITNESS) for one in links if one.receipt is not None}
    return KeyRegister(
        keys=tuple(
            RegisteredKey(
                holder=vkey.split("+", 1)[0],
                role=role,
                key=VerifierKey.parse(vkey),
                valid_from=begun,
            )
            for vkey, role in sorted(named, key=lambda one: one[0])
        )
    )


def demo_table(judged: Sequence[Judged]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the header and the rows of the table: checks down, builders across.

    A cell in brackets is a check that fails.
    """
    header = ("check", "asks", *(one.builder.name for one in judged))
    rows = [(check, asks, *(_cell(one, check) for one in judged)) for check, asks in CHECKS.items()]
    caught = ("caught by", "", *(", ".join(map(str, one.levels)) or "–" for one in judged))
    return header, [*rows, caught]


def _cell(judged: Judged, check: str) -> str:
    findings = judged.of(check)
    if not findings:
        return "–"
    told = _CELLS.get(check, _outcome)(judged, findings)
    return f"[{told}]" if judged.caught_by(check) else told


def _outcome(_judged: Judged, findings: Sequence[Finding]) -> str:
    failed = [one.check for one in findings if one.outcome is Outcome.FAIL]
    if failed:
        return "fails " + ", ".join(sorted(set(failed)))
    undecided = [one.check for one in findings if one.outcome is not Outcome.PASS]
    return "holds" if not undecided else "open " + ", ".join(sorted(set(undecided)))


def _bits(_judged: Judged, findings: Sequence[Finding]) -> str:
    value = findings[0].value
    return f"{value / math.log(2):.3f}" if isinstance(value, float) else "–"


def _start(_judged: Judged, findings: Sequence[Finding]) -> str:
    return "differs" if any(one.outcome is Outcome.FAIL for one in findings) else "equal"


def _number(_judged: Judged, findings: Sequence[Finding]) -> str:
    value = findings[0].value
    return f"{value:.3g}" if isinstance(value, float) else "–"


def _replays(judged: Judged, _findings: Sequence[Finding]) -> str:
    values = [one.value for one in judged.replays]
    return " ".join(
        "?" if not isinstance(value, float) else f"{value:.2f}" if value else "0"
        for value in values
    )


_CELLS: Mapping[str, Callable[[Judged, Sequence[Finding]], str]] = MappingProxyType(
    {
        "V1.3": _bits,
        "V2.1": _start,
        "V2.2": _number,
        "V2.3": _number,
        "V2.4": _number,
        "V3": _replays,
    }
)


def lessons(judged: Sequence[Judged]) -> tuple[Lesson, ...]:
    """Return what the demo teaches, each with whether these runs show it."""
    cheats = [one for one in judged if not one.builder.is_honest]
    honest = [one for one in judged if one.builder.is_honest]
    thrice = [one for one in cheats if {Level.V1, Level.V2, Level.V3} <= set(one.levels)]
    spliced = [one for one in cheats if one.builder.splice]
    shares = [
        f"{one.builder.name} in {sum(r.outcome is Outcome.FAIL for r in one.replays)} of "
        f"{len(one.replays)}"
        for one in spliced
    ]
    true_losses = [one for one in cheats if one.caught_by("V2") and not one.caught_by("V2.4")]
    true_losses = [one for one in true_losses if one.caught_by("V2.3") and one.caught_by("V3")]
    escapes = {
        check: [one.builder.name for one in cheats if not one.caught_by(check)]
        for check in ("V1.3", "V2.1", "V2.2", "V2.3", "V2.4", "V3")
    }
    passed = "; ".join(f"{check} by {', '.join(who)}" for check, who in escapes.items() if who)
    return (
        Lesson(
            says="A false T4, secretly initialised from another model, is caught by V1, V2 and V3, "
            f"each on its own: {_names(thrice)}.",
            holds=bool(thrice),
        ),
        Lesson(
            says="Every cheat is caught by some level.", holds=all(one.levels for one in cheats)
        ),
        Lesson(
            says="Honest builders fail nothing, the one that claims T2 of the same base neither.",
            holds=not any(one.levels for one in honest),
        ),
        Lesson(
            says="Bytes, signatures and receipts say nothing of how weights came to be: no cheat "
            "fails V0.",
            holds=not any(one.caught_by("V0") for one in cheats),
        ),
        Lesson(says=f"Single checks are passed by cheats: {passed}.", holds=len(escapes) > 1),
        Lesson(
            says=f"Replays meet a splice only in its own segment ({'; '.join(shares)} segments): "
            "drawn at random they miss it most of the time, so that the first segment, and V2.3 "
            "between all archived states, are not optional.",
            holds=bool(spliced)
            and all(
                sum(r.outcome is Outcome.FAIL for r in one.replays) == 1
                and (one.caught_by("V2.3") or one.caught_by("V2.2"))
                for one in spliced
            ),
        ),
        Lesson(
            says="Who publishes the true losses of such weights passes V2.4 and still fails V2.3 "
            f"and V3: {_names(true_losses)}.",
            holds=bool(true_losses),
        ),
    )


def _names(judged: Sequence[Judged]) -> str:
    return ", ".join(one.builder.name for one in judged) or "nobody here"
