"""What build records say of a component, and what of it a grade may rest on.

A record is its builder's own word. Where it claims less than was declared, that is an admission.
Where an examiner verified it far enough, it shows that the weights began as the builder's own,
which makes good comparisons that nobody made. A check that did not hold leaves the grade open and
says nothing of why. A record of other weights, of another team, or verified by its builder alone
counts for nothing else; no record raises a grade or takes a relation away that was found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dokja.decisions.grades.scale import HIGHEST_FOUND, OWN_WEIGHTS, GradeName
from dokja.decisions.rules import Record, Records, Rulebook, Said, because
from dokja.evidence.ledger.kinds import Build, BuildComponent, Component, Model
from dokja.values import Json, Reason

__all__ = ["NO_BUILDS", "Builds", "Shown", "builds"]

_WITHOUT_A_START = frozenset({"tokenizer", "retrieval"})  # no weights that could be initialised


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A record that shows that a component's weights began as the builder's own.

    Attributes:
        level: To which level it was verified.
        live_share: Share of its steps that were witnessed while it ran, in [0, 1].
        seqs: The entries that it stands in.
    """

    level: str
    live_share: float
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """What the build records of a component come to.

    Attributes:
        reasons: Why, most telling first; not that of `shown`.
        admitted: The weakest claim below the declaration; none where there is none.
        failed: Checks of an examiner that did not hold, each once.
        shown: The first record that shows an own initialisation; none where none does, or where
            something else in the records speaks against it.
        seqs: Numbers of the entries that were read.
    """

    reasons: tuple[Reason, ...] = ()
    admitted: GradeName | None = None
    failed: tuple[str, ...] = ()
    shown: Shown | None = None
    seqs: tuple[int, ...] = ()


NO_BUILDS = Builds()
"""What there is to say where no record is read."""


def builds(
    rulebook: Rulebook,
    record: Record,
    *,
    model: Model,
    component: Component,
    declared: GradeName | None,
) -> Builds:
    """Return what the build records say of a component; nothing where the rules read none."""
    rules = None if rulebook.scheme is None else rulebook.scheme.records
    if rules is None:
        return NO_BUILDS
    read = [
        _read(rules, record, said=said, model=model, component=component, declared=declared)
        for said in record.every(Build)
        if said.body.model == model.model and said.body.part(component.component) is not None
    ]
    claims = [one.admitted for one in read if one.admitted is not None]
    admitted = min(claims, default=None)
    failed = tuple(dict.fromkeys(check for one in read for check in one.failed))
    shown = next((one.shown for one in read if one.shown is not None), None)
    if failed or (admitted is not None and admitted < OWN_WEIGHTS):
        shown = None
    return Builds(
        reasons=tuple(reason for one in read for reason in one.reasons),
        admitted=admitted,
        failed=failed,
        shown=shown,
        seqs=tuple(sorted({seq for one in read for seq in one.seqs})),
    )


def _read(
    rules: Records,
    record: Record,
    *,
    said: Said[Build],
    model: Model,
    component: Component,
    declared: GradeName | None,
) -> Builds:
    """Return what one record says of a component."""
    name, body = component.component, said.body
    part = body.part(name)
    if part is None:
        return NO_BUILDS
    beside = _about_something_else(said, part=part, model=model, component=component)
    if beside is not None:
        return Builds(reasons=(beside,), seqs=said.seqs)
    reasons: list[Reason] = []
    bound = HIGHEST_FOUND if declared is None else declared
    signed = body.level_of(name) != "none"  # else nobody has checked whose word it is
    admitted = part.claim if signed and part.claim is not None and part.claim < bound else None
    if admitted is not None:
        reasons.append(
            because(
                "build-admits",
                component=name,
                builder=body.builder,
                claim=admitted,
                declared=declared,
                entries=said.seqs,
            )
        )
    if body.place == "builder":
        level = body.level_of(name)
        reasons.append(
            because("build-verified-by-builder", component=name, level=level, entries=said.seqs)
        )
        return Builds(reasons=tuple(reasons), admitted=admitted, seqs=said.seqs)
    failures = list(_failures(said, component=name))
    lacking = [] if failures else list(_lacking(rules, record, said=said, part=part))
    shown = None
    if not failures and not lacking:
        shown = Shown(level=body.level_of(name), live_share=body.live_share, seqs=said.seqs)
    return Builds(
        reasons=(*reasons, *failures, *lacking),
        admitted=admitted,
        failed=tuple(str(reason.params["check"]) for reason in failures),
        shown=shown,
        seqs=said.seqs,
    )


