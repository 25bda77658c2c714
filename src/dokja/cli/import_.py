"""`dokja import`: what others recorded, as tables of outcomes with flags."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dokja.cli.printing import as_json, emit, say, table
from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.benchmarks.importers import (
    BUILT_IN,
    Imported,
    Origin,
    ReadLog,
    TableMapping,
    import_log,
    import_table,
    read_claims,
    read_every_eval,
    read_inspect,
    read_livebench,
    read_lm_eval,
    read_mapping,
    write_import,
)
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.quality import BLOCKS
from dokja.evidence.benchmarks.quality.claims import Claim
from dokja.evidence.benchmarks.tables import Flag, OutcomeTable, view
from dokja.values import Digest

__all__ = ["import_"]

KINDS = ("table", "lm-eval", "inspect", "eee", "livebench")
_SHOWN = ("strict", "as_published_hsr87", "valid_only")
_FEW = 3
_PARTS = frozenset({"incomplete_log"})


@click.command("import")
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option(
    "--map", "mapping", metavar="FILE", help="A mapping, or the name of one that comes with Dokja."
)
@click.option("--claims", type=click.Path(path_type=Path), help="Printed figures to replay.")
@click.option(
    "--categories",
    type=click.Path(path_type=Path),
    help="livebench: JSON of category to tasks.",
)
@click.option("--task", default="", help="Which task, where a log has several.")
@click.option("--filter", "keep", default="", help="lm-eval: which filter.")
@click.option("--metric", default="", help="lm-eval: which metric.")
@click.option("--scorer", default="", help="inspect: whose scores.")
@click.option("--category", default="", help="Which key of an item names its category.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the tables into this new folder."
)
@as_json
def import_(kind: str, path: Path, *, as_json: bool, **given: Any) -> int:
    """Import results that somebody else recorded; say what is wrong with them.

    KIND is one of table, lm-eval, inspect, eee, livebench. Outcomes stay apart: nothing is folded
    to 0 and nothing is repaired. What a reader must know is flagged, with counts and with what it
    forbids. Ends with 0 if nothing is forbidden, 2 if PATH cannot be read or there is no mapping,
    3 if a flag forbids something, and 4 if parts are missing and nothing else is wrong.

    \b
    Examples:
      dokja import table rows.csv --map mapping.toml --out build/imported
      dokja import inspect logs/run.eval --category subject
      dokja import lm-eval results --task kmmlu --filter strict
    """
    if not path.exists():
        expected = "a file or folder to import"
        raise TableError([Mistake(file=str(path), place="", read="nothing", expected=expected)])
    imported, origin = _tables(path, given) if kind == "table" else _log(kind, path, given)
    digest = None
    if given["out"] is not None:
        digest = write_import(given["out"], imported, origin=origin)
    code = _exit_code(imported.flags)
    if as_json:
        emit(_document(imported, origin, digest=digest, code=code))
    else:
        _tell(imported)
        if digest is not None:
            say(f"\nWritten to {given['out']} ({digest.short}…).")
    return code


def _tables(path: Path, given: Mapping[str, Any]) -> tuple[Imported, Origin]:
    if given["mapping"] is None:
        expected = "--map FILE, or --map with one of " + ", ".join(BUILT_IN)
        remedy = "docs/how-to/import-results.md shows how to write one."
        raise TableError(
            [Mistake(file=str(path), place="", read="no mapping", expected=expected, remedy=remedy)]
        )
    mapping, digest = read_mapping(given["mapping"])
    claims: tuple[Claim, ...] = ()
    if given["claims"] is not None:
        claims = read_claims(given["claims"], suite=mapping.suite)
    imported = import_table(path, mapping, claims=claims)
    beside = [path.parent / each for each in _beside(mapping)]
    files = [path, *beside, *([given["claims"]] if given["claims"] else [])]
    read = {file.name: _digest(file) for file in files}
    return imported, Origin(importer="table", files=read, mapping=digest)


def _beside(mapping: TableMapping) -> Sequence[str]:
    lookups = [mapping.systems, mapping.categories]
    lookups += [each.lookup for each in mapping.clusters.values()]
    return sorted({each.file for each in lookups if each is not None})


def _log(kind: str, path: Path, given: Mapping[str, Any]) -> tuple[Imported, Origin]:
    readers: Mapping[str, Callable[[], ReadLog]] = {
        "lm-eval": lambda: read_lm_eval(
            path,
            task=given["task"],
            keep=given["keep"],
            metric=given["metric"],
            category=given["category"],
        ),
        "inspect": lambda: read_inspect(
            path, task=given["task"], scorer=given["scorer"], category=given["category"]
        ),
        "eee": lambda: read_every_eval(path, task=given["task"], category=given["category"]),
        "livebench": lambda: _livebench(path, given),
    }
    read = readers[kind]()
    claims: tuple[Claim, ...] = ()
    if given["claims"] is not None:
        claims = read_claims(given["claims"], suite=read.rows.suite)
    imported = import_log(read, claims=claims)
    files = {path.name: _digest(path)} if path.is_file() else _digests_below(path)
    return imported, Origin(importer=kind, files=files)


def _livebench(path: Path, given: Mapping[str, Any]) -> ReadLog:
    if given["categories"] is None:
        raise click.UsageError("livebench needs --categories FILE: which task is of which category")
    return read_livebench(path, categories=given["categories"])


def _digests_below(folder: Path) -> Mapping[str, Digest]:
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {file.relative_to(folder).as_posix(): _digest(file) for file in files}


def _digest(file: Path) -> Digest:
    with file.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def _exit_code(flags: Sequence[Flag]) -> int:
    blocking = [flag for flag in flags if flag.blocks and flag.name not in _PARTS]
    if blocking:
        return 3
    return 4 if any(flag.name in _PARTS for flag in flags) else 0


def _means(one: OutcomeTable, system: str) -> Mapping[str, str]:
    """Return a system's score in percent under each convention, over what that counts."""
    found = {}
    place = one.system(system)
    for name in _SHOWN:
        seen = view(one, CONVENTIONS[name])
        counted = seen.counted[:, place]
        if counted.any():
            found[name] = f"{100 * float(seen.low[counted, place].mean()):.2f}"
    return found


