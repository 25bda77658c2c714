"""Models of any names and shapes: each is traced or refused, and none brings the run down."""

import itertools
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dokja.evidence.ledger.kinds import check_body
from dokja.evidence.lineage import Relation, finding_drafts, trace
from dokja.models.weights import open_source

NAMES = [
    *(
        f"{stack}.{layer}.{tail}.weight"
        for stack, layer, tail in itertools.product(
            ("model.layers", "vision_tower.layers"),
            (0, 2),
            ("self_attn.q_proj", "mlp.up_proj", "input_layernorm", "strange"),
        )
    ),
    "model.embed_tokens.weight",
    "lm_head.weight",
    "mm_projector.0.weight",
    "x",
]
SHAPES = st.sampled_from([(), (0,), (7,), (0, 5), (5, 0), (30, 30), (30, 20), (100, 30), (8, 8, 8)])
FILLINGS = st.sampled_from(["noise", "zeros", "nan", "one", "huge"])
MODELS = st.dictionaries(st.sampled_from(NAMES), st.tuples(SHAPES, FILLINGS), max_size=10)


def made(model, *, seed):
    rng = np.random.default_rng(seed)
    fill = {
        "noise": rng.standard_normal,
        "zeros": np.zeros,
        "one": np.ones,
        "nan": lambda shape: np.full(shape, np.nan),
        "huge": lambda shape: 1e38 * rng.uniform(-1, 1, shape),
    }
    return {
        name: np.asarray(fill[how](shape), dtype=np.float32) for name, (shape, how) in model.items()
    }


def opened(home, name, tensors):
    folder = Path(home) / name
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    tokens = ", ".join(f'"t{row}": {row}' for row in range(90))
    (folder / "tokenizer.json").write_text(f'{{"model": {{"vocab": {{{tokens}}}}}}}')
    return open_source(folder)


@settings(max_examples=60, deadline=None)
@given(MODELS, MODELS, st.booleans())
def test_any_two_models_are_traced_to_entries_that_the_ledger_takes(first, second, same_seed):
    with tempfile.TemporaryDirectory() as home:
        ours = opened(home, "a", made(first, seed=1))
        theirs = opened(home, "b", made(second, seed=1 if same_seed else 2))

        report = trace(ours, theirs, rng=np.random.default_rng(3))

    drafts = finding_drafts(report, model="a", reference="b", on=date(2026, 1, 1), actor="office")
    assert [check_body("finding", draft.body, place="x") for draft in drafts] == [()] * len(drafts)
    for finding in report.findings:
        assert 0 <= finding.read_share <= 1
        assert 0 <= finding.parameter_share <= 1
        assert (finding.effect is None) <= (finding.relations == (Relation.NOT_TESTABLE,))
