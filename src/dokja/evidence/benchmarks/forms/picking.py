"""Which of several promised forms is used: a public beacon says, which nobody could foresee.

The beacon and its round are named before; its value is published after submissions have closed.
The pick follows from the value and the promises alone, so that anyone can make it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from dokja.evidence.benchmarks.forms.commitments import FormCommitment
from dokja.values import Json, canonical_bytes

__all__ = ["Pulse", "picked"]

_LEAST_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What a public beacon gave out.

    Attributes:
        beacon: Its name, as it was named beforehand, such as `drand/quicknet`.
        round: Which of its values, as it was named beforehand.
        value: The value, at least 16 bytes.
    """

    beacon: str
    round: int
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) < _LEAST_BYTES:
            raise ValueError(f"a beacon's value of {len(self.value)} bytes can be guessed")
        if not self.beacon or self.round < 0:
            raise ValueError("a beacon is named, and its rounds are counted from 0")


def picked(forms: Sequence[FormCommitment], pulse: Pulse) -> FormCommitment:
    """Return the form that a pulse picks out of those that were promised.

    SHA-256 over the canonical form of the beacon, its round and value, and all roots in the order
    of the forms' names, taken as a whole number modulo the number of forms.

    Args:
        forms: At least one; their order does not matter.
        pulse: What the beacon gave out.

    Raises:
        ValueError: There is no form, or a name stands twice.

    Example:
        >>> from dokja.values import Digest
        >>> forms = [
        ...     FormCommitment(form=name, role="moving", items=9, root=Digest.of(name.encode()))
        ...     for name in ("a", "b", "c")
        ... ]
        >>> picked(forms, Pulse(beacon="drand/quicknet", round=7, value=bytes(32))).form
        'b'
    """
    ordered = sorted(forms, key=lambda each: each.form)
    if not ordered or len({each.form for each in ordered}) != len(ordered):
        raise ValueError("a beacon picks one of several forms, each with a name of its own")
    roots: list[Json] = [str(each.root) for each in ordered]
    said: dict[str, Json] = {
        "beacon": pulse.beacon,
        "round": pulse.round,
        "value": pulse.value.hex(),
        "roots": roots,
    }
    number = int.from_bytes(sha256(canonical_bytes(said)).digest(), "big")
    return ordered[number % len(ordered)]
