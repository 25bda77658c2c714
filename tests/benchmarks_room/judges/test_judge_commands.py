"""Judges as a user meets them: asked, faulty, paid once, and held against people."""

import json
from pathlib import Path

import pytest

from dokja.cli.commands import run
from dokja.evidence.benchmarks.sanity import probe_tasks
from dokja.evidence.benchmarks.scorers import JudgeScorer
from dokja.evidence.benchmarks.suites import read_suite_folder
from dokja.evidence.ledger import open_programme

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "sample/programme/models/dasom-1"
ITEMS = 12
RIGHT, WRONG = "VERDICT: CORRECT", "VERDICT: WRONG"
FAMILIES = ("--judge-family", "haneul", "--family", "garam")

pytestmark = pytest.mark.loopback


@pytest.fixture
def suite(tmp_path):
    """A suite of open questions whose scorer asks a judge."""
    folder = tmp_path / "capitals"
    folder.mkdir()
    (folder / "suite.toml").write_text(
        'format = 1\nname = "capitals"\nversion = "2026.1"\nlicence = "CC0-1.0"\n'
        'language = "ko"\nbudget_tokens = 16\nclusters = ["subject"]\n'
        'scorer = { kind = "judge", judge = "haneul-judge", criteria = "Is it the capital?" }\n'
    )
    (folder / "template.txt").write_text("{{question}}\n")
    rows = [
        {
            "id": f"q-{number}",
            "question": f"{number}번 나라의 수도는 어디입니까?",
            "key": f"도시{number}",
            "clusters": {"subject": f"s{number % 3}"},
        }
        for number in range(ITEMS)
    ]
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def tasks(folder):
    suite = read_suite_folder(folder, salted=False)
    return suite.scorer, [suite.task(item) for item in suite.items]


def said_by(task, *, right=True):
    return f"{task.keys[0]}입니다." if right else "모르는 도시입니다."


@pytest.fixture
def model(endpoint, suite):
    """A model that is right on every item but the first four."""
    _, items = tasks(suite)
    return endpoint({task.prompt: said_by(task, right=n >= 4) for n, task in enumerate(items)})


@pytest.fixture
def judge(endpoint, suite):
    """A judge that passes what is right and fails the rest; some questions may go wrong."""
    scorer, items = tasks(suite)
    verdicts = {scorer.asked(task, said_by(task)): RIGHT for task in items}

    def start(**behaviour):
        behaviour.setdefault("model", "haneul-judge")
        return endpoint(verdicts, otherwise=WRONG, keep=True, **behaviour)

    return start


