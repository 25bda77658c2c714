"""A layer map told in runs of layers that go on together."""

from collections.abc import Iterable, Sequence

__all__ = ["spans"]


def spans(pairs: Sequence[tuple[int, int]]) -> list[str]:
    """Return a layer map in runs of layers that go on together.

    Example:
        >>> spans([(0, 0), (1, 1), (2, 1), (3, 2)])
        ['0–1 → 0–1', '2–3 → 1–2']
    """
    return [
        f"{_run(ours)} → {_run(theirs)}"
        for run in _runs(pairs)
        for ours, theirs in [tuple(zip(*run, strict=True))]
    ]


def _runs(pairs: Sequence[tuple[int, int]]) -> Iterable[list[tuple[int, int]]]:
    run: list[tuple[int, int]] = []
    for ours, theirs in pairs:
        if run and (ours, theirs) != (run[-1][0] + 1, run[-1][1] + 1):
            yield run
            run = []
        run.append((ours, theirs))
    if run:
        yield run


def _run(layers: Sequence[int]) -> str:
    return f"{layers[0]}" if len(layers) == 1 else f"{layers[0]}–{layers[-1]}"
