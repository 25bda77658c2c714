"""What known pairs say a reading means: classes that are left open, and a likelihood ratio.

A calibration is data (`data/calibration-*.json`), fitted on the zoo's calibration side by
`benchmarks/lineage/calibrate.py` and never on what it is tested on. It says how well a reading
fits each class: independent, shared initialisation, derived.

- *Likelihood ratio*: odds of derived against independent by a regularised multinomial logistic
  model, over the odds it was fitted with. It is capped at the number of independent pairs of
  roots behind it, since no number of pairs supports more.
- *Set*: where the plan's rule found a relation, every class whose conformal p-value is above the
  level: a shared start, or training, or both. One score for each root, its worst pair's, so that
  many derivatives of one root count once (split conformal by root). With R roots the smallest
  honest level is 1 / (R + 1). Where nothing was found there is no set: a derivation that was
  buried deep enough looks like a stranger, and no number of toys rules it out.

Outside its range (width, depth, kind of feed-forward block) a calibration says nothing: the
likelihood ratio is missing, and relations stay as wide as they were.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dokja.errors import InputError, Mistake
from dokja.values import Digest, canonical_bytes, parse_json

__all__ = [
    "CLASSES",
    "Calibrated",
    "Calibration",
    "Features",
    "default_calibration",
    "read_calibration",
]

CLASSES = ("independent", "shared_initialisation", "derived")
"""Every class, in the order in which calibrations hold their figures."""

_MOST_BYTES = 50_000_000
_SHIPPED = "calibration-2026-11-26.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """A reading in numbers without dimension; what could not be read is none.

    Attributes:
        agreement: The largest share of any branch, in the median of interior layers.
        correlation: Mean correlation in the same coordinates.
        gains: Centred correlation of normalisation gains.
    """

    agreement: float | None
    correlation: float | None
    gains: float | None

    def values(self, names: Sequence[str]) -> list[float] | None:
        """Return these features in order; none where one of them is missing."""
        found = [getattr(self, name) for name in names]
        return None if any(value is None for value in found) else [float(v) for v in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What a calibration says of one reading.

    Attributes:
        calibration: Its id.
        digest: Of its data.
        inside: Whether the component lies in its range.
        classes: Classes that are left open of a relation that was found; empty where the reading
            is unlike all of them, or where nothing is said.
        level: Of the set: the largest of its classes' levels; none where there is no set.
        log10_ratio: log₁₀ of derived against independent; none outside the range.
        capped_by: How many independent pairs of roots stand behind it.
        missing: Why nothing is said; empty where something is.
    """

    calibration: str
    digest: Digest
    inside: bool
    classes: tuple[str, ...] = ()
    level: float | None = None
    log10_ratio: float | None = None
    capped_by: int = 0
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """A logistic model over some features, with what conformal sets need.

    Attributes:
        over: `all` pairs, for ratios, or those in which a relation was `found`, for sets.
        features: Their names.
        centre: Mean of each.
        scale: Spread of each.
        weights: For each class the intercept, then a weight for each feature.
        log_odds: ln of derived against independent in what it was fitted on.
        scores: For each class, each root's worst 1 − p, rising.
    """

    over: str
    features: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    log_odds: float
    scores: tuple[tuple[float, ...], ...]

    def shares(self, values: Sequence[float]) -> list[float]:
        """Return each class's probability in what it was fitted on."""
        held = [
            (value - centre) / scale
            for value, centre, scale in zip(values, self.centre, self.scale, strict=True)
        ]
        logs = [
            weights[0] + math.fsum(w * value for w, value in zip(weights[1:], held, strict=True))
            for weights in self.weights
        ]
        top = max(logs)
        raised = [math.exp(one - top) for one in logs]
        total = math.fsum(raised)
        return [one / total for one in raised]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibration, as it is shipped.

    Attributes:
        id: Its name, a date.
        digest: SHA-256 of its canonical JSON.
        made_from: What it was fitted on: zoos by tier, each with its manifest's digest.
        widths: Smallest and largest width of a residual stream that it covers.
        depths: Likewise, layers.
        gated: Which kinds of feed-forward block: with gates, without.
        root_pairs: Independent pairs of roots behind it.
        levels: Of the sets, class by class: how often a class may be left out though it is true.
        models: Logistic models, the one with most features first.
    """

    id: str
    digest: Digest
    made_from: Mapping[str, str]
    widths: tuple[int, int]
    depths: tuple[int, int]
    gated: tuple[bool, ...]
    root_pairs: int
    levels: tuple[float, ...]
    models: tuple[_Model, ...]

    def says(
        self, features: Features, *, width: int, depth: int, gated: bool, found: bool
    ) -> Calibrated:
        """Return what a reading means.

        Args:
            features: The reading.
            width: Of the component's residual stream.
            depth: How many layers it has.
            gated: Whether its feed-forward blocks are gated.
            found: Whether the plan's rule found a relation.
        """
        outside = [
            f"{name} {value} is outside {low} to {high}"
            for name, value, (low, high) in (
                ("width", width, self.widths),
                ("depth", depth, self.depths),
            )
            if not low <= value <= high
        ]
        if gated not in self.gated:
            outside.append("no such feed-forward block was calibrated")
        ratio = self._first("all", features)
        if outside or ratio is None:
            return Calibrated(
                calibration=self.id,
                digest=self.digest,
                inside=not outside,
                missing="; ".join(outside) or "nothing could be read that it knows",
            )
        by = self._first("found", features) if found else None
        return Calibrated(
            calibration=self.id,
            digest=self.digest,
            inside=True,
            classes=() if by is None else self._left_open(*by),
            level=None if by is None else max(self.levels),
            log10_ratio=self._ratio(*ratio),
            capped_by=self.root_pairs,
        )

    def _first(self, over: str, features: Features) -> tuple[_Model, list[float]] | None:
        """Return the model with most features of which none is missing."""
        for model in self.models:
            values = features.values(model.features)
            if model.over == over and values is not None:
                return model, values
        return None

    def _left_open(self, model: _Model, values: Sequence[float]) -> tuple[str, ...]:
        held = zip(CLASSES, model.shares(values), model.scores, self.levels, strict=True)
        return tuple(
            name
            for name, share, scores, level in held
            if scores and _conformal(1 - share, scores) > level
        )

    def _ratio(self, model: _Model, values: Sequence[float]) -> float:
        independent, _, derived = model.shares(values)
        tiny = 1e-300
        odds = math.log(max(derived, tiny)) - math.log(max(independent, tiny)) - model.log_odds
        cap = math.log10(max(self.root_pairs, 1))
        return max(-cap, min(cap, odds / math.log(10)))

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Calibration":
        """Return the calibration that a file states.

        Raises:
            KeyError: A key is missing.
            ValueError: A value makes no sense.
        """
        if said["schema"] != "dokja.lineage-calibration/1" or tuple(said["classes"]) != CLASSES:
            raise ValueError("another schema, or other classes")
        return cls(
            id=str(said["id"]),
            digest=Digest.of(canonical_bytes(dict(said))),
            made_from=dict(said["made_from"]),
            widths=(int(said["widths"][0]), int(said["widths"][1])),
            depths=(int(said["depths"][0]), int(said["depths"][1])),
            gated=tuple(bool(one) for one in said["gated"]),
            root_pairs=int(said["root_pairs"]),
            levels=tuple(map(float, said["levels"])),
            models=tuple(
                _Model(
                    over=str(model["over"]),
                    features=tuple(model["features"]),
                    centre=tuple(map(float, model["centre"])),
                    scale=tuple(map(float, model["scale"])),
                    weights=tuple(tuple(map(float, row)) for row in model["weights"]),
                    log_odds=float(model["log_odds"]),
                    scores=tuple(tuple(map(float, row)) for row in model["scores"]),
                )
                for model in said["models"]
            ),
        )


def _conformal(score: float, known: Sequence[float]) -> float:
    """Return the share of roots, this one among them, whose score is as large."""
    return (1 + sum(one >= score for one in known)) / (len(known) + 1)


def default_calibration() -> Calibration:
    """Return the calibration that this release ships."""
    folder = resources.files("dokja.evidence.lineage") / "data"
    return Calibration.from_json(json.loads((folder / _SHIPPED).read_text(encoding="utf-8")))


def read_calibration(path: Path) -> Calibration:
    """Return a calibration from a file, such as `benchmarks/lineage/calibrate.py` writes.

    Raises:
        InputError: It cannot be read, or states no calibration.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES)  # what is cut off there is no whole JSON
        return Calibration.from_json(parse_json(raw))
    except OSError as error:
        read = error.strerror or "an error"
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        read = f"something else ({type(error).__name__}: {str(error)[:100]})"
    wrong = Mistake(
        file=str(path), place="", read=read, expected="a calibration, dokja.lineage-calibration/1"
    )
    raise InputError([wrong], changed="Nothing was compared and nothing was written.")