@pytest.fixture
def told(capsys):
    def go(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


def measured(model, suite, out, *words):
    return (
        *("measure", "always-right", "--endpoint", model.url, "--suite", suite, "--out", out),
        *words,
    )


def judged_by(server, *words):
    return ("--judge", "haneul-judge", "--judge-endpoint", server.url, *FAMILIES, *words)


def records(folder):
    return [json.loads(line) for line in (folder / "records.jsonl").read_bytes().splitlines()]


def labels(folder, path, *, count=200):
    """Labelled replies of which people and the judge say the same, half of them right."""
    _, items = tasks(folder)
    rows = [
        {
            "item": items[number % ITEMS].id,
            "reply": said_by(items[number % ITEMS], right=number % 2 == 0),
            "right": number % 2 == 0,
        }
        for number in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_judge_scores_a_run_and_its_key_is_kept_nowhere(
    model, judge, suite, told, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUDGE_KEY", "judge-secret")
    server = judge()

    code, out, _ = told(
        *measured(model, suite, tmp_path / "run"),
        *judged_by(server, "--judge-key-env", "JUDGE_KEY", "--json"),
    )

    said = json.loads(out)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert (code, said["outcomes"]) == (0, {"correct": 8, "wrong": 4})
    assert (said["judge"]["asked"], said["judge"]["without"]) == (ITEMS, 0)
    assert server.requests[0][0]["authorization"] == "Bearer judge-secret"
    assert server.requests[0][1]["model"] == "haneul-judge"
    assert b"judge-secret" not in kept


def test_what_a_judge_replied_is_not_paid_for_again(model, judge, suite, told, tmp_path):
    server, folder = judge(), tmp_path / "run"
    told(*measured(model, suite, folder), *judged_by(server))
    before, paid = records(folder), server.asked.total()

    again = told("measure", "--resume", folder, *judged_by(server))
    rescored = told("rescore", folder, *judged_by(server, "--json"))

    said = json.loads(rescored[1])
    assert (again[0], rescored[0], server.asked.total()) == (0, 0, paid)
    assert records(folder) == before
    assert said["changes"] == []
    assert (said["judge"]["asked"], said["judge"]["kept"]) == (0, ITEMS)


def test_faults_of_a_judge_are_asked_again_and_count_for_nothing(
    model, judge, suite, told, tmp_path
):
    server = judge(script=("rate_told", "server", "malformed", "cut"))

    code, out, _ = told(*measured(model, suite, tmp_path / "run"), *judged_by(server, "--json"))

    assert (code, json.loads(out)["outcomes"]) == (0, {"correct": 8, "wrong": 4})
    assert server.asked.total() == 5 * ITEMS


def test_a_question_without_a_reply_is_the_operators_and_never_wrong(
    model, judge, suite, told, tmp_path
):
    scorer, items = tasks(suite)
    lost = scorer.asked(items[5], said_by(items[5]))
    server, folder = judge(by_question={lost: ("malformed",) * 3}), tmp_path / "run"

    first = told(*measured(model, suite, folder), *judged_by(server))
    found = records(folder)[5]
    second = told("measure", "--resume", folder, *judged_by(server, "--json"))

    assert (first[0], second[0]) == (4, 0)
    assert (found["outcome"], found["cause"]) == ("infrastructure_error", "scorer")
    assert (found["charge"], "score" in found) == ("operator", False)
    assert json.loads(second[1])["outcomes"] == {"correct": 8, "wrong": 4}
    assert server.asked[lost] == 4


def test_a_judge_that_refuses_the_requests_costs_one(model, judge, suite, told, tmp_path):
    server = judge(script=("status:401:invalid_api_key",))

    code, out, err = told(*measured(model, suite, tmp_path / "run"), *judged_by(server))

    assert (code, server.asked.total()) == (4, 1)
    assert f"infrastructure_error {ITEMS}" in out
    assert "invalid_api_key" in err


def test_a_judge_that_never_replies_is_given_up(model, judge, suite, told, tmp_path):
    server = judge(script=("malformed",) * 99)

    code, out, err = told(
        *measured(model, suite, tmp_path / "run"), *judged_by(server, "--judge-concurrency", 1)
    )

    assert (code, server.asked.total()) == (4, 8 * 3)  # eight questions, three tries each
    assert "8 questions without a reply" in err
    assert "0 asked, 0 kept before, 12 without a reply" in out


def test_another_model_that_answers_for_the_judge_judges_nothing(
    model, judge, suite, told, tmp_path
):
    server = judge(model="somebody-else")

    refused = told(*measured(model, suite, tmp_path / "run"), *judged_by(server))
    named = told(
        "rescore", tmp_path / "run", *judged_by(server, "--judge-reports", "somebody-else")
    )

    assert (refused[0], named[0]) == (4, 0)
    assert "somebody-else" in refused[2]
    assert "12 asked" in named[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--judge-family", "garam", "--family", "Garam"), 4, "cannot judge always-right"),
        (("--judge-family", "haneul"), 4, "the family of always-right is not declared"),
        (("--family", "garam"), 4, "the judge's family is not declared"),
    ],
)
def test_kin_and_strangers_do_not_judge(model, judge, suite, told, tmp_path, words, code, said):
    server = judge()

    found = told(
        *measured(model, suite, tmp_path / "run"),
        *("--judge", "haneul-judge", "--judge-endpoint", server.url, *words),
    )

    assert found[0] == code
    assert said in found[2]
    assert (server.asked.total(), model.asked.total()) == (0, 0)


def test_a_judge_that_is_not_declared_is_refused(model, judge, suite, told, tmp_path):
    server = judge()

    code, _, err = told(
        *measured(model, suite, tmp_path / "run"),
        *("--judge", "other-judge", "--judge-endpoint", server.url, *FAMILIES),
    )

    assert code == 2
    assert "haneul-judge, the judge that the scorer declares" in err
    assert model.asked.total() == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--judge-endpoint", "http://127.0.0.1:9/v1"), "name the judge with --judge"),
        (("--judge", "haneul-judge", *FAMILIES), "which is no folder"),
        (
            ("--judge", "haneul-judge", "--judge-endpoint", "http://h/v1?api_key=x", *FAMILIES),
            "--judge-key-env",
        ),
        (
            (
                *("--judge", "haneul-judge", "--judge-endpoint", "http://h/v1", *FAMILIES),
                *("--judge-set", "temperature"),
            ),
            "--judge-set",
        ),
    ],
)
def test_what_is_said_wrongly_is_told_before_anything_is_asked(
    model, suite, told, tmp_path, words, said
):
    code, _, err = told(*measured(model, suite, tmp_path / "run"), *words)

    assert code == 2
    assert said in err
    assert model.asked.total() == 0
    assert not (tmp_path / "run").exists()


def test_a_run_can_be_judged_later(model, judge, suite, told, tmp_path):
    server, folder = judge(), tmp_path / "run"

    first = told(*measured(model, suite, folder))
    second = told("rescore", folder, *judged_by(server, "--json"))

    changes = {each["now"]: each["count"] for each in json.loads(second[1])["changes"]}
    assert (first[0], second[0]) == (4, 0)
    assert "dokja rescore" in first[2]
    assert changes == {"correct": 8, "wrong": 4}


