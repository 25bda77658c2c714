"""The build record of a sealed run, signed, and the papers that follow from it alone.

| file | what |
|---|---|
| `record.json` | in-toto statement in a DSSE envelope, signed by the builder |
| `bom.json` | CycloneDX 1.7 ML-BOM |
| `card.en.md`, `card.ko.md` | model card |
| `spdx.json` | SPDX 3.0.1, AI profile |
| `training-content.json` | fields of the EU's summary of training content |
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dokja.documents.packing import open_corpus
from dokja.models.forge.manifests import file_manifest
from dokja.models.forge.plans import Plan, PlannedComponent
from dokja.models.forge.records import BuildRecord, Chain, attest
from dokja.models.forge.records.bom import bill_of_materials, written
from dokja.models.forge.records.cards import model_card
from dokja.models.forge.records.facts import Component, DataSource, Leaf, Tokenizer
from dokja.models.forge.records.making import PlanFacts, make_record
from dokja.models.forge.records.spdx import spdx_document
from dokja.models.forge.records.training_content import training_content
from dokja.models.forge.running.finishing import result_folder
from dokja.models.forge.running.places import RunPlaces, write_whole
from dokja.values import Digest
from dokja.values.keys import SigningKey

__all__ = ["papers", "plan_facts", "write_record"]


def write_record(
    plan: Plan, plan_folder: Path, places: RunPlaces, *, chain: Chain, signer: SigningKey
) -> BuildRecord:
    """Make the record of a sealed run, sign it, and write it with its papers.

    Args:
        plan: The plan.
        plan_folder: Where its data lie.
        places: The run's places.
        chain: The run's chain, sealed.
        signer: The builder's key.

    Raises:
        RecordError: The chain is not sealed, or what lies on the disk is not what was sealed.
    """
    record = make_record(chain, plan_facts(plan, plan_folder, places, chain=chain))
    for name, data in papers(record).items():
        write_whole(places.folder / name, data)
    write_whole(places.record, attest(record, signer))
    return record


def papers(record: BuildRecord) -> Mapping[str, bytes]:
    """Return the papers that follow from a record, by file name; the same bytes every time."""
    return {
        "bom.json": written(bill_of_materials(record)),
        "card.en.md": model_card(record, "en"),
        "card.ko.md": model_card(record, "ko"),
        "spdx.json": written(spdx_document(record)),
        "training-content.json": written(training_content(record)),
    }


def plan_facts(plan: Plan, plan_folder: Path, places: RunPlaces, *, chain: Chain) -> PlanFacts:
    """Return what a record takes from the plan, its manifests and the result's files."""
    seal = chain.seal
    roots = {} if seal is None else seal.roots
    tokenizer = None
    if plan.tokenizer is not None:
        corpus = plan.tokenizer.get("corpus")
        size = plan.tokenizer["size"]
        tokenizer = Tokenizer(
            digest=Digest.parse(str(plan.tokenizer["digest"])),
            vocabulary=size if isinstance(size, int) else 0,
            corpus=None if corpus is None else Digest.parse(str(corpus)),
        )
    return PlanFacts(
        name=plan.name,
        size=plan.size,
        claim_table=str(plan.claim["table"]),
        claim=plan.claim,
        components=tuple(
            _component(plan, places, component, root=roots.get(component.id))
            for component in plan.components
        ),
        data=tuple(_data(plan, plan_folder)),
        tokenizer=tokenizer,
        steps={one.id: _steps(one) for one in plan.components if _steps(one)},
    )


def _steps(component: PlannedComponent) -> int:
    counts = [stage.get("steps") for stage in component.stages if stage["kind"] == "train"]
    return sum(count for count in counts if isinstance(count, int))


def _component(
    plan: Plan, places: RunPlaces, component: PlannedComponent, *, root: str | None
) -> Component:
    files = file_manifest(result_folder(plan, places, component))
    structure = component.structure
    signature = None
    if structure is not None:
        signature = {key: str(value) for key, value in structure.signature().to_json().items()}
    leaves = [one.to_json() for one in component.descent.leaves]
    return Component(
        id=component.id,
        role=component.descent.role,
        parameters=component.parameters,
        share=None,
        leaves=tuple(Leaf.from_json(leaf) for leaf in leaves),
        steps=tuple(dict(stage) for stage in component.stages),
        licence=None,
        signature=signature,
        structure=None if structure is None else structure.to_json(),
        root=root,
        files=files.digest,
        size=files.bytes,
        facts={**component.facts, "descent": component.descent.to_json()},
    )


def _data(plan: Plan, plan_folder: Path) -> Iterator[DataSource]:
    for mixture, said in plan.data.items():
        sources: Any = said["sources"] if isinstance(said, Mapping) else []
        total = sum(float(source["weight"]) for source in sources)
        for source in sources:
            corpus = open_corpus(plan_folder / source["corpus"])
            facts = corpus.manifest.facts
            yield DataSource(
                name=f"{mixture}/{source['name']}",
                manifest=corpus.manifest.digest,
                mixture=mixture,
                weight=float(source["weight"]) / total,
                max_repeats=float(source["max_repeats"]),
                documents=corpus.manifest.documents,
                tokens=corpus.manifest.tokens,
                bytes=corpus.manifest.text_bytes,
                languages=(),
                licence=facts.licence,
                origin=facts.origin,
                collected=facts.collected,
                filters=facts.filters,
                personal_data=facts.personal_data,
            )
