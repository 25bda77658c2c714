"""Documents that follow from a record: CycloneDX, SPDX, the EU summary, and model cards."""

import json
from dataclasses import replace

import pytest

from dokja.models.forge.records import LeafKind
from dokja.models.forge.records.bom import bill_of_materials, is_spdx_expression, written
from dokja.models.forge.records.cards import model_card
from dokja.models.forge.records.facts import Leaf
from dokja.models.forge.records.spdx import spdx_document
from dokja.models.forge.records.training_content import training_content
from dokja.values import Digest


@pytest.fixture(scope="module")
def record(finished_run):
    return finished_run.record


@pytest.fixture(scope="module")
def variants(record):
    """Records with more, less and other things in them."""
    body, tokenizer = record.components
    source = record.data[0]
    leaves = tuple(
        Leaf(kind=kind, name=f"{kind.value} <b>|x", licence="A Licence") for kind in LeafKind
    )
    bare = replace(
        record,
        components=(replace(tokenizer, leaves=()),),
        data=(),
        tokenizer=None,
        stages=(),
        metrics=(),
        checkpoints=(),
        interruptions=(),
        exports=(),
        chain=replace(record.chain, witnessed={}),
    )
    rich = replace(
        record,
        components=(
            replace(body, leaves=leaves, licence="Apache-2.0 OR MIT"),
            replace(body, id="encoder", structure=None, signature=None, licence="Own licence"),
            tokenizer,
        ),
        data=(source, replace(source, name="code", collected="", licence=f"{source.manifest}")),
        compute=replace(record.compute, energy_kwh=1.5, flop=None),
    )
    taught = replace(body, steps=({"do": "train", "teacher": TEACHER},))
    distilled = replace(record, components=(taught, tokenizer))
    return {"as-run": record, "bare": bare, "rich": rich, "distilled": distilled}


TEACHER = {
    "base": "big <b>|x",
    "licence": "A Licence",
    "root": "dokja-tensors-v1:" + "ab" * 32,
    "temperature": 2.0,
    "weight": 0.5,
}
VARIANTS = ["as-run", "bare", "rich", "distilled"]
DOCUMENTS = {
    "bom": lambda record: written(bill_of_materials(record)),
    "spdx": lambda record: written(spdx_document(record)),
    "training-content": lambda record: written(training_content(record)),
    "card-ko": lambda record: model_card(record, "ko"),
    "card-en": lambda record: model_card(record, "en"),
}
GOLDEN = {
    "bom": "1e5bae82d4b4",
    "spdx": "06172ea17ecd",
    "training-content": "7c40cc88ba70",
    "card-ko": "31b89d56d53d",
    "card-en": "e19c3656e265",
}


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
def test_documents_are_byte_equal_when_generated_again(finished_run, kind):
    first, second = finished_run.record, finished_run.record

    assert DOCUMENTS[kind](first) == DOCUMENTS[kind](second)
    assert Digest.of(DOCUMENTS[kind](first)).short == GOLDEN[kind]


@pytest.mark.parametrize("kind", sorted(DOCUMENTS))
@pytest.mark.parametrize("variant", VARIANTS)
def test_documents_can_be_written_of_every_record(variants, kind, variant):
    text = DOCUMENTS[kind](variants[variant]).decode()

    assert text.endswith("\n")
    assert "None" not in text


# CycloneDX


def by_ref(said):
    return {one["bom-ref"]: one for one in said["components"]}


def properties(one):
    return {item["name"]: item["value"] for item in one["properties"]}


def test_bill_names_leaves_as_ancestors_and_roots_as_properties(record):
    body = by_ref(bill_of_materials(record))["component:body"]

    assert [one["name"] for one in body["pedigree"]["ancestors"]] == ["zoo/base-09m"]
    assert body["pedigree"]["notes"] == "dus → train"
    assert properties(body)["dokja:tensor-root"] == record.component("body").root
    assert body["hashes"] == [{"alg": "SHA-256", "content": record.component("body").files.hex}]
    assert body["licenses"] == [{"expression": "Apache-2.0"}]


