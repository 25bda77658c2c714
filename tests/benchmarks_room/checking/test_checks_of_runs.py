"""Checks of runs that real endpoints answered: exchanged, changed, turned on the way, or as before.

Each system is measured over a real line by the real command; what is wrong is wrong at the endpoint
and nowhere else.
"""

import json
from contextlib import closing
from pathlib import Path

import pytest

from dokja.cli.commands import run
from dokja.errors import RunError
from dokja.evidence.benchmarks.checking import Question, Says, Topic, check_runs, read_answers
from dokja.evidence.ledger import open_programme

pytestmark = pytest.mark.loopback

SAMPLE = Path(__file__).parents[3] / "sample/programme"


@pytest.fixture
def pair(choices, scripted, measured):
    """Two systems as they were measured before; and what measures them again."""
    folder, keys = choices()
    before = [
        measured(scripted("garam", keys), folder, "garam", at="before"),
        measured(scripted("maru", keys, able=0.6), folder, "maru", at="before"),
    ]

    def again(**systems):
        made = {
            "garam": scripted("garam", keys, day=1),
            "maru": scripted("maru", keys, able=0.6, day=1),
            **{label: make(keys) for label, make in systems.items()},
        }
        # Few at once, so that the rounds of a run that is so short do not overlap.
        words = ("--concurrency", "4")
        return [measured(each, folder, label, words=words) for label, each in made.items()]

    return before, again


def read(folders):
    return [read_answers(folder) for folder in folders]


def said(report, question):
    return {each.about: each.says for each in report.checks if each.question is question}


def test_two_endpoints_that_answer_with_each_others_identity_are_found_from_both_sides(
    pair, scripted, told, tmp_path
):
    before, again = pair
    now = again(
        garam=lambda keys: scripted("maru", keys, able=0.6, day=2),
        maru=lambda keys: scripted("garam", keys, day=2),
    )

    code, out, _ = told("runs", "check", tmp_path / "now", "--before", tmp_path / "before")
    report = check_runs(read(now), read(before))

    found = {each.about[0]: each for each in report.found(Question.LIKE_ANOTHER)}
    assert code == 3
    assert {label: each.facts["like"] for label, each in found.items()} == {
        "garam": "maru",
        "maru": "garam",
    }
    assert all(each.facts["from_both_sides"] for each in found.values())
    assert all(each.adjusted < 0.001 and each.power > 0.8 for each in found.values())
    assert "garam: answers as maru did before" in out
    assert "maru answers as garam did, so that it is seen from both sides" in out
    assert "It does not say why, nor whose doing it is." in out


def test_as_before_nothing_is_found_though_answers_waver(pair, told, tmp_path):
    before, again = pair
    now = again()

    code, out, _ = told("runs", "check", *now, "--before", tmp_path / "before", "--json")

    document = json.loads(out)
    changed = [
        one != other
        for new, old in zip(read(now), read(before), strict=True)
        for one, other in zip(
            (each.answer for each in new.items.values()),
            (each.answer for each in old.items.values()),
            strict=True,
        )
    ]
    assert sum(changed) > 2
    assert (code, document["says"]) == (0, "nothing")
    assert {each["says"] for each in document["checks"]} == {"nothing"}
    assert float(document["repeats"]["value"]) < 1
    assert document["not_asked"] == {"keys": "6 systems or more, one run a model"}
    assert len(document["evidence"]) == 4


def test_an_endpoint_whose_answers_changed_is_found_and_the_other_is_not(pair, scripted):
    before, again = pair
    now = again(maru=lambda keys: scripted("maru of another version", keys, able=0.6))

    report = check_runs(read(now), read(before), only=[Topic.DRIFT, Topic.ROUNDS])

    assert said(report, Question.ENDPOINT) == {
        ("garam",): Says.NOTHING,
        ("maru",): Says.FOUND,
    }
    assert set(said(report, Question.WITHIN).values()) == {Says.NOTHING}
    (found,) = report.found(Question.ENDPOINT)
    assert found.facts["recurring"] == 40
    assert found.facts["changed_only"] > 10 * found.facts["wavered_only"]
    assert found.change.low > 0.2
    assert 0 < found.smallest < 0.5


