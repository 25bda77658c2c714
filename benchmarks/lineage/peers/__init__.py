"""Other people's ways to tell where weights come from, to be run beside Dokja's on the same pairs.

Each module has a `NAME`, says with `HIGHER_IS_RELATED` which way its values point, and scores a
pair of opened models. All but modelDNA are written anew from their papers; none of it is ever
imported by `src`. What each is defeated by stands in its module and in `README.md`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from dokja.models.weights import Source

from . import awm, ghostspec, huref, mdir_trace, modeldna, phi_u, std_curves
from .sides import Score

__all__ = ["PEERS", "Peer", "Score"]


class Peer(Protocol):
    """A way to tell whether two models are related."""

    NAME: str
    HIGHER_IS_RELATED: bool

    def score(
        self, suspect: Source, reference: Source, *, component: str = "language-body"
    ) -> Score:
        """Return what it says of a component of two models."""


_ALL: tuple[Peer, ...] = (awm, huref, std_curves, ghostspec, phi_u, mdir_trace, modeldna)

PEERS: Mapping[str, Peer] = MappingProxyType({peer.NAME: peer for peer in _ALL})
"""Every peer by its name, in the order of the tables."""
