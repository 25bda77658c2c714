"""JSON Lines as they come in from outside: one object a line, with the keys that it must have.

What is wrong is returned, not raised: a file is read to its end, so that whoever handed it in hears
of every mistake at once.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dokja.errors import Mistake
from dokja.values.canonical import Json, parse_json
from dokja.values.names import is_identifier, normal_form

__all__ = ["JsonLine", "json_lines", "shown", "text_fault"]

_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLine:
    """One object of a JSON Lines file.

    Attributes:
        place: Where it stands, such as `line 4`.
        said: Its keys and values; all the keys that it must have, and no other.
    """

    place: str
    said: Mapping[str, Json]


def json_lines(
    data: bytes, *, file: str, keys: Collection[str]
) -> tuple[tuple[JsonLine, ...], tuple[Mistake, ...]]:
    r"""Return the objects of a JSON Lines file, and what is wrong with the other lines.

    Args:
        data: The file's bytes.
        file: Its name, for the mistakes.
        keys: The keys that every object must have; there may be no others.

    Example:
        >>> data = b'{"voter": "v1"}\n{"voter": NaN}'
        >>> lines, mistakes = json_lines(data, file="a.jsonl", keys=["voter"])
        >>> lines[0].said["voter"], mistakes[0].place
        ('v1', 'line 2')
    """
    lines: list[JsonLine] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(data.splitlines(), start=1):
        place = f"line {number}"
        said = _object(line, file=file, place=place)
        found = [said] if isinstance(said, Mistake) else list(_keys(said, keys, file, place))
        mistakes += found
        if not isinstance(said, Mistake) and not found:
            lines.append(JsonLine(place=place, said=said))
    if not lines and not mistakes:
        mistakes.append(Mistake(file=file, place="", read="no line", expected="one object a line"))
    return tuple(lines), tuple(mistakes)


def text_fault(value: Json, *, name: bool) -> tuple[str, str] | None:
    """Return what was read and what was expected, unless the value is text that can be compared.

    Args:
        value: What stands there.
        name: Whether it must be an identifier besides.

    Example:
        >>> text_fault("가람", name=True) is None, text_fault(" ", name=False)
        (True, ('empty text', 'text that is not empty'))
    """
    if not isinstance(value, str):
        return shown(repr(value)), "text"
    if not value.strip():
        return "empty text", "text that is not empty"
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        return shown(repr(value)), "signs of Unicode, not halves of one"
    if value != normal_form(value):
        return shown(repr(value)), f"the same in NFC (composed Hangul): {normal_form(value)!r}"
    if name and not is_identifier(value):
        return shown(repr(value)), "lower-case letters, digits, Hangul syllables and . _ - inside"
    return None


def shown(text: str) -> str:
    """Return the text as far as a line of a terminal has room for it, with no sign to obey."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _object(line: bytes, *, file: str, place: str) -> Mapping[str, Json] | Mistake:
    try:
        said = parse_json(line.decode())
    except UnicodeDecodeError as error:
        read = f"byte {line[error.start]:#04x} at position {error.start + 1}"
        return Mistake(file=file, place=place, read=read, expected="text in UTF-8")
    except (ValueError, RecursionError) as error:
        read = shown(line.decode()) if line.strip() else "an empty line"
        return Mistake(file=file, place=place, read=read, expected=f"one JSON object ({error})")
    if not isinstance(said, Mapping):
        return Mistake(file=file, place=place, read=shown(repr(said)), expected="a JSON object")
    return said


def _keys(
    said: Mapping[str, Json], keys: Collection[str], file: str, place: str
) -> Iterator[Mistake]:
    for key in sorted(said.keys() - set(keys)):
        expected = "only the keys " + ", ".join(keys)
        yield Mistake(file=file, place=place, read=f"the key {key!r}", expected=expected)
    for key in keys:
        if key not in said:
            yield Mistake(file=file, place=f"{place}, {key}", read="nothing", expected="this key")
