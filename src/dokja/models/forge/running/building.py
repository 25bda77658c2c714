"""Who builds, and with what: everything that a run takes from the world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dokja.models.forge.plans import BaseStore
from dokja.models.forge.records import Code, Witness
from dokja.models.forge.running.attaching import Left
from dokja.models.forge.running.launching import Cluster
from dokja.values.keys import SigningKey

__all__ = ["Builder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Who builds, and with what.

    Attributes:
        signer: The builder's key.
        clock: The builder's clock.
        witness: Who sees every entry; none for nobody, and then nothing is live.
        nonce: 32 secret bytes for a new run.
        bases: Where others' weights are looked for.
        code: The code that runs.
        facts: Package versions, devices and threads, for the commit.
        environment: All of the environment that workers get.
        python: The interpreter that engines run under.
        progress: Told stage, step and loss.
        cluster: Where engines train, if that is elsewhere: launch files are written instead.
        left: What is handed in of a run that was made elsewhere, after the fact.
    """

    signer: SigningKey
    clock: Callable[[], datetime]
    witness: Witness | None
    nonce: bytes = field(repr=False)
    bases: BaseStore
    code: Code
    facts: Mapping[str, Any]
    environment: Mapping[str, str] = field(repr=False)
    python: str
    progress: Callable[[str, int, float], None] = lambda _stage, _step, _loss: None
    cluster: Cluster | None = None
    left: Left | None = None
