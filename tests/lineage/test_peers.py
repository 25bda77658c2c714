"""Other people's methods, as `benchmarks/lineage/peers` writes them anew, on random-weight toys."""

import doctest
import json
import math
import sys
from decimal import Decimal
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dokja.models.comparison import reordering_share
from dokja.models.weights import open_source

ROOM = Path(__file__).parents[2] / "benchmarks/lineage/peers"
WIDTH, FFN, LAYERS = 48, 96, 3
COPY = {
    "AWM": (1 - 0.00375) / 0.0028,
    "HuRef-ICS": 1.0,
    "PDF": 1.0,
    "GhostSpec": 0.0,
    "phi_U": -893.6676,  # three blocks of 1e-300 each
    "MDIR-trace": -6788.1,
}
METHODS = tuple(COPY)


def opened_room():
    spec = spec_from_file_location(
        "lineage_peers", ROOM / "__init__.py", submodule_search_locations=[str(ROOM)]
    )
    room = module_from_spec(spec)
    sys.modules["lineage_peers"] = room
    spec.loader.exec_module(room)
    return room


PEERS = opened_room().PEERS
MODULES = sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")


def part(name):
    return import_module(f"lineage_peers.{name}")


def score(name, suspect, reference, **settings):
    return PEERS[name].score(suspect, reference, **settings)


def values(suspect, reference):
    return {name: score(name, suspect, reference).value for name in METHODS}


def readers(name):
    return "embed" in name or any(f".{end}" in name for end in ("q_", "k_", "v_", "gate", "up"))


def turned(model, turn):
    """Turn the residual stream; every gain is set to one first, so that nothing need be folded."""
    made = {}
    for name, value in model.items():
        if value.ndim == 1:
            made[name] = np.ones_like(value)
        else:
            made[name] = (value @ turn if readers(name) else turn.T @ value).astype(np.float32)
    return made


def orthogonal(seed):
    left, _, right = np.linalg.svd(np.random.default_rng(seed).standard_normal((WIDTH, WIDTH)))
    return left @ right


def reordering(seed):
    return np.eye(WIDTH)[np.random.default_rng(seed).permutation(WIDTH)]


def with_other_neurons(model, seed):
    rng = np.random.default_rng(seed)
    made = dict(model)
    for layer in range(LAYERS):
        order = rng.permutation(FFN)
        prefix = f"model.layers.{layer}.mlp"
        for name in ("gate_proj", "up_proj"):
            made[f"{prefix}.{name}.weight"] = model[f"{prefix}.{name}.weight"][order]
        made[f"{prefix}.down_proj.weight"] = model[f"{prefix}.down_proj.weight"][:, order].copy()
    return made


@pytest.fixture(scope="module")
def base(shared_toys):
    return turned(shared_toys.model(1), np.eye(WIDTH))


@pytest.fixture(scope="module")
def stored(shared_toys, base):
    return shared_toys.store(base)


def test_every_peer_is_named_once():
    assert tuple(PEERS) == (*METHODS, "modelDNA")


@pytest.mark.parametrize("name", METHODS)
def test_score_of_a_model_against_itself_is_perfect(stored, name):
    found = score(name, stored, stored)

    assert found.value == pytest.approx(COPY[name], abs=0.1 if COPY[name] < 0 else 1e-9)
    assert (found.missing, found.higher_is_related) == ("", PEERS[name].HIGHER_IS_RELATED)


def test_score_of_strangers_is_low(shared_toys, stored):
    found = values(shared_toys.store(shared_toys.model(2)), stored)

    assert found["AWM"] < 100
    assert abs(found["HuRef-ICS"]) < 0.4
    assert found["PDF"] < 0.99
    assert found["GhostSpec"] > 1e-4
    assert found["phi_U"] > -4
    assert found["MDIR-trace"] == 0


def test_reordered_neurons_defeat_phi_u_alone(shared_toys, stored, base):
    found = values(shared_toys.store(with_other_neurons(base, seed=3)), stored)

    assert found.pop("phi_U") > -4
    assert found == pytest.approx({k: COPY[k] for k in found}, rel=1e-4, abs=1e-6)


def test_reordered_stream_defeats_phi_u_alone(shared_toys, stored, base):
    found = values(shared_toys.store(turned(base, reordering(4))), stored)

    assert found.pop("phi_U") > -4
    assert found == pytest.approx({k: COPY[k] for k in found}, rel=1e-4, abs=1e-6)


