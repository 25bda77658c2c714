"""A base with an adapter laid onto it, beside models that hold the adapter's change and others."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.cli.commands import run
from dokja.cli.engines import one_thread
from dokja.errors import WeightsError
from dokja.evidence.lineage import Derivation, Plan, Processes, Relation, trace_all, trace_document
from dokja.evidence.lineage.documents import Named
from dokja.models.weights import lay_onto, open_adapter, open_source

QUICK = Plan(null_draws=40, detectable_draws=10)
RANK = 4


def factors(model, *, seed):
    """Make the two factors of every query and output matrix of a toy."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, values in model.items():
        if name.endswith(("q_proj.weight", "down_proj.weight")):
            rows, columns = values.shape
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            made[f"{stem}.lora_A.weight"] = rng.standard_normal((RANK, columns))
            made[f"{stem}.lora_B.weight"] = 0.05 * rng.standard_normal((rows, RANK))
    return {name: values.astype(np.float32) for name, values in made.items()}


def summed(model, made):
    """Add an adapter's change to a model, the obvious way."""
    total = dict(model)
    for name in model:
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{stem}.lora_A.weight" in made:
            change = made[f"{stem}.lora_B.weight"] @ made[f"{stem}.lora_A.weight"]
            total[name] = model[name] + np.float32(2.0) * change
    return total


