"""How far an export is from its parent, against a twin that counts token by token."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import TransformError
from dokja.models.forge.exports import LIMITS, QualityDelta, open_parent
from dokja.models.forge.exports.exporting import _computed, _weights
from dokja.models.forge.exports.probing import ProbeTexts, Windows, probe_texts
from dokja.models.forge.exports.quality import compare
from dokja.models.forge.tokenizing import byte_tokenizer, probe
from dokja.values import Digest

PROBE = Digest.of(b"probe")


def slow_comparison(text, parent, export):
    """Return what `compare` says, one prediction at a time, over windows written out by hand."""
    nats = [0.0, 0.0]
    same, largest, count = 0, 0.0, 0
    for place in range(len(text) - 1):
        rows = [[float(value) for value in logits[place]] for logits in (parent, export)]
        for which, row in enumerate(rows):
            total = math.fsum(math.exp(value - max(row)) for value in row)
            nats[which] += math.log(total) + max(row) - row[text[place + 1]]
        same += rows[0].index(max(rows[0])) == rows[1].index(max(rows[1]))
        largest = max(largest, *(abs(a - b) for a, b in zip(*rows, strict=True)))
        count += 1
    bits = [total / count / math.log(2) for total in nats]
    return bits, same / count, largest


@given(
    length=st.integers(2, 40),
    positions=st.integers(2, 12),
    seed=st.integers(0, 2**32 - 1),
    noise=st.sampled_from([0.0, 1e-3, 1.0]),
)
def test_comparison_equals_one_prediction_at_a_time(length, positions, seed, noise):
    rng = np.random.default_rng(seed)
    text = rng.integers(97, 123, length).tolist()
    parent = rng.normal(0, 3, (length - 1, 256)).astype(np.float32)
    export = (parent + noise * rng.normal(size=parent.shape)).astype(np.float32)
    texts = ProbeTexts(texts=(("a", bytes(text).decode()),))
    windows = Windows.of(texts, byte_tokenizer(), positions=positions)

    found = compare(
        windows,
        parent=_cut(windows, parent),
        export=_cut(windows, export),
        probe=PROBE,
        limit=0.01,
    )

    bits, same, largest = slow_comparison(text, parent, export)
    assert (found.predictions, found.bytes) == (length - 1, length - 1)
    assert [found.parent, found.export] == pytest.approx(bits, rel=1e-6)
    assert found.top1_agreement == same
    assert found.max_logit_difference == pytest.approx(largest, rel=1e-6, abs=1e-6)


def _cut(windows, rows):
    """Yield rows of predictions as a network would give them: filled up where nothing is asked."""
    place = 0
    for batch in windows.batches:
        logits = np.full((*batch.inputs.shape, rows.shape[1]), 99.0, dtype=np.float32)
        count = int(batch.counted.sum())
        logits[batch.counted] = rows[place : place + count]
        place += count
        yield logits


@given(st.lists(st.text(alphabet="ab가\n", max_size=20), min_size=1, max_size=4), st.integers(1, 9))
def test_every_token_but_a_texts_first_is_predicted_once(said, positions):
    texts = ProbeTexts(texts=tuple((str(place), text) for place, text in enumerate(said)))

    windows = Windows.of(texts, byte_tokenizer(), positions=positions)

    labels = [one for batch in windows.batches for one in batch.labels[batch.counted].tolist()]
    assert labels == [byte for text in said for byte in text.encode()[1:]]
    assert windows.predictions == windows.bytes == len(labels)


def test_bytes_are_those_of_the_predicted_tokens():
    texts = probe_texts("독자 여러분")
    tokenizer = byte_tokenizer(("<end>",))

    windows = Windows.of(texts, tokenizer, positions=64)

    assert windows.bytes == sum(len(text.encode()) - 1 for _, text in texts.texts)
    assert dict(texts.texts)["korean"] == "\n".join(probe().korean)
    assert texts.digest != probe_texts().digest


@pytest.mark.parametrize("text", ["", " \n", "\ud800"])
def test_text_without_text_is_refused(text):
    with pytest.raises(TransformError, match="no text that has UTF-8"):
        probe_texts(text)


def test_other_number_or_shape_of_logits_is_refused():
    windows = Windows.of(ProbeTexts(texts=(("a", "abc"),)), byte_tokenizer(), positions=4)
    right, wrong = np.zeros((1, 4, 256), np.float32), np.zeros((1, 3, 256), np.float32)

    for parent, export in (([right], []), ([wrong], [right])):
        with pytest.raises(ValueError, match=r"shape|shorter"):
            compare(windows, parent=parent, export=export, probe=PROBE, limit=1.0)


def test_what_is_no_number_is_never_accepted():
    windows = Windows.of(ProbeTexts(texts=(("a", "abc"),)), byte_tokenizer(), positions=4)
    right = np.zeros((1, 4, 256), np.float32)
    broken = right.copy()
    broken[0, 0, 5] = np.nan

    found = compare(windows, parent=[right], export=[broken], probe=PROBE, limit=100.0)

    assert found.accepted is False
    assert found.to_json()["bits_per_byte"] is None
    assert found.to_json()["max_logit_difference"] is None


@pytest.mark.parametrize(("export", "accepted"), [(2.01, True), (2.02, False), (1.98, False)])
def test_export_that_is_better_by_too_much_is_another_model(export, accepted):
    found = QualityDelta(
        parent=2.0,
        export=export,
        top1_agreement=1.0,
        max_logit_difference=0.1,
        predictions=9,
        bytes=9,
        probe=PROBE,
        limit=LIMITS["onnx", "int8"] + 1e-9,
    )

    assert found.accepted is accepted


def test_parent_compared_with_itself_differs_in_nothing(model):
    parent = open_parent(model)
    windows = Windows.of(probe_texts(), parent.tokenizer, positions=parent.structure.positions)

    def computed():
        return _computed(_weights(parent), parent.structure, windows)

    found = compare(windows, parent=computed(), export=computed(), probe=PROBE, limit=0.0)

    assert (found.delta, found.top1_agreement, found.max_logit_difference) == (0.0, 1.0, 0.0)
    assert (found.accepted, found.predictions) == (True, 6979)