def test_signs_of_the_stream_hide_the_term_in_which_gate_and_up_are_multiplied(
    shared_toys, stored, base
):
    signs = np.diag(np.tile([-1.0, 1.0], WIDTH // 2))

    found = values(shared_toys.store(turned(base, signs)), stored)

    assert found["AWM"] == pytest.approx(COPY["AWM"], rel=1e-4)
    assert found["MDIR-trace"] == pytest.approx(COPY["MDIR-trace"], rel=1e-4)
    assert found["HuRef-ICS"] == pytest.approx(4 / 6, abs=0.15)  # the attention terms remain


def test_dense_turn_leaves_spectra_and_hides_from_mdir_phi_u_and_awm(shared_toys, stored, base):
    found = values(shared_toys.store(turned(base, orthogonal(6))), stored)

    assert found["MDIR-trace"] == 0
    assert found["phi_U"] > -4
    assert found["AWM"] < COPY["AWM"] / 2
    assert found["GhostSpec"] == pytest.approx(0, abs=1e-6)
    assert found["PDF"] > 0.9


def test_new_embeddings_hide_from_what_needs_tokens(shared_toys, stored, base):
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((160, WIDTH)).astype(np.float32)
    found = values(shared_toys.store({**base, "model.embed_tokens.weight": rows}), stored)

    assert found["MDIR-trace"] == 0
    assert found["AWM"] < COPY["AWM"] / 2
    assert abs(found["HuRef-ICS"]) < 0.4
    assert found["phi_U"] == pytest.approx(COPY["phi_U"], abs=0.1)
    assert (found["PDF"], found["GhostSpec"]) == pytest.approx((1, 0), abs=1e-9)


def test_repeated_layers_are_found_by_what_aligns_layers(shared_toys, stored, base):
    found = values(shared_toys.store(shared_toys.with_layers(base, [0, 1, 1, 2])), stored)

    assert found["AWM"] == pytest.approx(COPY["AWM"])
    assert found["GhostSpec"] == pytest.approx(0, abs=1e-12)
    assert -900 < found["phi_U"] < -500  # the first two layers stand where they stood
    assert found["PDF"] < 1


def test_tokens_are_paired_by_text(shared_toys, stored, base):
    rows = np.random.default_rng(8).permutation(160)
    moved = shared_toys.store({**base, "model.embed_tokens.weight": base[EMBEDDING][rows]})
    folder = shared_toys.home / moved.name
    vocabulary = {f"t{row}": place for place, row in enumerate(rows.tolist())}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))

    found = values(open_source(folder), stored)

    assert found == pytest.approx(COPY, rel=1e-4, abs=1e-9)


EMBEDDING = "model.embed_tokens.weight"
NO_TOKENIZER = "a model has no tokenizer, so that rows cannot be paired by text"


@pytest.mark.parametrize("name", ["AWM", "HuRef-ICS", "MDIR-trace"])
def test_score_without_a_tokenizer_is_missing(shared_toys, stored, base, name):
    found = score(name, shared_toys.store(base, tokenizer=False), stored)

    assert (found.value, found.missing) == (None, NO_TOKENIZER)


def test_score_of_an_encoder_is_missing_where_tokens_or_depth_are_needed(shared_toys):
    encoder = shared_toys.store(shared_toys.encoder(9))

    found = {name: score(name, encoder, encoder, component="vision-encoder") for name in METHODS}

    assert {name: one.missing for name, one in found.items() if one.missing} == {
        "AWM": "a model has no embedding",
        "HuRef-ICS": "a model has no embedding",
        "MDIR-trace": "a model has no embedding",
        "PDF": "2 layers with attention; a curve needs three",
    }
    assert found["GhostSpec"].value == 0
    assert found["phi_U"].value == pytest.approx(-596.8593)


def test_score_without_the_component_names_what_is_there(shared_toys, stored):
    encoder = shared_toys.store(shared_toys.encoder(9), name="an-encoder")

    found = score("PDF", encoder, stored)

    assert found.missing == "an-encoder has no language-body, only: vision-encoder"


