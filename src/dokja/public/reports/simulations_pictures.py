"""Where things stand in the pictures of a simulated stage; the templates draw them.

Places across are percentages, places down are pixels, as in `pictures`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.evidence.statistics.simulating import AtGap, LeverEffect, Simulation
from dokja.public.reports.pictures import Axis

__all__ = ["CurvePicture", "CurvePoint", "LeverBar", "curve_picture", "lever_bars"]

_HEIGHT = 240
_TOP = 0.5
_STEPS = (1, 2, 5, 10, 20, 50)
_MOST_TICKS = 8
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """A true gap and the share of stages in which the better team is sent home."""

    gap: float
    wrong: float
    x: str
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePicture:
    """The error by the true gap.

    Attributes:
        height: Of the picture, in pixels.
        axis: Of the gaps, across.
        points: From the coin's half at no gap, ascending.
        shares: Each share that is written on the axis down, with its place.
    """

    height: int
    axis: Axis
    points: tuple[CurvePoint, ...]
    shares: tuple[tuple[float, float], ...]

    @property
    def lines(self) -> tuple[tuple[CurvePoint, CurvePoint], ...]:
        """Each point with the next."""
        return tuple(zip(self.points, self.points[1:], strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverBar:
    """What is left of the error with one lever, beside the error now.

    Attributes:
        effect: The lever and what it does.
        width: Of its error.
        now: Where the error now stands.
        half: Where half of it stands.
    """

    effect: LeverEffect
    width: str
    now: str
    half: str


def curve_picture(curve: Sequence[AtGap]) -> CurvePicture | None:
    """Return the curve; none where no gap was asked about.

    With no gap at all either team is as good: the curve begins where a tossed coin would be.
    """
    if not curve:
        return None
    last = curve[-1].gap
    step = next((step for step in _STEPS if last / step <= _MOST_TICKS), _STEPS[-1])
    ticks = tuple(float(tick) for tick in range(0, int(last) + 1, step))
    axis = Axis(low=0.0, high=last, ticks=ticks)
    known = [(0.0, _TOP), *((at.gap, at.outcome.wrong) for at in curve)]
    return CurvePicture(
        height=_HEIGHT,
        axis=axis,
        points=tuple(
            CurvePoint(gap=gap, wrong=wrong, x=axis.at(gap), y=_down(wrong)) for gap, wrong in known
        ),
        shares=tuple((share, _down(share)) for share in _SHARES),
    )


def lever_bars(simulation: Simulation) -> tuple[LeverBar, ...]:
    """Return one bar for each lever, the longest error being the whole width."""
    errors = [effect.outcome.wrong for effect in simulation.levers]
    longest = max([*errors, simulation.overall.wrong])
    if not longest:
        return ()
    axis = Axis(low=0.0, high=longest, ticks=())
    now = simulation.overall.wrong
    return tuple(
        LeverBar(
            effect=effect,
            width=axis.span(0.0, effect.outcome.wrong),
            now=axis.at(now),
            half=axis.at(now / 2),
        )
        for effect in simulation.levers
    )


def _down(share: float) -> float:
    return round(_HEIGHT * (1 - min(share, _TOP) / _TOP), 1)
