"""Licences and notices that lie beside weights: which files there are, and no word of theirs."""

import re
from dataclasses import dataclass
from pathlib import Path

from dokja.models.weights.sources import Source
from dokja.values import Digest

__all__ = ["Notice", "notices"]

_NAME = re.compile(r"(?i)(licen[cs]e|notice|copying|use[_-]policy|terms)([\w.-]*)")
_MOST_BYTES = 1_000_000
_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A file.

    Attributes:
        name: Its plain name.
        digest: Of its bytes.
    """

    name: str
    digest: Digest


def notices(source: Source) -> tuple[Notice, ...] | None:
    """Return the licence and notice files beside local weights; None where nobody can look.

    Files are told by their names. Nothing is fetched from an address for it, links are not
    followed, and what is longer than a licence is left out.
    """
    if source.opened is None or "://" in source.opened[0]:
        return None
    place = Path(source.opened[0])
    folder = place if place.is_dir() else place.parent
    named = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    found = []
    for path in named[:_MOST]:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MOST_BYTES:
            continue
        digest = Digest.of(path.read_bytes())
        found.append(Notice(name=path.name, digest=digest))
    return tuple(found)
