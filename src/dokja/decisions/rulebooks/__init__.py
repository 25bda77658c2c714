"""The rulebooks that come with Dokja: dated, sourced, never edited.

A programme's rules live in a folder of its own, one TOML file per version. This room hands out
their bytes and knows nothing of what they say.
"""

from importlib.resources import files

__all__ = ["available", "read"]


def available() -> tuple[str, ...]:
    """Return the names of the rulebooks, oldest version first, such as `k-ai-2025/2026-01-15`."""
    return tuple(
        sorted(
            f"{programme.name}/{version.name.removesuffix('.toml')}"
            for programme in files(__name__).iterdir()
            if programme.is_dir()
            for version in programme.iterdir()
            if version.name.endswith(".toml")
        )
    )


def read(name: str) -> bytes:
    """Return the bytes of a rulebook.

    Args:
        name: One of `available()`.

    Raises:
        KeyError: No rulebook of that name comes with Dokja.
    """
    if name not in available():
        raise KeyError(name)
    programme, _, version = name.partition("/")
    return (files(__name__) / programme / f"{version}.toml").read_bytes()
