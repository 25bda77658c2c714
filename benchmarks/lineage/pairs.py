"""Which pairs of a zoo's models are looked at, and what each is a case of.

Every derived model is laid beside the root that it comes from (a positive), and beside a root of
its own side that it has nothing of (a negative; the same data and order, another seed, wherever
there is one: the hard ones). All roots of one side are laid beside each other. A student is laid
beside its teacher, and twins beside each other. Pairs whose models stand on two sides of the
split are left out, so that nothing that was calibrated on is tested on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from dokja.models.forge.zoo import Truth, Truths, Zoo

__all__ = ["Case", "cases_of", "disguise_of", "kind_of"]

_DISGUISES = ("laundered-embeddings", "recovered-embeddings", "laundered", "recovered", "moved")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pair, and what is true of it.

    Attributes:
        suspect: Name of a model.
        reference: Name of a root.
        family: Of both.
        truth: What they are to each other.
        kind: How the suspect was derived, such as `cpt-100`; `root` of a root.
        disguise: What was done to hide it; empty for nothing.
    """

    suspect: str
    reference: str
    family: str
    truth: Truth
    kind: str
    disguise: str

    @property
    def key(self) -> str:
        """Names the case in results."""
        return f"{self.suspect}|{self.reference}"


def disguise_of(name: str) -> str:
    """Return what was done to hide a model's origin, by its name in the zoo.

    Example:
        >>> disguise_of("f1-r00.cpt-100.laundered"), disguise_of("f1-r00.by-rotation")
        ('laundered', 'by-rotation')
    """
    last = name.rsplit(".", 1)[-1] if "." in name else ""
    return last if last in _DISGUISES or last.startswith("by-") else ""


def kind_of(name: str) -> str:
    """Return how a model was derived, by its name in the zoo.

    Example:
        >>> kind_of("f1-r00.cpt-100.laundered"), kind_of("f1-r00.by-rotation"), kind_of("f1-r00")
        ('cpt-100', 'same', 'root')
    """
    _, *rest = name.split(".")
    plain = [part for part in rest if not disguise_of(f"x.{part}")]
    return plain[0] if plain else ("same" if rest else "root")


def cases_of(zoo: Zoo) -> list[Case]:
    """Return every case, in an order in which families and kinds take turns."""
    truths = Truths(zoo)
    found: dict[str, Case] = {}
    for suspect, reference in _names(zoo):
        truth = truths.of(suspect, reference)
        if truth.split is None or suspect == reference:
            continue
        case = Case(
            suspect=suspect,
            reference=reference,
            family=zoo.model(suspect).record.family,
            truth=truth,
            kind=_kind(suspect, reference),
            disguise=disguise_of(suspect),
        )
        found.setdefault(case.key, case)
    return sorted(found.values(), key=lambda case: (case.kind, case.disguise, case.key))


def _kind(suspect: str, reference: str) -> str:
    """Return how a model was derived; of a mixture, whether the reference is its lesser part."""
    kind = kind_of(suspect)
    lesser = kind == "mixed-with-stranger" and suspect.split(".", maxsplit=1)[0] != reference
    return f"{kind}, 30 % of it" if lesser else kind


def _names(zoo: Zoo) -> Iterator[tuple[str, str]]:
    roots: dict[tuple[str, str], list[str]] = {}
    for name in sorted(zoo.roots):
        model = zoo.model(name)
        roots.setdefault((model.record.family, model.split), []).append(name)
    for same_side in roots.values():
        yield from combinations(same_side, 2)
    for name in sorted(set(zoo.models) - set(zoo.roots)):
        model = zoo.model(name)
        side = roots.get((model.record.family, model.split), [])
        yield from ((name, root) for root in model.roots)
        strangers = [root for root in side if root not in model.roots]
        data = {zoo.roots[root].corpus for root in model.roots}
        near = [root for root in strangers if zoo.roots[root].corpus in data] or strangers
        if near:
            yield name, near[sum(name.encode()) % len(near)]
