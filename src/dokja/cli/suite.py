"""`dokja suite`: check a suite folder, promise its private items, open one of them."""

import json
import os
import secrets
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from dokja.cli.exposing import expose
from dokja.cli.printing import as_json, emit, now, say, table
from dokja.cli.programmes import unbroken
from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.forms import (
    Opening,
    SuiteCommitment,
    anchors_lacking,
    commitment_of,
    opening_of,
    read_commitment,
    salted,
)
from dokja.evidence.benchmarks.suites import Leak, SuiteFolder, leaks, read_suite_folder
from dokja.evidence.benchmarks.suites.folders import COMMITMENT, SALTS, read_salts
from dokja.evidence.ledger import Draft
from dokja.values import Json, canonical_bytes, parse_json

__all__ = ["suite"]

_ACTOR = "dokja"
_FOUND = 3
_FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))


@click.group
def suite() -> None:
    """Check a suite folder, promise its private items, open one of them, count showings."""


suite.add_command(expose)


@suite.command
@_FOLDER
@as_json
def check(folder: Path, *, as_json: bool) -> int:
    """Read FOLDER whole; say what it holds, and what of its private items would get out.

    Every mistake is told at once, with its file and line. Nothing of a private item is printed.

    \b
    Example:
      dokja suite check examples/suites/seasons

    \b
    Exit codes: 0 sound; 2 mistakes; 3 something private would get out.
    """
    read = read_suite_folder(folder, salted=False)
    doors = [*leaks(read, carried=_carried(folder)), *_stale(read)]
    facts = _facts(read)
    if as_json:
        shown: list[Json] = [
            {"file": each.file, "what": each.what, "remedy": each.remedy} for each in doors
        ]
        emit({"schema": "dokja.suite/1", **facts, "leaks": shown})
    else:
        _say(read, facts, doors)
    return _FOUND if doors else 0


@suite.command
@_FOLDER
@click.option("--beacon", help="The public beacon that will pick a form, such as drand/quicknet.")
@click.option("--round", "round_", type=click.IntRange(0), help="Which of its values.")
@click.option(
    "--programme",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Enter the commitment into this programme's ledger.",
)
@as_json
def commit(
    folder: Path,
    beacon: str | None,
    round_: int | None,
    programme: Path | None,
    *,
    as_json: bool,
) -> int:
    """Promise what the private items of FOLDER are, without telling.

    Each private item gets a salt, kept in salts.jsonl for its owner only; commitment.json holds
    the roots and may be published. An older promise is never overwritten: changed items are a new
    version of the suite.

    \b
    Example:
      dokja suite commit build/seasons --beacon drand/quicknet --round 4200000

    \b
    Exit codes: 0 promised, or promised before; 2 bad input, or items that an older promise of the
    same version does not hold.
    """
    if (beacon is None) != (round_ is None):
        raise click.UsageError("--beacon and --round go together")
    read = read_suite_folder(folder, salted=False)
    _salt(read)
    read = read_suite_folder(folder)
    promised = commitment_of(read)
    _keep_older(folder / COMMITMENT, promised)
    _write(folder / COMMITMENT, canonical_bytes(promised.to_json()) + b"\n", mode=0o644)
    if programme is not None:
        _enter(programme, promised, beacon=beacon, round_=round_)
    if as_json:
        emit({"schema": "dokja.commitment/1", **promised.to_json()})
        return 0
    for form in promised.forms:
        say(f"{form.form or 'all'}  {form.items:,} items  {form.root}")
    say(f"promised in {folder / COMMITMENT}; keep {folder / SALTS} secret, and do not lose it")
    return 0


@suite.command("open")
@_FOLDER
@click.argument("item", required=False)
@click.option(
    "--check",
    "opening",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check this opening against the commitment in FOLDER.",
)
@as_json
def open_item(folder: Path, item: str | None, opening: Path | None, *, as_json: bool) -> int:
    """Print ITEM of FOLDER with its salt and its path, so that anyone can check the promise.

    An opening is a JSON document in any case; --json is for what --check finds.

    With --check nothing but commitment.json is needed in FOLDER. An item that was opened is known
    to the public: retire it.

    \b
    Examples:
      dokja suite open build/seasons secret-2 > opening.json
      dokja suite open build/public --check opening.json

    \b
    Exit codes: 0 opened, or it fits; 2 bad input; 3 it is not what was promised.
    """
    promised = _promised(folder / COMMITMENT)
    if opening is not None:
        found = Opening.parse(_document(opening), file=str(opening))
        fits = found.fits(promised)
        name = str(found.item.get("id"))
        if as_json:
            emit({"schema": "dokja.opening-check/1", "item": name, "promised": fits})
            return 0 if fits else _FOUND
        say(f"item {name} {'was' if fits else 'was NOT'} promised in {folder / COMMITMENT}")
        return 0 if fits else _FOUND
    read = read_suite_folder(folder)
    chosen = next((each for each in read.items if item in {each.id, each.handle}), None)
    if chosen is None or not chosen.private:
        what = "public" if chosen is not None else "not in the suite"
        raise click.UsageError(f"name a private ITEM; {item!r} is {what}")
    made = opening_of(read, chosen)
    if not made.fits(promised):
        say(f"item {chosen.id} is not what {folder / COMMITMENT} promises", error=True)
        return _FOUND
    emit(made.to_json())
    return 0


