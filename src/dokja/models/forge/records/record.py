"""The build record: what was made of what, by whom and how, as one value that can be signed.

Its JSON has the shape of SLSA provenance (build definition, resolved dependencies, run details)
with the training added; it is the predicate of an in-toto statement. The dependencies are not
kept apart: they follow from the rest, and a record whose dependencies say something else cannot
be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import with_config

from dokja.errors import Mistake, RecordError
from dokja.models.forge.forms import STRICT, DigestText, plain, read_form
from dokja.models.forge.records.bodies import (
    Checkpoint,
    Code,
    Export,
    Interruption,
    Metrics,
    Stage,
)
from dokja.models.forge.records.facts import (
    Builder,
    ChainFacts,
    Component,
    Compute,
    DataSource,
    Seed,
    Span,
    Tokenizer,
)
from dokja.models.weights.roots import tensor_root
from dokja.values import Digest, Json, canonical_bytes, parse_json, shown

__all__ = ["BUILD_TYPE", "SCHEMA", "BuildRecord", "read_record", "record_of"]

SCHEMA = "dokja.build-record/1"
BUILD_TYPE = "urn:dokja:forge:v1"
_MAX_BYTES = 500_000_000


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """Everything that is said of one model.

    Attributes:
        name: Of the recipe.
        size: At which it was resolved.
        recipe: Digest of the recipe.
        plan: Digest of the plan.
        claim_table: Version of the table under which the plan derived its claim.
        claim: What followed under it, as the plan says it; never more than a claim.
        builder: Who built it.
        span: When.
        code: What ran.
        environment: Where it ran.
        seed: What chance began with.
        components: In the recipe's order.
        data: Every source of training data.
        order: Version of the order function.
        tokenizer: None where no text was trained on.
        stages: Transforms and trainings, as they began.
        checkpoints: Every state that was named.
        metrics: Where every step's measurements stand.
        interruptions: Everything that broke the run's course.
        exports: Components in other formats.
        compute: What it took.
        chain: The chain that all of this was taken from.
    """

    name: str
    size: str
    recipe: DigestText
    plan: DigestText
    claim_table: str
    claim: Mapping[str, Any]
    builder: Builder
    span: Span
    code: Code
    environment: Mapping[str, Any]
    seed: Seed
    components: tuple[Component, ...]
    data: tuple[DataSource, ...]
    order: str
    tokenizer: Tokenizer | None
    stages: tuple[Stage, ...]
    checkpoints: tuple[Checkpoint, ...]
    metrics: tuple[Metrics, ...]
    interruptions: tuple[Interruption, ...]
    exports: tuple[Export, ...]
    compute: Compute
    chain: ChainFacts

    @property
    def digest(self) -> Digest:
        """Names the record: SHA-256 of its canonical JSON."""
        return Digest.of(canonical_bytes(self.to_json()))

    def component(self, name: str) -> Component:
        """Return a component by its id.

        Raises:
            KeyError: There is none of this id.
        """
        return {one.id: one for one in self.components}[name]

    def to_json(self) -> dict[str, Json]:
        """Return the record as a predicate holds it."""
        said = {item.name: plain(getattr(self, item.name)) for item in fields(self)}
        return {
            "schema": SCHEMA,
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {key: said[key] for key in _EXTERNAL},
                "internalParameters": {key: said[key] for key in _INTERNAL},
                "resolvedDependencies": _dependencies(self),
            },
            "runDetails": {key: said[key] for key in _RUN},
            "training": {key: said[key] for key in _TRAINING},
        }


_EXTERNAL = ("name", "size", "recipe", "plan", "claim_table", "claim")
_INTERNAL = ("code", "environment", "seed", "order")
_RUN = ("builder", "span", "compute", "chain")
_TRAINING = (
    "components",
    "data",
    "tokenizer",
    "stages",
    "checkpoints",
    "metrics",
    "interruptions",
    "exports",
)


def _dependencies(record: BuildRecord) -> list[Json]:
    """Return everything that went in, as in-toto resource descriptors, sorted."""
    found: dict[str, Json] = {
        f"recipe:{record.name}": _sha256(record.recipe),
        f"plan:{record.size}": _sha256(record.plan),
    }
    if record.code.difference is not None:
        found["code-difference"] = _sha256(record.code.difference)
    if record.tokenizer is not None:
        found["tokenizer"] = _sha256(record.tokenizer.digest)
        if record.tokenizer.corpus is not None:
            found["tokenizer-corpus"] = _sha256(record.tokenizer.corpus)
    found |= {f"data:{source.name}": _sha256(source.manifest) for source in record.data}
    for component in record.components:
        for leaf in component.leaves:
            if leaf.root is not None:
                digest = {"dokja-tensors-v1": tensor_root(leaf.root).hex}
                found[f"base:{component.id}:{leaf.name}"] = digest
    return [{"name": name, "digest": found[name]} for name in sorted(found)]


def _sha256(digest: Digest) -> dict[str, Json]:
    return {"sha256": digest.hex}


def record_of(said: Any, *, file: str) -> BuildRecord:
    """Return the record that a predicate states.

    Args:
        said: The predicate, parsed.
        file: What mistakes call it.

    Raises:
        RecordError: It states none; every mistake is in it.
    """
    if not isinstance(said, Mapping) or said.get("schema") != SCHEMA:
        read = said.get("schema") if isinstance(said, Mapping) else said
        raise RecordError([_wrong(file, "schema", shown(repr(read)), SCHEMA)])
    flat: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for place, keys in _PLACES:
        part = _part(said, place)
        if not isinstance(part, Mapping):
            read = "nothing" if part is None else shown(repr(part))
            mistakes.append(_wrong(file, ".".join(place), read, "an object"))
            continue
        mistakes += [
            _wrong(file, ".".join((*place, key)), "a key that records do not have", ", ".join(keys))
            for key in sorted(set(part) - set(keys))
        ]
        flat |= {key: part[key] for key in keys if key in part}
    try:
        record = read_form(BuildRecord, flat, file=file)
    except RecordError as error:
        raise RecordError([*mistakes, *error.mistakes]) from error
    if mistakes:
        raise RecordError(mistakes)
    if canonical_bytes(dict(said)) != canonical_bytes(record.to_json()):
        read = "other dependencies, build type or keys"
        expected = "those that follow from the rest of the record"
        raise RecordError([_wrong(file, "buildDefinition", read, expected)])
    return record


_PLACES = (
    (("buildDefinition", "externalParameters"), _EXTERNAL),
    (("buildDefinition", "internalParameters"), _INTERNAL),
    (("runDetails",), _RUN),
    (("training",), _TRAINING),
)


def _part(said: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        said = said.get(key) if isinstance(said, Mapping) else None
    return said


def read_record(path: Path) -> BuildRecord:
    """Return the record in a file that holds the bare predicate, unsigned.

    Raises:
        RecordError: It cannot be read, or states no record.
    """
    file = path.name
    try:
        if path.stat().st_size > _MAX_BYTES:
            read = f"{path.stat().st_size} bytes"
            raise RecordError([_wrong(file, "", read, f"at most {_MAX_BYTES}")])
        said = parse_json(path.read_bytes())
    except OSError as error:
        read = f"nothing: {error.strerror}"
        raise RecordError([_wrong(file, "", read, "a build record")]) from error
    except (ValueError, RecursionError) as error:
        raise RecordError([_wrong(file, "", str(error)[:200], "one JSON object")]) from error
    return record_of(said, file=file)


def _wrong(file: str, place: str, read: str, expected: str) -> Mistake:
    return Mistake(file=file, place=place, read=read, expected=expected)
