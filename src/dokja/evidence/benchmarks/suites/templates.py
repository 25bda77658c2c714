"""What a model is told: a text with places for the item. No code, one pass, nothing expanded twice.

A place is a name in double braces: `{{question}}`, `{{choices}}`, `{{labels}}`, or a further field
of the item, such as `{{passage}}`. What an item says is put in as it stands, so that braces in an
item stay braces. No place shows the key.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dokja.errors import Mistake
from dokja.evidence.benchmarks.suites.items import SuiteItem
from dokja.values import Digest, canonical_bytes

__all__ = ["KEY_PLACES", "Message", "Template", "template_mistakes"]

_PLACE = re.compile(r"\{\{\s*([^{}\n]*?)\s*\}\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OWN = ("question", "choices", "labels")
KEY_PLACES = frozenset({"key", "keys", "answer", "answers", "gold", "target", "tests"})
"""Names by which somebody may try to show the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of what a model is told: whose, and what."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text with places.

    Attributes:
        text: As it stands in `template.txt`, without the line end at its end.
        choice_line: How one option is shown, with the places `{{label}}` and `{{text}}`.
        system: What is said before, as the system's message; empty if nothing is.
    """

    text: str
    choice_line: str = "{{label}}. {{text}}"
    system: str = ""

    @property
    def digest(self) -> Digest:
        """Names the text and how options are shown."""
        return Digest.of(canonical_bytes([self.system, self.text, self.choice_line]))

    @property
    def places(self) -> tuple[str, ...]:
        """The names of its places, each once, in order."""
        return tuple(dict.fromkeys(_PLACE.findall(self.text)))

    def prompt(self, item: SuiteItem) -> str:
        """Return what is asked, with the item put in.

        Example:
            >>> asked = SuiteItem(id="a", question="1 + {{x}} = ?", keys=("2",))
            >>> Template(text="Q: {{question}}").prompt(asked)
            'Q: 1 + {{x}} = ?'
        """
        lines = [
            _filled(self.choice_line, {"label": choice.label, "text": choice.text})
            for choice in item.choices
        ]
        values = {
            **item.fields,
            "question": item.question,
            "choices": "\n".join(lines),
            "labels": ", ".join(choice.label for choice in item.choices),
        }
        return _filled(self.text, values)

    def messages(self, item: SuiteItem) -> tuple[Message, ...]:
        """Return what a chat model is told."""
        asked = Message(role="user", text=self.prompt(item))
        return (Message(role="system", text=self.system), asked) if self.system else (asked,)


def template_mistakes(
    template: Template, *, fields: frozenset[str], options: bool, file: str
) -> Iterator[Mistake]:
    """Yield what is wrong with a template.

    Args:
        template: The template.
        fields: Further fields that every item has.
        options: Whether the items have options.
        file: Where it was read.
    """
    for number, line in enumerate(template.text.split("\n"), start=1):
        for name in _PLACE.findall(line):
            yield from _place(name, fields=fields, file=file, place=f"line {number}")
    for name in ("question", *(["choices"] if options else [])):
        if name not in template.places:
            written = "{{" + name + "}}"
            remedy = f"Write {written} where the model is to see it."
            yield Mistake(
                file=file, place="", read=f"no {written}", expected=f"{written} once", remedy=remedy
            )


def _place(name: str, *, fields: frozenset[str], file: str, place: str) -> Iterator[Mistake]:
    known = (*_OWN, *sorted(fields))
    if name in known:
        return
    remedy = "Take it out, or add the field to every item."
    if name in KEY_PLACES:
        remedy = "Take it out: it would tell the model the right answer."
    elif not _NAME.fullmatch(name):
        remedy = "A place holds a name and nothing else; no code is run."
    expected = "one of " + ", ".join("{{" + each + "}}" for each in known)
    yield Mistake(file=file, place=place, read="{{" + name + "}}", expected=expected, remedy=remedy)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: values.get(match.group(1), match.group(0)), text)
