"""The true relation of any two models of a zoo, part by part.

Two models are related in a part where its weights come from one model that both have before
them, or that one of them is. Where they come from none, roots that share a seed make a shared
initialisation, and everything else is no evidence, also where the data were the same or one was
taught by the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from dokja.models.forge.zoo.labels import WORDS, label, parts_of, tell
from dokja.models.forge.zoo.manifest import Zoo
from dokja.values import Json

__all__ = ["Truth", "Truths", "truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What two models truly are to each other.

    Attributes:
        relation: One of `WORDS`; of the language body, or `component_reuse` where only some
            component (body, encoder, projector) is related.
        parts: The same for each part that both have.
        derivation: Whether trained values of one come from the other's, or both from a third's.
        kind: `same model`, `descends`, `is descended from`, `siblings`, or for unrelated ones
            `twins` (they share a seed), `same data`, `other data`, `taught` or `other family`.
        split: The side of both; None where they stand on two sides: such a pair is left out.
    """

    relation: str
    parts: Mapping[str, str]
    derivation: bool
    kind: str
    split: str | None

    def to_json(self) -> dict[str, Json]:
        """Return it as results state it."""
        return {
            "relation": self.relation,
            "parts": dict(self.parts),
            "derivation": self.derivation,
            "kind": self.kind,
            "split": self.split,
        }


def truth(zoo: Zoo, suspect: str, reference: str) -> Truth:
    """Return the true relation of two models.

    Whoever asks for many pairs makes one `Truths` and asks that.

    Raises:
        RecordError: A model is not in the zoo.
    """
    return Truths(zoo).of(suspect, reference)


_APART = frozenset({"no_evidence", "shared_initialisation"})
_COMPONENTS = frozenset({"language_body", "vision_encoder", "projector"})


class Truths:
    """The true relations of a zoo's models.

    Args:
        zoo: What `read_zoo` returned.
    """

    def __init__(self, zoo: Zoo) -> None:
        self._zoo = zoo
        self._records = {name: one.record for name, one in zoo.models.items()}
        self._line = cache(self._ancestors)

    def of(self, suspect: str, reference: str) -> Truth:
        """Return the true relation of two models.

        Raises:
            RecordError: A model is not in the zoo.
        """
        sides = {self._zoo.model(name).split for name in (suspect, reference)}
        theirs = parts_of(self._records[reference])
        shared = [part for part in parts_of(self._records[suspect]) if part in theirs]
        parts = {part: self._word(suspect, reference, part) for part in shared}
        related = {part for part, word in parts.items() if word not in _APART}
        components = [part for part in shared if part in _COMPONENTS]
        some = any(part in related for part in components)
        whole = all(part in related for part in components)
        return Truth(
            relation="component_reuse" if some and not whole else parts["language_body"],
            parts=parts,
            derivation=bool(related),
            kind=self._kin(suspect, reference) if related else self._apart(suspect, reference),
            split=sides.pop() if len(sides) == 1 else None,
        )

    def _word(self, one: str, other: str, part: str) -> str:
        """Return a part's relation: that of all steps since the model that both come from."""
        lines = self._line(one, part), self._line(other, part)
        common = lines[0] & lines[1]
        if not common:
            seeds = [{self._seed(name) for name in line} - {None} for line in lines]
            return "shared_initialisation" if seeds[0] & seeds[1] else "no_evidence"
        later = (lines[0] | lines[1]) - common
        between = [name for name in later if self._line(name, part) & common]
        words = (tell(self._records[name].steps, part) for name in between)
        return max(("identical", *words), key=WORDS.index)

    def _ancestors(self, name: str, part: str) -> frozenset[str]:
        """Return a model and all those whose weights its part has."""
        sources = label(self._records[name]).sources[part]
        return frozenset({name}).union(*(self._line(one, part) for one in sources))

    def _seed(self, name: str) -> str | None:
        return self._zoo.roots[name].seed if name in self._zoo.roots else None

    def _kin(self, one: str, other: str) -> str:
        """Return which of two related models comes from which."""
        if one == other:
            return "same model"
        if any(other in self._line(one, part) for part in parts_of(self._records[one])):
            return "descends"
        if any(one in self._line(other, part) for part in parts_of(self._records[other])):
            return "is descended from"
        return "siblings"

    def _apart(self, one: str, other: str) -> str:
        """Return in what unrelated models are near each other."""
        if self._records[one].family != self._records[other].family:
            return "other family"
        if self._taught(one) & self._roots(other) or self._taught(other) & self._roots(one):
            return "taught"
        ours, theirs = self._roots(one), self._roots(other)
        if {self._seed(name) for name in ours} & {self._seed(name) for name in theirs}:
            return "twins"
        corpora = [{self._zoo.roots[name].corpus for name in names} for names in (ours, theirs)]
        return "same data" if corpora[0] & corpora[1] else "other data"

    def _roots(self, name: str) -> frozenset[str]:
        """Return the roots whose weights a model has."""
        line = frozenset[str]().union(
            *(self._line(name, part) for part in parts_of(self._records[name]))
        )
        return line & self._zoo.roots.keys()

    def _taught(self, name: str) -> frozenset[str]:
        """Return the roots of those whose answers a model, or one before it, learned from."""
        teachers = (self._records[one].teacher for one in self._line(name, "language_body"))
        return frozenset[str]().union(
            *(self._roots(teacher.name) for teacher in teachers if teacher is not None)
        )