def test_bill_refers_to_training_data_as_data_components(record):
    found = by_ref(bill_of_materials(record))

    datasets = found["component:body"]["modelCard"]["modelParameters"]["datasets"]
    assert datasets == [{"ref": "data:ko-news"}]
    assert found["data:ko-news"]["type"] == "data"
    assert found["data:ko-news"]["licenses"] == [{"license": {"name": "KOGL Type 1"}}]
    assert properties(found["data:ko-news"])["dokja:tokens"] == "2000000"


def test_bill_tells_the_run_as_a_workflow(record):
    workflow = bill_of_materials(record)["formulation"][0]["workflows"][0]

    assert [task["name"] for task in workflow["tasks"]] == ["dus of body", "train of body"]
    assert workflow["inputs"] == [{"resource": {"ref": "data:ko-news"}}]
    assert properties(workflow)["dokja:plan"] == str(record.plan)
    assert "dokja:energy-kwh" not in properties(workflow)  # not measured is not zero


@pytest.mark.parametrize("variant", VARIANTS)
def test_references_of_a_bill_exist_and_are_unique(variants, variant):
    said = bill_of_materials(variants[variant])
    refs, named = [], set()

    def walk(value):
        if isinstance(value, dict):
            refs.extend([value["bom-ref"]] if "bom-ref" in value else [])
            named.update([value["ref"]] if "ref" in value else [])
            named.update(value.get("dependsOn", []))
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                walk(inner)

    walk(said)

    assert len(refs) == len(set(refs))
    assert named <= set(refs)


@pytest.mark.torch
@pytest.mark.parametrize("variant", VARIANTS)
def test_bill_is_valid_by_the_strict_validator(variants, variant):
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415  # only in this environment
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415  # likewise

    text = DOCUMENTS["bom"](variants[variant]).decode()

    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(text) is None


@pytest.mark.torch
def test_strict_validator_would_have_found_a_strange_key(record):
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415  # only in this environment
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415  # likewise

    said = bill_of_materials(record)
    said["components"][0]["grade"] = "T5"

    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(json.dumps(said)) is not None


@pytest.mark.parametrize(
    ("licence", "is_one"),
    [
        ("MIT", True),
        ("GPL-2.0-or-later WITH Bison-exception-2.2", True),
        ("(MIT OR Apache-2.0) AND CC-BY-4.0", True),
        ("KOGL Type 1", False),
        ("sha256:" + "0" * 64, False),
        ("", False),
    ],
)
def test_licences_are_told_from_names_of_licences(licence, is_one):
    assert is_spdx_expression(licence) is is_one


# SPDX


@pytest.mark.parametrize("variant", VARIANTS)
def test_spdx_relationships_name_elements_of_the_document(variants, variant):
    graph = spdx_document(variants[variant])["@graph"]
    ids = [one["spdxId"] for one in graph if "spdxId" in one]
    relations = [one for one in graph if one["type"] == "Relationship"]
    named = {end for one in relations for end in (one["from"], *one["to"])}

    assert len(ids) == len(set(ids))
    assert named - set(ids) <= {"expandedlicensing_NoAssertionLicense"}


def test_every_package_has_one_declared_and_one_concluded_licence(variants):
    graph = spdx_document(variants["rich"])["@graph"]
    packages = {one["spdxId"] for one in graph if one["type"].endswith("Package")}

    for sort in ("hasDeclaredLicense", "hasConcludedLicense"):
        ends = [one["from"] for one in graph if one.get("relationshipType") == sort]
        assert sorted(ends) == sorted(packages)


