"""Labels follow from records, in the words of verdicts; truths of pairs follow from both."""

import json
from itertools import product

import pytest

from dokja.evidence.lineage.relations import Relation
from dokja.models.forge.zoo import WORDS, Truths, label, read_zoo, truth
from dokja.models.forge.zoo.labels import relation_of
from dokja.models.forge.zoo.records import record_of

RELATIONS = {
    "sft-slow": "fine_tuned",
    "sft-fast": "fine_tuned",
    "cpt-025": "continually_pretrained",
    "cpt-200": "continually_pretrained",
    "lora-04": "adapter_merged",
    "lora-16.laundered": "identical",
    "dus-overlap": "depth_edited",
    "dus-each-trained": "depth_edited",
    "zero-blocks": "depth_edited",
    "drop-layer": "depth_edited",
    "ffn-25": "width_edited",
    "ffn-50-random": "width_edited",
    "heads": "width_edited",
    "wider": "width_edited",
    "upcycle": "upcycled",
    "merge-linear": "merged",
    "merge-slerp": "merged",
    "merge-ties": "merged",
    "merge-dare": "merged",
    "mixed-with-stranger": "merged",
    "int8-row": "requantised",
    "int4-group": "requantised",
    "fp8-block": "requantised",
    "vocabulary-100": "identical",
    "embeddings": "identical",
    "noise-10": "fine_tuned",
    "by-rotation": "identical",
    "cpt-100.laundered": "identical",
    "recovered": "continually_pretrained",
    "student": "no_evidence",
}


def test_verdicts_of_lineage_are_words_of_labels():
    known = {relation.value for relation in Relation} - {"not_testable"}

    assert known <= set(WORDS)


@pytest.mark.parametrize(("suffix", "relation"), RELATIONS.items())
def test_label_names_what_was_done(zoo, suffix, relation):
    record = zoo.model(f"f1-r00.{suffix}").record

    assert label(record).relation == relation


def test_label_follows_from_the_record_on_the_disk_alone(zoo):
    for name, model in zoo.models.items():
        said = json.loads(json.dumps(model.record.to_json()))

        assert label(record_of(said, file=name)).to_json() == model.label


def test_label_does_not_follow_from_the_name(zoo):
    said = zoo.model("f1-r00.dus-each").record.to_json()

    renamed = record_of({**said, "name": "f1-r00.int8-row"}, file="x")

    assert label(renamed).relation == "depth_edited"


def test_depth_labels_carry_the_map_of_layers(zoo):
    maps = {
        suffix: zoo.model(f"f1-r00.{suffix}").label["layer_map"]
        for suffix in ("dus-overlap-trained", "dus-each", "drop-layer", "cpt-025")
    }

    assert maps == {
        "dus-overlap-trained": [0, 1, 2, 1, 2, 3],
        "dus-each": [0, 1, 1, 2, 2, 3],
        "drop-layer": [0, 1, 3],
        "cpt-025": None,
    }


def test_merge_labels_carry_each_parents_weight(zoo):
    weights = {
        method: zoo.model(f"f1-r00.{method}").label["merge"]
        for method in ("merge-linear", "merge-dare", "mixed-with-stranger")
    }

    stranger = zoo.model("f1-r00.mixed-with-stranger").record.parents[1].name
    assert weights == {
        "merge-linear": {"f1-r00": 0.2, "f1-r00.sft-fast": 0.5, "f1-r00.cpt-050": 0.3},
        "merge-dare": {"f1-r00": 0.0, "f1-r00.sft-fast": 0.6, "f1-r00.cpt-050": 0.4},
        "mixed-with-stranger": {"f1-r00": 0.7, stranger: 0.3},
    }


def test_parts_tell_what_was_replaced(zoo):
    parts = {
        suffix: zoo.model(f"f1-r00.{suffix}").label["parts"]
        for suffix in (
            "embeddings",
            "vocabulary-050",
            "int8-row",
            "lora-04",
            "recovered-embeddings",
        )
    }

    same = {"language_body": "identical", "embedding": "identical", "head": "identical"}
    gone = {"embedding": "no_evidence", "head": "no_evidence"}
    assert parts == {
        "embeddings": same | gone,
        "vocabulary-050": same,
        "int8-row": same | {"language_body": "requantised"},
        "lora-04": same | {"language_body": "adapter_merged"},
        "recovered-embeddings": {"language_body": "continually_pretrained"} | gone,
    }


def test_every_laundering_kind_is_grown_and_told(zoo):
    from dokja.models.forge.laundering import kinds_for  # noqa: PLC0415  # beside its use

    structure = zoo.model("f1-r00").record.structure

    for kind in kinds_for(structure):
        assert zoo.model(f"f1-r00.by-{kind}").label["laundering"] == [kind]
    everything = zoo.model("f1-r00.laundered").label["laundering"]
    assert everything == list(kinds_for(structure))


@pytest.mark.parametrize(
    ("suspect", "reference", "relation", "kind", "derivation"),
    [
        ("f1-r00", "f1-r00", "identical", "same model", True),
        ("f1-r00.cpt-050.laundered", "f1-r00", "continually_pretrained", "descends", True),
        ("f1-r00", "f1-r00.cpt-050", "continually_pretrained", "is descended from", True),
        ("f1-r00.sft-fast", "f1-r00.int8-row", "fine_tuned", "siblings", True),
        ("f1-r00.mixed-with-stranger", "f1-r03", "merged", "descends", True),
        ("f1-r00", "f1-r06", "shared_initialisation", "twins", False),
        ("f1-r00.cpt-025", "f1-r06", "shared_initialisation", "twins", False),
        ("f1-r00.student", "f1-r00", "no_evidence", "taught", False),
        ("f1-r00.student", "f1-r00.laundered", "no_evidence", "taught", False),
        ("f1-r00", "f1-r01", "no_evidence", "same data", False),
        ("f1-r00.dus-each", "f1-r01", "no_evidence", "same data", False),
        ("f1-r00", "f1-r04", "no_evidence", "other data", False),
    ],
)
def test_truth_of_a_pair(zoo, suspect, reference, relation, kind, derivation):
    if suspect == "f1-r00.mixed-with-stranger":
        reference = zoo.model(suspect).record.parents[1].name

    found = truth(zoo, suspect, reference)

    assert (found.relation, found.kind, found.derivation) == (relation, kind, derivation)


def test_truth_of_replaced_embeddings_is_that_they_are_not_related(zoo):
    found = truth(zoo, "f1-r00.cpt-050.laundered-embeddings", "f1-r00")

    assert found.parts == {
        "language_body": "continually_pretrained",
        "embedding": "no_evidence",
        "head": "no_evidence",
    }


def test_truths_do_not_depend_on_which_model_is_named_first(zoo):
    truths = Truths(zoo)

    for one, other in product(list(zoo.models)[::7], repeat=2):
        there, back = truths.of(one, other), truths.of(other, one)

        assert (there.relation, there.parts) == (back.relation, back.parts)


def test_relation_of_several_steps_is_the_strongest():
    steps = [
        {"kind": "launder"},
        {"kind": "quantise"},
        {"kind": "train", "adapter": None, "corpus": {"form": "text"}},
    ]

    assert [relation_of(steps[:count]) for count in range(4)] == [
        "identical",
        "identical",
        "requantised",
        "continually_pretrained",
    ]


def test_manifest_read_back_is_the_zoo(zoo):
    assert read_zoo(zoo.folder) == zoo
