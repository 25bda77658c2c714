"""When two spellings are one name."""

import re
import unicodedata

__all__ = ["folded"]

_BETWEEN = re.compile(r"[-_\s]+")


def folded(name: str) -> str:
    """Return a name without what two tables spell differently: form, case and separators.

    Example:
        >>> folded("Maritime-Engineering") == folded("maritime_engineering ")
        True
    """
    return _BETWEEN.sub(" ", unicodedata.normalize("NFC", name).casefold()).strip()
