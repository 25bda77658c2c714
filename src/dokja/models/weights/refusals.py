"""Formats that are never read, known by their name or their first bytes.

A pickle is a programme: reading one runs it, whatever it calls itself. It is refused in a
sentence that says what to do instead, and so is a GGUF file that calls itself safetensors.
"""

from dokja.errors import Mistake

__all__ = ["PICKLE_SUFFIXES", "refused_by_content", "refused_by_name"]

PICKLE_SUFFIXES = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pdparams"}
)
"""Endings of files that hold pickles, or may."""

_CONVERT = (
    "It was not opened. Write the weights as safetensors (safetensors.torch.save_file) "
    "where they were trained, and hand in only those."
)
_GGUF = "Nothing of it was read. Give it the ending .gguf, so that everybody sees what it is."
# The header of a safetensors file starts here, always with a brace. Its length may by chance
# begin like a pickle, so that the first bytes alone prove nothing.
_HEADER_STARTS = 8


def refused_by_name(name: str, *, file: str) -> Mistake | None:
    """Return why a file of this name is never opened; nothing when its name is no reason."""
    lower = name.lower()
    suffix = next((end for end in sorted(PICKLE_SUFFIXES) if lower.endswith(end)), None)
    if suffix is None:
        return None
    return Mistake(
        file=file,
        place="",
        read=f"a {suffix} file, which may hold a pickle, and a pickle is a programme",
        expected="safetensors or GGUF",
        remedy=_CONVERT,
    )


def refused_by_content(first: bytes, *, file: str) -> Mistake | None:
    """Return why a file that begins like this is never read; nothing when it may be.

    Args:
        first: At least its first nine bytes, if it has so many.
        file: What the mistake calls it.

    Example:
        >>> refused_by_content(bytes([0x80, 4]) + b"]q.", file="m.safetensors").read
        'a pickle (protocol 4) that is named safetensors, and a pickle is a programme'
        >>> refused_by_content(bytes([0x80, 2, 0, 0, 0, 0, 0, 0]) + b"{", file="ok") is None
        True
    """
    if first[:4] == b"GGUF":
        return Mistake(
            file=file,
            place="first bytes",
            read="a GGUF file that is named safetensors",
            expected="safetensors",
            remedy=_GGUF,
        )
    if first[_HEADER_STARTS : _HEADER_STARTS + 1] == b"{":
        return None
    kind = None
    if first[:2] == b"PK":
        kind = "a zip archive, as torch.save writes pickles in,"
    elif first[:1] == b"\x80" and first[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        kind = f"a pickle (protocol {first[1]})"
    if kind is None:
        return None
    return Mistake(
        file=file,
        place="first bytes",
        read=f"{kind} that is named safetensors, and a pickle is a programme",
        expected="safetensors or GGUF",
        remedy=_CONVERT,
    )