def store_adapter(home, made, *, name="adapter"):
    folder = home / name
    folder.mkdir()
    save_file(made, folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def base(shared_toys):
    return shared_toys.model(41)


@pytest.fixture(scope="module")
def made(base):
    return factors(base, seed=42)


@pytest.fixture(scope="module")
def adapter(shared_toys, made):
    return store_adapter(shared_toys.home, made, name="adapter-of-41")


@pytest.fixture(scope="module")
def laid(shared_toys, base, adapter):
    return lay_onto(shared_toys.store(base, name="base-41"), open_adapter(adapter))


def test_sum_is_read_as_the_matrices_that_it_stands_for(laid, base, made):
    expected = summed(base, made)

    for name in laid.source.names:
        assert laid.source.read(name) == pytest.approx(expected[name], abs=1e-5)
    down = "model.layers.1.mlp.down_proj.weight"
    assert laid.source.read_rows(down, 3, 7) == pytest.approx(expected[down][3:7], abs=1e-5)
    assert laid.source.digest not in {laid.base.digest, laid.adapter.source.digest}


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_merged_adapter_is_named_beside_its_control(shared_toys, laid, base, made, dtype):
    total = {name: values.astype(dtype) for name, values in summed(base, made).items()}

    finding = shared_toys.only(shared_toys.store(total), laid, plan=QUICK)

    assert finding.relations == (Relation.ADAPTER_MERGED,)
    assert finding.derivation is Derivation.YES
    reading = finding.adapter
    assert (reading.merged, reading.untouched, reading.matrices) == (True, False, 6)
    assert reading.coefficient.value == pytest.approx(1, abs=0.01)
    assert reading.likeness > 0.99
    assert reading.twin < 0.2
    assert reading.left < 0.01
    assert [control.behaves for control in finding.controls] == [True, True, True]


def test_what_was_trained_on_after_a_merge_still_holds_the_change(shared_toys, laid, base, made):
    total = shared_toys.noised(summed(base, made), 0.999, seed=3)

    finding = shared_toys.only(total, laid, plan=QUICK)

    assert finding.related
    assert finding.relations != (Relation.ADAPTER_MERGED,)
    assert not finding.adapter.merged
    assert finding.adapter.likeness > 10 * finding.adapter.twin
    assert finding.adapter.coefficient.low < 1 < finding.adapter.coefficient.high + 0.1


def test_relative_by_another_way_holds_nothing_of_the_change(shared_toys, laid, base):
    other = summed(base, factors(base, seed=77))

    finding = shared_toys.only(other, laid, plan=QUICK)

    assert finding.related
    assert abs(finding.adapter.likeness) < 0.1
    assert abs(finding.adapter.coefficient.value) < 0.1
    assert finding.adapter.left > 1


def test_base_itself_holds_none_of_it(shared_toys, laid, base):
    finding = shared_toys.only(shared_toys.store(base), laid, plan=QUICK)

    assert finding.adapter.untouched
    assert finding.adapter.coefficient.value == pytest.approx(0, abs=1e-4)
    assert not finding.adapter.merged


def test_stranger_shows_no_evidence(shared_toys, laid):
    finding = shared_toys.only(shared_toys.model(99), laid, plan=QUICK)

    assert finding.relations == (Relation.NO_EVIDENCE,)
    assert abs(finding.adapter.likeness) < 0.1


def test_adapter_in_question_is_not_laid_beside_what_it_was_laid_onto(shared_toys, laid):
    finding = shared_toys.only(laid, laid.base, plan=QUICK)

    assert finding.relations == (Relation.NOT_TESTABLE,)
    assert "lineage-laid-onto-it" in [reason.code for reason in finding.reasons]


def test_adapter_in_question_is_found_in_the_model_that_it_was_merged_into(
    shared_toys, laid, base, made
):
    finding = shared_toys.only(laid, shared_toys.store(summed(base, made)), plan=QUICK)

    assert finding.relations == (Relation.ADAPTER_MERGED,)


def test_laid_adapter_travels_to_other_processes(shared_toys, laid, base, made):
    suspect = shared_toys.store(summed(base, made))

    here = trace_all(suspect, [laid], seed=1, plan=QUICK)
    apart = trace_all(
        suspect, [laid], seed=1, plan=QUICK, engine=Processes(workers=1, begin=one_thread)
    )

    assert apart == here
    names = [Named(name=one, digest="d") for one in ("s", "r")]
    document = trace_document(here, suspect=names[0], references=names[1:], exit_code=3)
    assert document["findings"][0]["adapter"]["merged"] is True


def test_base_of_other_shapes_and_what_is_no_factor_are_refused_at_once(toys, base, made):
    narrow = {name: values[:, :-1] if values.ndim > 1 else values for name, values in base.items()}
    whole = {"base_model.model.lm_head.weight": np.ones((2, 2), dtype=np.float32)}
    adapter = open_adapter(store_adapter(toys.home, made | whole))

    with pytest.raises(WeightsError) as refused:
        lay_onto(toys.store(narrow), adapter)

    said = str(refused.value)
    assert "read [48, 47]; expected [48, 48], as the adapter" in said
    assert "1 tensors that are no factors" in said


def test_command_lays_adapters_onto_the_base_that_it_names(toys, adapter, base, made, capsys):
    suspect, stem = (toys.store(one, name=n) for one, n in ((summed(base, made), "s"), (base, "b")))
    places = [str(toys.home / one.name) for one in (suspect, stem)]

    code = run(["trace", places[0], "--against", str(adapter), "--base", places[1], "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 3
    assert document["references"][0]["name"] == "adapter-of-41 on b"
    assert document["findings"][0]["relations"] == ["adapter_merged"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_text_tells_how_much_of_the_adapter_is_there(toys, adapter, base, made, capsys, lang):
    suspect, stem = (toys.store(one, name=n) for one, n in ((summed(base, made), "s"), (base, "b")))
    places = [str(toys.home / one.name) for one in (suspect, stem)]
    words = ["trace", places[0], "--against", str(adapter), "--base", places[1], "--lang", lang]

    run(words)

    said = " ".join(capsys.readouterr().out.split())
    assert {"en": "1.00 times is held", "ko": "1.00배가 들어 있음"}[lang] in said


def test_adapter_without_base_and_base_without_adapter_are_told(toys, adapter, base, capsys):
    place = str(toys.home / toys.store(base, name="b").name)

    codes = [
        run(["trace", place, "--against", str(adapter)]),
        run(["trace", place, "--against", place, "--base", place]),
    ]

    said = capsys.readouterr().err
    assert codes == [2, 2]
    assert f"--base: read nothing; expected the model that {adapter} was made for" in said
    assert "expected an adapter among SUSPECT and the references" in said


def test_adapter_is_opened_as_any_weights(adapter):
    assert open_source(adapter).config["peft_type"] == "LORA"
