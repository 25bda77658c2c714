"""The bill of materials of a build record, as CycloneDX 1.7 JSON.

It is written from the record alone, so that whoever has the record can write it again and finds
the same bytes. Leaves are `pedigree.ancestors`, training data are components of type `data` that
the model card refers to, teachers are models that a component depends on and no ancestors, the
run is a workflow of `formulation`, and tensor roots are properties, since CycloneDX has a closed
list of hash algorithms. See cyclonedx.org/docs/1.7/json.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from dokja.models.forge.forms import moment_text
from dokja.models.forge.records.facts import Component, DataSource, Leaf, LeafKind
from dokja.models.forge.records.record import BuildRecord
from dokja.models.forge.records.teachers import Taught, taught_by
from dokja.values import Digest, canonical_bytes

__all__ = ["bill_of_materials", "is_spdx_expression", "written"]

_EXPRESSION = re.compile(r"\(*[A-Za-z0-9.+-]+\)*(?: (?:AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*")

_LEAVES = {
    LeafKind.SCRATCH: "weights drawn from a seed",
    LeafKind.OPEN: "open weights of others",
    LeafKind.CLOSED: "weights held closed by others",
    LeafKind.REMOTE: "a model behind an interface",
}


def is_spdx_expression(licence: str) -> bool:
    """Tell whether a licence is written as an SPDX expression, rather than as a name or digest.

    Example:
        >>> is_spdx_expression("Apache-2.0 OR MIT"), is_spdx_expression("A Model Licence")
        (True, False)
    """
    return _EXPRESSION.fullmatch(licence) is not None


def written(said: Mapping[str, Any]) -> bytes:
    """Return a generated document as bytes, for people to read too; equal values, equal bytes."""
    return (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode()


def bill_of_materials(record: BuildRecord) -> dict[str, Any]:
    """Return the bill of materials of a record.

    Args:
        record: All that is said comes from here; times are the run's own.
    """
    models = [_model(component, record) for component in record.components]
    data = [_data(source) for source in record.data]
    finished = moment_text(record.span.finished)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{UUID(bytes=record.digest.raw[:16], version=5)}",
        "version": 1,
        "metadata": {
            "timestamp": finished,
            "lifecycles": [{"phase": "post-build"}],
            "tools": {"components": [{"type": "application", "name": "dokja"}]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": "model",
                "name": record.name,
                "version": record.size,
                "properties": [
                    _property("record", str(record.digest)),
                    _property("claim-table", record.claim_table),
                ],
            },
            "manufacturer": {"name": record.builder.name},
        },
        "components": [*models, *data, *map(_teacher, taught_by(record))],
        "dependencies": [
            {"ref": "model", "dependsOn": [model["bom-ref"] for model in models]},
            *(
                {"ref": model["bom-ref"], "dependsOn": _needs(component, record)}
                for model, component in zip(models, record.components, strict=True)
            ),
        ],
        "formulation": [_formula(record)],
    }


def _model(component: Component, record: BuildRecord) -> dict[str, Any]:
    weighted = component.root is not None
    found: dict[str, Any] = {
        "type": "machine-learning-model" if weighted else "data",
        "bom-ref": f"component:{component.id}",
        "name": component.id,
        "version": record.size,
        "description": component.role,
        "hashes": [_hash(component.files)],
    }
    if component.licence is not None:
        found["licenses"] = [_licence(component.licence)]
    found["pedigree"] = {
        "ancestors": [
            _ancestor(leaf, ref=f"leaf:{component.id}:{number}")
            for number, leaf in enumerate(component.leaves)
        ],
        "notes": " → ".join(str(step.get("do", "?")) for step in component.steps) or "unchanged",
    }
    if weighted:
        found["modelCard"] = _card(component, record)
    else:
        found["data"] = [{"type": "definition", "name": component.role}]
    found["properties"] = list(_component_properties(component))
    return found


def _component_properties(component: Component) -> Iterator[dict[str, str]]:
    yield _property("role", component.role)
    yield _property("file-manifest", str(component.files))
    yield _property("bytes", str(component.size))
    if component.root is not None:
        yield _property("tensor-root", component.root)
    if component.parameters is not None:
        yield _property("parameters", str(component.parameters))
    if component.share is not None:
        yield _property("parameter-share", repr(component.share))
    if component.signature is not None:
        yield _property("block-signature", canonical_bytes(dict(component.signature)).decode())


def _ancestor(leaf: Leaf, *, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": leaf.name,
        "description": _LEAVES[leaf.kind],
    }
    if leaf.licence is not None:
        found["licenses"] = [_licence(leaf.licence)]
    said = {"leaf": leaf.kind.value, "tensor-root": leaf.root, "record": leaf.record}
    found["properties"] = [_property(key, value) for key, value in said.items() if value]
    return found


def _card(component: Component, record: BuildRecord) -> dict[str, Any]:
    parameters: dict[str, Any] = {"approach": {"type": "self-supervised"}, "task": component.role}
    if component.structure is not None:
        parameters["architectureFamily"] = str(component.structure.get("family", "unknown"))
        parameters["modelArchitecture"] = canonical_bytes(dict(component.structure)).decode()
    told = [said for said in record.metrics if said.component == component.id]
    if told and record.data:
        parameters["datasets"] = [{"ref": _data_ref(source)} for source in record.data]
    card: dict[str, Any] = {"modelParameters": parameters}
    if told:
        loss = {
            "type": "training loss of the last step, nats per token",
            "value": repr(told[-1].loss),
        }
        card["quantitativeAnalysis"] = {"performanceMetrics": [loss]}
    return card


def _data(source: DataSource) -> dict[str, Any]:
    said = {
        "mixture": source.mixture,
        "weight": repr(source.weight),
        "max-repeats": repr(source.max_repeats),
        "documents": str(source.documents),
        "tokens": str(source.tokens),
        "bytes": str(source.bytes),
        "languages": " ".join(source.languages),
        "collected": source.collected,
        "filters": "; ".join(source.filters),
    }
    return {
        "type": "data",
        "bom-ref": _data_ref(source),
        "name": source.name,
        "hashes": [_hash(source.manifest)],
        "licenses": [_licence(source.licence)],
        "data": [
            {
                "type": "dataset",
                "name": source.name,
                "description": source.origin,
                "sensitiveData": [source.personal_data],
            }
        ],
        "properties": [_property(key, value) for key, value in said.items() if value],
    }


def _teacher(taught: Taught) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": _teacher_ref(taught),
        "name": taught.name,
        "description": "a teacher whose probabilities were followed; its weights are not in it",
    }
    if taught.licence is not None:
        found["licenses"] = [_licence(taught.licence)]
    said = {
        "tensor-root": taught.root,
        "share-of-loss": None if taught.share is None else repr(taught.share),
        "temperature": None if taught.temperature is None else repr(taught.temperature),
    }
    found["properties"] = [_property(key, value) for key, value in said.items() if value]
    return found


def _formula(record: BuildRecord) -> dict[str, Any]:
    ids = {component.id for component in record.components}
    tasks = [
        {
            "bom-ref": f"task:{number}",
            "uid": f"{record.plan}:{number}",
            "name": f"{stage.do} of {stage.component}",
            "taskTypes": ["build"],
            "properties": [
                _property("before", stage.before),
                *([] if stage.after is None else [_property("after", stage.after)]),
                _property("terms", canonical_bytes(dict(stage.terms)).decode()),
            ],
        }
        for number, stage in enumerate(record.stages)
    ]
    workflow: dict[str, Any] = {
        "bom-ref": "run",
        "uid": str(record.plan),
        "name": f"build of {record.name} ({record.size})",
        "taskTypes": ["build"],
        "timeStart": moment_text(record.span.started),
        "timeEnd": moment_text(record.span.finished),
        "inputs": [{"resource": {"ref": _data_ref(source)}} for source in record.data],
        "outputs": [
            {"type": "artifact", "resource": {"ref": f"component:{name}"}} for name in sorted(ids)
        ],
        "properties": list(_run_properties(record)),
    }
    if tasks:
        workflow["tasks"] = tasks
    return {"bom-ref": "formula", "workflows": [workflow]}


def _run_properties(record: BuildRecord) -> Iterator[dict[str, str]]:
    yield _property("recipe", str(record.recipe))
    yield _property("plan", str(record.plan))
    yield _property("code", record.code.commit)
    if record.code.difference is not None:
        yield _property("code-difference", str(record.code.difference))
    yield _property("seed-commitment", str(record.seed.commitment))
    yield _property("chain-head", str(record.chain.head))
    yield _property("signer", record.builder.key)
    yield from (
        _property(f"device-hours:{device}", repr(hours))
        for device, hours in sorted(record.compute.device_hours.items())
    )
    if record.compute.flop is not None:
        yield _property("flop", repr(record.compute.flop))
    if record.compute.energy_kwh is not None:
        yield _property("energy-kwh", repr(record.compute.energy_kwh))


def _needs(component: Component, record: BuildRecord) -> list[str]:
    trained = any(said.component == component.id for said in record.metrics)
    data = [_data_ref(source) for source in record.data] if trained else []
    teachers = [one for one in taught_by(record) if one.component == component.id]
    return [*data, *map(_teacher_ref, teachers)]


def _data_ref(source: DataSource) -> str:
    return f"data:{source.name}"


def _teacher_ref(taught: Taught) -> str:
    said = canonical_bytes(asdict(taught))
    return f"teacher:{taught.component}:{Digest.of(said).short}"


def _licence(licence: str) -> dict[str, Any]:
    if is_spdx_expression(licence):
        return {"expression": licence}
    return {"license": {"name": licence}}


def _hash(digest: Digest) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest.hex}


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"dokja:{name}", "value": value}
