"""What may be asked of the network when weights are read from an address.

Nothing is open by default but https to public hosts; whoever wants more says so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The bounds of what is fetched, and how.

    Attributes:
        budget_bytes: Most bytes of bodies that are fetched in all; None for no bound. A request
            that could go beyond it is not sent.
        allow_http: Whether addresses without encryption are asked.
        allow_private: Whether hosts that are not public are asked: loopback, private and
            link-local ones. Loopback may then be asked without encryption too.
        timeout_s: Longest silence of a server.
        least_bytes_per_s: A body that comes more slowly than this, after `timeout_s`, is given up.
        tries: How often in a row a range is asked for without getting on.
        longest_wait_s: Longest pause before the next try, whatever the server asks for.
        token: Sent as bearer token to the host of the address itself, and to no other.
        hub: Where `hf://` leads.
        authorities: A file of certificates to trust instead of the system's.
        wait: Pauses; replaced where time does not pass.
    """

    budget_bytes: int | None = None
    allow_http: bool = False
    allow_private: bool = False
    timeout_s: float = 20.0
    least_bytes_per_s: int = 10_000
    tries: int = 5
    longest_wait_s: float = 30.0
    token: str = field(default="", repr=False)
    hub: str = "https://huggingface.co"
    authorities: Path | None = None
    wait: Callable[[float], None] = time.sleep
