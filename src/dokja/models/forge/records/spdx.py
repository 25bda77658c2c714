"""A build record as an SPDX 3.0.1 document with the AI and Dataset profiles, in JSON-LD.

It is written from the record alone. Every component with weights is an `ai_AIPackage`, every
source of data a `dataset_DatasetPackage`; training data, ancestors and licences are relationships.
What a record does not know is `noAssertion`. See spdx.github.io/spdx-spec/v3.0.1.
"""

import re
from collections.abc import Iterator
from typing import Any

from dokja.models.forge.forms import moment_text
from dokja.models.forge.records.bom import is_spdx_expression
from dokja.models.forge.records.facts import Component, DataSource, Leaf
from dokja.models.forge.records.record import BuildRecord
from dokja.models.forge.records.teachers import Taught, taught_by
from dokja.values import Digest, canonical_bytes

__all__ = ["spdx_document"]

_CREATION = "_:creation"
_UNKNOWN_LICENCE = "expandedlicensing_NoAssertionLicense"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def spdx_document(record: BuildRecord) -> dict[str, Any]:
    """Return the SPDX document of a record.

    Args:
        record: All that is said comes from here; times are the run's own.
    """
    return {
        "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
        "@graph": list(_Graph(record).elements()),
    }


class _Graph:
    """Writes the elements of one document, which all begin with the record's digest."""

    def __init__(self, record: BuildRecord) -> None:
        self._record = record
        self._base = f"urn:dokja:spdx:{record.digest.hex}"
        self._created = f"{moment_text(record.span.finished)[:19]}Z"
        self._relations = 0
        self._licences: dict[str, str] = {}

    def elements(self) -> Iterator[dict[str, Any]]:
        record = self._record
        yield {
            "type": "CreationInfo",
            "@id": _CREATION,
            "specVersion": "3.0.1",
            "created": self._created,
            "createdBy": [self._id("builder")],
        }
        yield self._element("Organization", "builder", name=record.builder.name)
        packages = [self._id(f"component:{one.id}") for one in record.components]
        profiles = ["core", "software", "simpleLicensing", "ai", "dataset"]
        yield self._element(
            "SpdxDocument",
            "document",
            name=f"{record.name} ({record.size})",
            profileConformance=profiles,
            rootElement=[self._id("bom")],
        )
        yield self._element(
            "software_Sbom",
            "bom",
            name=f"{record.name} ({record.size})",
            profileConformance=profiles,
            rootElement=packages,
            software_sbomType=["build"],
        )
        for component in record.components:
            yield from self._component(component)
        for source in record.data:
            yield from self._source(source)
        yield from self._licence_elements()

    def _component(self, component: Component) -> Iterator[dict[str, Any]]:
        record, name = self._record, f"component:{component.id}"
        common: dict[str, Any] = {
            "name": component.id,
            "description": component.role,
            "suppliedBy": self._id("builder"),
            "releaseTime": self._created,
            "software_packageVersion": f"{record.size}-{component.files.short}",
            "software_downloadLocation": f"urn:dokja:files:{component.files.hex}",
            "verifiedUsing": [_hash(component.files)],
        }
        if component.root is None:
            yield self._element("software_Package", name, **common, software_primaryPurpose="data")
        else:
            yield self._element(
                "ai_AIPackage",
                name,
                **common,
                software_primaryPurpose="model",
                **_model_facts(component, record),
            )
        for number, leaf in enumerate(component.leaves):
            yield from self._ancestor(leaf, component=name, name=f"leaf:{component.id}:{number}")
        if record.data and any(said.component == component.id for said in record.metrics):
            sources = [self._id(f"data:{source.name}") for source in record.data]
            yield self._relation("trainedOn", name, to=sources)
        teachers = [one for one in taught_by(record) if one.component == component.id]
        for number, taught in enumerate(teachers):
            yield from self._teacher(
                taught, component=name, name=f"teacher:{component.id}:{number}"
            )
        yield from self._licensed(name, component.licence)

    def _ancestor(self, leaf: Leaf, *, component: str, name: str) -> Iterator[dict[str, Any]]:
        found: dict[str, Any] = {"name": leaf.name, "software_primaryPurpose": "model"}
        if leaf.root is not None:
            found["comment"] = leaf.root
        yield self._element("software_Package", name, **found)
        yield self._relation("descendantOf", component, to=[self._id(name)])
        yield from self._licensed(name, leaf.licence)

    def _teacher(self, taught: Taught, *, component: str, name: str) -> Iterator[dict[str, Any]]:
        found: dict[str, Any] = {"name": taught.name, "software_primaryPurpose": "model"}
        if taught.root is not None:
            found["comment"] = taught.root
        yield self._element("software_Package", name, **found)
        yield self._relation("trainedOn", component, to=[self._id(name)])
        yield from self._licensed(name, taught.licence)

    def _source(self, source: DataSource) -> Iterator[dict[str, Any]]:
        name = f"data:{source.name}"
        yield self._element("Organization", f"origin:{source.name}", name=source.origin)
        days = _DAY.findall(source.collected)
        day = f"{days[-1]}T00:00:00Z" if days else None
        found: dict[str, Any] = {
            "name": source.name,
            "originatedBy": [self._id(f"origin:{source.name}")],
            **({} if day is None else {"builtTime": day, "releaseTime": day}),
            "software_primaryPurpose": "data",
            "software_downloadLocation": f"urn:dokja:manifest:{source.manifest.hex}",
            "verifiedUsing": [_hash(source.manifest)],
            "dataset_datasetType": ["text"],
            "dataset_datasetSize": source.bytes,
            "dataset_dataCollectionProcess": f"{source.origin} ({source.collected})",
            "dataset_hasSensitivePersonalInformation": "noAssertion",
            "comment": f"personal data: {source.personal_data}",
        }
        if source.filters:
            found["dataset_dataPreprocessing"] = list(source.filters)
        yield self._element("dataset_DatasetPackage", name, **found)
        yield from self._licensed(name, source.licence)

    def _licensed(self, name: str, licence: str | None) -> Iterator[dict[str, Any]]:
        target = _UNKNOWN_LICENCE
        if licence is not None:
            target = self._licences.setdefault(licence, self._id(f"licence:{len(self._licences)}"))
        yield self._relation("hasDeclaredLicense", name, to=[target])
        yield self._relation("hasConcludedLicense", name, to=[_UNKNOWN_LICENCE])

    def _licence_elements(self) -> Iterator[dict[str, Any]]:
        for licence, name in self._licences.items():
            place = name.removeprefix(f"{self._base}#")
            if is_spdx_expression(licence):
                sort, key = "simplelicensing_LicenseExpression", "simplelicensing_licenseExpression"
            else:
                sort, key = "simplelicensing_SimpleLicensingText", "simplelicensing_licenseText"
            yield self._element(sort, place, **{key: licence})

    def _element(self, sort: str, place: str, /, **said: Any) -> dict[str, Any]:
        return {"type": sort, "spdxId": self._id(place), "creationInfo": _CREATION, **said}

    def _relation(self, sort: str, name: str, *, to: list[str]) -> dict[str, Any]:
        self._relations += 1
        return {
            "type": "Relationship",
            "spdxId": self._id(f"relation:{self._relations}"),
            "creationInfo": _CREATION,
            "relationshipType": sort,
            "from": self._id(name),
            "to": to,
        }

    def _id(self, name: str) -> str:
        return f"{self._base}#{name}"