def test_an_endpoint_that_turns_into_another_on_the_way_is_found_in_the_run_itself(pair, scripted):
    _, again = pair
    # 40 at the start, half of 60, then 40 in the middle: it turns behind them.
    now = again(maru=lambda keys: scripted("maru", keys, able=0.6, turns=115, day=1))

    report = check_runs(read(now))

    assert said(report, Question.WITHIN) == {("garam",): Says.NOTHING, ("maru",): Says.FOUND}
    (found,) = report.found(Question.WITHIN)
    assert "between middle and end" in found.words
    assert found.facts["odd_end"] > 5 * found.facts["odd_middle"]
    assert report.not_asked.keys() == {Topic.IDENTITY, Topic.DRIFT, Topic.KEYS}


def test_rounds_that_overlap_are_told(choices, scripted, measured):
    folder, keys = choices(12)
    few, many = (
        measured(scripted(label, keys), folder, label, sentinels=12, delay_s=0.02, words=words)
        for label, words in (("a", ("--concurrency", "1")), ("b", ("--concurrency", "48")))
    )

    report = check_runs(read([few, many]))

    assert read_answers(few).overlapping == 0
    assert read_answers(many).overlapping > 0
    assert [note.split(":")[0] for note in report.notes] == ["b"]


def test_other_token_counts_and_another_name_are_told_with_whom_they_fit(
    choices, scripted, measured
):
    folder, keys = choices(20)
    counts = {prompt: 20 + number % 7 for number, prompt in enumerate(keys)}
    more = {prompt: count + 3 for prompt, count in counts.items()}
    other = {prompt: 15 + number % 5 for number, prompt in enumerate(keys)}

    def all_measured(at, tokens):
        return [
            measured(
                scripted(label, keys),
                folder,
                label,
                at=at,
                sentinels=0,
                tokens=tokens[label],
            )
            for label in ("bada", "garam", "maru")
        ]

    before = all_measured("before", {"bada": counts, "garam": counts, "maru": other})
    now = all_measured("now", {"bada": counts, "garam": other, "maru": {**other, **more}})

    report = check_runs(read(now), read(before), only=[Topic.IDENTITY])

    found = {each.about[0]: each for each in report.checks if each.question is Question.TOKENS}
    assert {label: each.facts["fit"] for label, each in found.items()} == {
        "bada": "same",
        "garam": "other",
        "maru": "other",
    }
    assert found["garam"].facts["fits_besides"] == ["maru"]
    assert found["maru"].facts["fits_besides"] == ["bada", "garam"]
    assert "no sign of identity" in found["bada"].words
    assert said(report, Question.NAME) == dict.fromkeys(
        [("bada",), ("garam",), ("maru",)], Says.NOTHING
    )


def test_a_template_that_grew_is_no_other_tokenizer(choices, scripted, measured):
    folder, keys = choices(12)
    counts = {prompt: 20 + number % 7 for number, prompt in enumerate(keys)}
    more = {prompt: count + 3 for prompt, count in counts.items()}
    before = [measured(scripted("m", keys), folder, "m", at="before", tokens=counts)]
    now = [measured(scripted("m", keys), folder, "m", tokens=more)]

    report = check_runs(read(now), read(before), only=[Topic.IDENTITY])

    (found,) = report.found(Question.TOKENS)
    assert found.facts["fit"] == "shifted"
    assert "+3 tokens in every one of 12 prompts" in found.words
    assert said(report, Question.LIKE_ANOTHER) == {("m",): Says.CANNOT_TELL}


def test_a_newcomer_above_all_moves_the_frontier_and_not_the_ruler(
    pair, choices, scripted, measured
):
    before, again = pair
    now = again(haneul=lambda keys: scripted("haneul", keys, able=0.98))

    report = check_runs(read(now), read(before), only=[Topic.DRIFT])

    (found,) = report.found(Question.FRONTIER)
    assert found.about == ("haneul", "garam")
    assert report.found(Question.RULER) == report.found(Question.ENDPOINT) == ()


def test_a_corrected_key_moves_the_ruler_and_no_endpoint(choices, scripted, measured):
    folder, keys = choices()
    able = {"garam": 0.7, "maru": 0.6, "naru": 0.65}
    systems = {label: scripted(label, keys, able=share) for label, share in able.items()}
    before = [measured(system, folder, label, at="before") for label, system in systems.items()]
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    for number in range(0, 60, 3):  # a third of the keys is another one from now on
        rows[number]["key"] = "ABCD"["ABCD".index(rows[number]["key"]) - 1]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    now = [
        measured(scripted(label, keys, able=share, day=1), folder, label)
        for label, share in able.items()
    ]

    report = check_runs(read(now), read(before), only=[Topic.DRIFT])

    (found,) = report.found(Question.RULER)
    assert found.change.high < -0.05
    assert report.found(Question.ENDPOINT) == report.found(Question.FRONTIER) == ()


