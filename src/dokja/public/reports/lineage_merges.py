"""A merge in sentences: of which models, by which weights, and on which base where one shows."""

from collections.abc import Callable

from markupsafe import Markup

from dokja.evidence.lineage import MergeReading
from dokja.public.reports import figures
from dokja.values import Estimate

__all__ = ["between", "merge_lines", "merge_sentence"]

Say = Callable[..., str]


def merge_sentence(say: Say, merge: MergeReading, *, component: str, details: str) -> str:
    """Return what a merge is, as one sentence.

    Args:
        say: Fills the sentence of a key, as text or as HTML.
        merge: What was found.
        component: Of the model in question.
        details: What else says how near it comes.
    """
    join = Markup if isinstance(say("lineage.weights"), Markup) else str
    shares = [
        say("lineage.of-one", parent=name, share=min(1.0, max(0.0, weight.value)))
        for name, weight in zip(merge.parents, merge.weights, strict=True)
    ]
    told = {"component": component, "parents": join(", ").join(shares), "details": details}
    if merge.elected is not None:
        return say("lineage.elected", base=merge.elected.base, **told)
    return say("lineage.sum", **told)


def merge_lines(say: Say, merge: MergeReading) -> list[str]:
    """Return weights with their intervals, and what was added to which base."""
    lines = [
        say(
            "lineage.weight-is",
            name=name,
            value=figures.plain(weight.value, 3),
            interval=between(weight, digits=3),
        )
        for name, weight in zip(merge.parents, merge.weights, strict=True)
    ]
    if (elected := merge.elected) is None:
        return lines
    lines += [
        say("lineage.kept-is", name=name, share=density)
        for name, density in zip(merge.parents, elected.densities, strict=True)
    ]
    scaled = say(
        "lineage.elected-mean" if elected.form == "mean" else "lineage.elected-sum",
        base=elected.base,
        value=figures.plain(elected.scale.value, 3),
        interval=between(elected.scale, digits=3),
        left=elected.left,
    )
    return [*lines, scaled]


def between(effect: Estimate, *, digits: int) -> str:
    """Return the ends of an interval."""
    low, high = (figures.plain(end, digits) for end in (effect.low, effect.high))
    return f"{low} … {high}" if low.startswith("−") else f"{low}–{high}"
