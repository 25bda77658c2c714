"""A suite folder: items, template, scorer, clusters, licence, and the commitment of what is secret.

`suite.toml` says what holds for all items, `items.jsonl` (or a Parquet table) holds them, and
`template.txt` is what a model is told. Private items stand in a file of their own, with a salt for
each in `salts.jsonl`; `commitment.json` is the public promise of what they are. Everything is read
before anything is used, and every mistake is told at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.scorers import ALONE, Aids, Reply, Scorer, Scoring, Task
from dokja.evidence.benchmarks.suites.declared import Declared, read_declared
from dokja.evidence.benchmarks.suites.items import SuiteItem
from dokja.evidence.benchmarks.suites.rows import Layout, Row, item_of, json_rows, parquet_rows
from dokja.evidence.benchmarks.suites.templates import Message, Template, template_mistakes
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["COMMITMENT", "SALTS", "SuiteFolder", "read_salts", "read_suite_folder"]

SALTS = "salts.jsonl"
COMMITMENT = "commitment.json"
_TOML, _TEMPLATE = "suite.toml", "template.txt"
_SALT_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFolder:
    """A benchmark, ready to be asked and scored.

    Attributes:
        path: The folder.
        declared: What `suite.toml` says.
        template: What a model is told.
        items: At least one, in the order of the files, public ones first.
    """

    path: Path
    declared: Declared
    template: Template
    items: tuple[SuiteItem, ...]

    @property
    def name(self) -> str:
        """The suite's id."""
        return self.declared.name

    @property
    def version(self) -> str:
        """Of items, template and scorer together."""
        return self.declared.version

    @property
    def budget_tokens(self) -> int:
        """The longest answer that the suite grants."""
        return self.declared.budget_tokens

    @property
    def scorer(self) -> Scorer:
        """Tells what becomes of replies."""
        return self.declared.scorer

    @property
    def digest(self) -> Digest:
        """Names all that a run depends on; private items by their salted digests."""
        declared = self.declared
        items: list[Json] = [
            [each.handle, str(each.item_digest), str(each.key_digest)] for each in self.items
        ]
        said: dict[str, Json] = {
            "name": self.name,
            "version": self.version,
            "budget_tokens": self.budget_tokens,
            "template": str(self.template.digest),
            "scorer": str(self.scorer.digest),
            "clusters": list(declared.clusters),
            "strata": declared.strata,
            "blueprint": {key: repr(share) for key, share in declared.blueprint.items()},
            "items": str(Digest.of(canonical_bytes(items))),
        }
        return Digest.of(canonical_bytes(said))

    def of_form(self, form: str) -> "SuiteFolder":
        """Return the suite with the items of one form alone.

        Raises:
            SuiteError: It has no such form, or no item of it.
        """
        items = tuple(item for item in self.items if item.form == form)
        if not form or not items:
            expected = "one of " + (", ".join(self.declared.forms) or "none: it has no forms")
            wrong = Mistake(file=str(self.path), place="form", read=repr(form), expected=expected)
            raise SuiteError([wrong])
        return replace(self, items=items)

    def prompt(self, item: SuiteItem) -> str:
        """Return what is asked, as one text."""
        return self.template.prompt(item)

    def messages(self, item: SuiteItem) -> tuple[Message, ...]:
        """Return what a chat model is told."""
        return self.template.messages(item)

    def task(self, item: SuiteItem) -> Task:
        """Return the item as a scorer takes it."""
        told = self.template.prompt(item)
        system = self.template.system
        return Task(
            id=item.id,
            keys=item.keys,
            choices=item.choices,
            prompt=f"{system}\n{told}" if system else told,
            language=item.language,
            tests=item.tests,
        )

    def score(self, item: SuiteItem, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of a reply to an item, by the suite's own scorer."""
        return self.scorer.score(self.task(item), reply, aids=aids)


def read_suite_folder(path: Path, *, salted: bool = True) -> SuiteFolder:
    """Return the suite of a folder.

    Args:
        path: The folder.
        salted: Whether private items must have their salts; `dokja suite commit` gives them some.

    Raises:
        SuiteError: Something is wrong in it; every mistake at once, none of which quotes a private
            item.
        ExtraMissingError: Items stand in a Parquet table, and the extra `import` is missing.
    """
    mistakes: list[Mistake] = []
    said = _text(path / _TOML, mistakes)
    told = _text(path / _TEMPLATE, mistakes)
    if said is None:
        raise SuiteError(mistakes)
    declared, wrong = read_declared(said, file=str(path / _TOML))
    if declared is None:
        raise SuiteError([*mistakes, *wrong])
    items = _items(path, declared, mistakes, salted=salted)
    template = Template(
        text=(told or "").rstrip("\n"), choice_line=declared.choice_line, system=declared.system
    )
    if told is not None:
        mistakes += template_mistakes(
            template,
            fields=_shared_fields(items),
            options=declared.scorer.kind == "choice",
            file=str(path / _TEMPLATE),
        )
    mistakes += _together(path, declared, items)
    if mistakes:
        raise SuiteError(mistakes)
    return SuiteFolder(path=path, declared=declared, template=template, items=tuple(items))


def read_salts(path: Path, mistakes: list[Mistake]) -> Mapping[str, bytes]:
    """Return the salts of private items by their ids; empty if there is no such file."""
    if not path.exists():
        return {}
    data = _bytes(path, mistakes)
    rows, wrong = json_rows(data or b"", file=str(path), private=True)
    mistakes += wrong
    salts: dict[str, bytes] = {}
    for row in rows:
        salt = _salt(row)
        if salt is None:
            expected = f"id, and salt as {2 * _SALT_BYTES} hexadecimal digits"
            read = "a value that stays secret"
            mistakes.append(Mistake(file=str(path), place=row.place, read=read, expected=expected))
        else:
            salts[str(row.said["id"])] = salt
    return salts


def _salt(row: Row) -> bytes | None:
    try:
        salt = bytes.fromhex(str(row.said["salt"]))
    except (KeyError, ValueError):
        return None
    return salt if len(salt) == _SALT_BYTES and isinstance(row.said.get("id"), str) else None


def _items(
    path: Path, declared: Declared, mistakes: list[Mistake], *, salted: bool
) -> list[SuiteItem]:
    layout = Layout(
        kind=declared.scorer.kind,
        labels=declared.labels,
        clusters=declared.clusters,
        strata=declared.strata,
        language=declared.language,
        chance=declared.chance,
        forms=tuple(declared.forms),
    )
    items: list[SuiteItem] = []
    if (path / declared.items).exists() or not declared.private_items:
        items += _of_file(path / declared.items, layout, mistakes, salts={})
    if declared.private_items:
        secret = Layout(
            **{name: getattr(layout, name) for name in Layout.__slots__ if name != "private"},
            private=True,
        )
        salts = read_salts(path / SALTS, mistakes)
        found = _of_file(path / declared.private_items, secret, mistakes, salts=salts)
        unsalted = sum(1 for item in found if not item.salt)
        if salted and unsalted:
            remedy = f"Run: dokja suite commit {path}"
            read, expected = f"no salt for {unsalted} private items", "one for each"
            mistakes.append(
                Mistake(
                    file=str(path / SALTS), place="", read=read, expected=expected, remedy=remedy
                )
            )
        items += found
    return items


def _of_file(
    path: Path, layout: Layout, mistakes: list[Mistake], *, salts: Mapping[str, bytes]
) -> list[SuiteItem]:
    if path.suffix == ".parquet":
        rows, wrong = parquet_rows(path)
    else:
        data = _bytes(path, mistakes)
        if data is None:
            return []
        rows, wrong = json_rows(data, file=str(path), private=layout.private)
    mistakes += wrong
    items: list[SuiteItem] = []
    for row in rows:
        salt = salts.get(str(row.said.get("id")), b"")
        made = item_of(row, layout, file=str(path), salt=salt)
        if isinstance(made, SuiteItem):
            items.append(made)
        else:
            mistakes += made
    return items


def _together(path: Path, declared: Declared, items: Sequence[SuiteItem]) -> Iterator[Mistake]:
    """Yield what is wrong between items, and between them and the declaration."""
    file = str(path)
    first: dict[str, SuiteItem] = {}
    asked: dict[bytes, SuiteItem] = {}
    for item in items:
        place = "a private item" if item.private else f"item {item.id}"
        if item.id in first:
            yield Mistake(file=file, place=place, read="its id again", expected="each id once")
        content = canonical_bytes({**item.content, "id": ""})
        if content in asked and asked[content].id != item.id:
            other = asked[content]
            read = "the question of " + ("a private item" if other.private else f"item {other.id}")
            yield Mistake(file=file, place=place, read=read, expected="each question once")
        first.setdefault(item.id, item)
        asked.setdefault(content, item)
    if not declared.blueprint or not items:
        return
    there = {item.stratum for item in items}
    toml = str(path / _TOML)
    for name in sorted(declared.blueprint.keys() - there):
        expected = f"a category that items have: {', '.join(sorted(there))}"
        yield Mistake(file=toml, place=f"blueprint.{name}", read="no item", expected=expected)
    for name in sorted(there - declared.blueprint.keys()):
        expected = "a share for every category, or none of its items"
        yield Mistake(file=toml, place=f"blueprint.{name}", read="nothing", expected=expected)


def _shared_fields(items: Sequence[SuiteItem]) -> frozenset[str]:
    found = [frozenset(item.fields) for item in items]
    return frozenset.intersection(*found) if found else frozenset()


def _bytes(path: Path, mistakes: list[Mistake]) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError as error:
        read = error.strerror or "an error"
        mistakes.append(
            Mistake(file=str(path), place="", read=read, expected="a file that may be read")
        )
        return None


def _text(path: Path, mistakes: list[Mistake]) -> str | None:
    data = _bytes(path, mistakes)
    if data is None:
        return None
    try:
        return data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        read = f"byte {data[error.start]:#04x}"
        mistakes.append(
            Mistake(file=str(path), place=f"line {line}", read=read, expected="text in UTF-8")
        )
        return None
