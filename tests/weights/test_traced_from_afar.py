"""Models at addresses, compared in other processes: the same answer within the same budget."""

import json

import numpy as np
import pytest
from safetensors.numpy import save

from dokja.cli.commands import run

pytestmark = pytest.mark.loopback
WIDTH, TOKENS = 64, 400
TOKENIZER = json.dumps({"model": {"vocab": {f"t{row}": row for row in range(TOKENS)}}}).encode()
SHAPES = {f"self_attn.{name}_proj": (WIDTH, WIDTH) for name in "qkvo"} | {
    "mlp.gate_proj": (2 * WIDTH, WIDTH),
    "mlp.up_proj": (2 * WIDTH, WIDTH),
    "mlp.down_proj": (WIDTH, 2 * WIDTH),
}


def weights(seed):
    rng = np.random.default_rng(seed)
    shapes = {
        f"model.layers.{layer}.{name}.weight": shape
        for layer in range(2)
        for name, shape in SHAPES.items()
    }
    shapes["model.embed_tokens.weight"] = (TOKENS, WIDTH)
    return save({k: rng.standard_normal(v).astype(np.float32) for k, v in shapes.items()})


@pytest.fixture
def far(server):
    """Two strangers at addresses."""
    for seed, name in enumerate(("one", "other")):
        server.files |= {
            f"/{name}/model.safetensors": weights(seed),
            f"/{name}/config.json": b'{"model_type": "llama"}',
            f"/{name}/tokenizer.json": TOKENIZER,
        }
    return [f"{server.address}/{name}/" for name in ("one", "other")]


def told(capsys, words):
    code = run(["trace", *words, "--allow-private", "--json"])
    return code, capsys.readouterr()


def test_other_processes_read_and_find_the_same(far, capsys):
    suspect, reference = far
    words = [suspect, "--against", reference]

    here, apart = told(capsys, words), told(capsys, [*words, "--engine", "local:1"])

    assert here[0] == apart[0] == 0
    assert json.loads(apart[1].out) == json.loads(here[1].out)
    assert json.loads(apart[1].out)["read"]["ranges_digest"].startswith("sha256:")


def sent(server):
    """Return how many bytes of each model went out, by what was asked for."""
    total = dict.fromkeys(("one", "other"), 0)
    for method, path, asked in server.log:
        data = server.files.get(path.partition("?")[0], b"")
        first, last = (asked or "bytes=0-99999999").removeprefix("bytes=").split("-")
        length = max(0, min(int(last), len(data) - 1) - int(first) + 1)
        total[path.split("/")[1]] += 0 if method == "HEAD" else length
    return total


def test_budget_holds_for_all_processes_together(far, server, capsys):
    suspect, reference = far
    words = [suspect, "--against", reference, "--against", f"{reference}?again"]

    code, _ = told(capsys, [*words, "--engine", "local:2", "--budget-bytes", "400000"])

    assert code in {0, 4}
    assert 300_000 < sent(server)["one"] <= 400_000
    assert 300_000 < sent(server)["other"] <= 2 * 400_000  # two addresses, each with its own


def test_budget_that_is_too_small_for_all_processes_is_told(far, capsys):
    suspect, reference = far
    words = [suspect, *(word for n in range(8) for word in ("--against", f"{reference}?{n}"))]

    code, printed = told(capsys, [*words, "--engine", "local:2", "--budget-bytes", "250000"])

    assert (code, printed.out) == (2, "")
    assert "Give a larger budget, or read less." in printed.err
