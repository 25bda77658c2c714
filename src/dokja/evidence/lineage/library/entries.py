"""What an entry of a library says of its model: `entry.json`, without a value of its weights.

An entry names the model by what its headers hold, never by what is believed of it: name, licence
and origin are the words of whoever added it. The page carries its own digest and those of the
files beside it, so that an edit or a torn copy shows.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dokja.errors import LibraryError, Mistake
from dokja.values import Digest, canonical_bytes, parse_json

__all__ = [
    "SCHEMA",
    "BlockFacts",
    "BodyFacts",
    "ComponentFacts",
    "EntryFacts",
    "FileFacts",
    "GainFacts",
    "ShapeFacts",
    "TableFacts",
    "TokenFacts",
    "read_page",
    "written_page",
]

SCHEMA = "dokja.library.entry/1"

_Count = Field(ge=0, le=2**48)


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ShapeFacts(_Facts):
    """Tensors of one role and shape.

    Attributes:
        role: Their role.
        shape: Their shape.
        count: In how many layers they stand.
    """

    role: str
    shape: tuple[int, ...]
    count: int = _Count


class TableFacts(_Facts):
    """Tensors of one role and shape of which a part is kept.

    Attributes:
        role: Their role.
        shape: Rows and columns of each; further axes are columns.
        rows: How many rows of each are kept.
        columns: How many columns.
        layers: In which layers they stand, rising.
    """

    role: str
    shape: tuple[int, int]
    rows: int = _Count
    columns: int = _Count
    layers: tuple[int, ...]


class GainFacts(_Facts):
    """Gains of one role.

    Attributes:
        role: Their role.
        width: Values of each.
        layers: In which layers they stand, rising.
    """

    role: str
    width: int = _Count
    layers: tuple[int, ...]


class TokenFacts(_Facts):
    """Rows of embedding or head of some tokens.

    Attributes:
        role: `embedding` or `head`.
        width: Values of each row.
        tokens: Places of the tokens in the entry's sample, rising.
    """

    role: str
    width: int = _Count
    tokens: tuple[int, ...]


class ComponentFacts(_Facts):
    """A component of the model.

    Attributes:
        component: Its name.
        role: What it is for.
        parameters: How many values it holds.
        depth: How many layers; one where it has none, such as a projector.
        layered: Whether it has layers.
        shapes: All its matrices, by role and shape.
        tables: Those of which values are kept.
        gains: Gains that are kept.
        token_rows: Rows of tokens that are kept.
    """

    component: str
    role: str
    parameters: int = _Count
    depth: int = _Count
    layered: bool
    shapes: tuple[ShapeFacts, ...]
    tables: tuple[TableFacts, ...]
    gains: tuple[GainFacts, ...]
    token_rows: tuple[TokenFacts, ...]


class BlockFacts(_Facts):
    """Neurons of one feed-forward block.

    Attributes:
        layer: Its layer.
        name: `dense`, `expert 3` or `shared 0`.
        neurons: How many are kept.
        gated: Whether it has gates.
    """

    layer: int = _Count
    name: str
    neurons: int = _Count
    gated: bool


class BodyFacts(_Facts):
    """What a forensic entry keeps of a component in canonical form.

    Attributes:
        component: Its name.
        role: What it is for.
        width: Dimensions of its residual stream.
        depth: How many layers it has.
        whole: Whether the blocks have all their neurons.
        blocks: Those that are kept.
        anchors: How many tokens' rows are kept of embedding and head; 0 where none.
        rows: Which of the two there are.
    """

    component: str
    role: str
    width: int = _Count
    depth: int = _Count
    whole: bool
    blocks: tuple[BlockFacts, ...]
    anchors: int = _Count
    rows: tuple[Literal["embedding", "head"], ...]


class FileFacts(_Facts):
    """A file beside the page.

    Attributes:
        name: Its plain name.
        bytes: Its length.
        digest: Its SHA-256.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    bytes: int = _Count
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")


class EntryFacts(_Facts):
    """An entry of a library.

    Attributes:
        schema_: The page's own version.
        kind: `screen`, or `forensic` where neurons and anchors are kept besides.
        name: What the model is called here.
        licence: As whoever added it said; none where nothing was said.
        origin: Where its weights lay.
        headers: Digest over names, types and shapes of all its tensors.
        parameters: How many values they hold.
        config: Settings that its configuration claims.
        tokens: Sampled tokens, by text.
        components: In order of their names.
        bodies: Of a forensic entry, likewise.
        files: Beside the page.
    """

    schema_: Literal["dokja.library.entry/1"] = Field(alias="schema")
    kind: Literal["screen", "forensic"]
    name: str
    licence: str | None
    origin: str | None
    headers: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    parameters: int = _Count
    config: Mapping[str, str | int | float | bool]
    tokens: tuple[str, ...]
    components: tuple[ComponentFacts, ...]
    bodies: tuple[BodyFacts, ...]
    files: tuple[FileFacts, ...]


def written_page(facts: EntryFacts) -> bytes:
    """Return the page of an entry, with its own digest; the same facts give the same bytes."""
    body = facts.model_dump(mode="json", by_alias=True)
    return canonical_bytes({**body, "page": str(Digest.of(canonical_bytes(body)))}) + b"\n"


def read_page(raw: bytes, *, file: str) -> EntryFacts:
    """Return what a page says.

    Args:
        raw: The page.
        file: What mistakes call it.

    Raises:
        LibraryError: It is no page, one of another version, or was edited.
    """
    try:
        body: Any = parse_json(raw)
    except (ValueError, RecursionError) as error:
        raise _error(file, "", f"no sound JSON ({error})", "the page of an entry") from error
    said = body.get("schema") if isinstance(body, dict) else None
    if said != SCHEMA:
        raise _error(file, "schema", repr(said), f"{SCHEMA!r}, the version that this Dokja reads")
    stated = body.pop("page", None)
    try:
        found = str(Digest.of(canonical_bytes(body)))
        if stated != found:
            raise _error(file, "page", str(stated), f"{found}, the digest of what stands there")
        return EntryFacts.model_validate_json(json.dumps(body))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _error(file, place, repr(first["input"])[:80], first["msg"]) from error
    except ValueError as error:
        raise _error(file, "", f"a value without a canonical form ({error})", "none") from error


def _error(file: str, place: str, read: str, expected: str) -> LibraryError:
    remedy = "Add the model again, or take the entry from where it came."
    return LibraryError(
        [Mistake(file=file, place=place, read=read, expected=expected, remedy=remedy)],
        changed="The entry was not used.",
    )
