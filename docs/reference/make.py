"""Write the reference pages that follow from the code: commands, kinds, errors, forge, lineage.

Run by `python3 run.py accept`; a test compares the pages with what this would write.
"""

import inspect
import runpy
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dokja import errors
from dokja.cli.commands import dokja
from dokja.evidence.ledger.kinds import KINDS

HERE = Path(__file__).parent
SHARED = {"on", "sources", "note"}


def commands() -> str:
    """Return the page of all commands."""
    parts = [
        "# Commands",
        "",
        "Made from the code by `python3 run.py accept`.",
        (
            "Every command prints text for people, or with `--json` one JSON document on standard "
            "output."
        ),
        "",
        "| exit code | meaning |",
        "|---|---|",
        "| 0 | done, and nothing against it |",
        "| 2 | bad input or usage; every mistake is listed, and whether anything was changed |",
        "| 3 | found something: a failed gate, a relation, a difference, a broken ledger |",
        "| 4 | cannot tell: undecided, with what would settle it |",
        "| 130 | stopped from the keyboard |",
        "",
    ]
    for path, command in _walk(dokja, ("dokja",)):
        context = click.Context(
            command,
            info_name=" ".join(path),
            max_content_width=100,
            help_option_names=["-h", "--help"],  # as the whole command line has them
        )
        parts += [f"## `{' '.join(path)}`", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)


def _walk(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from _walk(child, (*path, name))


def kinds() -> str:
    """Return the page of all kinds of entries."""
    parts = [
        "# Kinds of entries",
        "",
        "Made from the code by `python3 run.py accept`.",
        "An entry is one line of JSON: `kind`, `actor`, `body`, and if wanted `id` and `blobs`.",
        "Bodies are strict: a key that is not listed here is a mistake.",
        (
            "A body that states a fact has besides: `on` (the day, YYYY-MM-DD, required), "
            "`sources` (addresses) and `note` (`{ko, en}`)."
        ),
        "",
    ]
    nested: dict[str, type[BaseModel]] = {}
    for kind, body in KINDS.items():
        parts += [f"## `{kind}`", "", *_body(body, nested)]
    parts += ["## Parts of bodies", ""]
    done: set[str] = set()
    while set(nested) - done:
        name = min(set(nested) - done)
        done.add(name)
        parts += [f"### {name}", "", *_body(nested[name], nested)]
    return "\n".join(parts)


def _body(body: type[BaseModel], nested: dict[str, type[BaseModel]]) -> list[str]:
    lines = [*inspect.cleandoc(body.__doc__ or "").splitlines(), ""]
    fields = {key: field for key, field in body.model_fields.items() if key not in SHARED}
    if not fields:
        return lines
    lines += ["| key | value | required | meaning |", "|---|---|---|---|"]
    for key, field in fields.items():
        _collect(field.annotation, nested)
        required = "yes" if field.is_required() else "no"
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `{key}` | {_written(field)} | {required} | {meaning} |")
    return [*lines, ""]


def _collect(annotation: object, nested: dict[str, type[BaseModel]]) -> None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        nested[annotation.__name__] = annotation
    for inner in typing.get_args(annotation):
        _collect(inner, nested)


def _written(field: FieldInfo) -> str:
    return _type(field.annotation)


def _type(annotation: object) -> str:  # noqa: PLR0911  # one line for each shape of a type
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is tuple and len(inner) > 1 and inner[-1] is not Ellipsis:
        return "[" + ", ".join(_type(item) for item in inner) + "]"
    if origin in {tuple, list}:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return f"object of {_type(inner[1])}"
    if inner:
        return " or ".join(_type(item) for item in inner)
    names = {str: "text", float: "number", int: "whole number", bool: "true or false"}
    if inspect.isclass(annotation):
        return names.get(
            annotation, "day" if annotation.__name__ == "date" else annotation.__name__
        )
    return "JSON value"


def mistakes() -> str:
    """Return the page of all errors."""
    parts = [
        "# Errors",
        "",
        "Made from the code by `python3 run.py accept`.",
        "Everything that Dokja raises on purpose stands under `DokjaError`.",
        "A rule that says *no* is no error: it is a ruling.",
        "",
        "| error | is a | exit code | meaning |",
        "|---|---|---|---|",
    ]
    for name in errors.__all__:
        error = getattr(errors, name)
        if issubclass(error, errors.DokjaError):
            first = inspect.cleandoc(error.__doc__ or "").splitlines()[0]
            parts.append(
                f"| `{name}` | `{error.__bases__[0].__name__}` | {error.exit_code} | {first} |"
            )
    return "\n".join([*parts, ""])


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "entry-kinds.md": kinds,
    "errors.md": mistakes,
    "trace.json": runpy.run_path(str(HERE / "trace_example.py"))["example"],
    "architectures.md": runpy.run_path(str(HERE / "lineage_pages.py"))["architectures"],
    **runpy.run_path(str(HERE / "forge_pages.py"))["pages"](_type),
}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (HERE / page).write_text(make())
