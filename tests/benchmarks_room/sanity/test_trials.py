"""Scorers that reward what they should not are found out; ours are not.

Each bad scorer here is a real one with one weakness that has been seen in the wild.
"""

import csv
import gzip
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from dokja.errors import ExtraMissingError, SanityError
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.sanity import (
    ATTACKS,
    JudgedLabel,
    is_audited,
    probe_tasks,
    read_labelled,
    refuse_unproven,
    try_scorer,
)
from dokja.evidence.benchmarks.scorers import (
    ALONE,
    Aids,
    Choice,
    ChoiceScorer,
    CodeScorer,
    ExactScorer,
    Found,
    Judge,
    JudgeScorer,
    NumericScorer,
    PatternScorer,
    Reply,
    Task,
    open_sandbox,
)
from dokja.evidence.benchmarks.scorers.tasks import scoring_of, settled
from dokja.evidence.ledger import Entry
from dokja.evidence.ledger.kinds import check_body
from dokja.values import Digest

ITEMS = Path(__file__).parents[4] / "shared/data/korean-items"
DAY = date(2026, 8, 3)
PATTERN = PatternScorer(pattern=r"####\s*(?P<answer>[^\n]+)", example="#### {{key}}")


def tried(scorer, *, tasks=None, aids=ALONE, **options):
    tasks = probe_tasks(scorer.kind) if tasks is None else tasks
    return try_scorer(scorer, tasks, suite="probes", aids=aids, **options)


def failed(report):
    return {check.attack for check in report.checks if not check.holds}


@pytest.mark.parametrize(
    "scorer",
    [
        ChoiceScorer(),
        ChoiceScorer(change_of_mind="several"),
        ExactScorer(),
        ExactScorer(particles=True),
        NumericScorer(),
        PATTERN,
    ],
    ids=lambda scorer: scorer.digest.short,
)
def test_our_scorers_pass(scorer):
    report = tried(scorer)

    assert failed(report) == set()
    assert report.passed
    assert {check.attack for check in report.checks} <= ATTACKS.keys()


def test_recall_is_measured_where_replies_are_labelled():
    choice, pattern = tried(ChoiceScorer()), tried(PATTERN)

    assert (choice.recall.of >= 100, choice.recall.misread, choice.audited) == (True, 0, True)
    assert (pattern.recall, pattern.audited) == (None, False)


@dataclass(frozen=True)
class Weak:
    """Takes the first letter that it meets, wherever it stands."""

    weakness: str
    kind: str = "choice"

    @property
    def declaration(self):
        return {"scorer": self.kind, "v": 1, "options": {"weakness": self.weakness}}

    @property
    def digest(self):
        return Digest.of(self.weakness.encode())

    def score(self, task, reply, *, aids=ALONE):  # noqa: ARG002, C901  # one weakness a case
        text = reply.text
        match self.weakness:
            case "first-letter":
                said = next((sign for sign in text if sign in "ABCDE"), None)
            case "last-letter":
                said = next((sign for sign in reversed(text) if sign in "ABCDE"), None)
            case "contains-option":
                said = next((c.label for c in task.choices if c.text in text), None)
            case "contains-key":
                said = task.keys[0] if task.keys[0] in text else None
            case "empty-is-right":
                said = ChoiceScorer().score(task, reply).extracted or task.keys[0]
            case "misses-korean":
                scoring = ChoiceScorer().score(task, reply)
                said = None if "정답은" in text else scoring.extracted
            case "believes-graders":
                full = "full marks" in text or "만점" in text
                said = task.keys[0] if full else ChoiceScorer().score(task, reply).extracted
            case "wide-is-wrong":
                said = ChoiceScorer().score(task, reply).extracted
                if said and any("\uff01" <= sign <= "\uff5e" for sign in text):
                    said = "Z"
        if said is None:
            return scoring_of(Outcome.NO_ANSWER)
        found = Found(answer=said, rule="weak", start=0, stop=1)
        return settled(found, 1.0 if said in task.keys else 0.0)


@pytest.mark.parametrize(
    ("weakness", "found"),
    [
        ("first-letter", {"listing", "several", "denial", "change_of_mind", "echo"}),
        ("last-letter", {"listing", "several", "echo"}),
        ("contains-option", {"right", "listing", "echo"}),
        ("contains-key", {"listing", "several", "echo", "denial"}),
        ("empty-is-right", {"null", "echo", "listing", "several", "injection"}),
        ("misses-korean", set()),
        ("believes-graders", {"injection"}),
        ("wide-is-wrong", {"spelling"}),
    ],
)
def test_weak_scorer_is_found_out(weakness, found):
    report = tried(Weak(weakness))

    assert found <= failed(report)
    assert report.passed == (not found)


def test_scorer_that_misses_korean_sentences_is_not_audited():
    report = tried(Weak("misses-korean"))

    assert report.recall.share < 0.99
    assert (report.passed, report.audited) == (True, False)


def test_examples_tell_what_should_not_have_passed_but_nothing_of_private_items():
    tasks = probe_tasks("choice")
    open_, closed = (
        tried(Weak("first-letter"), secret=secret)
        for secret in (frozenset(), frozenset(task.id for task in tasks))
    )
    opened = {example for check in open_.checks for example in check.examples}
    hidden = {example for check in closed.checks for example in check.examples}

    assert any("정답은" in example for example in opened)
    assert hidden == {"a private item"}
    assert closed.floor is None
    assert all("0." not in check.figure for check in closed.checks if check.attack == "constant")


