"""Cuts texts by a stranger's pattern, in a process of its own that is ended when it takes too long.

A regular expression can take longer than anyone lives: `(a+)+b` does on forty letters. Python's
`re` cannot be interrupted, so a pattern that came with somebody's file never runs in this process.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

from dokja.models.forge.tokenizing.patterns import pieces

__all__ = ["cut_apart", "cut_here"]

_REFUSED = 2


def cut_here(pattern: str, texts: Sequence[str]) -> list[list[str]]:
    """Return the pieces of each text, cut in this process.

    Raises:
        ValueError: The pattern cannot be written for Python's `re`.

    Example:
        >>> cut_here("a|b", ["ab", "c"])
        [['a', 'b'], ['c']]
    """
    return [list(pieces(pattern, text)) for text in texts]


def cut_apart(pattern: str, texts: Sequence[str], *, limit_seconds: float) -> list[list[str]]:
    """Return the pieces of each text, cut in a process of its own.

    Args:
        pattern: A stranger's pattern.
        texts: The texts.
        limit_seconds: How long it may take, the start of the process included.

    Raises:
        ValueError: The pattern cannot be written for Python's `re`, or takes longer.
    """
    command = [sys.executable, "-m", "dokja.models.forge.tokenizing.cutting"]
    said = json.dumps({"pattern": pattern, "texts": list(texts)})
    try:
        ended = subprocess.run(  # noqa: S603  # our own module; the pattern comes by its input
            command, input=said, capture_output=True, text=True, timeout=limit_seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        message = f"a pattern that takes longer than {limit_seconds:g} seconds"
        raise ValueError(message) from error
    if ended.returncode == _REFUSED:
        raise ValueError(ended.stdout.strip())
    if ended.returncode:
        message = f"a pattern on which the cutting process ended with {ended.returncode}"
        raise ValueError(message)
    found: list[list[str]] = json.loads(ended.stdout)
    return found


def _main() -> int:
    said = json.load(sys.stdin)
    try:
        found = cut_here(said["pattern"], said["texts"])
    except ValueError as error:
        sys.stdout.write(str(error))
        return _REFUSED
    json.dump(found, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