def narrow(seed):
    """Make a model of half the width."""
    rng = np.random.default_rng(seed)
    made = {EMBEDDING: rng.standard_normal((160, 24))}
    for layer in range(LAYERS):
        for name, shape in {
            "self_attn.q_proj": (24, 24),
            "self_attn.k_proj": (24, 24),
            "self_attn.v_proj": (24, 24),
            "self_attn.o_proj": (24, 24),
            "mlp.gate_proj": (FFN, 24),
            "mlp.up_proj": (FFN, 24),
            "mlp.down_proj": (24, FFN),
        }.items():
            made[f"model.layers.{layer}.{name}.weight"] = rng.standard_normal(shape)
    return {name: value.astype(np.float32) for name, value in made.items()}


def test_score_of_another_width_is_missing_only_where_widths_must_agree(shared_toys, stored):
    other = shared_toys.store(narrow(10))

    found = {name: score(name, other, stored).missing for name in METHODS}

    assert {name: said for name, said in found.items() if said} == {
        "phi_U": "the widths 24 and 48 differ",
        "MDIR-trace": "the widths 24 and 48 differ",
    }


def test_values_that_are_not_finite_are_named(shared_toys, stored, base):
    name = "model.layers.1.self_attn.q_proj.weight"
    broken = base[name].copy()
    broken[0, 0] = np.nan

    found = score("PDF", shared_toys.store({**base, name: broken}), stored)

    assert found.missing == f"{name} holds a value that is not finite"


