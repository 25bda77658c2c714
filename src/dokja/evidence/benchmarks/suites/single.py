"""A benchmark's items: read whole, checked whole, and named by their digest.

A suite is a JSON Lines file, one item a line: an id, what is asked, the right answer, the cluster
that the item was drawn from, and its language. Items are compared letter by letter, so that a
text in decomposed Hangul is a mistake here and not a wrong answer later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import Mistake, SuiteError
from dokja.values import (
    Digest,
    canonical_bytes,
    is_identifier,
    json_lines,
    normal_form,
    shown,
    text_fault,
)

__all__ = ["Item", "Suite", "read_suite"]

_KEYS = ("id", "prompt", "answer", "cluster", "language")
_NAMES = frozenset({"id", "cluster", "language"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question with its right answer.

    Attributes:
        id: Names it inside its suite.
        prompt: What is asked.
        answer: The right answer.
        cluster: The family it was drawn from; another sample would bring other families.
        language: Such as `ko` or `en`.
    """

    id: str
    prompt: str
    answer: str
    cluster: str
    language: str

    @property
    def line(self) -> bytes:
        """The item as one canonical JSON line, without its end."""
        return canonical_bytes({key: getattr(self, key) for key in _KEYS})

    @property
    def prompt_digest(self) -> Digest:
        """Names what is asked, without the key: a corrected key is not a new question."""
        return Digest.of(self.prompt.encode())

    @property
    def key_digest(self) -> Digest:
        """Names the right answer."""
        return Digest.of(self.answer.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The items of one benchmark, in the order in which they are asked.

    Attributes:
        name: The benchmark's id.
        items: At least one.
    """

    name: str
    items: tuple[Item, ...]

    @property
    def items_bytes(self) -> bytes:
        """All items as canonical JSON Lines."""
        return b"".join(item.line + b"\n" for item in self.items)

    @property
    def digest(self) -> Digest:
        """Digest of the items, whatever the spaces and order of keys in the file."""
        return Digest.of(self.items_bytes)


def read_suite(path: Path) -> Suite:
    """Return the suite of a file, which is named by the file: `numerals.jsonl` is `numerals`.

    Args:
        path: A JSON Lines file in UTF-8; each line an object of texts with exactly the keys
            `id`, `prompt`, `answer`, `cluster`, `language`.

    Raises:
        SuiteError: It cannot be read, or something is wrong in it; every mistake at once.
    """
    file = str(path)
    name = normal_form(path.stem)
    mistakes: list[Mistake] = []
    if not is_identifier(name):
        expected = "a file named by an identifier, such as numerals.jsonl"
        mistakes.append(Mistake(file=file, place="", read=repr(path.name), expected=expected))
    try:
        data = path.read_bytes()
    except OSError as error:
        read = error.strerror or "an error"
        raise SuiteError(
            [*mistakes, Mistake(file=file, place="", read=read, expected="a file that may be read")]
        ) from error
    lines, broken = json_lines(data, file=file, keys=_KEYS)
    mistakes += broken
    items: list[Item] = []
    for line in lines:
        faults = {key: text_fault(line.said[key], name=key in _NAMES) for key in _KEYS}
        found = [
            Mistake(file=file, place=f"{line.place}, {key}", read=fault[0], expected=fault[1])
            for key, fault in faults.items()
            if fault
        ]
        mistakes += found
        if not found:
            items.append(Item(**{key: str(line.said[key]) for key in _KEYS}))
    mistakes += _repeated(items, file=file)
    if mistakes:
        raise SuiteError(mistakes)
    return Suite(name=name, items=tuple(items))


def _repeated(items: list[Item], *, file: str) -> Iterator[Mistake]:
    for key, what in (("id", "each id once"), ("prompt", "each question once")):
        first: dict[str, Item] = {}
        for item in items:
            value = getattr(item, key)
            if value in first:
                read = f"{shown(value)!r} again, which is item {first[value].id}"
                yield Mistake(file=file, place=f"item {item.id}, {key}", read=read, expected=what)
            first.setdefault(value, item)
