"""What the room says of one pair, with everything that tables and calibration need."""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pairs import Case
from peers import PEERS

from dokja.evidence.lineage import ComponentFinding, trace
from dokja.evidence.lineage.calibrations import default_calibration
from dokja.evidence.lineage.plans import Plan
from dokja.models.forge.zoo import Zoo, write_model
from dokja.models.weights import Source, open_source

__all__ = ["measured"]

_CALIBRATION = default_calibration()


def measured(zoo: Zoo, case: Case, *, scratch: Path, peers: bool, thorough: bool) -> dict[str, Any]:
    """Return one line of results.

    Args:
        zoo: Where the models are.
        case: The pair.
        scratch: A folder in which models that are made again are kept.
        peers: Whether the peers are asked as well.
        thorough: Whether every branch runs, also after one found a relation.
    """
    suspect, reference = (_opened(zoo, name, scratch) for name in (case.suspect, case.reference))
    began = time.process_time()
    report = trace(
        suspect,
        reference,
        rng=np.random.default_rng(1),
        plan=Plan(thorough=thorough, calibration=_CALIBRATION),
    )
    seconds = time.process_time() - began
    line: dict[str, Any] = {
        "key": case.key,
        "suspect": case.suspect,
        "reference": case.reference,
        "family": case.family,
        "kind": case.kind,
        "disguise": case.disguise,
        "truth": case.truth.to_json(),
        "roots": [sorted(zoo.model(n).roots) for n in (case.suspect, case.reference)],
        "layer_map": zoo.model(case.suspect).label["layer_map"],
        "seconds": round(seconds, 4),
        "bytes": report.bytes_read,
        "components": {finding.component: _component(finding) for finding in report.findings},
    }
    if peers:
        line["peers"] = {name: _peer(name, suspect, reference) for name in PEERS}
    return line


def _opened(zoo: Zoo, name: str, scratch: Path) -> Source:
    folder = scratch / name
    if not folder.exists():
        # Another process may make the same model: each has its own folder, the first one stays.
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".making-") as making:
            made = Path(making) / name
            write_model(zoo, name, made)
            with contextlib.suppress(OSError):
                made.rename(folder)
    return open_source(folder)


def _peer(name: str, suspect: Source, reference: Source) -> dict[str, Any]:
    began = time.process_time()
    score = PEERS[name].score(suspect, reference)
    seconds = round(time.process_time() - began, 4)
    sign = 1.0 if score.higher_is_related else -1.0
    value = None if score.value is None else sign * score.value
    return {"value": value, "missing": score.missing, "seconds": seconds}


def _component(finding: ComponentFinding) -> dict[str, Any]:
    return {
        "relations": [relation.value for relation in finding.relations],
        "derivation": finding.derivation.value,
        "measure": finding.measure,
        "r": _screened(finding),
        "gain_r": None if finding.gains is None else finding.gains.value,
        "gain_se": None if finding.gains is None else finding.gains.standard_error,
        "minimum_detectable": finding.minimum_detectable,
        "likeness": finding.likeness,
        "layer_map": None if finding.layer_map is None else [list(p) for p in finding.layer_map],
        "undone": list(finding.re_expressed),
        "reasons": [reason.code for reason in finding.reasons],
        "branches": {
            one.branch: {
                "share": one.share,
                "null": one.null,
                "log10_p": one.log10_p,
                "basis": one.basis,
                "missing": one.missing,
                "found": one.found,
                "by_layer": [round(share, 4) for _, _, share in one.shares],
            }
            for one in finding.branches
        },
    }


def _screened(finding: ComponentFinding) -> float | None:
    """Return the mean correlation in the same coordinates; none where shapes differ."""
    if not finding.layers:
        return None
    return float(np.mean([layer.value for layer in finding.layers]))
