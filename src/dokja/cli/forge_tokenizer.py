"""`dokja forge tokenizer`: train one, look through anybody's, measure and compare them."""

from collections.abc import Iterator
from pathlib import Path

import click

from dokja.cli.printing import as_json, emit, say
from dokja.errors import CorpusError, ExtraMissingError, Mistake, RecipeError
from dokja.models.forge.tokenizing import (
    SPLITS,
    LintOutcome,
    Subject,
    build_tokenizer,
    lint,
    open_subject,
    read_tokenizer,
    report,
    subject,
)

__all__ = ["tokenizer"]

_FAILED, _UNDECIDED = 3, 4
_SUFFIXES = frozenset({".txt", ".md", ".text"})


@click.group
def tokenizer() -> None:
    """Train a tokenizer, look through anybody's, and measure them on Korean, English and code.

    \b
    Example:
      dokja forge tokenizer lint build/run-t4/model
    """


@tokenizer.command
@click.argument("texts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--size", required=True, type=int, help="How many ids, bytes and specials included.")
@click.option("--split", default="llama3", show_default=True, help=f"One of {', '.join(SPLITS)}.")
@click.option(
    "--special",
    "specials",
    multiple=True,
    default=("<|endoftext|>",),
    show_default=True,
    help="A special token; the first ends a document. May be given several times.",
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder."
)
@as_json
def train(
    texts: tuple[Path, ...],
    *,
    size: int,
    split: str,
    specials: tuple[str, ...],
    output: Path,
    as_json: bool,
) -> int:
    """Train a byte-level BPE on TEXTS: files, or folders of .txt and .md files.

    Each file is one document. The folder is written only if three encoders give equal ids on a
    pinned probe. Whoever has the texts gets the same merges again.

    \b
    Example:
      dokja forge tokenizer train texts/ --size 2000 --split korean -o build/tokenizer
    """
    files = _text_files(texts)
    _refuse_place(output)
    made = build_tokenizer(
        (path.read_bytes() for path in files),
        output,
        size=size,
        split=split,
        specials=specials,
        name=", ".join(map(str, texts)),
    )
    found = made.tokenizer
    if as_json:
        emit(
            {
                "schema": "dokja.forge.tokenizer.train/1",
                "folder": str(output),
                "digest": str(found.digest),
                "size": found.size,
                "rows": found.rows,
                "merges": len(found.merges),
                "split": split,
                "documents": made.documents,
                "bytes": made.bytes,
            }
        )
        return 0
    say(
        f"{found.size:,} ids from {made.documents:,} documents, {made.bytes:,} bytes; "
        f"{found.rows:,} rows when padded"
    )
    say(f"tokenizer {found.digest} in {output}")
    say(f"next: dokja forge tokenizer report {output}")
    return 0


@tokenizer.command(name="lint")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--rows", type=int, help="Rows of the model's embedding, if there is a model.")
@as_json
def lint_tokenizer(path: Path, *, rows: int | None, as_json: bool) -> int:
    """Look through PATH, a tokenizer.json or its folder, for what goes wrong later in silence.

    Ends with 3 if something fails, 4 if something cannot be told, 0 if there is at most advice.

    \b
    Example:
      dokja forge tokenizer lint build/tokenizer
    """
    findings = lint(path, rows=rows)
    fails = [one for one in findings if one.outcome is LintOutcome.FAILS and not one.advice]
    open_ = [one for one in findings if one.outcome is LintOutcome.UNDECIDED]
    code = _FAILED if fails else _UNDECIDED if open_ else 0
    if as_json:
        outcome = {0: "holds", _FAILED: "fails", _UNDECIDED: "undecided"}[code]
        emit(
            {
                "schema": "dokja.forge.tokenizer.lint/1",
                "outcome": outcome,
                "findings": [one.to_json() for one in findings],
            }
        )
        return code
    for one in findings:
        say(f"{'advice: ' if one.advice else ''}{one}")
    advice = sum(one.advice for one in findings)
    say(
        f"{path}: {len(findings)} findings, {len(fails)} fail, {len(open_)} undecided, "
        f"{advice} of advice"
    )
    return code


@tokenizer.command(name="report")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)
@click.option(
    "--text", "texts", multiple=True, type=click.Path(path_type=Path), help="Measure this as well."
)
@click.option(
    "--against",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Compare the vocabulary with this tokenizer's.",
)
@as_json
def report_tokenizer(
    paths: tuple[Path, ...], *, texts: tuple[Path, ...], against: tuple[Path, ...], as_json: bool
) -> int:
    """Measure each PATH, a tokenizer.json or its folder, on a pinned Korean and English probe.

    \b
    Example:
      dokja forge tokenizer report build/tokenizer --against other/model
    """
    given = {path.name: _text(path) for path in texts}
    others = [_opened(path) for path in against]
    made = [report(_opened(path), texts=given, others=others) for path in paths]
    if as_json:
        emit(
            {
                "schema": "dokja.forge.tokenizer.report/1",
                "reports": [one.to_json() for one in made],
            }
        )
        return 0
    say("\n\n".join(one.as_text() for one in made))
    return 0


def _opened(path: Path) -> Subject:
    """Return a tokenizer ready to be measured; our own need no extra.

    Raises:
        ExtraMissingError: It is not ours, and the extra `tokenizer` is not installed.
        RecipeError: It cannot be read.
    """
    try:
        return open_subject(path, name=str(path))
    except ExtraMissingError:
        try:
            return subject(read_tokenizer(path), name=str(path))
        except RecipeError:
            pass  # what is missing says more than that the file is not ours
        raise


def _refuse_place(output: Path) -> None:
    if not output.parent.is_dir():
        expected = "a folder that is there"
        wrong = Mistake(file=str(output.parent), place="", read="nothing", expected=expected)
        raise RecipeError([wrong])


def _text_files(given: tuple[Path, ...]) -> list[Path]:
    """Return every file of texts, in an order that does not depend on the disk.

    Raises:
        CorpusError: One is not there, or a folder holds none.
    """
    mistakes, found = [], []
    for path in given:
        files = list(_files_of(path))
        found += files
        if not files:
            read = "no .txt or .md file" if path.is_dir() else "nothing"
            expected = "a text file, or a folder of them"
            mistakes.append(Mistake(file=str(path), place="", read=read, expected=expected))
    if mistakes:
        raise CorpusError(mistakes)
    return found


def _files_of(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from sorted(
            one for one in path.rglob("*") if one.suffix in _SUFFIXES and one.is_file()
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        read = f"nothing: {error.strerror}"
    except UnicodeDecodeError as error:
        read = f"a byte that is not UTF-8 at {error.start}"
    raise RecipeError(
        [Mistake(file=str(path), place="", read=read, expected="a text in UTF-8 to measure")]
    )
