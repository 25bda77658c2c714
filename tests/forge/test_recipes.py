"""Recipes: read whole, every mistake at once, the same ancestry at every size."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.presets import PRESETS, preset
from dokja.models.forge.recipes import claim_model, descents, read_recipe, read_table, recipe_of
from dokja.models.forge.recipes.claims import ComponentFacts
from dokja.models.forge.structures import FAMILIES

RECIPE = """
schema = "dokja.recipe/1"
name = "small"

[[component]]
id = "body"
role = "language-body"
from = { scratch = "llama" }

[[component.step]]
do = "train"
data = "text"
tokens = 4096
batch = { sequences = 4, length = 64 }
optimizer = { lr = 1e-3 }

[data.text]
sources = [{ made = "sentences", seed = "a", documents = 10 }]

[size.cpu.component.body]
shape = { width = 32, layers = 2, heads = 2 }
"""


def mistakes_of(text):
    with pytest.raises(RecipeError) as caught:
        recipe_of(text.encode(), file="r.toml")
    return {(mistake.place, mistake.expected) for mistake in caught.value.mistakes}


def facts(descent):
    known = FAMILIES.get(descent.family)
    return ComponentFacts(descent=descent, signature=None if known is None else known.signature)


def test_recipe_is_named_by_its_bytes():
    recipe = recipe_of(RECIPE.encode(), file="r.toml")

    other = recipe_of((RECIPE + "# a comment\n").encode(), file="r.toml")

    assert (recipe.name, recipe.sizes) == ("small", ("cpu",))
    assert recipe.digest != other.digest


def test_size_is_laid_over_the_terms():
    terms = recipe_of(RECIPE.encode(), file="r.toml").at("cpu")

    assert dict(terms.component[0].shape) == {"width": 32, "layers": 2, "heads": 2}


def test_unknown_size_names_those_there_are():
    with pytest.raises(RecipeError) as caught:
        recipe_of(RECIPE.encode(), file="r.toml").at("moon")

    assert [str(one) for one in caught.value.mistakes] == [
        "r.toml, size: read 'moon'; expected one of cpu."
    ]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('do = "train"', 'do = "dos"', "component body, step 1, do"),
        ('data = "text"\n', 'data = "txt"\n', "component body, step 1, data"),
        ('scratch = "llama"', 'scratch = "lama"', "component body, from.scratch"),
        ('scratch = "llama"', 'base = "b"', "component.0.from"),
        ("lr = 1e-3", "lr = -1.0", "component.0.step.0.optimizer.lr"),
        ("sequences = 4", "sequences = 4, micro = 3", "component body, step 1, batch.micro"),
        ("width = 32, ", "", "component body, shape"),
        ('name = "small"', 'name = "Not So"', "name"),
        ("lr = 1e-3", 'lr = 1e-3, kind = "muon"', "component body, step 1, optimizer.kind"),
        ('seed = "a", ', "", "data.text.sources.0"),
    ],
)
def test_a_mistake_is_named_by_its_place(old, new, place):
    assert old in RECIPE

    found = mistakes_of(RECIPE.replace(old, new, 1))

    assert place in {where for where, _ in found}


def test_every_mistake_is_told_at_once():
    wrong = RECIPE.replace('data = "text"\n', 'data = "no"\n').replace('"llama"', '"lama"')

    places = {place for place, _ in mistakes_of(wrong)}

    assert places == {"component body, step 1, data", "component body, from.scratch"}


def test_base_without_a_licence_is_refused():
    wrong = RECIPE.replace('{ scratch = "llama" }', '{ base = "somebody" }')

    found = mistakes_of(wrong)

    assert [place for place, expected in found if "a licence beside base" in expected] == [
        "component.0.from"
    ]


def test_parents_without_a_licence_are_refused():
    merge = '\n[[component.step]]\ndo = "merge"\nmethod = "slerp"\nshare = 0.5\nwith = "other"\n'

    found = mistakes_of(RECIPE.replace("\n[data.text]", merge + "\n[data.text]"))

    assert ("component body, step 2, with 1", "{ base = …, licence = … }") in found


def test_weights_from_a_seed_must_be_trained():
    start = RECIPE.index("[[component.step]]")
    untrained = RECIPE[:start] + RECIPE[RECIPE.index("[data.text]") :]

    found = mistakes_of(untrained)

    assert {place for place, _ in found} == {"component body"}


@pytest.mark.parametrize("key", ["do", "data", "trainable"])
def test_a_size_may_not_change_a_step(key):
    wrong = RECIPE + f'step.1 = {{ {key} = "x" }}\n'

    found = mistakes_of(wrong)

    assert "size cpu, component body, step 1" in {place for place, _ in found}


def test_a_size_may_not_change_the_kind_of_leaf():
    found = mistakes_of(RECIPE + 'base = "b"\nlicence = "MIT"\n')

    assert "size cpu, component body, base" in {place for place, _ in found}


def test_a_grade_cannot_be_typed_in():
    found = mistakes_of(RECIPE.replace('name = "small"', 'name = "small"\ngrade = "T5"'))

    assert {place for place, _ in found} == {"grade"}


@pytest.mark.parametrize("text", ["", "schema = ", "\ufeffx", 'schema = "dokja.recipe/2"'])
def test_what_is_no_recipe_is_a_clear_error(text):
    assert len(mistakes_of(text)) >= 1


def test_bytes_that_are_no_text_are_told_by_line(tmp_path):
    path = tmp_path / "r.toml"
    path.write_bytes(b"schema = 1\n\xff\n")

    with pytest.raises(RecipeError, match="line 2: read the byte 0xff"):
        read_recipe(path)


def test_a_recipe_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RecipeError, match="No such file"):
        read_recipe(tmp_path / "none.toml")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data):
    with pytest.raises(RecipeError):
        recipe_of(data, file="r.toml")


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "base"])
def test_every_size_of_a_preset_claims_the_grade_in_its_name(name):
    recipe, table = preset(name), read_table()

    claims = {
        size: claim_model([facts(one) for one in descents(recipe.at(size))], table=table).claim
        for size in recipe.sizes
    }

    assert claims == dict.fromkeys(("cpu", "gpu1", "cluster"), name.upper())


@pytest.mark.parametrize("name", PRESETS)
def test_ancestry_is_the_same_at_every_size(name):
    recipe = preset(name)

    def kinds(terms):
        return [
            (one.component, one.role, [leaf.kind for leaf in one.leaves], one.steps, one.moved)
            for one in descents(terms)
        ]

    assert [kinds(recipe.at(size)) for size in recipe.sizes] == [kinds(recipe.terms)] * len(
        recipe.sizes
    )


def test_presets_are_written_as_people_read_them():
    for name in PRESETS:
        said = tomllib.loads(preset(name).data.decode())

        assert said["name"] == name
        assert said["title"]
