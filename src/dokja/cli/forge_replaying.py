"""The replays of `dokja forge verify --level V3`: challenge, engine, and a folder to work in."""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dokja.models.forge.ladder import Finding, Level, v3, v4
from dokja.models.forge.ladder.artefacts import Artefacts
from dokja.models.forge.ladder.challenge_files import read_challenge

__all__ = ["replayed"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def replayed(
    artefacts: Artefacts,
    *,
    upto: Level,
    place: str,
    given: Mapping[str, Any],
    progress: Callable[[str], None],
) -> tuple[Finding, ...]:
    """Return the findings of V3, and of V4 where it is asked for; none for lower levels.

    Args:
        artefacts: What is verified.
        upto: The last level that is asked for.
        place: Who replays: `examiner` or `builder`.
        given: The options `challenge`, `segments` and `engine`.
        progress: Told each segment.

    Raises:
        RecordError: The challenge cannot be read, or is not of this run.
    """
    if upto < Level.V3:
        return ()
    challenge = None
    if given["challenge"] is not None and artefacts.chain is not None:
        challenge = read_challenge(given["challenge"], chain=artefacts.chain)
    chosen = dict.fromkeys(_THREADS, "1")
    with tempfile.TemporaryDirectory(prefix="dokja-replay-") as scratch:
        settings = v3.ReplaySettings(
            scratch=Path(scratch),
            segments=given["segments"],
            engine=given["engine"],
            python=sys.executable,
            environment={**chosen, **os.environ, "HF_HUB_OFFLINE": "1"},
            place=v3.Place(place),
            progress=progress,
        )
        found = v3.check(artefacts, challenge, settings=settings)
    return (*found, *v4.check(artefacts)) if upto >= Level.V4 else found
