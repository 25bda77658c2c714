"""Records, outcomes and figures: a pure function of what came over the wire."""

import hashlib
import json
from dataclasses import replace
from datetime import date
from types import MappingProxyType

import pytest

from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.running import OpenRun, measured_draft, run_table
from dokja.evidence.benchmarks.scorers import ALONE, Found
from dokja.evidence.benchmarks.scorers.tasks import settled
from dokja.evidence.ledger.kinds import check_body
from dokja.values import Digest, canonical_bytes

pytestmark = pytest.mark.loopback


def slow_root(leaves):
    """RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + slow_root(leaves[:half]) + slow_root(leaves[half:])).digest()


def test_a_record_says_what_is_known_and_why_the_rest_is_not(run):
    one = run(2)
    one.go()

    one.told()

    record = one.records[0]
    question = one.form.questions[0]
    assert record["item"] == "sums-0000"
    assert record["run"] == one.plan.digest.hex
    assert record["prompt_digest"] == hashlib.sha256(question.asked).hexdigest()
    request = one.plan.requests.body(question.asked)
    assert record["request_digest"] == hashlib.sha256(request).hexdigest()
    assert (record["tokens_in"], record["tokens_out"]) == (20, 1)
    assert record["unknown"] == {"cost_micro": "no_prices", "first_token_ms": "not_streamed"}
    assert (record["extracted"], record["extraction"]["span"]) == ("1", [0, 1])
    assert record["reported_model"] == "always-right"


def test_the_request_of_the_digest_is_the_one_that_was_sent(run):
    one = run(1, keep=True)

    one.go()
    one.told()

    _, request = one.server.requests[0]
    sent = hashlib.sha256(canonical_bytes(request)).hexdigest()
    assert sent == one.records[0]["request_digest"]


def test_lines_are_canonical_and_lie_under_the_root(run):
    one = run(23)
    one.go()

    told = one.told()

    lines = (one.folder / "records.jsonl").read_bytes().splitlines()
    assert [canonical_bytes(json.loads(line)) for line in lines] == lines
    assert told.root.raw == slow_root(lines)
    assert told.records.hex == hashlib.sha256(b"".join(x + b"\n" for x in lines)).hexdigest()


def test_making_them_again_gives_the_same_bytes(run):
    one = run(9, faults={"malformed": 0.3})
    one.go()
    one.told()
    files = ("records.jsonl", "outcomes.npz", "summary.json")
    before = [(one.folder / name).read_bytes() for name in files]

    one.told()

    assert [(one.folder / name).read_bytes() for name in files] == before


def test_nothing_told_is_absent_and_not_zero(run):
    one = run(1, usage=False)
    one.go()

    told = one.told()

    record = one.records[0]
    assert "tokens_in" not in record
    assert record["unknown"]["tokens_out"] == "not_reported"
    assert "tokens_in" not in told.said
    assert told.said["answers_without_tokens"] == 1


def test_a_stream_says_when_its_first_token_came(run):
    fields = {"stream": True, "stream_options": {"include_usage": True}}
    one = run(3, request=fields)
    one.go()
    one.told()

    assert all("first_token_ms" in each for each in one.records)
    assert {each["outcome"] for each in one.records} == {"correct"}


def test_a_stream_without_its_end_is_asked_again(run):
    one = run(1, request={"stream": True}, script=("cut",))
    one.go()
    one.told()

    assert (one.records[0]["outcome"], one.records[0]["faults"][0][1]) == ("correct", "cut")


def test_costs_follow_the_table(run, prices):
    one = run(2, plan={"prices": prices})
    one.go()

    told = one.told()

    assert [each["cost_micro"] for each in one.records] == [20 * 1 + 10, 20 * 1 + 10]
    assert told.said["cost"] == {"currency": "USD", "micro": 60, "at_most_micro": 60}
    assert one.records[0]["prices_digest"] == prices.digest


def test_epochs_are_samples_of_their_own_and_repeats_do_not_count(run):
    one = run(10, plan={"epochs": 2, "sentinels": 4})
    one.go()

    told = one.told()

    assert told.outcomes == {"correct": 20}
    assert len(one.records) == 32
    assert [each["epoch"] for each in one.records[20:]] == [
        *["start"] * 4,
        *["middle"] * 4,
        *["end"] * 4,
    ]
    assert run_table([one.folder]).outcomes.shape == (10, 1, 2)
    assert one.server.asked.total() == 32


def test_an_endpoint_that_changes_on_the_way_shows_in_its_sentinels(run, quick):
    order = run(30, plan={"sentinels": 5}, name="before").order
    question = f"{order.sentinels[2]} + 1 = ?"
    one = run(30, plan={"sentinels": 5}, by_question={question: ("", "", "", "say:no longer")})

    one.go(quick(concurrency=1))
    told = one.told()

    assert told.said["sentinels"] == {
        "items": 5,
        "answered_in_every_round": 5,
        "answered_alike": 4,
    }


def test_what_was_not_asked_is_not_run(run, quick, prices):
    one = run(20, plan={"prices": prices})

    one.go(quick(concurrency=2, budget_micro=400))
    told = one.told()

    assert set(told.outcomes) == {"correct", "not_run"}
    assert told.said["causes"] == {"budget": told.outcomes["not_run"]}
    table = run_table([one.folder])
    assert (table.outcomes == Outcome.NOT_RUN.code).sum() == told.outcomes["not_run"]


class Share:
    """Gives the share of the answer's digits that are even: some score between 0 and 1."""

    kind = "even-digits"
    declaration = MappingProxyType({"scorer": "even-digits"})
    digest = Digest.of(b"even-digits")

    def score(self, task, reply, *, aids=ALONE):  # noqa: ARG002  # as all scorers are asked
        digits = [int(sign) for sign in reply.text]
        found = Found(answer=reply.text, rule="digits", start=0, stop=len(digits))
        return settled(found, sum(n % 2 == 0 for n in digits) / len(digits), graded=True)