def _model_facts(component: Component, record: BuildRecord) -> dict[str, Any]:
    entries = {"tensor-root": component.root}
    if component.parameters is not None:
        entries["parameters"] = str(component.parameters)
    for key, value in sorted((component.structure or {}).items()):
        entries[str(key)] = value if isinstance(value, str) else canonical_bytes(value).decode()
    steps = " → ".join(str(step.get("do", "?")) for step in component.steps) or "unchanged"
    found: dict[str, Any] = {
        "ai_typeOfModel": [str((component.structure or {}).get("family", component.role))],
        "ai_hyperparameter": [_entry(key, value) for key, value in entries.items()],
        "ai_informationAboutTraining": f"{steps}; record {record.digest}",
        "ai_useSensitivePersonalInformation": "noAssertion",
    }
    told = [said for said in record.metrics if said.component == component.id]
    if told:
        found["ai_metric"] = [_entry("training loss of the last step, nats", repr(told[-1].loss))]
    if record.compute.energy_kwh is not None:
        spent = {
            "type": "ai_EnergyConsumptionDescription",
            "ai_energyQuantity": repr(record.compute.energy_kwh),
            "ai_energyUnit": "kilowattHour",
        }
        found["ai_energyConsumption"] = {
            "type": "ai_EnergyConsumption",
            "ai_trainingEnergyConsumption": [spent],
        }
    return found


def _entry(key: str, value: str | None) -> dict[str, Any]:
    return {"type": "DictionaryEntry", "key": key, "value": value}


def _hash(digest: Digest) -> dict[str, str]:
    return {"type": "Hash", "algorithm": "sha256", "hashValue": digest.hex}
