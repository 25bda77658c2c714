"""Claims follow from ancestry under a dated table; published ancestries are the fixtures."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.recipes import (
    ComponentFacts,
    Descent,
    Leaf,
    LeafKind,
    Moved,
    claim_model,
    read_table,
)
from dokja.models.forge.structures import FAMILIES

TABLE = read_table("2026-01")
LLAMA, PERI = FAMILIES["llama"].signature, FAMILIES["peri"].signature


def leaf(kind, name="x"):
    return Leaf(kind=LeafKind(kind), name=name, licence=None if kind == "S" else "Apache-2.0")


def body(*kinds, moved="whole", ever=None, changed=False, role="language-body", **more):
    return ComponentFacts(
        descent=Descent(
            component=role,
            role=role,
            leaves=tuple(leaf(kind) for kind in kinds),
            structure_changed=changed,
            moved=Moved(moved),
            ever_moved=Moved(ever or moved),
        ),
        **more,
    )


TOKENIZER = ComponentFacts(
    descent=Descent(
        component="tokenizer", role="tokenizer", leaves=(leaf("S"),), corpus_tokenizer=True
    )
)


def claimed(*facts):
    return claim_model(facts, table=TABLE).claim


@pytest.mark.parametrize(
    ("facts", "claim"),
    [
        ([body("A")], "T0"),
        ([body("C")], "T1"),
        ([body("O", moved="nothing")], "T1"),  # frozen
        ([body("O", moved="adapters")], "T1"),
        ([body("O", moved="part")], "T1"),  # not shown to be the whole
        ([body("O")], "T2"),
        ([body("O", changed=True)], "T3"),
        ([body("O", changed=True, moved="nothing", ever="whole")], "T2"),  # edited last
        ([body("O", changed=True, moved="nothing")], "T1"),  # edited and never trained
        ([body("O", "S")], "T2"),  # a merge with others' weights takes both leaves
        ([body("S", signature=LLAMA)], "T4"),
        ([body("S", signature=LLAMA, changed=True)], "T4"),  # depth up-scaling of own weights
        ([body("S", signature=PERI), TOKENIZER], "T5"),
        ([body("S", signature=PERI)], "T4"),  # somebody else's tokenizer
        ([body("S", signature=LLAMA), TOKENIZER], "T4"),
        ([body("S", moved="nothing", signature=LLAMA)], None),  # initialised, never trained
    ],
)
def test_first_line_that_applies_decides(facts, claim):
    assert claimed(*facts) == claim


@pytest.mark.parametrize(("share", "claim"), [(1.0, "T2"), (0.99, "T2"), (0.98, "T1"), (0.0, "T1")])
def test_measured_share_overrules_what_was_planned(share, claim):
    assert claimed(body("O", moved="part", moved_share=share)) == claim
    assert claimed(body("O", moved="whole", moved_share=share)) == claim


def test_model_is_as_weak_as_its_weakest_part_and_shows_all_of_them():
    found = claim_model(
        [
            body("S", signature=PERI, parameters=880),
            body("O", moved="nothing", role="vision-encoder", parameters=120),
            TOKENIZER,
        ],
        table=TABLE,
    )

    assert str(found) == "T1 (language-body T5 88%, vision-encoder T1 12%)"


def test_own_structure_names_its_nearest_neighbour():
    found = claim_model([body("S", signature=PERI), TOKENIZER], table=TABLE)

    assert found.components[0].nearest == ("exaone4", ("norm", "positions"))


def test_compute_share_is_asked_for_where_the_table_does():
    third = replace(TABLE, compute_share=1 / 3)

    def under(facts):
        return claim_model([facts], table=third).claim

    assert under(body("O", compute_share=0.34)) == "T2"
    assert under(body("O", compute_share=0.01)) == "T1"
    assert under(body("O")) == "T1"  # nobody knows: not shown


# Published ancestry of systems of the programme, with where it was published.
PUBLISHED = [
    # A.X 4.0: continued pre-training of Qwen2.5 (model card of skt/A.X-4.0, 2025-07).
    ("A.X 4.0", [body("O", signature=LLAMA)], "T2"),
    # A.X 3.1: own weights in a Llama-like structure (model card of skt/A.X-3.1, 2025-07).
    ("A.X 3.1", [body("S", signature=LLAMA)], "T4"),
    # SOLAR 10.7B: depth up-scaling of Mistral 7B weights (arXiv 2312.15166).
    ("SOLAR 10.7B", [body("O", changed=True, signature=LLAMA)], "T3"),
    # Mi:dm 2.0 Base: depth up-scaling of its owner's 8B (arXiv 2601.09066).
    ("Mi:dm 2.0 Base", [body("S", changed=True, signature=LLAMA)], "T4"),
    # VARCO-VISION 2.0 14B: Qwen3-14B and SigLIP2 (its model card).
    (
        "VARCO-VISION 2.0 14B",
        [body("O"), body("O", role="vision-encoder"), body("S", role="projector")],
        "T2",
    ),
    # A service behind an interface with a prompt.
    ("API service", [body("A", moved="nothing")], "T0"),
    # Own body, somebody's frozen encoder: the case of January 2026.
    (
        "own body, frozen encoder",
        [body("S", signature=LLAMA), body("O", role="vision-encoder", moved="nothing")],
        "T1",
    ),
]


@pytest.mark.parametrize(("name", "facts", "claim"), PUBLISHED, ids=[one[0] for one in PUBLISHED])
def test_published_ancestries_claim_what_the_table_says(name, facts, claim):
    assert claimed(*facts) == claim


GRADES = ["T0", "T1", "T2", "T3", "T4", "T5"]
parts = st.builds(
    lambda kinds, moved, changed, own: body(
        *kinds, moved=moved, changed=changed, signature=PERI if own else LLAMA
    ),
    st.lists(st.sampled_from("SOCA"), min_size=1, max_size=3),
    st.sampled_from(["nothing", "adapters", "part", "whole"]),
    st.booleans(),
    st.booleans(),
)


@given(parts, st.sampled_from("OCA"))
def test_a_foreign_leaf_never_raises_a_claim(facts, kind):
    more = replace(
        facts, descent=replace(facts.descent, leaves=(*facts.descent.leaves, leaf(kind)))
    )

    before, after = claimed(facts, TOKENIZER), claimed(more, TOKENIZER)

    if before is not None:
        assert after is not None
        assert GRADES.index(after) <= GRADES.index(before)


@given(st.lists(parts, min_size=1, max_size=3), parts)
def test_another_part_never_raises_a_model(some, other):
    before, after = claimed(*some), claimed(*some, other)

    if before is not None and after is not None:
        assert GRADES.index(after) <= GRADES.index(before)


@given(parts)
def test_descent_reads_back_as_it_was_written(facts):
    assert Descent.from_json(facts.descent.to_json()) == facts.descent


def test_unknown_table_names_those_there_are():
    with pytest.raises(RecipeError, match="expected one of 2026-01"):
        read_table("1999-12")


def test_no_component_is_a_mistake():
    with pytest.raises(ValueError, match="without components"):
        claim_model([], table=TABLE)
