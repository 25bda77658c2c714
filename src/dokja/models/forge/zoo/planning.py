"""Every model that a tier has, in the order in which they are made.

Families take turns, roots before what is made of them, so that a growth that is stopped in the
middle of a night leaves something of everything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.zoo.blueprints import Blueprint
from dokja.models.forge.zoo.derivations import Setting, derivatives, disguises
from dokja.models.forge.zoo.roots import Root, derived_roots, roots_of, stranger_to
from dokja.models.forge.zoo.tiers import FAMILIES, FamilyTier, Tier

__all__ = ["LeftOut", "ZooPlan", "plan_zoo"]

_TORCH = "torch is not installed here: pip install 'dokja[forge]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that the zoo does not have.

    Attributes:
        what: A family, or a kind of derivative.
        why: The reason.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooPlan:
    """What is to be grown.

    Attributes:
        tier: How large.
        blueprints: Every model, those that others need before them.
        roots: Every root by name.
        left_out: What is not grown, and why.
    """

    tier: Tier
    blueprints: tuple[Blueprint, ...]
    roots: dict[str, Root]
    left_out: tuple[LeftOut, ...]

    def share(self, family: str) -> FamilyTier:
        """Return a family's share of the tier."""
        return self.tier.families[family]


def plan_zoo(tier: Tier, *, families: Sequence[str] = (), torch: bool) -> ZooPlan:
    """Return what a tier consists of.

    Args:
        tier: How large.
        families: Which families; all of the tier's by default.
        torch: Whether engines that need torch can be run.

    Raises:
        RecipeError: The tier has no such family.
    """
    _refuse(tier, families)
    left_out: list[LeftOut] = []
    wanted = [name for name in tier.families if not families or name in families]
    for name in [name for name in wanted if name != "F1" and not torch]:
        left_out.append(LeftOut(what=name, why=_TORCH))
        wanted.remove(name)
    usable = torch and tier.torch
    if "F1" in wanted and not usable:
        why = _TORCH if tier.torch else "this tier does without torch"
        kinds = "up-cycled networks of F1 that were trained on"
        left_out.append(LeftOut(what=kinds, why=why))
    left_out += [LeftOut(what=what, why=why) for what, why in _LIMITS if what[:2] in wanted]
    grown = [_family(name, tier.families[name], torch=usable) for name in wanted]
    blueprints = [one for one in chain.from_iterable(zip_longest(*grown)) if one is not None]
    roots = {root.name: root for name in wanted for root in roots_of(name, tier.families[name])}
    blueprints.sort(key=lambda one: not one.trained)  # a variant is made in no time, and later
    return ZooPlan(tier=tier, blueprints=tuple(blueprints), roots=roots, left_out=tuple(left_out))


_LIMITS = (
    ("F2, distilled students", "teachers answer through the reference engine, which has no GPT-2"),
    ("F3, laundering, pruning, vocabulary", "no table says what the axes of its tensors count"),
    ("F5, laundering and surgery of its body", "the structure of the whole has no family"),
)


def _refuse(tier: Tier, families: Sequence[str]) -> None:
    wrong = [
        Mistake(
            file="zoo",
            place="families",
            read=repr(name),
            expected=f"some of {', '.join(tier.families)}, which the tier {tier.name} has",
            remedy="" if name in FAMILIES else f"Families are {', '.join(FAMILIES)}.",
        )
        for name in families
        if name not in tier.families
    ]
    if wrong:
        raise RecipeError(wrong)


def _family(family: str, share: FamilyTier, *, torch: bool) -> list[Blueprint]:
    roots = roots_of(family, share)
    chosen = derived_roots(roots, share)
    settings = [
        Setting(
            family=family,
            share=share,
            root=root,
            stranger=stranger_to(root, roots[: share.same]),
            torch=torch,
        )
        for root in chosen
    ]
    found = [root.blueprint(family, share, engine=_engine(family)) for root in roots]
    found += _in_turns([list(derivatives(setting)) for setting in settings])
    made = {one.name: one for one in found}
    return found + _in_turns([list(disguises(setting, made)) for setting in settings])


def _engine(family: str) -> str:
    return {"F1": "ref", "F5": "sighted"}.get(family, "hf")


def _in_turns(rows: Iterable[Sequence[Blueprint]]) -> list[Blueprint]:
    return [one for one in chain.from_iterable(zip_longest(*rows)) if one is not None]
