"""Names that are written one way only.

Hangul can be written composed (NFC) or decomposed into letters (NFD): the two look alike and
compare unequal. Identifiers are therefore NFC, and whoever reads one from outside says so.
"""

import re
import unicodedata

__all__ = ["is_identifier", "normal_form"]

_IDENTIFIER = re.compile(r"[a-z0-9가-힣][a-z0-9가-힣._-]{0,79}")


def normal_form(text: str) -> str:
    """Return the text in NFC, as it is compared.

    Example:
        >>> normal_form("\u1103\u1169\u11a8") == "독"
        True
    """
    return unicodedata.normalize("NFC", text)


def is_identifier(text: str) -> bool:
    """Tell whether the text can name a team, model, part, stage or gate.

    Lower-case letters, digits, Hangul syllables, and `.`, `_`, `-` inside; at most 80.

    Example:
        >>> is_identifier("stage-1"), is_identifier("Stage 1"), is_identifier("가람")
        (True, False, True)
    """
    return _IDENTIFIER.fullmatch(text) is not None
