"""`dokja forge tokenizer`: what it says and how it ends."""

import json

import pytest

from dokja.cli.commands import run as dokja
from dokja.cli.forge_tokenizer import tokenizer as group
from dokja.models.forge.tokenizing import (
    SPLITS,
    Tokenizer,
    byte_tokenizer,
    read_tokenizer,
    tokenizer_json,
    write_tokenizer,
)

LINES = ["국가 인공지능 기반 모델 사업", "a base model of a national programme", "def f(x): pass"]


@pytest.fixture
def say(capsys):
    """Types a command; returns its exit code, what it printed and what it complained of."""

    def said(*words):
        code = dokja(["forge", "tokenizer", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return said


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "bytes"
    write_tokenizer(byte_tokenizer(), path)
    return path


@pytest.fixture
def texts(tmp_path):
    """A folder of documents, one of them below another folder, and a file that is no text."""
    path = tmp_path / "texts"
    (path / "more").mkdir(parents=True)
    for place, line in enumerate(LINES):
        name = "more/b.md" if place == 1 else f"{place}.txt"
        (path / name).write_text((line + "\n") * 20)
    (path / "image.png").write_bytes(b"\xff")
    return path


@pytest.mark.parametrize("name", sorted(group.commands))
def test_every_command_helps_with_an_example(say, name):
    code, out, _ = say(name, "--help")

    assert (code, f"dokja forge tokenizer {name} " in out.partition("Example")[2]) == (0, True)
    assert "--json" in out


def test_lint_of_what_works_ends_well(say, folder):
    code, out, _ = say("lint", folder)

    assert (code, out.splitlines()[-1]) == (
        0,
        f"{folder}: 17 findings, 0 fail, 0 undecided, 0 of advice",
    )


def test_lint_of_advice_alone_ends_well(say, tmp_path):
    odd = Tokenizer(merges=((97, 98),), pattern=SPLITS["llama3"].pattern)
    write_tokenizer(odd, tmp_path / "odd")

    code, out, _ = say("lint", tmp_path / "odd", "--json")

    said = json.loads(out)
    failing = [one for one in said["findings"] if one["outcome"] == "fails"]
    assert (code, said["outcome"]) == (0, "holds")
    assert [one["check"] for one in failing if one["advice"]] == ["vocabulary-padded"]


def test_lint_of_what_fails_ends_with_three(say, tmp_path):
    said = tokenizer_json(Tokenizer(merges=((97, 98),), pattern=SPLITS["llama3"].pattern))
    said["truncation"] = {"max_length": 8, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(said))

    code, out, _ = say("lint", tmp_path, "--json")

    found = {one["check"]: one["outcome"] for one in json.loads(out)["findings"]}
    assert (code, json.loads(out)["outcome"], found["no-truncation"]) == (3, "fails", "fails")


@pytest.mark.parametrize("word", ["lint", "report"])
def test_missing_tokenizer_is_told(say, tmp_path, word):
    code, out, err = say(word, tmp_path / "nowhere")

    assert (code, out, "nowhere" in err) == (2, "", True)


def test_report_measures_each_tokenizer_and_text(say, folder, tmp_path):
    other = Tokenizer(merges=((97, 98),), pattern=SPLITS["llama3"].pattern)
    write_tokenizer(other, tmp_path / "other")
    (tmp_path / "own.txt").write_text("독자 여러분")
    words = (folder, tmp_path / "other", "--text", tmp_path / "own.txt", "--against", folder)

    code, out, _ = say("report", *words, "--json")
    plain, told, _ = say("report", *words)

    reports = json.loads(out)["reports"]
    assert (code, plain) == (0, 0)
    assert [one["tokenizer"] for one in reports] == [str(folder), str(tmp_path / "other")]
    assert [text["name"] for text in reports[0]["texts"]] == [
        "korean",
        "english",
        "code",
        "own.txt",
    ]
    assert reports[1]["shared"][str(folder)]["tokens"] == 256
    assert told.count("rows when padded") == 2


@pytest.mark.parametrize("content", [None, b"\xff", b" "])
def test_text_that_cannot_be_measured_is_told(say, folder, tmp_path, content):
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)

    code, _, err = say("report", folder, "--text", path)

    assert (code, "own.txt" in err) == (2, True)


def test_texts_that_are_not_there_are_all_told(say, tmp_path):
    (tmp_path / "empty").mkdir()

    code, _, err = say(
        "train", tmp_path / "empty", tmp_path / "none", "--size", 300, "-o", tmp_path / "t"
    )

    assert (code, "no .txt or .md file" in err, "none: read nothing" in err) == (2, True, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"]


@pytest.mark.torch
def test_training_writes_a_tokenizer_that_anyone_can_train_again(say, texts, tmp_path):
    words = ("--size", 300, "--split", "korean")

    code, out, _ = say("train", texts, *words, "-o", tmp_path / "one", "--json")
    again, told, _ = say("train", texts, *words, "-o", tmp_path / "two")

    said = json.loads(out)
    made = read_tokenizer(tmp_path / "one")
    assert (code, again) == (0, 0)
    assert (said["digest"], said["size"], said["documents"]) == (str(made.digest), 300, 3)
    assert said["bytes"] == sum(20 * (len(line.encode()) + 1) for line in LINES)
    assert read_tokenizer(tmp_path / "two") == made
    assert f"tokenizer {made.digest} in {tmp_path / 'two'}" in told


@pytest.mark.torch
@pytest.mark.parametrize(
    "words", [("--size", 3), ("--size", 300, "--split", "none"), ("--size", 90000)]
)
def test_training_that_cannot_be_done_writes_nothing(say, texts, tmp_path, words):
    code, _, err = say("train", texts, *words, "-o", tmp_path / "t")

    assert (code, "Nothing was changed." in err, (tmp_path / "t").exists()) == (2, True, False)
