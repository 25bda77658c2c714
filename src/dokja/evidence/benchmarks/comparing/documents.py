"""A comparison as one JSON document, `dokja.compare/1`: the same bytes on every machine.

Numbers are decimals of fixed precision in text. What is not known is absent, never null and
never 0.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from dokja.evidence.benchmarks.comparing.comparisons import Comparison, Domain
from dokja.evidence.benchmarks.comparing.together import Together
from dokja.evidence.statistics.contrasts import (
    Basis,
    CombinedReading,
    Contrast,
    MarginTest,
    Multiverse,
    RatioInterval,
    Shape,
)
from dokja.values import Json, Missing, canonical_bytes

__all__ = ["SCHEMA", "decimal", "document", "document_bytes"]

SCHEMA = "dokja.compare/1"

_RATIO, _MARGIN, _P, _SHARE = 4, 6, 3, 4
_BASES = (Basis.ITEMS, Basis.STRATA, Basis.CLUSTERS)


def decimal(number: float, *, places: int) -> str:
    """Return a number with so many decimals, and no sign before nothing.

    Example:
        >>> decimal(0.94544, places=4), decimal(-0.00000004, places=6)
        ('0.9454', '0.000000')
    """
    written = f"{number:.{places}f}"
    return written.removeprefix("-") if not written.strip("-0.") else written


def document_bytes(comparison: Comparison, *, evidence: Iterable[str] = (), software: str) -> bytes:
    """Return the canonical bytes of the document."""
    return canonical_bytes(document(comparison, evidence=evidence, software=software))


def document(
    comparison: Comparison, *, evidence: Iterable[str] = (), software: str
) -> dict[str, Json]:
    """Return the document.

    Args:
        comparison: What was found.
        evidence: Where the outcomes were read: digests of tables, ids of entries.
        software: Name and version of what computed it.
    """
    question, terms = comparison.question, comparison.question.terms
    said: dict[str, Json] = {
        "schema": SCHEMA,
        "candidate": question.candidate,
        "references": list(question.references),
        "not_measured": [name for name in question.references if name not in comparison.references],
        "ratio_required": _required(comparison),
        "registered": question.registered,
        "terms": {
            "alpha_clear": _plain(terms.alpha_clear),
            "alpha_fail": _plain(terms.alpha_fail),
            "delta_min": _plain(terms.delta_min),
            "mode": terms.mode.value,
            "generalise_to": terms.generalise_to.value,
            "clusters": question.clusters,
            "convention": question.convention.name,
            "open": sorted(each.value for each in question.open),
            "weights": question.weights,
            "chance": question.chance
            if isinstance(question.chance, str)
            else _plain(question.chance),
            "seed": terms.seed,
        },
        "verdict": comparison.verdict.value,
        "reasons": [doubt.value for doubt in comparison.doubts],
        "benchmarks": [_domain(domain) for domain in comparison.domains],
        "evidence": sorted(evidence),
        "software": software,
    }
    said |= _present({"ratio": _number(comparison.ratio, places=_RATIO)})
    if comparison.combined is not None:
        combined = comparison.combined
        said["combined"] = {
            "combine": combined.combine.value,
            "frontier": combined.frontier.value,
            "weights": {
                name: decimal(weight, places=_SHARE)
                for name, weight in zip(combined.benchmarks, combined.weights, strict=True)
            },
            **_combined(combined.registered),
            **(
                {}
                if combined.worst is None or combined.best is None
                else _present(_bounds(combined.worst.ratio, combined.best.ratio))
            ),
            "errors": [_together(each) for each in comparison.together],
            "without": {name: verdict.value for name, verdict in comparison.without},
        }
    return said


def _domain(domain: Domain) -> dict[str, Json]:
    sheet, answer = domain.sheet, domain.reach
    said: dict[str, Json] = {
        "suite": sheet.suite,
        "form": sheet.form,
        "items": sheet.items,
        "not_asked": sheet.not_asked,
        "dropped_weight": decimal(sheet.dropped_weight, places=3),
        "open": {"candidate": sheet.open_candidate, "references": sheet.open_references},
        "epochs": sheet.epochs,
        "verdict": answer.verdict.value,
        "reasons": [doubt.value for doubt in answer.doubts],
        "flags": [
            {
                "flag": flag.name,
                "count": flag.count,
                "systems": list(flag.systems),
                "blocks": sorted(flag.blocks),
                "facts": {key: _fact(value) for key, value in flag.facts.items()},
            }
            for flag in domain.flags
        ],
    }
    if domain.hardest is not None and answer.registered is not None:
        said |= _present({"against": domain.against or None})
        said["contrasts"] = [
            _contrast(each, name=name)
            for each, name in zip(
                answer.registered.contrasts,
                answer.names if len(answer.names) == len(answer.registered.contrasts) else ("",),
                strict=True,
            )
        ]
        said["estimate"] = _estimate(domain, domain.hardest)
    said |= _beside(domain)
    return said


def _estimate(domain: Domain, hardest: Contrast) -> dict[str, Json]:
    answer = domain.reach
    intervals: dict[str, Json] = {}
    for basis, found in domain.intervals:
        intervals[basis.value] = _interval(found)
    said: dict[str, Json] = {
        "delta": decimal(hardest.margin, places=_MARGIN),
        "intervals95": intervals,
        **_tests(hardest),
    }
    said |= _present({"ratio": _number(hardest.ratio, places=_RATIO)})
    if hardest.clusters is not None:
        said["clusters"] = {
            "count": hardest.clusters.count,
            "effective": decimal(hardest.clusters.effective, places=1),
            "largest": hardest.clusters.largest,
            "largest_share": decimal(hardest.clusters.largest_share, places=_SHARE),
        }
    if answer.basis is not None:
        test = hardest.by(answer.basis)
        said["decisive"] = (
            answer.basis.value
            if isinstance(test, Missing)
            else f"{answer.basis.value}-{test.method.removeprefix('wild-')}"
            if test.method != "wild-cluster"
            else "wild-cluster"
        )
    bounds = answer.bounds
    if bounds is not None:
        said |= _present(_bounds(*bounds))
    return said


def _contrast(each: Contrast, *, name: str) -> dict[str, Json]:
    said: dict[str, Json] = {
        "candidate": decimal(each.candidate, places=_RATIO),
        "reference_mean": decimal(each.reference, places=_RATIO),
        "delta": decimal(each.margin, places=_MARGIN),
        **_tests(each),
    }
    said |= _present({"reference": name or None, "ratio": _number(each.ratio, places=_RATIO)})
    return said


def _tests(each: Contrast) -> dict[str, Json]:
    errors: dict[str, Json] = {}
    reached: dict[str, Json] = {}
    for basis in _BASES:
        test = each.by(basis)
        if isinstance(test, MarginTest):
            errors[basis.value] = decimal(test.standard_error, places=_MARGIN)
            reached[basis.value] = decimal(test.p_at_least, places=_P)
    return {"se": errors, "p_ratio_at_least": reached}


def _beside(domain: Domain) -> dict[str, Json]:
    """Return what stands beside the verdict and decides nothing."""
    said: dict[str, Json] = {
        "conventions": {
            name: decimal(ratio, places=_RATIO)
            for name, ratio in domain.conventions
            if not isinstance(ratio, Missing)
        }
    }
    if not isinstance(domain.fragility, Missing):
        removed, share = domain.fragility.removed, domain.fragility.share
        if not isinstance(removed, Missing) and not isinstance(share, Missing):
            said["fragility"] = {"items": removed, "share": decimal(share, places=_SHARE)}
    if not isinstance(domain.settling, Missing):
        settles: dict[str, Json] = {}
        for key, need in (
            ("at_estimate", domain.settling.at_estimate),
            ("at_smallest_margin", domain.settling.at_smallest),
        ):
            settles[key] = _present(
                {
                    "items_in_all": _count(need.items_in_all),
                    "items_in_same_clusters": _count(need.items_in_same_clusters),
                    "clusters_in_all": _count(need.clusters_in_all),
                }
            )
        if not isinstance(domain.settling.parts, Missing):
            floor = domain.settling.parts.floor
            settles["error_cannot_fall_below"] = decimal(floor, places=_MARGIN)
        if domain.reask is not None:
            settles["reask"] = domain.reask.samples
            settles["reask_suffices"] = domain.reask.suffices
        said["settles"] = settles
    if domain.draws is not None:
        draws = domain.draws
        said["maximum"] = {
            **_present(
                {
                    "ratio": _number(draws.ratio, places=_RATIO),
                    "low": _number(draws.low, places=_RATIO),
                    "high": _number(draws.high, places=_RATIO),
                }
            ),
            "p_ratio_at_least": decimal(draws.p_at_least, places=_P),
            "overstated_by": decimal(draws.excess, places=_MARGIN),
            "draws": draws.draws,
        }
    if domain.grid is not None:
        said["multiverse"] = _grid(domain.grid)
    return said


def _grid(grid: Multiverse) -> dict[str, Json]:
    return {
        "cells": [
            {
                "convention": cell.convention,
                "weights": cell.aggregation,
                "chance": cell.chance,
                "generalise_to": cell.generalise_to.value,
                "mode": cell.mode.value,
                "verdict": cell.verdict.value,
                "registered": cell.registered,
                **_present(
                    {
                        "ratio": _number(cell.ratio, places=_RATIO),
                        "p_ratio_at_least": _number(cell.p_at_least, places=_P),
                    }
                ),
            }
            for cell in grid.cells
        ],
        "verdicts": {each.verdict.value: each.cells for each in grid.shares},
    }


def _together(each: Together) -> dict[str, Json]:
    said: dict[str, Json] = {
        "generalise_to": each.goal.value,
        "delta": decimal(each.margin, places=_MARGIN),
        "se": decimal(each.standard_error, places=_MARGIN),
        "units": each.units,
        "p_ratio_at_least": decimal(each.p_at_least, places=_P),
        "decides": each.decides,
    }
    if not isinstance(each.interval, Missing):
        said["interval95"] = _present(
            {
                "low": _number(each.interval.low, places=_RATIO),
                "high": _number(each.interval.high, places=_RATIO),
            }
        )
    return said


def _combined(read: CombinedReading) -> dict[str, Json]:
    way = read.hardest
    return _present(
        {
            "ratio": _number(read.ratio, places=_RATIO),
            "delta": None if isinstance(way, Missing) else decimal(way.margin, places=_MARGIN),
            "se": None if isinstance(way, Missing) else decimal(way.standard_error, places=_MARGIN),
            "df": None if isinstance(way, Missing) else decimal(way.df, places=1),
            "p_ratio_at_least": _number(read.p_at_least, places=_P),
        }
    )


def _interval(found: RatioInterval) -> dict[str, Json]:
    said: dict[str, Json] = {"shape": found.shape.value}
    if found.shape not in {Shape.AT_MOST, Shape.EVERY}:
        said["low"] = decimal(found.low, places=_RATIO)
    if found.shape not in {Shape.AT_LEAST, Shape.EVERY}:
        said["high"] = decimal(found.high, places=_RATIO)
    return said


def _bounds(worst: float | Missing, best: float | Missing) -> dict[str, Json]:
    if isinstance(worst, Missing) or isinstance(best, Missing):
        return {}
    return {"bounds": [decimal(worst, places=_RATIO), decimal(best, places=_RATIO)]}


def _required(comparison: Comparison) -> str:
    ratio = comparison.question.terms.ratio
    written = Decimal(ratio.numerator) / Decimal(ratio.denominator)
    return format(written.normalize(), "f")


def _number(number: float | Missing, *, places: int) -> str | None:
    return None if isinstance(number, Missing) else decimal(number, places=places)


def _count(number: int | Missing) -> int | None:
    return None if isinstance(number, Missing) else number


def _plain(number: float) -> str:
    return format(Decimal(repr(number)).normalize(), "f")


def _fact(value: str | float) -> Json:
    return value if isinstance(value, str | int) else decimal(value, places=_MARGIN)


def _present(said: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in said.items() if value is not None}
