"""What a recipe may claim: a dated table over ancestry, per component, and the weakest of them.

A claim is derived and never typed in. Published rules disagree, so lines and options are data:
the same ancestry is judged again under another table. A claim says what follows if the record is
true; how far that was verified is said beside it.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.recipes.ancestry import Descent, LeafKind, Moved
from dokja.models.forge.structures import BlockSignature
from dokja.values import Digest, Json

__all__ = [
    "CatalogueEntry",
    "ClaimTable",
    "ComponentClaim",
    "ComponentFacts",
    "ModelClaim",
    "claim_component",
    "claim_model",
    "read_table",
]

GRADES = ("T0", "T1", "T2", "T3", "T4", "T5")
_BEAR_NO_WEIGHTS = frozenset({"tokenizer", "retrieval"})
_TABLES = files("dokja.models.forge.recipes") / "tables"
_CONDITIONS = (
    "any-remote",
    "any-closed",
    "any-open",
    "all-own",
    "structure-changed",
    "moved",
    "moved-whole-since",
    "moved-whole-ever",
    "own-structure",
    "own-tokenizer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A structure that somebody published.

    Attributes:
        name: What it is called.
        owner: Whose it is.
        signature: Its blocks, without sizes.
        source: Where it was described.
    """

    name: str
    owner: str
    signature: BlockSignature
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimTable:
    """A dated table of claims.

    Attributes:
        version: Its name.
        digest: Of the file's bytes.
        in_force: From when it holds.
        moved_whole: Share of parameters in moved tensors that counts as the whole, in (0, 1].
        compute_share: Least share of the base's training compute for T2 and T3; 0 asks nothing.
        lines: Claims with their conditions; the first whose conditions all hold decides.
        catalogue: Structures that are somebody's.
    """

    version: str
    digest: Digest
    in_force: date
    moved_whole: float
    compute_share: float
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    catalogue: tuple[CatalogueEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentFacts:
    """What a claim rests on beside ancestry.

    Attributes:
        descent: Where the component comes from.
        parameters: How many it has; none where not known.
        signature: Its blocks; none where it has none or they are not known.
        moved_share: Share of its parameters in tensors that training moved, in [0, 1]; none where
            it follows from the steps alone.
        compute_share: Its training compute as a share of its base's; none where not known.
    """

    descent: Descent
    parameters: int | None = None
    signature: BlockSignature | None = None
    moved_share: float | None = None
    compute_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentClaim:
    """What one component may claim.

    Attributes:
        component: Its id.
        role: What it does.
        claim: T0 to T5; none where no line applies, such as for weights never trained.
        parameters: How many it has.
        bears_weights: Whether it counts for the model's claim.
        why: The conditions of the line that decided.
        nearest: For an own structure: the catalogue entry that differs least, and in what.
    """

    component: str
    role: str
    claim: str | None
    parameters: int | None
    bears_weights: bool
    why: tuple[str, ...]
    nearest: tuple[str, tuple[str, ...]] | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in plans and records."""
        nearest: Json = (
            None
            if self.nearest is None
            else {"structure": self.nearest[0], "differs_in": [*self.nearest[1]]}
        )
        return {
            "component": self.component,
            "role": self.role,
            "claim": self.claim,
            "parameters": self.parameters,
            "bears_weights": self.bears_weights,
            "why": [*self.why],
            "nearest": nearest,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """What a model may claim: the weakest of its weight-bearing components, with all of them.

    Attributes:
        claim: The weakest; none where a weight-bearing component claims nothing.
        components: Every component's claim.
        table: Version of the table.
    """

    claim: str | None
    components: tuple[ComponentClaim, ...]
    table: str

    @property
    def shares(self) -> dict[str, float]:
        """Each weight-bearing component's share of the parameters, where all are known."""
        bearing = [one for one in self.components if one.bears_weights]
        counts = {one.component: one.parameters for one in bearing}
        known = {name: count for name, count in counts.items() if count is not None}
        total = sum(known.values())
        if len(known) < len(counts) or total == 0:
            return {}
        return {name: count / total for name, count in known.items()}

    def __str__(self) -> str:
        shares = self.shares
        parts = [
            f"{one.component} {one.claim or 'undecided'}"
            + (f" {shares[one.component]:.0%}" if one.component in shares else "")
            for one in self.components
            if one.bears_weights
        ]
        return f"{self.claim or 'undecided'} ({', '.join(parts)})"

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in plans and records."""
        return {
            "claim": self.claim,
            "table": self.table,
            "components": [one.to_json() for one in self.components],
            "shares": dict(self.shares),
        }


def claim_model(facts: Sequence[ComponentFacts], *, table: ClaimTable) -> ModelClaim:
    """Return what a model may claim under a table.

    Args:
        facts: One for each component.
        table: The table.

    Raises:
        ValueError: There is no component.
    """
    if not facts:
        message = "a model without components claims nothing"
        raise ValueError(message)
    tokenizer = any(
        one.descent.role == "tokenizer" and one.descent.corpus_tokenizer for one in facts
    )
    components = tuple(claim_component(one, table=table, own_tokenizer=tokenizer) for one in facts)
    bearing = [one.claim for one in components if one.bears_weights]
    known = [claim for claim in bearing if claim is not None]
    weakest = min(known, default=None) if len(known) == len(bearing) else None
    return ModelClaim(claim=weakest, components=components, table=table.version)


def claim_component(
    facts: ComponentFacts, *, table: ClaimTable, own_tokenizer: bool
) -> ComponentClaim:
    """Return what one component may claim under a table.

    Args:
        facts: What is known of it.
        table: The table.
        own_tokenizer: Whether the model's tokenizer was learnt here from a recorded corpus.
    """
    descent = facts.descent
    own_structure, nearest = _structure(facts.signature, table)
    holds = _conditions(
        facts, table=table, own_structure=own_structure, own_tokenizer=own_tokenizer
    )
    claim, why = next(
        ((claim, when) for claim, when in table.lines if all(holds[one] for one in when)),
        (None, ("no-line-applies",)),
    )
    if descent.role in _BEAR_NO_WEIGHTS:
        claim, why = None, ("bears-no-weights",)
    return ComponentClaim(
        component=descent.component,
        role=descent.role,
        claim=claim,
        parameters=facts.parameters,
        bears_weights=descent.role not in _BEAR_NO_WEIGHTS,
        why=why,
        nearest=nearest if claim == "T5" else None,
    )


def _conditions(
    facts: ComponentFacts, *, table: ClaimTable, own_structure: bool, own_tokenizer: bool
) -> Mapping[str, bool]:
    descent = facts.descent
    kinds = {leaf.kind for leaf in descent.leaves}
    enough = table.compute_share == 0 or (
        facts.compute_share is not None and facts.compute_share >= table.compute_share
    )
    ever = _is_whole(descent.ever_moved, facts, table)
    since = _is_whole(descent.moved, facts, table)
    return {
        "any-remote": LeafKind.REMOTE in kinds,
        "any-closed": LeafKind.CLOSED in kinds,
        "any-open": LeafKind.OPEN in kinds,
        "all-own": descent.own,
        "structure-changed": descent.structure_changed,
        "moved": descent.ever_moved in {Moved.PART, Moved.WHOLE},
        "moved-whole-since": since and enough,
        "moved-whole-ever": ever and enough,
        "own-structure": own_structure,
        "own-tokenizer": own_tokenizer,
    }


def _is_whole(moved: Moved, facts: ComponentFacts, table: ClaimTable) -> bool:
    """Tell whether enough of the parameters moved; what was measured overrules what was planned."""
    if moved in {Moved.NOTHING, Moved.ADAPTERS}:
        return False
    if facts.moved_share is not None:
        return facts.moved_share >= table.moved_whole
    return moved is Moved.WHOLE


def _structure(
    signature: BlockSignature | None, table: ClaimTable
) -> tuple[bool, tuple[str, tuple[str, ...]] | None]:
    """Return whether no catalogue entry has these blocks, and the nearest entry."""
    if signature is None or not table.catalogue:
        return False, None
    differing = [(entry.name, signature.differences(entry.signature)) for entry in table.catalogue]
    name, fields = min(differing, key=lambda pair: (len(pair[1]), pair[0]))
    return bool(fields), (name, tuple(fields))


def read_table(version: str = "2026-01") -> ClaimTable:
    """Return a packaged table of claims.

    Args:
        version: Its name, such as `2026-01`.

    Raises:
        RecipeError: There is no such table, or it is wrong; the packaged ones are named.

    Example:
        >>> read_table("2026-01").lines[0]
        ('T0', ('any-remote',))
    """
    path = _TABLES / f"{version}.toml"
    if not path.is_file():
        known = sorted(
            one.name.removesuffix(".toml")
            for one in _TABLES.iterdir()
            if one.name.endswith(".toml") and not one.name.startswith("catalogue-")
        )
        raise RecipeError(
            [
                Mistake(
                    file="claim table",
                    place="",
                    read=repr(version),
                    expected="one of " + ", ".join(known),
                )
            ]
        )
    data = path.read_bytes()
    raw = tomllib.loads(data.decode("utf-8"))
    mistakes = _table_mistakes(raw, file=f"{version}.toml")
    if mistakes:
        raise RecipeError(mistakes)
    return ClaimTable(
        version=raw["version"],
        digest=Digest.of(data),
        in_force=raw["in_force"],
        moved_whole=float(raw["options"]["moved_whole"]),
        compute_share=float(raw["options"]["compute_share"]),
        lines=tuple((line["claim"], tuple(line["when"])) for line in raw["line"]),
        catalogue=_catalogue(raw["catalogue"]),
    )


def _table_mistakes(raw: Mapping[str, Any], *, file: str) -> list[Mistake]:
    found: list[Mistake] = []
    for number, line in enumerate(raw.get("line", ()), start=1):
        place = f"line {number}"
        if line.get("claim") not in GRADES:
            expected = "one of " + ", ".join(GRADES)
            found.append(
                Mistake(file=file, place=place, read=repr(line.get("claim")), expected=expected)
            )
        unknown = [one for one in line.get("when", ()) if one not in _CONDITIONS]
        if unknown or not line.get("when"):
            expected = "conditions among " + ", ".join(_CONDITIONS)
            found.append(
                Mistake(
                    file=file,
                    place=place,
                    read=", ".join(unknown) or "no condition",
                    expected=expected,
                )
            )
    return found


def _catalogue(version: str) -> tuple[CatalogueEntry, ...]:
    raw = tomllib.loads((_TABLES / f"catalogue-{version}.toml").read_text(encoding="utf-8"))
    return tuple(
        CatalogueEntry(
            name=entry["name"],
            owner=entry["owner"],
            signature=BlockSignature.from_json(entry["signature"]),
            source=entry["source"],
        )
        for entry in raw["structure"]
    )