def test_spdx_names_what_the_ai_and_dataset_profiles_ask_for(record):
    graph = spdx_document(record)["@graph"]
    model = next(one for one in graph if one["type"] == "ai_AIPackage")
    data = next(one for one in graph if one["type"] == "dataset_DatasetPackage")
    asked = {"suppliedBy", "software_downloadLocation", "software_packageVersion"}

    assert asked | {"software_primaryPurpose", "releaseTime"} <= set(model)
    assert {"originatedBy", "builtTime", "dataset_datasetType"} <= set(data)
    assert "ai_energyConsumption" not in model  # not measured is not zero
    assert [one["relationshipType"] for one in graph if one["type"] == "Relationship"][:2] == [
        "descendantOf",
        "hasDeclaredLicense",
    ]


# The EU's summary


def test_summary_says_what_is_known_and_why_the_rest_is_not(record):
    said = training_content(record)
    general = said["1_general_information"]

    assert general["1.3_modalities_and_size"]["text"] == {
        "size": "less than 1 billion tokens",
        "tokens": 2_000_000,
    }
    assert general["1.3_modalities_and_size"]["latest_date_of_data_acquisition"] == "2025-06-30"
    assert [one["model"] for one in general["1.2_model"]["model_dependencies"]] == ["zoo/base-09m"]
    assert said["2_list_of_data_sources"]["2.5_synthetic_data"] == [
        {
            "component": "body",
            "model": "zoo/big",
            "licence": None,
            "tensor_root": None,
            "share_of_loss": None,
        }
    ]
    assert said["2_list_of_data_sources"]["2.4_user_data"] == {
        "value": None,
        "reason": "not in the build record; the provider says it",
    }


def test_every_document_names_a_teacher_with_root_and_licence_and_no_ancestor(variants):
    record = variants["distilled"]

    for document in DOCUMENTS.values():
        said = document(record).decode()
        assert ("big" in said, TEACHER["root"] in said, "A Licence" in said) == (True, True, True)
    bill, spdx = bill_of_materials(record), spdx_document(record)
    body = next(one for one in bill["components"] if one["name"] == "body")
    ref = next(one["bom-ref"] for one in bill["components"] if one["name"] == TEACHER["base"])
    assert [one["name"] for one in body["pedigree"]["ancestors"]] == ["zoo/base-09m"]
    assert ref in next(d["dependsOn"] for d in bill["dependencies"] if d["ref"] == body["bom-ref"])
    relations = [one for one in spdx["@graph"] if one["type"] == "Relationship"]
    towards = {
        one["relationshipType"] for one in relations if one["to"][0].endswith("teacher:body:0")
    }
    assert towards == {"trainedOn"}


@pytest.mark.parametrize(
    ("tokens", "size"),
    [
        (10**9 - 1, "less than 1 billion tokens"),
        (10**9, "1 billion to 10 trillion tokens"),
        (10**13, "1 billion to 10 trillion tokens"),
        (10**13 + 1, "more than 10 trillion tokens"),
    ],
)
def test_summary_states_the_templates_size_classes(record, tokens, size):
    other = replace(record, data=(replace(record.data[0], tokens=tokens),))

    found = training_content(other)["1_general_information"]["1.3_modalities_and_size"]

    assert found["text"]["size"] == size


# Cards


@pytest.mark.parametrize(("language", "word"), [("ko", "구성 요소"), ("en", "Components")])
def test_cards_speak_their_language(record, language, word):
    text = model_card(record, language).decode()

    assert f"## {word}" in text
    assert "license: apache-2.0" in text
    assert f"`{record.digest}`" in text


def test_cards_in_both_languages_tell_the_same_rows(record):
    shapes = [
        [line.count("|") for line in model_card(record, language).decode().splitlines()]
        for language in ("ko", "en")
    ]

    assert shapes[0] == shapes[1]


def test_names_cannot_break_a_cards_tables(variants):
    text = model_card(variants["rich"], "en").decode()
    rows = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("| ")]
    heads = [line for line in text.splitlines() if line.startswith("|---")]

    assert "<b>" not in "".join(rows)
    assert {row.count("|") for row in rows} == {head.count("|") for head in heads}


def test_cards_say_that_a_claim_is_no_finding(record):
    text = model_card(record, "en").decode()

    assert "follows from the plan under the table 2026-01; it is no finding." in text
