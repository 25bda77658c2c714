"""How fast a run may ask, how long it waits, and when it gives up.

Nothing of it is in the plan: an answer does not depend on it, and it may change when a run is
resumed. The journal says which limits each session had.
"""

from dataclasses import asdict, dataclass, field

from dokja.models.serving.endpoints import Patience
from dokja.values import Json

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a run.

    Attributes:
        concurrency: The most questions that are in the air at once.
        rpm: The most requests in a minute; None for no limit.
        tpm: The most tokens in a minute, prompt and answer; None for no limit.
        budget_micro: The most that may be spent, in millionths of the currency; None for no limit.
        patience: How long one try may take.
        backoff_s: The first wait before a question is asked again is drawn from [0, this], and
            every further one from twice as much.
        backoff_most_s: The longest such wait is drawn from [0, this].
        told_most_s: The longest wait that a server is obeyed in.
        told_most: How often one question waits as told before it counts as a try.
        breaker_tries: So many last tries are looked at.
        breaker_s: The first pause when more than half of them failed; each next is twice as long.
        breaker_most_s: The longest pause.
        breaker_pauses: After so many pauses without a good reply between them the run stops.
        sync_s: The longest time for which a line may be in memory alone.
        sync_lines: The most lines that may be in memory alone.
        grace_s: How long an interrupted run waits for what is in the air.
        tick_s: How often progress is told.
    """

    concurrency: int = 64
    rpm: float | None = None
    tpm: float | None = None
    budget_micro: int | None = None
    patience: Patience = field(default_factory=Patience)
    backoff_s: float = 1.0
    backoff_most_s: float = 60.0
    told_most_s: float = 600.0
    told_most: int = 100
    breaker_tries: int = 50
    breaker_s: float = 30.0
    breaker_most_s: float = 600.0
    breaker_pauses: int = 8
    sync_s: float = 0.5
    sync_lines: int = 256
    grace_s: float = 30.0
    tick_s: float = 0.5

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ValueError(f"concurrency is {self.concurrency}; expected at least 1")

    @property
    def said(self) -> dict[str, Json]:
        """The limits as the journal holds them, seconds and rates as text."""
        flat = asdict(self)
        flat |= flat.pop("patience")
        return {
            name: str(value) if isinstance(value, float) else value
            for name, value in flat.items()
            if value is not None
        }
