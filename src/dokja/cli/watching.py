"""Shows on standard error how far a run is: on a terminal in place, elsewhere a line now and then.

How many answers are right is not shown unless it is asked for: whoever sees it may stop when it
pleases them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dokja.cli.printing import say
from dokja.evidence.benchmarks.running import Tally

__all__ = ["told", "watching"]

_EVERY_S = 30.0
_ANSWERS = frozenset({"correct", "wrong", "scored"})


@contextmanager
def watching(*, show_score: bool, currency: str) -> Iterator[Callable[[Tally], None]]:
    """Yield what shows a tally.

    Args:
        show_score: Whether the share of right answers is shown.
        currency: Of what was spent; empty where prices are unknown.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(show_score=show_score, currency=currency)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def show(tally: Tally) -> None:
            lines = told(tally, show_score=show_score, currency=currency)
            live.update(Text("\n".join(lines)), refresh=True)

        yield show


class _Lines:
    """Prints a line now and then."""

    def __init__(self, *, show_score: bool, currency: str) -> None:
        self._show_score = show_score
        self._currency = currency
        self._last = 0.0
        self._notice = ""

    def __call__(self, tally: Tally) -> None:
        """Print how far it is, if the last line was long ago or there is something to know."""
        fresh = tally.notice != self._notice
        if tally.seconds - self._last < _EVERY_S and not fresh:
            return
        self._last, self._notice = tally.seconds, tally.notice
        lines = told(tally, show_score=self._show_score, currency=self._currency)
        say(" · ".join(lines), error=True)


def told(tally: Tally, *, show_score: bool, currency: str) -> list[str]:
    """Return a tally in words, what is unknown left out.

    Example:
        >>> told(Tally(samples=10, settled=4, concurrency=2), show_score=False, currency="")
        ['4/10 answered · 2 at once']
    """
    parts = [f"{tally.settled:,}/{tally.samples:,} answered"]
    if tally.given_up:
        parts.append(f"{tally.given_up:,} given up")
    if tally.rate is not None:
        parts.append(f"{tally.rate:,.1f}/s")
    if tally.left_s is not None and tally.samples > tally.settled + tally.given_up:
        parts.append(f"{_span(tally.left_s)} left")
    parts.append(f"{tally.concurrency} at once")
    if tally.tokens is not None:
        parts.append(f"{tally.tokens:,} tokens")
    if tally.cost_micro is not None:
        parts.append(f"{tally.cost_micro / 1e6:,.4f} {currency}")
    lines = [" · ".join(parts)]
    others = {name: n for name, n in tally.outcomes.items() if name not in _ANSWERS}
    if others:
        lines.append(f"of {tally.looked_at:,} answers looked at: {_listed(others)}")
    if tally.faults:
        lines.append(f"faults: {_listed(tally.faults)}")
    if show_score and tally.share_right is not None:
        lines.append(f"of {tally.scored:,} scored in this session: {tally.share_right:.3f}")
    if tally.notice:
        lines.append(tally.notice)
    return lines


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
