"""Verifies a build level by level, and says what may be claimed of it with how far that holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from dokja.errors import RecipeError
from dokja.models.forge.ladder.artefacts import Artefacts
from dokja.models.forge.ladder.findings import Finding, Level, Outcome, tally
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.v0 import byte_level
from dokja.models.forge.ladder.v1 import log_level
from dokja.models.forge.ladder.v2 import weight_level
from dokja.models.forge.recipes import ComponentFacts, ModelClaim, claim_model, read_table

__all__ = ["LEVELS", "is_settled", "live_share", "measured_claim", "verified_claim", "verify"]

LEVELS: Mapping[Level, Callable[[Artefacts, Settings], Iterator[Finding]]] = MappingProxyType(
    {Level.V0: byte_level, Level.V1: log_level, Level.V2: weight_level}
)
"""The levels that are checked here; V3 needs a challenge and an engine, see `ladder.v3`."""


def verify(
    artefacts: Artefacts, *, upto: Level = Level.V2, settings: Settings | None = None
) -> tuple[Finding, ...]:
    """Return what every check up to a level finds, the lower levels first.

    Args:
        artefacts: What is at hand, from `open_artefacts`.
        upto: The last level; none above V2 is made here.
        settings: Whose keys count, how much is read, who is told.
    """
    chosen = settings or Settings()
    return tuple(
        finding
        for level, checks in LEVELS.items()
        if level <= upto
        for finding in checks(artefacts, chosen)
    )


def live_share(findings: Sequence[Finding]) -> float | None:
    """Return the share of steps that were witnessed live: of the component with the least."""
    shares = [one.value for one in findings if one.check == "V0.3"]
    known = [float(share) for share in shares if isinstance(share, int | float)]
    return min(known) if known and len(known) == len(shares) else None


def measured_claim(artefacts: Artefacts, findings: Sequence[Finding]) -> ModelClaim | None:
    """Return the claim that follows with the moved shares that V2.5 measured.

    None where no plan is at hand, or its table of claims is none that is known here.
    """
    plan = artefacts.plan
    if plan is None:
        return None
    measured = {
        one.component: float(one.value)
        for one in findings
        if one.check == "V2.5" and isinstance(one.value, float)
    }
    facts = [
        ComponentFacts(
            descent=said.descent,
            parameters=said.parameters,
            signature=said.signature,
            moved_share=measured.get(component.id, said.moved_share),
        )
        for component in plan.components
        for said in (component.claim_facts(),)
    ]
    try:
        table = read_table(str(plan.claim.get("table")))
    except RecipeError:
        return None
    return claim_model(facts, table=table)


def verified_claim(
    artefacts: Artefacts, findings: Sequence[Finding], *, upto: Level = Level.V2
) -> str:
    """Return the claim in words, always with how far it was verified.

    Args:
        artefacts: What was verified.
        findings: Of `verify`, and of V3 where it was made.
        upto: The last level that was asked for.

    Returns:
        Such as `T4 claimed, V0 holds, V1 holds, V2 holds, live share 100 %`.
    """
    plan = artefacts.plan
    claimed = None if plan is None else plan.claim.get("claim")
    words = [f"{claimed or 'nothing'} claimed"]
    followed = measured_claim(artefacts, findings)
    if followed is not None and followed.claim != claimed:
        words.append(f"{followed.claim or 'nothing'} follows from what was measured")
    words += [tally(findings, level) for level in Level if level <= upto]
    share = live_share(findings)
    words.append("live share not known" if share is None else f"live share {share:.0%}")
    return ", ".join(words).replace("%", " %")


def is_settled(findings: Sequence[Finding]) -> bool:
    """Tell whether every check was made and passed.

    Example:
        >>> is_settled([])
        False
    """
    return bool(findings) and all(one.outcome is Outcome.PASS for one in findings)