def _about_something_else(
    said: Said[Build], *, part: BuildComponent, model: Model, component: Component
) -> Reason | None:
    """Return why a record says nothing of these weights; none where it is about them."""
    name, seqs = component.component, said.seqs
    if said.body.builder != model.team:
        return because(
            "build-of-another-team", component=name, builder=said.body.builder, entries=seqs
        )
    if part.root is None or component.root is None:
        return because("build-root-missing", component=name, entries=seqs)
    if part.root != component.root:
        return because("build-of-other-weights", component=name, entries=seqs)
    return None


def _failures(said: Said[Build], *, component: str) -> Iterator[Reason]:
    for check in said.body.checks_of(component):
        if check.outcome == "fail":
            yield because(
                "build-check-failed",
                component=component,
                check=check.check,
                value=check.value,
                threshold=check.threshold,
                power=check.power,
                entries=said.seqs,
            )


def _lacking(
    rules: Records, record: Record, *, said: Said[Build], part: BuildComponent
) -> Iterator[Reason]:
    """Yield what a record lacks to show that a component began as its builder's own."""
    name, body, seqs = part.component, said.body, said.seqs
    own = bool(part.leaves) and all(leaf.kind == "S" for leaf in part.leaves)
    if part.claim is None or part.claim < OWN_WEIGHTS or not own:
        yield because("build-start-not-shown", component=name, claim=part.claim, entries=seqs)
        return
    if not all(
        _earlier_shown(rules, record, digest=leaf.record, builder=body.builder, seen=(body.record,))
        for leaf in part.leaves
        if leaf.record is not None
    ):
        yield because("build-start-elsewhere", component=name, entries=seqs)
    level = body.level_of(name)
    if level == "none" or level < rules.level:
        yield because(
            "build-below-level", component=name, level=level, asked=rules.level, entries=seqs
        )
    if body.live_share < rules.live_share:
        yield because(
            "build-live-share-low",
            component=name,
            live_share=body.live_share,
            at_least=rules.live_share,
            entries=seqs,
        )
    unmet: list[Json] = list(_unmet(rules, said=said, component=name))
    if unmet:
        yield because("build-checks-open", component=name, checks=unmet, entries=seqs)


def _unmet(rules: Records, *, said: Said[Build], component: str) -> list[str]:
    passed = {one.check for one in said.body.checks_of(component) if one.outcome == "pass"}
    return [check for check in rules.checks if check not in passed]


def _earlier_shown(
    rules: Records, record: Record, *, digest: str, builder: str, seen: tuple[str, ...]
) -> bool:
    """Tell whether an earlier record, from which this one goes on, was verified as far as asked.

    It is named by its digest and not by component, so that all its components must stand.
    """
    if digest in seen:  # a ring of records has no beginning
        return False
    verified = [
        said
        for said in record.every(Build)
        if (said.body.record, said.body.builder, said.body.place) == (digest, builder, "examiner")
    ]
    if any(check.outcome == "fail" for said in verified for check in said.body.findings):
        return False
    return any(
        said.body.live_share >= rules.live_share
        and all(
            _begun(rules, record, said=said, part=part, seen=(*seen, digest))
            for part in said.body.components
            if part.role not in _WITHOUT_A_START
        )
        for said in verified
    )


def _begun(
    rules: Records,
    record: Record,
    *,
    said: Said[Build],
    part: BuildComponent,
    seen: tuple[str, ...],
) -> bool:
    """Tell whether a component of an earlier record is shown to have begun as its builder's."""
    level = said.body.level_of(part.component)
    if level == "none" or level < rules.level or not part.leaves:
        return False
    if _unmet(rules, said=said, component=part.component):
        return False
    return all(
        leaf.kind == "S"
        and (
            leaf.record is None
            or _earlier_shown(
                rules, record, digest=leaf.record, builder=said.body.builder, seen=seen
            )
        )
        for leaf in part.leaves
    )
