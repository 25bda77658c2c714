"""What a decision says of sources, and of the frontier that a stage asks for a share of."""

from dokja.public.reports.terms import Read

__all__ = ["Source", "System", "Target"]


class Source(Read):
    """Where a figure of the rulebook was read."""

    tag: str
    address: str
    title: str | None = None


class System(Read):
    """A system that stands for the frontier."""

    name: str
    version: str
    effort: str | None = None
    released: str
    sources: tuple[Source, ...] = ()


class Target(Read):
    """What share of which frontier a stage asks for."""

    counts: str
    rule: str
    ratio: str
    alpha_clear: str
    alpha_fail: str
    mode: str
    freeze_on: str
    measure_between: tuple[str, str]
    benchmarks: tuple[str, ...]
    convention: str
    generalise_to: str
    clusters: str
    open: tuple[str, ...] = ()
    systems: tuple[System, ...] = ()
    sources: tuple[Source, ...] = ()
