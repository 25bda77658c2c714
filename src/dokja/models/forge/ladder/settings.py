"""How a verification is made: whose keys count, how much is read, and who is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from dokja.models.forge.records import KeyRegister

__all__ = ["Settings", "quiet", "sampled"]

MOST_FORWARD_PARAMETERS = 500_000_000
"""Above this a forward pass in numpy is not tried: it wants an accelerator's engine."""


def quiet(_check: str, _bytes: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a verification is made.

    Attributes:
        keys: Builders and witnesses that are known; none where no register was given.
        threads: How many tensors are read at the same time.
        sample: How many tensors of each component are looked at; none for all.
        draw: What the sample is drawn with, such as an examiner's nonce; the chain's head is
            added, so that no sample was known before the seal.
        corpora: Whether corpora are read whole and compared with their digests.
        losses: For how many states a logged loss is computed again; none for all.
        accounted: Device-hours by the accounting ledger; none where none was given.
        forward_parameters: Largest model that is computed forward here.
        progress: Told the check at work and the bytes that it read.
    """

    keys: KeyRegister | None = None
    threads: int = 1
    sample: int | None = None
    draw: bytes = b""
    corpora: bool = False
    losses: int | None = None
    accounted: Mapping[str, float] | None = None
    forward_parameters: int = MOST_FORWARD_PARAMETERS
    progress: Callable[[str, int], None] = quiet


def sampled(names: Sequence[str], *, settings: Settings, head: bytes) -> tuple[str, ...]:
    """Return the tensors that are looked at, sorted; all of them unless a sample is asked for.

    Args:
        names: Every tensor.
        settings: How many, and what they are drawn with.
        head: Digest of the chain's last entry.

    Example:
        >>> sampled(["a", "b", "c"], settings=Settings(sample=1), head=b"head")
        ('b',)
    """
    if settings.sample is None or settings.sample >= len(names):
        return tuple(sorted(names))
    drawn = sorted(names, key=lambda name: sha256(head + settings.draw + name.encode()).digest())
    return tuple(sorted(drawn[: settings.sample]))
