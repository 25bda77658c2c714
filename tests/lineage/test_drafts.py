"""Findings become entries that the ledger takes, in words that accuse nobody."""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import dokja.evidence.lineage
from dokja.evidence.ledger.kinds import check_body, read_body
from dokja.evidence.lineage import ComponentSpec, finding_drafts
from dokja.evidence.lineage.drafts import _NOTES
from dokja.values import canonical_bytes

DAY = date(2026, 1, 15)
ACCUSING = re.compile(
    r"\b(?:copied|copies of|stole|stolen|steal|plagiar\w*|fake|fraud\w*|guilty|cheat\w*|"
    r"from scratch)\b|표절|도용|도둑|훔|베낀|사기",
    re.IGNORECASE,
)


def drafts_of(report):
    return finding_drafts(report, model="a-1", reference="b-1", on=DAY, actor="office")


def test_each_component_becomes_one_entry_that_the_ledger_takes(toys):
    model = toys.model(1, layers=4)
    scaled = toys.noised(toys.with_layers(model, (0, 1, 1, 2, 3)), 0.9, seed=2)

    drafts = drafts_of(toys.compare(scaled | toys.encoder(5), model | toys.encoder(6)))

    assert [draft.kind for draft in drafts] == ["finding", "finding"]
    assert [check_body("finding", draft.body, place="here") for draft in drafts] == [(), ()]
    finding = read_body("finding", drafts[0].body)
    assert finding.relations == ("depth_edited",)
    assert finding.direction == "model_from_reference"
    assert finding.layer_map == ((0, 0), (1, 1), (2, 1), (3, 2), (4, 3))
    assert finding.facts == {"tokenizer_overlap": 1.0}
    assert [control.found for control in finding.controls] == [True, True, False]
    assert (finding.method, finding.measure) == ("dokja.lineage/3", "centred_r")


def test_what_cannot_be_tested_is_an_entry_that_says_why(toys):
    narrow = {
        name: np.ascontiguousarray(values[..., :40]) for name, values in toys.model(1).items()
    }

    (draft,) = drafts_of(toys.compare(narrow, toys.model(1)))

    assert check_body("finding", draft.body, place="here") == ()
    finding = read_body("finding", draft.body)
    assert (finding.relations, finding.derivation) == (("not_testable",), "cannot_tell")
    assert finding.effect is None
    assert finding.note.en == _NOTES["lineage-shapes-differ"][1]


def test_what_was_left_out_and_what_nobody_declared_is_said_in_both_languages(toys):
    declared = {"body": ComponentSpec(role="language-body", tensors=("model.",))}
    model = toys.model(1) | toys.encoder(2)
    model["model.layers.0.mlp.up_proj.weight"][:] = np.inf

    (draft,) = drafts_of(toys.compare(model, toys.model(3), components=declared))

    assert draft.body["note"] == {
        "ko": "비교할 수 없는 값이 있어 제외된 텐서 1개. "
        "신고된 구성요소에 속하지 않아 비교되지 않은 텐서 18개.",
        "en": "Tensors left out because their values cannot be compared: 1. "
        "Tensors that belong to no declared component, and were not compared: 18.",
    }
    assert check_body("finding", draft.body, place="here") == ()


def test_entries_made_twice_are_the_same_bytes(toys):
    ours, theirs = toys.store(toys.model(1)), toys.store(toys.model(2))

    first, second = (
        [canonical_bytes(draft.body) for draft in drafts_of(toys.compare(ours, theirs))]
        for _ in range(2)
    )

    assert first == second


def test_components_are_named_as_they_are_declared(toys):
    declared = {"body": ComponentSpec(role="language-body", tensors=("model.",))}

    (draft,) = drafts_of(toys.compare(toys.model(1), toys.model(2), components=declared))

    assert draft.body["component"] == "body"


ROOM = Path(dokja.evidence.lineage.__file__).parent


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_room_accuses_nobody(path):
    assert ACCUSING.findall(path.read_text()) == []
