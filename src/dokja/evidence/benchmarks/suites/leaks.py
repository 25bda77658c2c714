"""What of a suite's private items would get out, and by which door. Told without telling the items.

Who may read the files, whether version control would carry them away, whether a public text of the
folder holds a piece of a private one, and whether the public promise still fits.
"""

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dokja.evidence.benchmarks.suites.folders import COMMITMENT, SALTS, SuiteFolder
from dokja.evidence.benchmarks.suites.items import SuiteItem
from dokja.values import normal_form

__all__ = ["Leak", "leaks"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHINGLE = 24  # signs without spaces; shorter pieces are alike by chance
_TEXTS = frozenset({".jsonl", ".txt", ".toml", ".md", ".json", ".csv"})
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """One door.

    Attributes:
        file: Where it stands open.
        what: What would get out; it names no private item and quotes none.
        remedy: What to do now.
    """

    file: str
    what: str
    remedy: str


def leaks(suite: SuiteFolder, *, carried: frozenset[Path]) -> tuple[Leak, ...]:
    """Return every door that stands open.

    Args:
        suite: The suite.
        carried: Files of the folder that version control would carry away.
    """
    secret = [item for item in suite.items if item.private]
    if not secret:
        return ()
    files = [suite.path / suite.declared.private_items, suite.path / SALTS]
    found = [*_readable(files), *_carried(files, carried)]
    found += _overlaps(suite, secret)
    if not (suite.path / COMMITMENT).exists():
        found.append(
            Leak(
                file=str(suite.path / COMMITMENT),
                what="nothing is promised: nobody can tell later that items were not exchanged",
                remedy=f"Run: dokja suite commit {suite.path}",
            )
        )
    return tuple(found)


def _readable(files: Sequence[Path]) -> Iterator[Leak]:
    for path in files:
        if path.exists() and path.stat().st_mode & _OTHERS:
            yield Leak(
                file=str(path),
                what="others on this machine may read it",
                remedy=f"Run: chmod 600 {path}",
            )


def _carried(files: Sequence[Path], carried: frozenset[Path]) -> Iterator[Leak]:
    for path in files:
        if path in carried:
            yield Leak(
                file=str(path),
                what="version control would carry it away",
                remedy=f"Add {path.name} to .gitignore; if it was committed, retire its items.",
            )


def _overlaps(suite: SuiteFolder, secret: Sequence[SuiteItem]) -> Iterator[Leak]:
    """Yield the public files that hold a piece of a private item."""
    pieces = {piece for item in secret for piece in _shingles(item.question)}
    # What the template says stands in every item's prompt, and is no piece of an item.
    pieces -= set(_shingles(suite.template.text))
    hidden = {suite.path / suite.declared.private_items, suite.path / SALTS}
    for path in sorted(suite.path.iterdir()):
        if path in hidden or path.suffix not in _TEXTS or path.stat().st_size > _MOST_BYTES:
            continue
        text = _flat(path.read_text(encoding="utf-8", errors="replace"))
        held = sum(1 for piece in pieces if piece in text)
        if held:
            yield Leak(
                file=str(path),
                what=f"it holds {held} pieces of {_SHINGLE} signs that stand in private items",
                remedy="Take them out, or move the items that they stand in to the public ones.",
            )


def _shingles(text: str) -> Iterator[str]:
    flat = _flat(text)
    step = _SHINGLE // 2
    last = len(flat) - _SHINGLE
    yield from (flat[start : start + _SHINGLE] for start in range(0, last + 1, step))


def _flat(text: str) -> str:
    return re.sub(r"\s+", "", normal_form(text)).casefold()