def _counts(one: OutcomeTable, system: str) -> Mapping[str, int]:
    codes = one.outcomes[:, one.system(system)]
    return {
        outcome.value: int((codes == outcome.code).sum())
        for outcome in Outcome
        if (codes == outcome.code).any()
    }


def _tell(imported: Imported) -> None:
    one = imported.table
    systems = "one system" if len(one.systems) == 1 else f"{len(one.systems)} systems"
    say(f"{one.suite}: {len(one.items):,} items, {systems} that can be paired")
    if imported.alone:
        names = ", ".join(each.systems[0] for each in imported.alone)
        say(f"alone, with a score but no pairing: {names}")
    say()
    lines = []
    for each in (one, *imported.alone):
        for system in each.systems:
            counts, means = _counts(each, system), _means(each, system)
            settled = sum(counts.get(name, 0) for name in ("correct", "wrong", "scored"))
            others = ", ".join(
                f"{count:,} {name}"
                for name, count in counts.items()
                if name not in {"correct", "wrong", "scored"}
            )
            lines.append([system, f"{settled:,}", *(means.get(n, "–") for n in _SHOWN), others])
    say(table(["system", "scored", *_SHOWN, "besides"], lines))
    say()
    for flag in imported.flags:
        say(_line(flag))
    if not imported.flags:
        say("no flag")


def _line(flag: Flag) -> str:
    whose = ", ".join(flag.systems[:_FEW]) + (
        f" and {len(flag.systems) - _FEW} more" if len(flag.systems) > _FEW else ""
    )
    facts = "; ".join(f"{key} {value}" for key, value in flag.facts.items())
    told = " · ".join(part for part in (f"{flag.name} {flag.count:,}", whose, facts) if part)
    forbids = "; ".join(BLOCKS[block] for block in sorted(flag.blocks))
    return told + (f"\n    forbids: {forbids}" if forbids else "")


def _document(
    imported: Imported, origin: Origin, *, digest: Digest | None, code: int
) -> Mapping[str, Any]:
    tables = (imported.table, *imported.alone)
    return {
        "v": 1,
        "kind": "import",
        "importer": origin.importer,
        "suite": imported.table.suite,
        "items": len(imported.table.items),
        "systems": [
            {
                "system": system,
                "paired": each.paired,
                "outcomes": _counts(each, system),
                "conventions": _means(each, system),
            }
            for each in tables
            for system in each.systems
        ],
        "flags": [
            {
                "flag": flag.name,
                "count": flag.count,
                "systems": list(flag.systems),
                "blocks": sorted(flag.blocks),
                "facts": dict(flag.facts),
            }
            for flag in imported.flags
        ],
        "files": {name: str(each) for name, each in origin.files.items()},
        **({} if digest is None else {"table": str(digest)}),
        "exit_code": code,
    }
