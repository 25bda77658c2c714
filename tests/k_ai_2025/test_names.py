"""The record speaks of organisations and models, never of private persons."""

import re

import pytest

TITLES_KO = "대표|교수|기자|박사|국장|차관|장관|부사장|의원|팀장|센터장"
PERSON_KO = re.compile(rf"[가-힣]{{2,4}} (?:{TITLES_KO})")
PERSON_EN = re.compile(
    r"\b(?:Mr|Ms|Mrs|Dr|Prof|Professor|Minister|CEO|Director|Researcher)\b\.? [A-Z][a-z]+"
)
ACCOUNT = re.compile(r"(?:github\.com/|huggingface\.co/|@)([\w.-]+)")
COMPANY_ACCOUNTS = {"sionic-ai"}

ORGANISATIONS = {
    "LG AI Research",
    "Naver Cloud",
    "SK Telecom",
    "Upstage",
    "NC AI",
    "Motif Technologies",
    "Trillion Labs",
}
SPEAKERS = {
    "Sionic AI",
    "Upstage",
    "Naver Cloud",
    "SK Telecom",
    "MSIT",
    "a developer community",
    "a rival (not named)",
    "a press reading of the technical report (Edaily)",
    "a researcher's public analysis (repository solar-vs-glm-vs-phi)",
    "a second researcher's public analysis (repository solar-vs-glm)",
}
RECIPIENTS = {
    "two of the three teams LG AI Research, Upstage and NC AI",
    "one of the three teams LG AI Research, Upstage and NC AI",
    "Lunit",
    "KAIST",
    "each team",
    "the team chosen by the re-entry call",
    "universities",
    "industry",
    "institutes",
}
ACCUSING = re.compile(
    r"\b(?:copied|copies|stolen|steal|theft|fake|fraud|plagiar\w*|cheat\w*|accus\w*)\b"
    r"|베꼈|베낀|표절|도용|훔|사기|가짜",
    re.IGNORECASE,
)


def persons(text):
    """Return whatever in a text looks like a private person."""
    accounts = [name for name in ACCOUNT.findall(text) if name not in COMPANY_ACCOUNTS]
    return [*PERSON_KO.findall(text), *PERSON_EN.findall(text), *accounts]


@pytest.fixture
def texts(folder, rulebook_bytes):
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    pages |= {version: data.decode("utf-8") for version, data in rulebook_bytes.items()}
    page = folder.parents[1] / "docs" / "explanation" / "k-ai-2025.md"
    return pages | {page.name: page.read_text(encoding="utf-8")}


@pytest.mark.parametrize(
    "leak",
    [
        "홍길동 대표가 말했다",
        "said Professor Gildong",
        "https://github.com/gildong/solar",
        "write to gildong@example.org",
    ],
)
def test_a_person_would_be_noticed(leak):
    assert persons(leak) != []


def test_no_private_person_is_named(texts):
    assert {name: persons(text) for name, text in texts.items() if persons(text)} == {}


def test_nobody_is_accused(texts):
    assert {name: ACCUSING.findall(text) for name, text in texts.items()} == {
        name: [] for name in texts
    }


def test_steps_of_disputes_are_taken_by_organisations(bodies):
    speakers = {body["by"] for body in bodies.values() if "by" in body}

    assert speakers == SPEAKERS


def test_teams_and_awards_name_organisations(bodies):
    organisations = {name for body in bodies.values() for name in body.get("organisations", [])}
    recipients = {name for body in bodies.values() for name in body.get("to", [])}

    assert organisations == ORGANISATIONS
    assert recipients == RECIPIENTS
