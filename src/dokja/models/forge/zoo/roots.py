"""The roots of a family: models from a seed, and on which side of the split each stands.

Roots on the same data in the same order differ by their seeds alone: the hard negatives. A twin
shares the seed of one of them and is trained on other data: its own class, shared
initialisation. A model stands where its root does, and a root where its twin does, so that no
derivative, and no pair of twins, is on both sides.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from dokja.models.forge.zoo.blueprints import Blueprint, seed_of, start, train
from dokja.models.forge.zoo.tiers import FamilyTier

__all__ = ["SPLITS", "Root", "derived_roots", "roots_of", "split_of", "stranger_to"]

SPLITS = ("calibration", "evaluation")
"""The sides: thresholds are set on the first, and told on the second."""

_OTHER_LANGUAGES = ("language-b", "language-c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A model from a seed.

    Attributes:
        name: What it is called.
        seed: From which its first weights are drawn, in hexadecimal digits.
        corpus: What it is trained on.
        order: Seed of the order in which it sees that.
        twin_of: The root whose seed it shares.
        split: One of `SPLITS`.
    """

    name: str
    seed: str
    corpus: str
    order: str
    twin_of: str | None
    split: str

    def blueprint(self, family: str, share: FamilyTier, *, engine: str) -> Blueprint:
        """Return what makes it."""
        return Blueprint(
            name=self.name,
            family=family,
            steps=(
                start(self.seed),
                train(
                    share.steps, lr=share.lr, corpus=self.corpus, order=self.order, engine=engine
                ),
            ),
        )


def roots_of(family: str, share: FamilyTier) -> tuple[Root, ...]:
    """Return a family's roots: those on the same data, those on other data, then twins.

    Example:
        >>> from dokja.models.forge.zoo.tiers import TIERS
        >>> roots = roots_of("F1", TIERS["smoke"].families["F1"])
        >>> [root.name for root in roots if root.twin_of]
        ['f1-r10', 'f1-r11']
        >>> roots[10].seed == roots[0].seed, roots[10].corpus == roots[0].corpus
        (True, False)
    """
    sides = split_of(family, share)
    found = []
    for number in range(share.roots):
        name = _name(family, number)
        twin = number - share.same - share.other
        same = number < share.same
        found.append(
            Root(
                name=name,
                seed=seed_of(family, "start", twin if twin >= 0 else number),
                corpus="language-a" if same else _OTHER_LANGUAGES[number % 2],
                order=seed_of(family, "order", "same" if same else number),
                twin_of=_name(family, twin) if twin >= 0 else None,
                split=sides[name],
            )
        )
    return tuple(found)


def split_of(family: str, share: FamilyTier) -> dict[str, str]:
    """Return each root's side of the split.

    Roots are dealt out by turns within each class, in the order of SHA-256 of their names, so
    that both sides have roots of every class; twins go where the root whose seed they share is.
    """
    classes = (
        range(share.twins),
        range(share.twins, share.same),
        range(share.same, share.same + share.other),
    )
    sides: dict[str, str] = {}
    turn = 0
    for numbers in classes:
        for name in sorted((_name(family, number) for number in numbers), key=_shuffled):
            sides[name] = SPLITS[turn % 2]
            turn += 1
    for twin in range(share.twins):
        sides[_name(family, share.same + share.other + twin)] = sides[_name(family, twin)]
    return sides


def derived_roots(roots: Sequence[Root], share: FamilyTier) -> tuple[Root, ...]:
    """Return the roots that get derivatives, by turns from both sides of the split."""
    same = roots[: share.same]
    sides = [[root for root in same if root.split == split] for split in SPLITS]
    turns = [side[at] for at in range(len(same)) for side in sides if at < len(side)]
    return tuple(turns[: share.derived])


def stranger_to(root: Root, roots: Sequence[Root]) -> Root | None:
    """Return a root on the same side that shares neither seed nor name; the next one in order."""
    at = next(number for number, one in enumerate(roots) if one.name == root.name)
    around = [*roots[at + 1 :], *roots[:at]]
    fitting = [one for one in around if one.split == root.split and one.seed != root.seed]
    return fitting[0] if fitting else None


def _name(family: str, number: int) -> str:
    return f"{family.lower()}-r{number:02d}"


def _shuffled(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
