"""What a check says to a ledger, and what the ledger refuses."""

from datetime import date

import pytest

from dokja.evidence.benchmarks.checking import (
    Check,
    CheckReport,
    Question,
    Says,
    Topic,
    check_document,
    check_draft,
)
from dokja.evidence.ledger.kinds import check_body
from dokja.values import Digest, Estimate


def report(*says):
    checks = tuple(
        Check(question=Question.ENDPOINT, about=(f"m{n}",), says=each, words="as it is", power=0.5)
        for n, each in enumerate(says)
    )
    return CheckReport(suite="sums", systems=("m0",), before=(), items=3, checks=checks)


@pytest.mark.parametrize(
    ("says", "whole"),
    [
        ((Says.NOTHING, Says.NOTHING), Says.NOTHING),
        ((Says.NOTHING, Says.CANNOT_TELL), Says.CANNOT_TELL),
        ((Says.CANNOT_TELL, Says.FOUND), Says.FOUND),
        ((), Says.CANNOT_TELL),
    ],
)
def test_a_report_says_the_most_that_a_check_says(says, whole):
    assert report(*says).says is whole


def test_an_entry_holds_every_check_and_names_the_whole_report():
    draft, data = check_draft(
        report(Says.FOUND, Says.NOTHING),
        stage="final",
        on=date(2026, 9, 1),
        actor="a",
        software="s",
    )

    assert check_body("check", draft.body, place="here") == ()
    assert draft.body["document"] == str(Digest.of(data)) == str(draft.blobs[0])
    assert [each["says"] for each in draft.body["checks"]] == ["found", "nothing"]
    assert draft.id == f"check/final/sums/{Digest.of(data).short}"


def test_an_entry_that_says_less_than_its_checks_is_refused():
    draft, _ = check_draft(
        report(Says.FOUND), stage="final", on=date(2026, 9, 1), actor="a", software="s"
    )

    (mistake,) = check_body("check", {**draft.body, "says": "nothing"}, place="here")

    assert mistake.expected == "found, which its checks say"


def test_a_document_holds_decimals_as_text_and_leaves_out_what_is_unknown():
    change = Estimate(value=0.1, low=0, high=0.3, level=0.95, method="share, exact")
    check = Check(
        question=Question.WITHIN,
        about=("m",),
        says=Says.FOUND,
        words="w",
        adjusted=0.0,
        level=0.05,
        change=change,
    )
    whole = CheckReport(
        suite="s",
        systems=("m",),
        before=(),
        items=1,
        checks=(check,),
        not_asked={Topic.KEYS: "more"},
    )

    document = check_document(whole, software="s")

    (said,) = document["checks"]
    assert (said["p"], said["level"]) == ("0.000000000001", "0.0500")
    assert said["change"]["interval"] == ["0.0000", "0.3000"]
    assert said.keys().isdisjoint({"power", "smallest"})
    assert document["not_asked"] == {"keys": "more"}
    assert "repeats" not in document
