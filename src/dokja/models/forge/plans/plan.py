"""A plan: a recipe resolved for one size, frozen, and named by its digest.

Everything that a run needs stands in it as numbers, names and digests; a run adds only what
cannot be known before: the seed, the times, and what was measured.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.recipes import ComponentFacts, Descent
from dokja.models.forge.structures import BlockSignature, Structure
from dokja.values import Digest, Json, canonical_bytes, parse_json

__all__ = ["FILE", "SCHEMA", "Plan", "PlannedComponent", "read_plan"]

SCHEMA = "dokja.plan/1"
FILE = "plan.json"
_MAX_BYTES = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedComponent:
    """One component, resolved.

    Attributes:
        descent: Where it comes from.
        origin: How it begins, as the recipe says it, with the root that was found.
        stages: Transforms and trainings in order, every number filled in.
        structure: What it is in the end; none where the forge knows no structure of it.
        parameters: How many it will have; none where not known.
        moved_share: Share of its parameters that training will move, where that is planned.
        facts: What else is fixed, such as the digest of a retrieval index or of a tokenizer.
    """

    descent: Descent
    origin: Mapping[str, Json]
    stages: tuple[Mapping[str, Json], ...]
    structure: Structure | None
    parameters: int | None
    moved_share: float | None
    facts: Mapping[str, Json]

    @property
    def id(self) -> str:
        """Its id in the recipe."""
        return self.descent.component

    def claim_facts(self) -> ComponentFacts:
        """Return what its claim rests on."""
        return ComponentFacts(
            descent=self.descent,
            parameters=self.parameters,
            signature=None if self.structure is None else self.structure.signature(),
            moved_share=self.moved_share,
        )

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a plan."""
        signature = None if self.structure is None else self.structure.signature().to_json()
        return {
            "descent": self.descent.to_json(),
            "from": dict(self.origin),
            "stages": [dict(stage) for stage in self.stages],
            "structure": None if self.structure is None else self.structure.to_json(),
            "signature": signature,
            "parameters": self.parameters,
            "moved_share": self.moved_share,
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "PlannedComponent":
        """Return the component that a plan states.

        Raises:
            KeyError, TypeError, ValueError: It states none.
            RecipeError, RecordError: Its structure or signature is wrong.
        """
        structure = said["structure"]
        if said.get("signature") is not None:
            BlockSignature.from_json(said["signature"])
        return cls(
            descent=Descent.from_json(said["descent"]),
            origin=said["from"],
            stages=tuple(said["stages"]),
            structure=None if structure is None else Structure.from_json(structure),
            parameters=said["parameters"],
            moved_share=said["moved_share"],
            facts=said["facts"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A recipe, resolved for one size.

    Attributes:
        name: Of the recipe.
        recipe: Digest of the recipe's bytes.
        size: At which it was resolved.
        components: In the recipe's order.
        data: Each mixture: sources with corpus folder (relative to the plan's), manifest digest,
            windows, weight, repeats.
        engine: Name, determinism, precision, attention, command.
        place: Device, nodes, accelerators.
        seed: `{"drawn": true}`, or `{"fixed": …}` where the builder chose it.
        claim: What follows under the claim table, as JSON.
        budget: Work and memory, by component.
        tokenizer: Folder, digest and rows of the tokenizer; none where no text is trained on.
    """

    name: str
    recipe: Digest
    size: str
    components: tuple[PlannedComponent, ...]
    data: Mapping[str, Json]
    engine: Mapping[str, Json]
    place: Mapping[str, Json]
    seed: Mapping[str, Json]
    claim: Mapping[str, Json]
    budget: Mapping[str, Json]
    tokenizer: Mapping[str, Json] | None

    @property
    def digest(self) -> Digest:
        """Names the plan: SHA-256 of its canonical JSON."""
        return Digest.of(canonical_bytes(self.to_json()))

    def component(self, name: str) -> PlannedComponent:
        """Return a component by its id.

        Raises:
            KeyError: There is none of this id.
        """
        return {one.id: one for one in self.components}[name]

    def to_json(self) -> dict[str, Json]:
        """Return it as `plan.json` holds it."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "recipe": str(self.recipe),
            "size": self.size,
            "components": [one.to_json() for one in self.components],
            "data": dict(self.data),
            "engine": dict(self.engine),
            "place": dict(self.place),
            "seed": dict(self.seed),
            "claim": dict(self.claim),
            "budget": dict(self.budget),
            "tokenizer": None if self.tokenizer is None else dict(self.tokenizer),
        }

    def written(self) -> bytes:
        """Return the bytes of `plan.json`, for people to read too."""
        return (json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n").encode()


def read_plan(folder: Path) -> Plan:
    """Return the plan in a folder.

    Raises:
        RecipeError: There is none, or it is damaged.
    """
    path = folder / FILE if folder.is_dir() else folder
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _wrong(path, "", f"{path.stat().st_size} bytes", f"at most {_MAX_BYTES}")
        said = parse_json(path.read_bytes())
    except OSError as error:
        raise _wrong(path, "", f"nothing: {error.strerror}", "a plan") from error
    except ValueError as error:
        raise _wrong(path, "", str(error), "JSON") from error
    return plan_of(said, file=str(path))


def plan_of(said: Any, *, file: str) -> Plan:
    """Return the plan that a JSON value states.

    Raises:
        RecipeError: It states none.
    """
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        read = repr(said.get("schema")) if isinstance(said, dict) else type(said).__name__
        raise _wrong(Path(file), "schema", read, SCHEMA)
    try:
        return Plan(
            name=said["name"],
            recipe=Digest.parse(said["recipe"]),
            size=said["size"],
            components=tuple(PlannedComponent.from_json(one) for one in said["components"]),
            **{key: said[key] for key in _MAPPINGS},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        read = f"{type(error).__name__}: {error}"
        raise _wrong(Path(file), "", read, "a plan as `dokja forge plan` writes it") from error


_MAPPINGS = ("data", "engine", "place", "seed", "claim", "budget", "tokenizer")


def _wrong(path: Path, place: str, read: str, expected: str) -> RecipeError:
    remedy = "Make it again with: dokja forge plan"
    return RecipeError(
        [Mistake(file=str(path), place=place, read=read, expected=expected, remedy=remedy)]
    )
