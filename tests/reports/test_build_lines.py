"""Build records in a dossier: what is claimed, how far it was verified, which checks are open."""

import csv
import io

import pytest

from dokja.evidence.ledger import Entry
from dokja.public.reports import word_reason, write_dossier
from dokja.values.keys import SigningKey

ROOT = "dokja-tensors-v1:" + "a" * 64


@pytest.fixture
def body():
    """A record of two components, of which one has a check that did not hold."""
    checks = [
        ("V0.1", None, "pass"),
        ("V2.1", "language-body", "pass"),
        ("V2.3", "language-body", "undecided"),
        ("V2.1", "vision-encoder", "fail"),
        ("V2.2", "vision-encoder", "not-available"),
    ]
    return {
        "on": "2026-02-05",
        "model": "byeol-1",
        "record": "sha256:" + "1" * 64,
        "record_schema": "dokja.record/1",
        "builder": "byeol",
        "signer": str(SigningKey("byeol.example/builds", bytes(32)).verifier),
        "table": "2026-01",
        "claim": "T4",
        "components": [
            {
                "component": role,
                "role": role,
                "claim": claim,
                "root": ROOT,
                "leaves": [{"kind": "S", "name": "llama"}],
                "steps": ["train"],
            }
            for role, claim in (("language-body", "T5"), ("vision-encoder", None))
        ],
        "findings": [
            {"check": check, "component": component, "outcome": outcome, "value": 0.5}
            for check, component, outcome in checks
        ],
        "level": "V0",
        "place": "examiner",
        "live_share": 0.95,
        "invented": True,
    }


@pytest.fixture
def told(measured, body, tmp_path):
    """The dossier of a decision whose ledger holds the record, and one whose ledger does not."""

    def written(name, *, listed, **changes):
        seq = len(measured.entries)
        entry = Entry(
            seq=seq,
            id=f"build/{seq}",
            time="2026-02-05T09:00:00Z",
            kind="build",
            actor="office",
            body={**body, **changes},
        )
        line = {"seq": seq, "id": entry.id, "kind": "build", "digest": str(entry.digest)}
        lines = [*measured.decision["entries"], *([line] if listed else [])]
        return write_dossier(
            {**measured.decision, "entries": lines},
            entries=[*measured.entries, entry],
            out=tmp_path / name,
        )

    return written


def rows(files, name):
    path = next(path for path in files.csv if path.stem == name)
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))


def part_of(page, start):
    """The table that begins with these words, without its tags and with single spaces."""
    table = page[page.index(start) :].partition("</table>")[0]
    return " ".join("".join(piece.partition(">")[2] for piece in f">{table}".split("<")).split())


def test_table_says_claim_level_share_and_checks_in_both_languages(told):
    page = told("both", listed=True).html.read_text("utf-8")

    assert part_of(page, ": build records").endswith(
        "language body entry #5 T5 V2 (weights)by an examiner 95% none V2.3 (size of the updates) "
        "vision encoder entry #5 none V0 (files and signatures)by an examiner 95% V2.1 (start) "
        "V2.2 (trace of the start)"
    )
    assert part_of(page, ": 구축 기록").endswith(
        "언어 본체 근거 #5 T5 V2(가중치)검증자 검증 95% 없음 V2.3(갱신의 크기) "
        "시각 인코더 근거 #5 없음 V0(파일과 서명)검증자 검증 95% V2.1(초기값) V2.2(초기값의 자취)"
    )


@pytest.mark.parametrize("listed", [True, False])
def test_record_that_the_decision_does_not_rest_on_says_so(told, listed):
    page = told("listed", listed=listed).html.read_text("utf-8")

    assert ("This decision does not rest on it." in page) is not listed
    assert ("이 결정의 근거가 아닙니다." in page) is not listed


def test_page_of_a_ledger_without_records_does_not_speak_of_them(written):
    page = written("measured").html.read_text("utf-8")

    assert ("build record" in page, "구축 기록" in page) == (False, False)


def test_record_of_another_model_changes_no_page(told, measured, tmp_path):
    other = told("other", listed=False, model="elsewhere-1").html.read_bytes()
    without = write_dossier(measured.decision, entries=measured.entries, out=tmp_path / "without")

    assert other == without.html.read_bytes()


def test_spreadsheets_hold_every_component_and_every_check(told):
    files = told("sheets", listed=True)

    builds = [
        (
            row["entry"],
            row["component"],
            row["claim"],
            row["level"],
            row["failed"],
            row["left_open"],
        )
        for row in rows(files, "builds")
    ]
    assert builds == [
        ("5", "language-body", "T5", "V2", "", "V2.3"),
        ("5", "vision-encoder", "", "V0", "V2.1", "V2.2"),
    ]
    assert [(row["check"], row["component"], row["outcome"]) for row in rows(files, "checks")] == [
        ("V0.1", "", "pass"),
        ("V2.1", "language-body", "pass"),
        ("V2.3", "language-body", "undecided"),
        ("V2.1", "vision-encoder", "fail"),
        ("V2.2", "vision-encoder", "not-available"),
    ]


def test_spreadsheets_are_there_without_a_row_where_there_is_no_record(written):
    assert [rows(written("measured"), name) for name in ("builds", "checks")] == [[], []]


@pytest.mark.parametrize(
    ("code", "params", "ko", "en"),
    [
        (
            "build-admits",
            {"component": "body", "builder": "가람", "claim": "T2", "declared": "T4"},
            (
                "가람이 서명한 body 구축 기록의 주장은 T2로, 신고한 T4보다 낮습니다. "
                "구축 기록은 만든 팀 자신의 말입니다."
            ),
            (
                "The build record of the body, signed by 가람, claims T2 where T4 was declared; "
                "the record is the builder’s own word."
            ),
        ),
        (
            "build-check-failed",
            {
                "component": "body",
                "check": "V2.3",
                "value": 514.0,
                "threshold": 1.001,
                "power": None,
            },
            (
                "body 구축 기록의 점검 V2.3(갱신의 크기)이 맞지 않았습니다(잰 값 514, 한계 1.001). "
                "그 까닭은 이 점검으로 알 수 없으며, 풀릴 때까지 등급을 가릴 수 없습니다."
            ),
            (
                "Check V2.3 (size of the updates) of the build record of the body did not hold "
                "(measured 514, limit 1.001). The check does not tell why; until that is settled "
                "the grade cannot be told."
            ),
        ),
        (
            "build-makes-good",
            {"component": "body", "references": ["하늬"], "level": "V2", "live_share": 0.95},
            (
                "body를 하늬와 견주지 않았으나 구축 기록이 이를 대신합니다. 검증자가 "
                "V2(가중치)까지 검증하고 시드에서 초기값을 다시 만들어 확인했으며, 학습 단계 "
                "가운데 95%는 증인이 그때그때 확인했습니다."
            ),
            (
                "The body has not been compared with 하늬, and its build record makes that good: "
                "an examiner verified it to V2 (weights), made its start again from the seed, and "
                "95% of its steps were witnessed live."
            ),
        ),
    ],
)
def test_reasons_read_well(code, params, ko, en):
    reason = {"code": code, "params": params, "entries": [5]}

    assert (word_reason(reason, "ko"), word_reason(reason, "en")) == (ko, en)
