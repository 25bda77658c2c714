"""The texts on which tokenizers are measured and compared: written for Dokja, and pinned.

`parallel` holds news-like sentences in Korean with their English; `code` some short programs;
`hostile` what tokenizers trip over: decomposed and old Hangul, emoji joined by U+200D, CRLF,
digits, mixed scripts, control signs, and texts that look like special tokens. Two reports can be
compared only if they were made on the same probe, so its digest travels with each report.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from dokja.errors import Mistake, RecipeError
from dokja.values import Digest, canonical_bytes

__all__ = ["Probe", "probe"]

_PINNED = MappingProxyType(
    {
        "parallel.json": "51d4fa04c0578ebf7c832961e06e696fcebd0d91ff4bd03423ef6a7b5f062201",
        "code.txt": "eab9d969cf14de46c2abd8131d99d6e5112dbf8c2a26823794dd1113e9c8654c",
        "hostile.json": "73f8412ea583c4e61ceacc92fbb5eca83a6996bd87545ffbca08a56c35eb7286",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The pinned texts.

    Attributes:
        korean: News-like sentences.
        english: The same in English, sentence by sentence.
        code: Short programs in several languages.
        hostile: Texts that tokenizers trip over.
    """

    korean: tuple[str, ...]
    english: tuple[str, ...]
    code: tuple[str, ...]
    hostile: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts, on which two encoders must give equal ids."""
        joined = ("\n".join(self.korean), "\n".join(self.english))
        return (*self.korean, *self.english, *self.code, *self.hostile, *joined)

    @property
    def digest(self) -> Digest:
        """The digest of all texts in canonical JSON."""
        return Digest.of(
            canonical_bytes(
                {
                    "korean": list(self.korean),
                    "english": list(self.english),
                    "code": list(self.code),
                    "hostile": list(self.hostile),
                }
            )
        )


@lru_cache(maxsize=1)
def probe() -> Probe:
    """Return the pinned probe.

    Raises:
        RecipeError: A file of it is not the one that was pinned.

    Example:
        >>> len(probe().korean) == len(probe().english)
        True
    """
    read = {name: _pinned(name) for name in _PINNED}
    pairs = json.loads(read["parallel.json"])
    return Probe(
        korean=tuple(pair["ko"] for pair in pairs),
        english=tuple(pair["en"] for pair in pairs),
        code=(read["code.txt"].decode(),),
        hostile=tuple(json.loads(read["hostile.json"])),
    )


def _pinned(name: str) -> bytes:
    data = files(__package__ or "").joinpath(name).read_bytes()
    found = Digest.of(data)
    if found.hex != _PINNED[name]:
        wrong = Mistake(
            file=f"probes/{name}",
            place="",
            read=str(found),
            expected=f"sha256:{_PINNED[name]}",
            remedy="Install Dokja again; its tokenizer probe was edited.",
        )
        raise RecipeError([wrong])
    return data
