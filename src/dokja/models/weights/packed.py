"""What tensors in fewer bits stand for."""

from collections.abc import Mapping
from typing import Any

from dokja.models.weights.held import Held, StoredTensor

__all__ = ["unpacked"]


def unpacked(
    stored: Mapping[str, StoredTensor],
    *,
    config: Mapping[str, Any] | None,  # noqa: ARG001  # soon
    file: str,  # noqa: ARG001  # soon
) -> Mapping[str, Held]:
    """Return the tensors that the stored ones stand for."""
    return stored