def test_what_needs_repeats_or_another_system_cannot_be_told_without(
    choices, scripted, measured, told
):
    folder, keys = choices(20)
    before = measured(scripted("m", keys), folder, "m", at="before", sentinels=0)
    now = measured(scripted("m", keys, day=5, wavers=0.3), folder, "m", sentinels=0)

    code, out, _ = told("runs", "check", now, "--before", before)
    alone = told("runs", "check", now)
    asked = told("runs", "check", now, "--only", "keys", "--only", "rounds")

    assert code == 4
    assert "its endpoint and the ruler cannot be told apart" in out
    assert "no item was asked again within the run" in out
    assert "there is nobody else whose answers it could follow" in out
    assert alone[0] == asked[0] == 4
    assert "not asked: rounds; needs items asked three times" in alone[1]
    assert "this needs 6 systems or more" in asked[1]


def test_wrong_keys_are_found_with_the_answer_that_fits(choices, scripted, measured, told):
    folder, keys = choices(100)
    rows = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    wrong = {"q-010", "q-042", "q-077"}
    right = {}
    for row in rows:
        if row["id"] in wrong:
            right[row["id"]] = row["key"]
            row["key"] = "ABCD"["ABCD".index(row["key"]) - 2]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    now = [
        measured(
            scripted(f"s{n}", keys, able=0.6 + n * 0.05, hard=0.2), folder, f"s{n}", sentinels=0
        )
        for n in range(8)
    ]

    code, out, _ = told("runs", "check", *now, "--only", "keys", "--json")
    text = told("runs", "check", *now)[1]

    found = json.loads(out)["checks"]
    assert code == 3
    assert {each["about"][0]: each["facts"]["answer"] for each in found} == right
    assert all(float(each["p"]) <= 0.05 and float(each["power"]) > 0.5 for each in found)
    assert "3 of 100 keys do not fit the answers of 8 systems" in text
    (folder / "items.jsonl").write_text(
        "".join(json.dumps({**row, "key": right.get(row["id"], row["key"])}) + "\n" for row in rows)
    )
    clean = told("runs", "check", *now, "--only", "keys", "--suite", folder)
    assert clean[0] in {0, 4}
    assert "do not fit" not in clean[1]


def test_a_check_enters_a_ledger_once(choices, scripted, measured, told, tmp_path):
    folder, keys = choices(20)
    now = measured(scripted("m", keys), folder, "m")
    programme = tmp_path / "programme"
    run(["new", str(programme), "--from", str(SAMPLE)])
    words = ("runs", "check", now, "--ledger", programme, "--stage", "final")

    first = told(*words, "--day", "2026-09-01")
    told(*words, "--day", "2026-09-02")

    with closing(open_programme(programme)) as opened:
        (entry,) = opened.ledger.entries(kind="check")
        document = json.loads(opened.blobs.get(entry.blobs[0]))
    assert f"appended to {programme}: {entry.id}" in first[1]
    assert entry.body["says"] == document["says"] == "nothing"
    assert entry.body["evidence"] == [f"run:{read_answers(now).records}"]
    assert [each["question"] for each in entry.body["checks"]] == ["changed-within-run"]
    assert told("ledger", "verify", programme)[0] == 0


def test_runs_that_cannot_be_laid_side_by_side_are_told_whole(choices, scripted, measured, told):
    folder, keys = choices(12)
    other, other_keys = choices(12, name="others")
    (other / "suite.toml").write_text(
        (other / "suite.toml").read_text().replace('name = "choices"', 'name = "others"')
    )
    one = measured(scripted("m", keys), folder, "m", sentinels=0)
    two = measured(scripted("n", other_keys), other, "n", sentinels=0)

    with pytest.raises(RunError) as refused:
        check_runs(read([one, one, two]))
    (one / "records.jsonl").write_bytes(
        (one / "records.jsonl").read_bytes().replace(b'"C"', b'"D"')
    )
    edited = told("runs", "check", one, "--before", folder)

    assert [each.place for each in refused.value.mistakes] == ["system.label", "asked.suite"]
    assert edited[0] == 2
    assert "records.jsonl" in edited[2]
    assert "plan.json" in edited[2]
