import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import SuiteError
from dokja.evidence.ballots import read_ballots
from dokja.evidence.statistics import Vote
from dokja.values import Digest

TEAMS = ("garam", "maru", "raon")


def mistakes_of(path, teams=TEAMS):
    with pytest.raises(SuiteError) as caught:
        read_ballots(path, teams=teams)
    return [(each.place, each.read, each.expected) for each in caught.value.mistakes]


def test_votes_are_read_in_their_order(batch_file, votes):
    batch = read_ballots(batch_file(votes(30)), teams=TEAMS)

    assert batch.votes[1] == Vote(voter="v-1", left="maru", right="raon", choice="right")
    assert [ballot.prompt for ballot in batch.ballots] == [f"p-{n}" for n in range(30)]
    assert batch.voters == 10


def test_digest_is_of_the_votes_and_not_of_the_file(batch_file, votes):
    turned = [dict(reversed(each.items())) for each in votes(9)]

    one, other = (
        read_ballots(batch_file(lines), teams=TEAMS).digest for lines in (votes(9), turned)
    )

    assert one == other


def test_blob_reads_back_as_the_same_batch(batch_file, votes, tmp_path):
    batch = read_ballots(batch_file(votes(9)), teams=TEAMS)
    blob = tmp_path / "blob"
    blob.write_bytes(batch.records_bytes)

    again = read_ballots(blob, teams=TEAMS)

    assert again == batch
    assert batch.digest == Digest.of(blob.read_bytes())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"left": "hanbit"},
            ("line 1, left", "'hanbit'", "a team of the stage: garam, maru, raon"),
        ),
        ({"right": 7}, ("line 1, right", "7", "text")),
        ({"left": "maru"}, ("line 1", "'maru' on both sides", "two different teams")),
        ({"choice": "both"}, ("line 1, choice", "'both'", "one of left, right, tie")),
        ({"choice": True}, ("line 1, choice", "True", "text")),
        ({"voter": ""}, ("line 1, voter", "empty text", "text that is not empty")),
        (
            {"voter": "Kim Cheol-su"},
            (
                "line 1, voter",
                "'Kim Cheol-su'",
                "lower-case letters, digits, Hangul syllables and . _ - inside",
            ),
        ),
        (
            {"prompt": unicodedata.normalize("NFD", "물음")},
            (
                "line 1, prompt",
                repr(unicodedata.normalize("NFD", "물음")),
                "the same in NFC (composed Hangul): '물음'",
            ),
        ),
        (
            {"weight": 2},
            (
                "line 1",
                "the key 'weight'",
                "only the keys voter, prompt, left, right, choice",
            ),
        ),
    ],
)
def test_vote_that_cannot_stand_is_told(batch_file, votes, changes, told):
    assert mistakes_of(batch_file(votes(1, **changes))) == [told]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"\xff", "text in UTF-8"),
        (b'{"voter": "a", "voter": "b"}', "one JSON object (the key 'voter' stands twice"),
        (b'{"voter": NaN}', "one JSON object (NaN is not a number"),
        (b"", "one JSON object ("),
        (b"null", "a JSON object"),
    ],
)
def test_line_that_has_no_one_reading_is_told(batch_file, line, expected):
    ((place, _, told),) = mistakes_of(batch_file([line]))

    assert place == "line 1"
    assert told.startswith(expected)


def test_second_vote_on_a_prompt_and_pair_is_told_whichever_side(batch_file, votes):
    (first,) = votes(1)
    turned = {**first, "left": first["right"], "right": first["left"], "choice": "left"}

    assert mistakes_of(batch_file([first, turned])) == [
        (
            "line 2",
            "a second vote of v-0 on p-0 between garam and maru, after line 1",
            "one vote of a voter on a prompt and pair",
        )
    ]


def test_one_voter_may_judge_another_pair_or_prompt(batch_file, votes):
    (first,) = votes(1)
    lines = [first, {**first, "right": "raon"}, {**first, "prompt": "p-1"}]

    assert len(read_ballots(batch_file(lines), teams=TEAMS).ballots) == 3


def test_all_mistakes_of_a_file_are_told_at_once(batch_file, votes):
    good = votes(3)
    lines = [b"{", {**good[0], "left": "x y", "choice": ""}, good[1], good[1], b"\xfe"]

    places = sorted(place for place, _, _ in mistakes_of(batch_file(lines)))

    assert places == ["line 1", "line 2, choice", "line 2, left", "line 4", "line 5"]


def test_empty_file_is_told(batch_file):
    assert mistakes_of(batch_file([])) == [("", "no line", "one object a line")]


def test_stage_without_teams_says_so(batch_file, votes):
    told = mistakes_of(batch_file(votes(1)), teams=())

    assert {expected for _, _, expected in told} == {
        "a team of the stage: none: no model entered the stage"
    }


def test_file_that_is_not_there_is_told(tmp_path):
    assert mistakes_of(tmp_path / "ballots.jsonl") == [
        ("", "No such file or directory", "a file that may be read")
    ]


@given(st.lists(st.binary(max_size=60) | st.just(b'{"voter": "v"}'), max_size=4))
def test_whatever_a_file_holds_it_is_read_or_told(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("any") / "ballots.jsonl"
    path.write_bytes(b"\n".join(lines))

    with pytest.raises(SuiteError) as caught:
        read_ballots(path, teams=TEAMS)

    assert all(str(mistake).isprintable() for mistake in caught.value.mistakes)


@given(st.dictionaries(st.sampled_from(["voter", "prompt", "left", "right", "choice"]), st.text()))
def test_only_whole_votes_of_known_teams_are_read(tmp_path_factory, said):
    path = tmp_path_factory.mktemp("any") / "ballots.jsonl"
    path.write_text(json.dumps(said) + "\n")

    try:
        (ballot,) = read_ballots(path, teams=TEAMS).ballots
    except SuiteError:
        return
    assert {ballot.vote.left, ballot.vote.right} <= set(TEAMS)
