"""`dokja library`: keep what a scan needs of many models, and lay one beside all of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import click
import numpy as np
from rich.console import Console

from dokja.cli.addresses import access_from, access_options
from dokja.cli.opening import open_all
from dokja.cli.printing import as_json, emit, say, table
from dokja.errors import LibraryError
from dokja.evidence.lineage import Outcome, Plan, inventory
from dokja.evidence.lineage.library import (
    Entry,
    EntryFinding,
    LibraryScan,
    add_entry,
    entry_document,
    list_document,
    make_entry,
    open_library,
    scan,
    scan_document,
)
from dokja.models.weights import Access, open_source
from dokja.values import Json

__all__ = ["StandingOut", "library", "standing_out"]

_SHOWN = 10


@click.group
def library() -> None:
    """Keep what a scan needs of many models, and lay one beside all of them.

    An entry keeps few rows of every layer, or with --forensic besides the neurons of a few layers
    and rows of many tokens, so that the weights themselves are not needed for a scan.

    \b
    Examples:
      dokja library add build/library sample/programme/models/garam-1
      dokja library scan sample/programme/models/dasom-1 build/library
    """


@library.command("add", short_help="Add models to a library.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--name", help="What the model is called; its files' own name by default.")
@click.option("--licence", help="The model's licence, as you know it.")
@click.option("--forensic", is_flag=True, help="Keep neurons and anchors too: some hundred MB.")
@click.option("--no-origin", is_flag=True, help="Do not note where the weights lie.")
@access_options
@as_json
def add(
    folder: Path,
    models: tuple[str, ...],
    name: str | None,
    licence: str | None,
    *,
    forensic: bool,
    no_origin: bool,
    as_json: bool,
    **network: Any,
) -> int:
    """Add every MODEL to the library in the folder DIR, which is made where there is none.

    MODEL is a folder or file of weights, or an address. An entry is written whole or not at all;
    the same weights give the same bytes. Where the weights lie is noted, so that `dokja trace
    --library` finds them again.

    \b
    Examples:
      dokja library add build/library sample/programme/models/garam-1 --licence apache-2.0
      dokja library add build/library hf://owner/name --forensic
    """
    if name is not None and len(models) > 1:
        raise click.UsageError("--name names one model; add the others apart")
    with Console(stderr=True).status("opening") as status:
        opened = open_all(
            models,
            access=access_from(**network),
            tell=status.update,
            changed="Nothing was added.",
        )
        added = [
            add_entry(
                folder,
                make_entry(
                    source,
                    kind="forensic" if forensic else "screen",
                    name=name,
                    licence=licence,
                    origin=None if no_origin else _origin(where),
                    progress=status.update,
                ),
            )
            for where, source in zip(models, opened, strict=True)
        ]
    if as_json:
        emit(entry_document(added))
    else:
        say(_entries(added))
    return 0


def _origin(where: str) -> str:
    return where if "://" in where else str(Path(where).resolve())


@library.command("list", short_help="List what a library holds.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@as_json
def list_(folder: Path, *, as_json: bool) -> int:
    """List the entries of the library in DIR; ends with 2 if one of them is damaged.

    \b
    Example:
      dokja library list build/library
    """
    held = open_library(folder)
    if as_json:
        emit(list_document(held))
    else:
        say(_entries(held.entries))
    if held.damaged:
        raise LibraryError(held.damaged, changed="The other entries were listed.")
    return 0


def _entries(entries: list[Entry] | tuple[Entry, ...]) -> str:
    if not entries:
        return "no entries"
    rows = [
        (
            entry.facts.name,
            entry.facts.kind,
            f"{entry.bytes / 1e6:,.1f}",
            f"{entry.facts.parameters / 1e6:,.1f}",
            ", ".join(f"{one.component} ({one.depth})" for one in entry.facts.components),
            entry.facts.licence or "–",
        )
        for entry in entries
    ]
    return table(["name", "kind", "MB", "million values", "components (layers)", "licence"], rows)


@library.command("scan", short_help="Lay a model beside every entry of a library.")
@click.argument("suspect", metavar="SUSPECT")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@access_options
@as_json
def scan_(suspect: str, folder: Path, seed: int, *, as_json: bool, **network: Any) -> int:
    """Lay SUSPECT beside every entry of the library in DIR; SUSPECT is read once.

    Ends with 3 if an entry stands out, with 4 if nothing could be compared or an entry is
    damaged, and with 0 if none stands out. What stands out is to be traced against the weights
    themselves. An entry of other shapes is not compared, and never called unrelated.

    \b
    Example:
      dokja library scan sample/programme/models/dasom-1 build/library
    """
    access = access_from(**network)
    found = _scanned(suspect, folder, plan=Plan(), seed=seed, access=access)
    code = _exit_code(found.outcome)
    if as_json:
        emit(scan_document(found, exit_code=code, seed=seed))
    else:
        say(_told(found))
    return code


def _scanned(suspect: str, folder: Path, *, plan: Plan, seed: int, access: Access) -> LibraryScan:
    with Console(stderr=True).status("opening") as status:
        source = open_source(suspect, access=access)
        known = {one.component for one in inventory(source).components}
        if plan.only is not None and not plan.only <= known:
            raise click.UsageError(f"components of {suspect} are {', '.join(sorted(known))}")
        return scan(
            source,
            open_library(folder),
            plan=plan,
            rng=np.random.default_rng(seed),
            progress=status.update,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingOut:
    """What `dokja trace --library` takes from a scan.

    Attributes:
        places: Where the weights of entries that stand out lie, and are still there.
        exit_code: What the scan alone ends with.
        document: The scan as JSON.
        told: The scan, and what is done with it, as text.
    """

    places: tuple[str, ...]
    exit_code: int
    document: dict[str, Json]
    told: str


def standing_out(
    suspect: str, folder: Path, *, plan: Plan, seed: int, access: Access
) -> StandingOut:
    """Return what a scan finds, and where the weights lie that a trace can go on to.

    Args:
        suspect: A folder, file or address.
        folder: Of the library.
        plan: Which components are looked at.
        seed: Of the controls.
        access: What may be asked of the network.

    Raises:
        LibraryError: There is no such library.
        WeightsError: The suspect cannot be opened.
    """
    found = _scanned(suspect, folder, plan=plan, seed=seed, access=access)
    there: list[str] = []
    done: list[str] = []
    for one in dict.fromkeys((one.entry, one.origin) for one in found.related):
        entry, origin = one
        if origin is None:
            done.append(f"{entry}: the library does not say where its weights lie; not traced")
        elif "://" in origin or Path(origin).exists():
            there.append(origin)
            done.append(f"{entry}: its weights at {origin} are compared with")
        else:
            done.append(f"{entry}: its weights are not at {origin} any more; not traced")
    code = _exit_code(found.outcome)
    return StandingOut(
        places=tuple(dict.fromkeys(there)),
        exit_code=code,
        document=scan_document(found, exit_code=code, seed=seed),
        told="\n".join([_told(found), *done]),
    )


def _told(found: LibraryScan) -> str:
    """Return a scan as text for people."""
    compared = len({one.folder for one in found.findings})
    counted = f"{found.comparisons} comparisons, {found.tests:,} tests"
    read = f"{found.bytes_read:,} bytes of it read"
    lines = [f"{found.suspect} beside {compared} of {found.entries} entries: {counted}, {read}"]
    shown = [*found.related, *[one for one in found.findings if not one.related][:_SHOWN]]
    if shown:
        header = ["entry", "component", "effect", "interval", "consistent with"]
        lines += ["", table(header, [_row(one) for one in shown])]
    left = len(found.findings) - len(shown)
    if left:
        lines.append(f"and {left} more, all with smaller effects")
    lines += ["", *_sentences(found)]
    lines += [f"no entry has the like of: {component}" for component in found.absent]
    lines += [f"not compared: {one.entry} ({one.why})" for one in found.not_compared[:_SHOWN]]
    if len(found.not_compared) > _SHOWN:
        lines.append(f"not compared: {len(found.not_compared) - _SHOWN} more of other shapes")
    lines += [f"damaged: {mistake}" for mistake in found.damaged]
    return "\n".join(lines)


def _row(one: EntryFinding) -> tuple[str, str, str, str, str]:
    effect = one.effect
    number = "–" if effect is None else f"{effect.value:.3f} ({one.measure})"
    interval = "–" if effect is None else f"{effect.low:.3f} to {effect.high:.3f}"
    return (
        one.entry,
        one.component,
        number,
        interval,
        ", ".join(relation.value for relation in one.relations),
    )


def _sentences(found: LibraryScan) -> list[str]:
    """Return what a scan comes to, and what would say more."""
    match found.outcome:
        case Outcome.RELATED:
            names = list(dict.fromkeys(one.origin or one.entry for one in found.related))
            against = " ".join(f"--against {name}" for name in names[:_SHOWN])
            seen = "What stands out was seen in few rows, at eight bits a value."
            settled = "Which of its relations holds, the weights themselves settle:"
            return [f"{seen} {settled}", f"  dokja trace SUSPECT {against}"]
        case Outcome.NOTHING:
            needed = [one.detectable for one in found.findings if one.detectable is not None]
            least = max(needed, default=1.0)
            power = f"Two layers alike by {least:.2f} or more would be seen in nine of ten cases,"
            return [f"No entry stands out. {power} in the same coordinates."]
        case Outcome.CANNOT_TELL:
            return ["It cannot be told: nothing could be compared, or an entry is damaged."]
        case _:
            assert_never(found.outcome)


def _exit_code(outcome: Outcome) -> int:
    match outcome:
        case Outcome.NOTHING:
            return 0
        case Outcome.RELATED:
            return 3
        case Outcome.CANNOT_TELL:
            return 4
        case _:
            assert_never(outcome)
