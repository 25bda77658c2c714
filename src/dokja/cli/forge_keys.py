"""Keys and witnesses of builders, as the command line keeps them: files beside the run."""

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from dokja.evidence.ledger import SigningKey, read_key, write_key
from dokja.models.forge.records import LocalWitness

__all__ = ["builder_key", "local_witness"]


def builder_key(path: Path | None, *, beside: Path, name: str) -> SigningKey:
    """Return a builder's key; without a path it is made beside the run's folder.

    Raises:
        KeyFileError: The file is missing, malformed, or others may read it.
    """
    if path is not None:
        return read_key(path)
    path = beside.with_name(f"{beside.name}.key")
    if not path.exists():
        write_key(path, SigningKey(name, secrets.token_bytes(32)))
    return read_key(path)


def local_witness(run: Path, *, clock: Callable[[], datetime]) -> LocalWitness:
    """Return a witness on this machine, with its key and journal beside the run's folder."""
    key = run.with_name(f"{run.name}.witness.key")
    if not key.exists():
        write_key(key, SigningKey("witness.local", secrets.token_bytes(32)))
    journal = run.with_name(f"{run.name}.witness.jsonl")
    return LocalWitness(journal, key=read_key(key), clock=clock)