def test_the_rate_is_corrected_by_the_judges_error(model, judge, suite, told, tmp_path):
    server, path = judge(), labels(suite, tmp_path / "labels.jsonl")

    code, out, _ = told(
        *measured(model, suite, tmp_path / "run"), *judged_by(server, "--labels", path, "--json")
    )

    said = json.loads(out)["judge"]
    [error], [rate] = said["errors"], said["rates"]
    assert code == 0
    assert (error["language"], error["labels"]) == ("ko", 200)
    assert (error["sensitivity"]["value"], error["specificity"]["value"]) == (1.0, 1.0)
    assert error["sensitivity"]["low"] < 0.97
    assert (rate["answers"], rate["passed"]["value"]) == (12, pytest.approx(8 / 12))
    assert rate["corrected"]["value"] == pytest.approx(8 / 12)
    assert rate["corrected"]["low"] < 8 / 12 < rate["corrected"]["high"]


def test_few_labels_correct_nothing(model, judge, suite, told, tmp_path):
    server, path = judge(), labels(suite, tmp_path / "labels.jsonl", count=199)

    code, out, _ = told(
        *measured(model, suite, tmp_path / "run"), *judged_by(server, "--labels", path)
    )

    assert code == 0
    assert "there are ko 199" in out
    assert "corrected missing (not-measured)" in out


def test_labels_that_cannot_be_read_are_told_at_once(model, judge, suite, told, tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"item": "q-1", "reply": "x", "right": "yes"}\n{"item": "nobody"}\nno\n')

    code, _, err = told(
        *measured(model, suite, tmp_path / "run"), *judged_by(judge(), "--labels", path)
    )

    assert code == 2
    assert [f"line {number}" in err for number in (1, 2, 3)] == [True] * 3
    assert model.asked.total() == 0


def test_a_judge_passes_the_sanity_suite_once_its_error_is_known(
    judge, suite, told, tmp_path, endpoint
):
    scorer, items = tasks(suite)
    verdicts = {
        scorer.asked(task, text): RIGHT for task in items for text in (task.keys[0], said_by(task))
    }
    server = endpoint(verdicts, otherwise=WRONG, model="haneul-judge")
    programme, path = tmp_path / "programme", labels(suite, tmp_path / "labels.jsonl")
    told("new", programme, "--from", ROOT / "sample/programme")
    words = ("sanity", suite, "--judge", "haneul-judge", "--judge-endpoint", server.url)
    words += ("--judge-store", tmp_path / "judges")

    without = told(*words)
    paid = server.asked.total()
    passed = told(*words, "--labels", path, "--programme", programme)
    new = server.asked.total() - paid

    with open_programme(programme).ledger as ledger:
        [entry] = list(ledger.entries(kind="sanity"))
    assert (without[0], passed[0]) == (3, 0)
    assert "judge_error" in without[1]
    assert "sensitivity 1.000" in passed[1]
    assert entry.body["passed"] is True
    assert 0 < new <= 2 * ITEMS


def test_a_judge_that_changes_its_mind_is_found_out(suite, told, tmp_path, endpoint):
    scorer, items = tasks(suite)
    verdicts = {scorer.asked(task, task.keys[0]): RIGHT for task in items}
    # The second time, every question gets the other answer.
    turned = dict.fromkeys(
        (*verdicts, *(scorer.asked(task, "2") for task in items)), (f"say:{RIGHT}", f"say:{WRONG}")
    )
    server = endpoint(verdicts, otherwise=WRONG, model="haneul-judge", by_question=turned)

    code, out, _ = told(
        *("sanity", suite, "--judge", "haneul-judge", "--judge-endpoint", server.url),
        *("--judge-store", tmp_path / "judges", "--json"),
    )

    checks = {check["attack"]: check["holds"] for check in json.loads(out)["checks"]}
    assert code == 3
    assert checks["repetition"] is False


def test_a_model_in_this_process_judges(suite, told, tmp_path):
    scorer = tmp_path / "scorer.toml"
    scorer.write_text('[scorer]\nkind = "judge"\njudge = "dasom-1"\ncriteria = "Is it right?"\n')

    code, out, _ = told(
        *("sanity", scorer, "--judge", MODEL, "--judge-store", tmp_path / "judges"),
        *("--judge-set", "max_tokens=2", "--json"),
    )

    [file] = (tmp_path / "judges").iterdir()
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert code == 3  # it adds numbers, and cannot judge
    assert json.loads(out)["tasks"] == len(probe_tasks(JudgeScorer(judge="d", criteria="c").kind))
    assert lines[0]["judge"]["weights"].startswith("sha256:")
    assert {line["did"] for line in lines[1:]} <= {"reply", "gave_up"}
    assert len(lines) > 20
