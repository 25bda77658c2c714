"""Figures that somebody printed, gathered in a table so that they can be replayed."""

from pathlib import Path

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.importers.delimited import header_of, read_columns
from dokja.evidence.benchmarks.quality.claims import OVERALL, Claim
from dokja.values import shown

__all__ = ["read_claims"]

_NEEDED = ("level", "published", "run")
_KNOWN = (*_NEEDED, "name", "label", "where", "benchmark")


def read_claims(path: Path, *, suite: str) -> tuple[Claim, ...]:
    """Return the claims about a suite.

    Args:
        path: A table with the columns `level` (`overall`, `category` or a clustering), `published`
            (percent as printed, `-` for an empty cell) and `run` (the system's label in the rows,
            blank where there are none); besides `name`, `label`, `where`, and `benchmark`, by which
            the lines of other suites are left out.
        suite: Names the items.

    Raises:
        TableError: It cannot be read, a column is lacking, or what stands there is no figure.
    """
    header = header_of(path)
    lacking = [name for name in _NEEDED if name not in header]
    columns = read_columns(path, lacking or [name for name in _KNOWN if name in header])
    claims, mistakes = [], []
    for row in range(len(columns["level"].codes)):
        said = {name: column.text(row) or "" for name, column in columns.items()}
        if "benchmark" in said and folded(said["benchmark"]) != folded(suite):
            continue
        claim = Claim(
            system=said["run"],
            level=said["level"] or OVERALL,
            name=said.get("name", ""),
            printed=said["published"],
            label=said.get("label", ""),
            where=said.get("where", ""),
        )
        try:
            _ = claim.value
        except ValueError:
            read = shown(repr(claim.printed))
            expected = "a figure in percent, or - for none"
            place = f"row {row + 2}, published"
            mistakes.append(Mistake(file=str(path), place=place, read=read, expected=expected))
        claims.append(claim)
    if not claims:
        expected = f"a line whose benchmark is {suite}"
        mistakes.append(Mistake(file=str(path), place="", read="no such line", expected=expected))
    if mistakes:
        raise TableError(mistakes)
    return tuple(claims)