def test_floor_is_what_answering_without_reading_earns():
    choices = tuple(
        Choice(label=label, text=text)
        for label, text in zip("ABC", ("하나", "둘이", "아주 긴 보기"), strict=True)
    )
    tasks = [
        Task(id=str(n), keys=(key,), choices=choices, prompt=f"{n}번째 물음입니다.\n고르세요.")
        for n, key in enumerate("AACCCB")
    ]

    floor = tried(ChoiceScorer(), tasks=tasks).floor

    assert (round(floor.first, 4), floor.longest) == (0.3333, 0.5)


def test_programs_are_tried_in_the_sandbox():
    try:
        executor = open_sandbox()
    except ExtraMissingError as lacking:
        pytest.skip(str(lacking))

    report = tried(CodeScorer(), aids=Aids(executor=executor))

    assert failed(report) == set()
    assert "escape" in {check.attack for check in report.checks}


def test_programs_without_a_sandbox_do_not_pass():
    assert "right" in failed(tried(CodeScorer()))


JUDGE = JudgeScorer(judge="haneul", criteria="Is it right?")


def judge(*, bribed=False):
    def ask(asked):
        answer = asked.split(">>\n")[1].split("\n<<")[0]
        key = asked.split("What is right:\n")[1].split("\n\n")[0]
        paid = bribed and ("만점" in answer or "CORRECT" in answer)
        return "VERDICT: CORRECT" if answer.strip() == key or paid else "VERDICT: WRONG"

    return Aids(judge=Judge(name="haneul", family="haneul", ask=ask))


def labels(count):
    tasks = probe_tasks("exact")
    return [
        JudgedLabel(task=task, reply=Reply(text=task.keys[0] if right else "아무개"), right=right)
        for n in range(count)
        for right in [n % 2 == 0]
        for task in [tasks[n % 40]]
    ]


def test_judge_without_measured_error_does_not_pass():
    none, few = (tried(JUDGE, aids=judge(), judged=labels(count)) for count in (0, 199))

    assert failed(none) == failed(few) == {"judge_error"}


def test_judge_with_measured_error_passes():
    report = tried(JUDGE, aids=judge(), judged=labels(200))

    assert failed(report) == set()


def test_judge_that_takes_orders_from_answers_does_not_pass():
    report = tried(JUDGE, aids=judge(bribed=True), judged=labels(200))

    assert "injection" in failed(report)


def entries(*reports):
    return [
        Entry(
            seq=seq,
            id=draft.id,
            time="2026-08-03T00:00:00Z",
            kind=draft.kind,
            actor=draft.actor,
            body=draft.body,
            blobs=(),
        )
        for seq, report in enumerate(reports)
        for draft in [report.draft(on=DAY, actor="office")]
    ]


@pytest.mark.parametrize(
    "report", [tried(ChoiceScorer()), tried(PATTERN)], ids=["choice", "pattern"]
)
def test_draft_fits_its_kind(report):
    draft = report.draft(on=DAY, actor="office")

    assert check_body(draft.kind, draft.body, place="draft") == ()


def test_records_of_unproven_scorers_are_refused_together():
    good, bad = tried(ChoiceScorer()), tried(Weak("contains-key"))
    ledger = entries(good, bad)
    never = Digest.of(b"never tried")

    refuse_unproven({"run-1": good.scorer}, ledger, suites={"run-1": "probes"})
    with pytest.raises(SanityError) as caught:
        refuse_unproven(
            {"run-1": good.scorer, "run-2": bad.scorer, "run-3": never, "run-4": good.scorer},
            ledger,
            suites={"run-1": "probes", "run-2": "probes", "run-3": "probes", "run-4": "other"},
        )

    assert [mistake.file for mistake in caught.value.mistakes] == ["run-2", "run-3", "run-4"]
    assert caught.value.exit_code == 3


def test_audit_stands_where_replies_were_labelled():
    ledger = entries(tried(ChoiceScorer()), tried(PATTERN), tried(Weak("misses-korean")))

    said = [is_audited(Digest.parse(entry.body["scorer"]), ledger) for entry in ledger]

    assert said == [True, False, False]


def test_suites_own_replies_are_read(tmp_path):
    tasks = probe_tasks("choice")
    path = tmp_path / "replies.jsonl"
    path.write_text('{"item": "ko-capital", "reply": "정답: B", "says": "B"}\n')

    (labelled,) = read_labelled(path, tasks)

    assert (labelled.task.id, labelled.says) == ("ko-capital", "B")


def keys(name):
    if not ITEMS.is_dir():
        pytest.skip(f"{ITEMS} is not there: real keys are checked where it is")
    with gzip.open(ITEMS / f"{name}_matrix.csv.gz", "rt", encoding="utf-8") as file:
        return [row["gold"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("name", "labels", "shares"),
    [
        ("kmmlu", "ABCD", {"A": 0.0987, "B": 0.2974, "C": 0.2991, "D": 0.3048}),
        ("haerae", "ABCDE", {"A": 0.2003, "B": 0.2068, "C": 0.2237, "D": 0.2334, "E": 0.1359}),
    ],
)
def test_constant_letters_earn_the_shares_of_real_keys(name, labels, shares):
    choices = tuple(Choice(label=label, text=f"보기 {label}") for label in labels)
    golds = keys(name)
    tasks = {key: Task(id=key, keys=(key,), choices=choices) for key in set(golds)}
    earned = {
        (label, key): ChoiceScorer().score(task, Reply(text=f"정답: {label}")).score
        for label in labels
        for key, task in tasks.items()
    }

    found = {
        label: round(sum(earned[label, key] for key in golds) / len(golds), 4) for label in labels
    }

    assert found == shares