def _facts(read: SuiteFolder) -> dict[str, Any]:
    declared = read.declared
    facts: dict[str, Any] = {
        "suite": read.name,
        "version": read.version,
        "licence": declared.licence,
        "scorer": {"kind": read.scorer.kind, "digest": str(read.scorer.digest)},
        "budget_tokens": declared.budget_tokens,
        "items": len(read.items),
        "private": sum(item.private for item in read.items),
        "clusters": {
            name: len({item.clusters[name] for item in read.items}) for name in declared.clusters
        },
        "languages": dict(sorted(Counter(item.language for item in read.items).items())),
    }
    if declared.forms:
        facts["forms"] = dict(sorted(Counter(item.form for item in read.items).items()))
        strata = [item.stratum for item in read.items if declared.forms.get(item.form) == "anchor"]
        facts["anchors_lacking"] = dict(anchors_lacking(strata))
    if read.scorer.kind == "choice":
        public = [item for item in read.items if not item.private]
        keys = Counter(key for item in public for key in item.keys)
        facts["keys"] = {key: f"{keys[key] / len(public):.4f}" for key in sorted(keys)}
    if not any(item.private and not item.salt for item in read.items):
        facts["digest"] = str(read.digest)
    return facts


def _say(read: SuiteFolder, facts: Mapping[str, Any], doors: list[Leak]) -> None:
    declared = read.declared
    counts = f"{facts['items']:,} items, {facts['private']:,} of them private"
    say(f"{read.name} {read.version}: {counts}")
    rows = [
        ["licence", declared.licence],
        ["scorer", f"{read.scorer.kind} {read.scorer.digest.short}…"],
        ["budget", f"{declared.budget_tokens:,} tokens"],
        ["languages", _listed(facts["languages"])],
        ["clusters", _listed(facts["clusters"]) or "none: no interval can be had over clusters"],
    ]
    if "forms" in facts:
        rows.append(["forms", _listed(facts["forms"])])
    if facts.get("anchors_lacking"):
        rows.append(["anchors", f"too few in {_listed(facts['anchors_lacking'])} (lacking)"])
    if facts.get("keys"):
        rows.append(["keys", _listed(facts["keys"])])
    if "digest" in facts:
        rows.append(["digest", facts["digest"]])
    say(table(["", ""], rows).split("\n", 1)[1])
    for door in doors:
        say(f"LEAK  {door.file}: {door.what}. {door.remedy}")


def _listed(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _stale(read: SuiteFolder) -> list[Leak]:
    """Return what is wrong between the public promise and the items, once they have salts."""
    path = read.path / COMMITMENT
    private = [item for item in read.items if item.private]
    if not path.exists() or not private or not all(item.salt for item in private):
        return []
    if _promised(path) == commitment_of(read):
        return []
    what = "it promises other items, another scorer or another template than the folder holds"
    remedy = "Restore the folder, or give the suite a new version and promise that."
    return [Leak(file=str(path), what=what, remedy=remedy)]


def _carried(folder: Path) -> frozenset[Path]:
    """Return the files that version control would carry away; none outside of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607  # git as people have it
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        return frozenset()
    names = [name for name in listed.stdout.decode(errors="replace").split("\0") if name]
    return frozenset(folder / name for name in names)


def _salt(read: SuiteFolder) -> None:
    """Give every private item a salt, and keep those that it has."""
    path = read.path / SALTS
    mistakes: list[Mistake] = []
    known = read_salts(path, mistakes)
    if mistakes:
        raise SuiteError(mistakes)
    salts = salted(read.items, known, secrets.token_bytes)
    if salts.keys() <= known.keys():
        return
    lines = [
        canonical_bytes({"id": item, "salt": salt.hex()}) + b"\n"
        for item, salt in {**known, **salts}.items()
    ]
    _write(path, b"".join(lines), mode=0o600)


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file whole or not at all, readable as told from its first moment."""
    part = path.with_name(f".{path.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except OSError as error:
        read = error.strerror or "an error"
        wrong = Mistake(file=str(path), place="", read=read, expected="a folder to write in")
        raise SuiteError([wrong]) from error


def _keep_older(path: Path, promised: SuiteCommitment) -> None:
    """Put the promise of an older version aside; refuse another promise for the same version."""
    if not path.exists():
        return
    old = _promised(path)
    if old != promised and old.version == promised.version:
        wrong = Mistake(
            file=str(path),
            place="",
            read=f"another promise for version {old.version}",
            expected="the same items, scorer and template",
            remedy="Give the suite a new version in suite.toml; the old promise is kept.",
        )
        raise SuiteError([wrong])
    if old.version != promised.version:
        path.rename(path.with_name(f"{path.stem}-{old.version}.json"))


def _promised(path: Path) -> SuiteCommitment:
    return read_commitment(_document(path), file=str(path))


def _document(path: Path) -> Mapping[str, Any]:
    try:
        said = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        wrong = Mistake(file=str(path), place="", read=str(error), expected="one JSON object")
        raise SuiteError([wrong]) from error
    if not isinstance(said, dict):
        read = json.dumps(said, ensure_ascii=False)[:40]
        wrong = Mistake(file=str(path), place="", read=read, expected="a JSON object")
        raise SuiteError([wrong])
    return said


def _enter(
    programme: Path, promised: SuiteCommitment, *, beacon: str | None, round_: int | None
) -> None:
    on = now()
    named = {} if beacon is None else {"beacon": beacon, "round": round_}
    draft = Draft(
        kind="commitment",
        actor=_ACTOR,
        id=f"commitment/{promised.suite}/{promised.version}",
        body={"on": on.date().isoformat(), **promised.to_json(), **named},
    )
    with unbroken(programme) as opened:
        opened.ledger.append([draft], at=on)
