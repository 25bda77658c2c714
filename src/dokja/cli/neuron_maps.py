"""Neuron maps as files: one table for each component that has one, beside each reference."""

import csv
import io
import re
from pathlib import Path

from dokja.errors import InputError, Mistake
from dokja.evidence.lineage import NeuronMap, Tracing

__all__ = ["write_neuron_maps"]

_PLAIN = re.compile(r"[^\w.-]+")
_HEADER = ("layer", "block", "neuron", "reference_layer", "reference_block", "reference_neuron")


def write_neuron_maps(tracing: Tracing, folder: Path) -> list[Path]:
    """Write every neuron map of a run into a folder, which is made where there is none.

    Returns:
        The files, `COMPONENT.REFERENCE-NUMBER.csv`, in the order of the findings.

    Raises:
        InputError: A file cannot be written.
    """
    written = []
    for number, finding in tracing.findings:
        if not finding.neuron_map:
            continue
        name = _PLAIN.sub("-", finding.component).strip(".-") or "component"
        path = folder / f"{name}.{number}.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(_table(finding.neuron_map), encoding="utf-8", newline="")
        except OSError as error:
            wrong = Mistake(
                file=str(path),
                place="",
                read=error.strerror or "an error",
                expected="a file that can be written",
                remedy="Free space or give another folder with --maps.",
            )
            raise InputError([wrong], changed="Maps before it were written.") from error
        written.append(path)
    return written


def _table(maps: tuple[NeuronMap, ...]) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_HEADER)
    for one in maps:
        places = (one.reference, one.reference_block)
        rows.writerows((one.suspect, one.block, ours, *places, other) for ours, other in one.pairs)
    return out.getvalue()
