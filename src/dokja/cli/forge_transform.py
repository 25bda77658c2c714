"""`dokja forge transform` and `dokja forge launder`: edit weights without training them."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja.cli.printing import as_json, emit, say
from dokja.errors import Mistake, TransformError
from dokja.models.forge.laundering import KINDS
from dokja.models.forge.laundering import launder as laundered
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import (
    TRANSFORMS,
    Model,
    SourceTensors,
    Tensors,
    adapter_terms,
    apply,
    check_step,
    write_folder,
)
from dokja.models.weights import Source, open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Json, parse_json, shown

__all__ = ["launder", "transform"]

NOTE = "transform.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_ADAPTER = "adapter_config.json"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PARENTS = "with"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A folder of weights."""

    model: Model
    source: Source


@click.command
@click.argument("name", metavar="NAME")
@click.argument("folder", metavar="MODEL-FOLDER", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder."
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter; VALUE as in TOML, a word without quotes. May be given several times.",
)
@click.option(
    "--with",
    "parents",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A further parent, or an adapter. May be given several times, in order.",
)
@as_json
def transform(
    name: str,
    *,
    folder: Path,
    output: Path,
    settings: tuple[str, ...],
    parents: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Apply the transform NAME, such as dus, merge or quantise, to the weights in a folder.

    The new folder holds the result and transform.json, from which the transform can be done
    again on the same parents. An unknown NAME or KEY is answered with those that there are.

    \b
    Example:
      dokja forge transform dus build/run-t4/model -o build/longer \\
          --set map.kind=overlap --set map.drop=1
    """
    step = _settings(settings)
    if parents:
        step[_PARENTS] = [str(path) for path in parents]
    if name in TRANSFORMS and name != "merge-adapter":
        check_step(name, step)  # before anything large is read
    with Console(stderr=True).status("reading and transforming"):
        first = _open(folder)
        models = [first.model, *(_parent(path, first.model.structure, step) for path in parents)]
        done = apply({"do": name, **step}, models)
        keeps_ids = done.structure.vocabulary == first.model.structure.vocabulary
        made = _write(
            done.tensors,
            output,
            config=done.config(),
            record=done.record.to_json(),
            tokenizer_of=folder if keeps_ids and name != "vocabulary" else None,
        )
    return _tell(made, done.structure, output, as_json=as_json)


@click.command
@click.argument("folder", metavar="MODEL-FOLDER", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder."
)
@click.option(
    "--kinds",
    default="all",
    show_default=True,
    help=f"Comma-separated, in order: {', '.join(KINDS)}; or all that fit.",
)
@click.option("--seed", required=True, metavar="HEX", help="From which every choice follows.")
@as_json
def launder(folder: Path, *, output: Path, kinds: str, seed: str, as_json: bool) -> int:
    """Make weights look like others while the network computes the same.

    For tests of lineage: what comes out must still be told from a stranger's model.

    \b
    Example:
      dokja forge launder build/run-t4/model -o build/laundered --kinds all --seed 00ff
    """
    chosen = None if kinds == "all" else [kind.strip() for kind in kinds.split(",")]
    with Console(stderr=True).status("reading and laundering"):
        first = _open(folder)
        done = laundered(
            first.model.tensors,
            first.model.structure,
            seed=_seed(seed),
            kinds=chosen,
            parent=first.model.name,
        )
        made = _write(
            done.tensors,
            output,
            config=done.structure.config(),
            record=done.record.to_json(),
            tokenizer_of=folder,
        )
    return _tell(made, done.structure, output, as_json=as_json)


def _settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters that were given; dotted keys make tables, as in TOML.

    Raises:
        TransformError: One is no `KEY=VALUE`, or its value is none; all mistakes are in it.
    """
    found: dict[str, Any] = {}
    mistakes = []
    for one in settings:
        key, sign, value = (part.strip() for part in one.partition("="))
        said = json.dumps(value) if _is_text(key, value) else value
        try:
            read = tomllib.loads(f"{key} = {said}") if sign else {}
        except tomllib.TOMLDecodeError:
            read = {}
        if not read or not _merge(found, read):
            mistakes.append(
                Mistake(
                    file="--set",
                    place=key or one,
                    read=shown(one),
                    expected="KEY=VALUE with a value as in TOML, and each key once",
                    remedy='Such as layers=[0,2], share=0.25 or map={kind="overlap",drop=1}.',
                )
            )
    if mistakes:
        raise TransformError(mistakes)
    return found


def _is_text(key: str, value: str) -> bool:
    """Tell whether a value without quotes is meant as a text: a word, or a seed's digits."""
    if key == "seed":
        return value[:1] not in {'"', "'"}
    return bool(_WORD.fullmatch(value)) and value not in {"true", "false", "inf", "nan"}


def _merge(into: dict[str, Any], read: Mapping[str, Any]) -> bool:
    """Add what was read; return whether no key stood there before."""
    for key, value in read.items():
        held = into.setdefault(key, value)
        if held is value:
            continue
        if not (isinstance(held, dict) and isinstance(value, dict) and _merge(held, value)):
            return False
    return True


def _open(folder: Path) -> _Opened:
    """Return the weights in a folder, and the network that they are of."""
    if not (folder / "config.json").is_file():
        expected = "a folder with safetensors and config.json"
        read = "no config.json" if folder.is_dir() else "no folder"
        raise TransformError([Mistake(file=str(folder), place="", read=read, expected=expected)])
    source = open_source(folder)
    structure = Structure.from_config(source.config or {}, file=str(folder / "config.json"))
    tensors = SourceTensors(source)
    return _Opened(
        model=Model(tensors=tensors, structure=structure, name=_root(source)), source=source
    )


def _parent(folder: Path, structure: Structure, step: dict[str, Any]) -> Model:
    """Return a further parent; an adapter's own terms stand in for what was not set."""
    path = folder / _ADAPTER
    if not path.is_file():
        return _open(folder).model
    try:
        said = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        wrong = Mistake(file=str(path), place="", read=str(error), expected="JSON")
        raise TransformError([wrong]) from error
    terms = adapter_terms(said if isinstance(said, dict) else {})
    for key, value in (
        ("rank", terms.rank),
        ("alpha", terms.alpha),
        ("targets", list(terms.targets)),
    ):
        step.setdefault(key, value)
    source = open_source(folder)
    return Model(tensors=SourceTensors(source), structure=structure, name=_root(source))


def _root(source: Source) -> str:
    return root_text(root(source_digests(source)))


def _seed(written: str) -> bytes:
    try:
        return bytes.fromhex(written)
    except ValueError as error:
        expected = 'hexadecimal digits in pairs, such as "00ff"'
        wrong = Mistake(file="--seed", place="", read=shown(written), expected=expected)
        raise TransformError([wrong]) from error


def _write(
    tensors: Tensors,
    output: Path,
    *,
    config: Mapping[str, Json],
    record: dict[str, Json],
    tokenizer_of: Path | None,
) -> dict[str, Json]:
    """Write the result; return what is said of it."""
    files = {NOTE: (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()}
    if tokenizer_of is not None:
        found = [tokenizer_of / name for name in _TOKENIZER_FILES]
        files |= {path.name: path.read_bytes() for path in found if path.is_file()}
    write_folder(tensors, output, config=config, files=files)
    return {
        "root": _root(open_source(output)),
        "tokenizer": any(name in files for name in _TOKENIZER_FILES),
        "record": record,
    }


def _tell(made: dict[str, Json], structure: Structure, output: Path, *, as_json: bool) -> int:
    if as_json:
        emit(
            {
                "schema": "dokja.forge.transform/1",
                "folder": str(output),
                "structure": structure.to_json(),
                **made,
            }
        )
        return 0
    say(f"{structure.family} of {structure.parameters():,} parameters in {output}")
    say(f"{made['root']}")
    if not made["tokenizer"]:
        say("No tokenizer lies beside it: the parent has none, or its ids are others now.")
    return 0