def test_product_of_shared_keys_is_what_queries_and_keys_make(shared_toys, base):
    folder = shared_toys.home / "grouped"
    folder.mkdir()
    save_file(base, folder / "model.safetensors")
    (folder / "config.json").write_text(
        '{"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}'
    )
    x, y = np.random.default_rng(11).standard_normal((2, WIDTH))
    q = (base["model.layers.0.self_attn.q_proj.weight"] @ x).reshape(4, 12)
    k = (base["model.layers.0.self_attn.k_proj.weight"] @ y).reshape(2, 12)
    v = (base["model.layers.0.self_attn.v_proj.weight"] @ x).reshape(2, 12)
    read = np.concatenate([v[0], v[0], v[1], v[1]])

    block = next(part("projections").projections_of(side(folder)))

    assert x @ block.qk @ y == pytest.approx(sum(q[h] @ k[h // 2] for h in range(4)))
    assert x @ block.vo == pytest.approx(base["model.layers.0.self_attn.o_proj.weight"] @ read)


def side(folder):
    source = open_source(folder)
    (body,) = import_module("dokja.evidence.lineage.mapping").map_bodies(source)
    return part("sides").Side(source=source, body=body)


def test_product_under_latent_attention_is_what_its_network_computes(tmp_path):
    rng = np.random.default_rng(12)
    heads, latent, plain, rotated, value = 3, 10, 6, 4, 5
    shapes = {
        "self_attn.q_proj": (heads * (plain + rotated), WIDTH),
        "self_attn.kv_a_proj_with_mqa": (latent + rotated, WIDTH),
        "self_attn.kv_b_proj": (heads * (plain + value), latent),
        "self_attn.o_proj": (WIDTH, heads * value),
        "mlp.gate_proj": (FFN, WIDTH),
        "mlp.up_proj": (FFN, WIDTH),
        "mlp.down_proj": (WIDTH, FFN),
    }
    made = {k: rng.standard_normal(shape).astype(np.float32) for k, shape in shapes.items()}
    gains = rng.uniform(0.5, 2, latent).astype(np.float32)
    tensors = {f"model.layers.0.{name}.weight": matrix for name, matrix in made.items()}
    tensors["model.layers.0.self_attn.kv_a_layernorm.weight"] = gains
    save_file(tensors, tmp_path / "model.safetensors")
    sizes = {
        "model_type": "deepseek_v3",
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "kv_lora_rank": latent,
        "qk_nope_head_dim": plain,
        "qk_rope_head_dim": rotated,
        "v_head_dim": value,
    }
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    x, y = rng.standard_normal((2, WIDTH))
    q = (made["self_attn.q_proj"] @ x).reshape(heads, plain + rotated)
    down = made["self_attn.kv_a_proj_with_mqa"] @ y
    up = (made["self_attn.kv_b_proj"] @ (gains * down[:latent])).reshape(heads, plain + value)

    block = next(part("projections").projections_of(side(tmp_path)))

    scores = [q[h] @ np.concatenate([up[h, :plain], down[latent:]]) for h in range(heads)]
    assert x @ block.qk @ y == pytest.approx(sum(scores), rel=1e-5)
    assert y @ block.vo == pytest.approx(made["self_attn.o_proj"] @ up[:, plain:].ravel(), rel=1e-4)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
def test_assignment_is_the_best_of_all(rows, columns, seed):
    scores = np.random.default_rng(seed).integers(0, 6, (rows, columns)).astype(float)
    wide = scores if rows <= columns else scores.T
    best = max(
        sum(wide[i, c] for i, c in enumerate(order))
        for order in permutations(range(wide.shape[1]), wide.shape[0])
    )

    found = part("assignment").assign(scores)

    given_one = np.flatnonzero(found >= 0)
    assert len(set(found[given_one])) == len(given_one) == min(rows, columns)
    assert scores[given_one, found[given_one]].sum() == best


def test_assignment_of_a_hundred_rows_leaves_no_pair_that_would_swap():
    scores = np.random.default_rng(13).standard_normal((100, 130))

    found = part("assignment").assign(scores)

    kept = scores[np.arange(100), found]
    swapped = scores[:, found]
    assert (kept[:, None] + kept >= swapped + swapped.T - 1e-12).all()


def test_assignment_of_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        part("assignment").assign(np.array([[np.nan]]))


def without_writes(model, layer):
    name = f"model.layers.{layer}.self_attn.o_proj.weight"
    return {**model, name: np.zeros_like(model[name])}


def test_layers_that_write_nothing_are_passed_over_by_spectra(shared_toys, stored, base):
    longer = shared_toys.with_layers(base, [0, 1, 1, 2])

    found = score("GhostSpec", shared_toys.store(without_writes(longer, 2)), stored)

    assert found.value == pytest.approx(0, abs=1e-12)


def test_spectra_without_a_shape_have_no_score(shared_toys, stored, base):
    found = score("GhostSpec", shared_toys.store(without_writes(base, 2)), stored)

    assert found.value is None
    assert found.missing == "a layer's spectrum has no shape, being zero, flat or one value"


@given(st.integers(1, 4), st.integers(0, 3), st.integers(0, 10_000))
def test_alignment_in_order_is_the_cheapest_of_all(rows, more, seed):
    costs = np.random.default_rng(seed).random((rows, rows + more))
    best = min(
        sum(costs[i, c] for i, c in enumerate(chosen)) / rows
        for chosen in combinations(range(rows + more), rows)
    )

    found = part("ghostspec").aligned_cost(costs)

    assert found == pytest.approx(best)


def test_kernel_alignment_is_the_unbiased_one():
    def slow(a, b):
        n = len(a)
        a, b = a - np.diag(np.diag(a)), b - np.diag(np.diag(b))
        one = np.ones(n)
        corner = (one @ a @ one) * (one @ b @ one) / ((n - 1) * (n - 2))
        return (np.trace(a @ b) + corner - 2 / (n - 2) * one @ a @ b @ one) / (n * (n - 3))

    first, second = np.random.default_rng(14).standard_normal((2, 7, 9))
    k, m = first.T @ first, second.T @ second

    found = part("awm")._centred_kernel(first) @ part("awm")._centred_kernel(second)

    assert found == pytest.approx(slow(k, m) / math.sqrt(slow(k, k) * slow(m, m)))


@pytest.mark.parametrize("order", [[2, 0, 1, 3, 5, 4], [5, 4, 3, 1, 2, 0], [1, 0, 3, 2, 5, 4]])
def test_spearman_chance_is_the_area_under_students_t(order):
    ranks = np.corrcoef(order, range(6))[0, 1]
    place = ranks * math.sqrt(4 / (1 - ranks**2))
    t = np.linspace(place, 4000, 4_000_001)
    density = math.gamma(2.5) / (math.sqrt(4 * math.pi) * math.gamma(2)) * (1 + t**2 / 4) ** -2.5

    found = math.exp(part("tails").log_spearman(np.array(order)))

    assert found == pytest.approx(np.trapezoid(density, t), rel=1e-4)


def test_spearman_chance_of_random_orders_is_even():
    rng = np.random.default_rng(15)

    logs = [part("tails").log_spearman(rng.permutation(60)) for _ in range(2000)]

    deciles = np.quantile(np.exp(logs), np.linspace(0.1, 0.9, 9))
    assert deciles == pytest.approx(np.linspace(0.1, 0.9, 9), abs=0.04)


def test_combined_chance_is_the_product_of_two_and_its_logarithm():
    product = 0.03 * 0.4

    found = math.exp(part("tails").log_fisher([math.log(0.03), math.log(0.4)]))

    assert found == pytest.approx(product * (1 - math.log(product)))


def test_combined_chance_far_out_is_the_finite_sum():
    half = Decimal(690 * 80)
    tail = (-half).exp() * sum(half**k / math.factorial(k) for k in range(80))

    found = part("tails").log_fisher([-690.0] * 80)

    assert found == pytest.approx(float(tail.ln()))


def test_mdir_bound_is_dokjas_own_for_the_same_share():
    turn = orthogonal(16) * 0.3 + np.eye(WIDTH)
    left, _, right = np.linalg.svd(turn)
    share, log = reordering_share(left @ right)

    assert part("mdir_trace").log10_bound(share, width=WIDTH) == pytest.approx(log)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    assert doctest.testmod(part(name)).failed == 0


ANSWER = {
    "tool_version": "0.1.0",
    "verdict": {
        "verdict": "SAME_FAMILY_UNRESOLVED",
        "probability": 0.776,
        "candidates": [{"ruled_out": None}],
    },
}


def interpreter(folder, *, prints, code=0):
    """Write a program that stands where modelDNA's interpreter would."""
    path = folder / "python"
    lines = [
        f"#!{sys.executable}",
        "import json, os, pathlib, sys",
        "assert sys.argv[1:4] == ['-m', 'modeldna.cli', 'compare'], sys.argv",
        "assert sys.argv[6:] == ['--json'], sys.argv",
        "assert all((pathlib.Path(f) / 'config.json').is_file() for f in sys.argv[4:6])",
        "assert os.environ['HOME'] == os.getcwd() and os.environ['HF_HUB_OFFLINE'] == '1'",
        f"print({prints!r})",
        f"print('no such model', file=sys.stderr) or sys.exit({code})",
    ]
    path.write_text("\n".join(lines))
    path.chmod(0o755)
    return str(path)


def test_modeldna_is_missing_without_an_interpreter(stored, monkeypatch):
    monkeypatch.delenv("DOKJA_MODELDNA_PYTHON", raising=False)

    found = score("modelDNA", stored, stored)

    assert found.value is None
    assert found.missing == "DOKJA_MODELDNA_PYTHON names no interpreter that has modelDNA"


def test_modeldna_is_handed_two_folders_and_its_word_is_kept(stored, monkeypatch, tmp_path):
    python = interpreter(tmp_path, prints=json.dumps(ANSWER))
    monkeypatch.setenv("DOKJA_MODELDNA_PYTHON", python)

    found = score("modelDNA", stored, stored)

    assert (found.value, found.said, found.missing) == (0.776, "SAME_FAMILY_UNRESOLVED", "")


def test_modeldna_that_fails_is_missing_with_its_last_line(stored, monkeypatch, tmp_path):
    monkeypatch.setenv("DOKJA_MODELDNA_PYTHON", interpreter(tmp_path, prints="", code=1))

    found = score("modelDNA", stored, stored)

    assert found.missing == "modelDNA ended with 1: no such model"


def test_modeldna_without_a_probability_is_missing_with_its_reason():
    verdict = {
        "verdict": "NO_MATCH",
        "probability": None,
        "candidates": [{"ruled_out": "layer count mismatch"}],
    }

    found = part("modeldna").read_answer({"tool_version": "0.1.0", "verdict": verdict})

    assert (found.value, found.said) == (None, "NO_MATCH")
    assert found.missing == "NO_MATCH; layer count mismatch"


def test_modeldna_of_another_version_is_missing():
    found = part("modeldna").read_answer({**ANSWER, "tool_version": "0.2.0"})

    assert found.missing == "this is modelDNA 0.2.0"


def test_modeldna_reads_the_weights_that_were_opened(stored, tmp_path):
    part("modeldna").write_whole(stored, tmp_path / "whole")

    written = open_source(tmp_path / "whole")

    assert written.names == stored.names
    assert written.token_rows() == stored.token_rows()
    assert all(np.array_equal(written.read(n), stored.read(n)) for n in stored.names)
