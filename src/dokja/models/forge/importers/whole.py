"""Files that are there whole or not at all."""

import os
from pathlib import Path

from dokja.errors import InputError, LogError, Mistake

__all__ = ["write_whole"]


def write_whole(
    path: Path, content: bytes, *, mode: int = 0o644, refusal: type[InputError] = LogError
) -> None:
    """Write a file whole or not at all, on the disk before it has its name.

    Args:
        path: The file; one of that name is replaced.
        content: Its bytes.
        mode: Who may read, write and run it.
        refusal: What is raised when it cannot be written.

    Raises:
        InputError: It cannot be written, as `refusal`; what stood there before still stands.
    """
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.chmod(mode)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        wrong = Mistake(
            file=str(path),
            place="",
            read=f"nothing: {error.strerror or error}",
            expected="a place that can be written to",
        )
        raise refusal([wrong]) from error
