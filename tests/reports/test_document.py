import pytest

from dokja.errors import DecisionFileError
from dokja.public.reports import write_dossier
from dokja.public.reports.document import Measure, read_decision


def test_every_mistake_in_a_decision_is_told_at_once(measured, tmp_path):
    decision = measured.decision
    decision["stage"].pop("title")
    decision["teams"][0]["total"] = {"value": "much", "low": 1, "high": 2, "level": 1, "kind": "x"}
    decision["outcome"]["verdict"] = "perhaps"

    with pytest.raises(DecisionFileError) as told:
        write_dossier(decision, entries=measured.entries, out=tmp_path / "out")

    places = [mistake.place for mistake in told.value.mistakes]
    assert places == ["stage.title", "teams.0.total.measured.value", "outcome.verdict"]
    assert not (tmp_path / "out").exists()


def test_decision_of_another_format_is_refused(measured):
    with pytest.raises(DecisionFileError, match=r"dokja\.decision/1"):
        read_decision(measured.decision | {"schema": "dokja.decision/2"})


def test_keys_of_a_later_release_are_passed_over(measured):
    later = measured.decision | {"weather": "fine"}

    assert read_decision(later) == read_decision(measured.decision)


def test_number_that_has_no_json_is_refused(measured):
    measured.decision["teams"][0]["total"]["value"] = float("nan")

    with pytest.raises(DecisionFileError, match="no canonical JSON form"):
        read_decision(measured.decision)


def test_missing_score_stays_missing(unpublished):
    teams = {team.team: team for team in read_decision(unpublished.decision).teams}

    assert isinstance(teams["lg"].total, Measure)
    assert teams["skt"].total.missing == "parts-missing"
