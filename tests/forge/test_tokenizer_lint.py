"""Each check of the linter meets a tokenizer that is sound, and the same one broken for it."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.tokenizing import (
    SPLITS,
    LintOutcome,
    Tokenizer,
    byte_tokenizer,
    lint,
    read_tokenizer,
    tokenizer_config,
    tokenizer_json,
    write_tokenizer,
)
from dokja.models.forge.tokenizing.lint_cuts import known_cut, probe_cut
from dokja.models.forge.tokenizing.opened import open_file

# Nothing here needs an encoder: whether texts come back is tried where there is one.
GPT2 = r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CHECKS = {
    "split-is-regex",
    "split-matches",
    "digits-split",
    "digits-without-space",
    "ggml-pre",
    "tokens-unique",
    "ids-whole",
    "vocabulary-padded",
    "unk-absent",
    "bytes-complete",
    "tokens-reachable",
    "specials-unreachable",
    "normaliser-keeps",
    "no-truncation",
    "no-padding",
    "no-prefix-space",
    "round-trip",
}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}


@pytest.fixture
def made(tmp_path):
    """Write the files of a sound tokenizer, changed at some keys, and look through them."""
    sound = Tokenizer(
        merges=((0xEA, 0xB0), (256, 0x80), (97, 98)),
        pattern=SPLITS["llama3"].pattern,
        specials=("<|endoftext|>",),
    )

    def write(changes=(), *, config=None):
        said = json.loads(json.dumps(tokenizer_json(sound)))
        for keys, value in changes:
            *path, last = keys
            part = said
            for key in path:
                part = part[key]
            part[last] = value
        (tmp_path / "tokenizer.json").write_text(json.dumps(said), encoding="utf-8")
        said = tokenizer_config(sound) if config is None else config
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(said), encoding="utf-8")
        return tmp_path

    return write


def failing(findings):
    return [found.check for found in findings if found.outcome is LintOutcome.FAILS]


def test_a_tokenizer_that_dokja_wrote_fails_no_check(tmp_path):
    for split in ("llama3", "llama3-threes"):
        merges = ((0xEA, 0xB0), (256, 0x80))
        tokenizer = Tokenizer(merges=merges, pattern=SPLITS[split].pattern, specials=("<e>",))
        write_tokenizer(tokenizer, tmp_path / split)

        findings = lint(tmp_path / split, rows=tokenizer.rows)

        assert {found.outcome for found in findings} == {LintOutcome.HOLDS}
    write_tokenizer(byte_tokenizer(), tmp_path / "bytes")
    assert failing(lint(tmp_path / "bytes")) == []


NFC, LOWER = {"type": "NFC"}, {"type": "Lowercase"}
CUT = ("pre_tokenizer", "pretokenizers", 0, "pattern")
LITERAL = {"String": r"\p{L}+|\p{N}"}


@pytest.mark.parametrize(
    ("keys", "value", "checks"),
    [
        (CUT, LITERAL, ["split-is-regex", "split-matches", "ggml-pre"]),
        (CUT, {"Regex": "(?s:.+)"}, ["split-matches", "ggml-pre"]),
        (("pre_tokenizer",), BYTE_LEVEL, []),
        (CUT, {"Regex": SPLITS["korean"].pattern}, ["ggml-pre"]),
        (("normalizer",), NFC, ["normaliser-keeps"]),
        (("normalizer",), {"type": "Sequence", "normalizers": [NFC]}, ["normaliser-keeps"]),
        (("normalizer",), LOWER, ["normaliser-keeps"]),
        (("truncation",), {"max_length": 512}, ["no-truncation"]),
        (("padding",), {"strategy": "BatchLongest"}, ["no-padding"]),
        (("model", "unk_token"), "<unk>", ["unk-absent"]),
        (("model", "vocab", "Ā"), 400, ["ids-whole", "vocabulary-padded"]),
        (("model", "vocab", "zz"), 258, ["tokens-unique", "tokens-reachable"]),
        (("added_tokens", 0, "id"), 258, ["tokens-unique"]),
        (("model", "merges", 0), ["x", "y"], ["tokens-reachable"]),
        (("model", "merges", 0), 7, ["tokens-reachable"]),
    ],
)
def test_each_fault_is_found_and_no_other(made, keys, value, checks):
    found = lint(made([(keys, value)]), rows=384)

    said = failing(found)
    # Whether texts come back is another check, and hangs on whether an encoder is installed.
    assert [check for check in said if check != "round-trip"] == checks


def test_a_byte_that_no_token_writes_is_told(made):
    path = made() / "tokenizer.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    said["model"]["vocab"]["other"] = said["model"]["vocab"].pop("!")
    path.write_text(json.dumps(said), encoding="utf-8")

    findings = lint(path, rows=384)

    found = next(each for each in findings if each.check == "bytes-complete")
    assert (found.outcome, found.read) == (LintOutcome.FAILS, "no token for 1 bytes, first 0x21")


@pytest.mark.parametrize(
    ("rows", "outcome", "advice"),
    [
        (384, LintOutcome.HOLDS, False),
        (300, LintOutcome.FAILS, True),
        (200, LintOutcome.FAILS, False),
        (None, LintOutcome.FAILS, True),
    ],
)
def test_rows_are_enough_and_a_multiple_of_128(made, rows, outcome, advice):
    findings = lint(made(), rows=rows)

    found = next(each for each in findings if each.check == "vocabulary-padded")
    assert (found.outcome, found.advice) == (outcome, advice)


def test_a_special_that_a_plain_text_reaches_is_told(made):
    findings = lint(made(config={}), rows=384)

    found = next(each for each in findings if each.check == "specials-unreachable")
    assert found.outcome is LintOutcome.FAILS
    assert "<|endoftext|>" in found.read
    assert found.remedy.startswith('Write "split_special_tokens": true')


def test_digits_in_groups_and_after_spaces_are_told(tmp_path):
    for digits, advice in ((2, True), (4, False)):
        merges = [(49, 50), (256, 51), (257, 52)][: digits - 1]
        tokenizer = Tokenizer(merges=(*merges, (32, 55)), pattern=GPT2)
        write_tokenizer(tokenizer, tmp_path / str(digits))

        findings = lint(tmp_path / str(digits), rows=384)

        found = {each.check: each for each in findings if each.outcome is LintOutcome.FAILS}
        assert [*found] == ["digits-split", "digits-without-space"]
        assert found["digits-split"].advice is advice
        assert found["digits-split"].read.startswith(f"tokens of up to {digits} digits")


def test_cuts_are_known_by_what_they_do_and_not_by_how_they_are_written(made):
    digits = {"type": "Digits", "individual_digits": True}
    cuts = {
        "gpt-2": [(("pre_tokenizer",), BYTE_LEVEL)],
        "starcoder": [
            (("pre_tokenizer",), {"type": "Sequence", "pretokenizers": [digits, BYTE_LEVEL]})
        ],
        "qwen2": [],
        "llama-bpe": [(CUT, {"Regex": f"(?:{SPLITS['llama3-threes'].pattern})"})],
        None: [(CUT, {"Regex": SPLITS["korean"].pattern})],
    }

    found = {
        name: known_cut(probe_cut(open_file(made(changes)), limit_seconds=20))
        for name, changes in cuts.items()
    }

    assert found == {name: name for name in cuts}


@pytest.mark.parametrize(
    "step",
    [
        {"type": "Whitespace"},
        {"type": "Split", "behavior": "Isolated", "pattern": {"Regex": r"\w+"}},
        {"type": "Split", "behavior": "MergedWithPrevious", "pattern": {"Regex": "a"}},
    ],
    ids=["whitespace", "word class", "merged"],
)
def test_a_step_that_is_not_understood_is_undecided_and_not_passed(made, step):
    plain = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    steps = {"type": "Sequence", "pretokenizers": [step, plain]}

    findings = lint(made([(("pre_tokenizer",), steps)]), rows=384)

    outcomes = {each.check: each.outcome for each in findings}
    assert outcomes["split-matches"] is LintOutcome.UNDECIDED
    assert outcomes["ggml-pre"] is LintOutcome.UNDECIDED


def test_a_normaliser_that_is_not_known_is_undecided(made):
    findings = lint(made([(("normalizer",), {"type": "Someones"})]), rows=384)

    found = next(each for each in findings if each.check == "normaliser-keeps")
    assert found.outcome is LintOutcome.UNDECIDED


def test_a_sentencepiece_file_is_looked_through_as_such(tmp_path):
    pieces = [["<unk>", 0.0], *[[f"<0x{byte:02X}>", 0.0] for byte in range(256)], ["▁가", -1.0]]
    said = {
        "added_tokens": [],
        "normalizer": {"type": "Prepend", "prepend": "▁"},
        "pre_tokenizer": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": pieces},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(said), encoding="utf-8")

    found = {each.check: each for each in lint(tmp_path, rows=384)}

    assert found["unk-absent"].advice
    assert found["no-prefix-space"].outcome is LintOutcome.FAILS
    assert [
        check
        for check in ("ggml-pre", "split-matches", "bytes-complete", "tokens-reachable")
        if found[check].outcome is LintOutcome.HOLDS
    ] == ["ggml-pre", "split-matches", "bytes-complete", "tokens-reachable"]


def test_a_pattern_that_never_ends_is_ended_and_undecided(made):
    path = made([(CUT, {"Regex": "(a+)+b|."})])

    cuts = probe_cut(open_file(path), limit_seconds=2)

    assert cuts == "a pattern that takes longer than 2 seconds"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 400) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
PLACES = (
    *((key,) for key in ("added_tokens", "normalizer", "pre_tokenizer", "decoder", "model")),
    *(("model", key) for key in ("vocab", "merges", "unk_token", "type", "byte_fallback")),
    *(("added_tokens", 0, key) for key in ("id", "content", "special")),
    *(("pre_tokenizer", "pretokenizers", 0, key) for key in ("type", "behavior")),
    *(("normalizer",), ("model", "merges", 1), ("model", "vocab", "!"), ("added_tokens", 0)),
    *(("pre_tokenizer", "pretokenizers"), ("pre_tokenizer", "pretokenizers", 1)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from(PLACES), json_values)
def test_whatever_stands_in_a_file_the_linter_answers(made, keys, value):
    path = made([(keys, value)])

    findings = lint(path, rows=384)

    assert {found.check for found in findings} == CHECKS
    with contextlib.suppress(RecipeError):
        read_tokenizer(path)  # nor does the plain reader end in anything but a sentence


def test_findings_are_sentences_and_json(made):
    found = lint(made([(("truncation",), {"max_length": 8})]), rows=384)

    wrong = next(each for each in found if each.check == "no-truncation")
    assert str(wrong) == (
        "no-truncation: fails; truncation: read settings of some earlier use; expected null: the "
        'caller says how long a text may be. Set "truncation" to null in tokenizer.json.'
    )
    assert json.loads(json.dumps(wrong.to_json()))["outcome"] == "fails"


def test_what_is_no_tokenizer_file_is_refused_with_both_its_faults(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"a": 1, "a": 2}', encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text("[]", encoding="utf-8")

    with pytest.raises(RecipeError) as caught:
        lint(tmp_path)

    assert len(caught.value.mistakes) == 2
