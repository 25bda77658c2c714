"""What a finding's evidence map shows: its columns, its rows, and how dark each field is."""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.evidence.lineage import BranchSummary, ComponentFinding, OtherFacts
from dokja.public.reports import figures
from dokja.public.reports.pictures import Axis, Mark

__all__ = [
    "EvidenceMap",
    "Field",
    "PairMap",
    "evidence_map",
    "likeness_axis",
    "marks",
    "pair_map",
    "setting_rows",
]

_SHADES = 8
_FAINTEST = 0.05
_SIDE = 480


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the map: what is written in it, and its shade from 0 to 8."""

    written: str
    shade: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceMap:
    """Layers of the model by roles and branches.

    Attributes:
        roles: Names of matrices, whose fields are centred correlations.
        branches: Branches that ran, whose fields are shares of agreeing neurons.
        rows: For each layer: its number, the layer it is laid beside, and its fields; none
            where nothing could be compared.
    """

    roles: tuple[str, ...]
    branches: tuple[str, ...]
    rows: tuple[tuple[int, int | None, tuple[Field | None, ...]], ...]


def evidence_map(finding: ComponentFinding) -> EvidenceMap:
    """Return the map of a finding; without rows where nothing could be laid side by side."""
    roles = tuple(dict.fromkeys(role for one in finding.layers for role, _ in one.roles))
    ran = [one for one in finding.branches if one.share is not None]
    beside = {one.suspect: one for one in finding.layers}
    shares = [{ours: share for ours, _, share in one.shares} for one in ran]
    nearest = dict(finding.layer_map or ())
    layers = sorted({*beside, *(layer for one in shares for layer in one)})
    rows = []
    for layer in layers:
        reading = beside.get(layer)
        values = {} if reading is None else dict(reading.roles)
        fields = [values.get(role) for role in roles]
        fields += [one.get(layer) for one in shares]
        other = reading.reference if reading is not None else nearest.get(layer)
        rows.append((layer, other, tuple(_field(value) for value in fields)))
    return EvidenceMap(roles=roles, branches=tuple(one.branch for one in ran), rows=tuple(rows))


def _field(value: float | None) -> Field | None:
    if value is None:
        return None
    shade = 0 if abs(value) < _FAINTEST else min(_SHADES, 1 + int(abs(value) * _SHADES))
    return Field(written=figures.plain(value, 2), shade=shade)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairField:
    """One pair of layers in the picture of all pairs, in pixels."""

    x: float
    y: float
    opacity: float
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PairMap:
    """The picture of all layer pairs.

    Attributes:
        rows: Layers of the model.
        columns: Layers of the reference.
        step: Side of a field in pixels.
        fields: Those that are drawn: alike, or chosen.
    """

    rows: int
    columns: int
    step: float
    fields: tuple[PairField, ...]


def pair_map(finding: ComponentFinding) -> PairMap | None:
    """Return the picture of every layer with every layer; none where there is only one pair."""
    pairs = _pairs(finding)
    if len(pairs) < 2 or len(pairs[0]) < 2:  # noqa: PLR2004  # one row shows no place
        return None
    chosen = set(finding.layer_map or ())
    step = min(24.0, _SIDE / max(len(pairs), len(pairs[0])))
    fields = tuple(
        PairField(
            x=round(j * step, 2),
            y=round(i * step, 2),
            opacity=round(min(1.0, abs(value or 0.0)), 2),
            chosen=(i, j) in chosen,
        )
        for i, row in enumerate(pairs)
        for j, value in enumerate(row)
        if (i, j) in chosen or abs(value or 0.0) >= _FAINTEST
    )
    return PairMap(rows=len(pairs), columns=len(pairs[0]), step=step, fields=fields)


def _pairs(finding: ComponentFinding) -> Sequence[Sequence[float | None]]:
    """Return the table that the finding rests on: correlations, or shares of a branch."""
    if finding.measure == "agreement" or not finding.pairs:
        ran: list[BranchSummary] = [one for one in finding.branches if one.pairs]
        best = max(ran, key=lambda one: (one.found, one.share or 0.0), default=None)
        if best is not None:
            return best.pairs
    return finding.pairs


def likeness_axis(finding: ComponentFinding) -> Axis:
    """Return the axis on which effect, controls and power stand: from 0, or below, to 1."""
    numbers = [control.value for control in finding.controls]
    if finding.effect is not None:
        numbers += [finding.effect.low]
    low = min([0.0, *numbers])
    if low > -_FAINTEST:
        return Axis(low=0.0, high=1.0, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))
    return Axis(low=max(-1.0, low), high=1.0, ticks=(0.0, 0.5, 1.0))


def marks(finding: ComponentFinding, axis: Axis) -> tuple[Mark, ...]:
    """Return the marks beside the effect: controls, and what could have been seen."""
    found = [
        Mark(sort=one.kind, name=one.name, value=one.value, x=axis.at(one.value))
        for one in finding.controls
    ]
    if finding.minimum_detectable is not None:
        smallest = finding.minimum_detectable
        found.append(Mark(sort="detectable", name="", value=smallest, x=axis.at(smallest)))
    return tuple(found)


def setting_rows(facts: OtherFacts) -> tuple[tuple[str, str | None, str | None], ...]:
    """Return settings that differ: key, the model's value, the reference's."""
    return tuple((one.key, one.suspect, one.reference) for one in facts.other_settings)