def test_shares_are_kept_in_records_and_arrays(run):
    one = run(25)
    one.form = replace(one.form, scorer=Share())
    one.go()

    told = one.told()

    lines = (one.folder / "records.jsonl").read_bytes().splitlines()
    assert told.outcomes == {"scored": 25}
    assert [each["score"] for each in one.records[20:25]] == [0.5, 1, 0.5, 1, 0.5]
    assert [canonical_bytes(json.loads(line)) for line in lines] == lines
    assert run_table([one.folder]).scores[20:25, 0, 0].tolist() == [0.5, 1, 0.5, 1, 0.5]


def test_a_private_item_is_neither_told_nor_given_away_by_its_answer(run):
    one = run(3)
    first, *others = one.form.questions
    hidden = replace(first, private=True, handle="sealed-1", item_digest=Digest.of(b"salted"))
    one.form = replace(one.form, questions=(hidden, *others))
    one.go()
    one.told()

    record, other = one.records[:2]
    assert record["flags"] == ["private"]
    assert record["outcome"] == "correct"
    assert set(other) - set(record) == {"extracted", "prompt_digest", "request_digest"}
    kept = [path for path in one.folder.rglob("*") if path.suffix in {".json", ".jsonl"}]
    assert all(first.task.prompt.encode() not in path.read_bytes() for path in kept)


def test_the_entry_of_a_run_fits_its_kind(run):
    one = run(4)
    one.go()
    told = one.told()

    with OpenRun(one.folder, order=one.order) as opened:
        draft = measured_draft(
            told, opened, stage="final", model="m", on=date(2026, 11, 26), actor="office"
        )

    assert check_body("run", draft.body, place="draft") == ()
    assert draft.body["plan"] == str(one.plan.digest)
    assert draft.body["journal_head"] == f"sha256:{one.journal[-1]['h']}"
    assert draft.body["charges"] == {"nobody": 4}
    assert draft.blobs == (told.records,)


def test_a_look_at_the_score_is_in_the_journal(run):
    one = run(2)
    one.go(looks=True)

    assert one.told().said["looks"] == 1
