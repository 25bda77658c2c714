"""What the reviews' tests share: sheets as lines, and a small programme that asks for people."""

import json
from datetime import UTC, date, datetime

import pytest

from dokja.decisions.rules import load_rulebook
from dokja.evidence.ledger import Draft, create_programme
from dokja.values import Text

TEAMS = ("garam", "maru", "raon")

RULES = """
format = 1
id = "small"
version = "2026-11-01"
title = { ko = "작은 사업", en = "Small programme" }
in_force = 2026-11-01
[sources.own]
address = "decided for this test"
[probability]
draws = 1000
seed = 3
level = 0.95
[stages.final]
title = { ko = "최종", en = "Final" }
kind = "points"
planned_advance = 2
accepts = []
sources = ["own"]
[[stages.final.parts]]
id = "expert"
title = { ko = "전문가", en = "Experts" }
points = 60
scale = "absolute"
measure = { by = "sheets", criteria = { technique = 35, effect = 25 } }
[[stages.final.parts]]
id = "user"
title = { ko = "사용자", en = "Users" }
points = 40
scale = "absolute"
measure = { by = "ballots" }
"""


def sheet(number, **changes):
    made = {
        "reviewer": f"평가위원 {number % 4}",
        "team": TEAMS[number // 4],
        "scores": {"technique": 20 + number % 5, "effect": 12.5 + number % 3},
    }
    return {**made, **changes}


def vote(number):
    return {
        "voter": f"v-{number % 10}",
        "prompt": f"p-{number}",
        "left": TEAMS[number % 3],
        "right": TEAMS[(number + 1) % 3],
        "choice": ("left", "right", "tie")[number % 3 if number % 5 else 2],
    }


@pytest.fixture(scope="session")
def sheets():
    """Makes so many sheets, some keys changed; twelve are four reviewers' of three teams."""

    def made(count, **changes):
        return [sheet(number, **changes) for number in range(count)]

    return made


@pytest.fixture
def batch_file(tmp_path):
    """Writes lines, objects or raw bytes, to a file of sheets."""

    def written(lines):
        path = tmp_path / "sheets.jsonl"
        raw = [
            line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
            for line in lines
        ]
        path.write_bytes(b"".join(line + b"\n" for line in raw))
        return path

    return written


@pytest.fixture(scope="session")
def rules():
    """Loads the small rulebook, some of its lines changed."""

    def made(**changes):
        lines = RULES.splitlines()
        for key, value in changes.items():
            (place,) = [n for n, line in enumerate(lines) if line.startswith(f"{key} = ")]
            lines[place] = f"{key} = {value}"
        return load_rulebook("\n".join(lines).encode(), file="rulebook.toml")

    return made


@pytest.fixture
def people(tmp_path, sheets):
    """An invented programme whose ballots and sheets were handed in, and nothing entered."""
    folder = tmp_path / "small"
    programme = create_programme(
        folder,
        id="small",
        title=Text(ko="작은 사업", en="Small programme"),
        at=datetime(2026, 11, 1, tzinfo=UTC),
        rulebook=RULES.encode(),
    )
    opening = Draft(
        kind="programme",
        actor="office",
        id="programme",
        body={
            "programme": "small",
            "title": {"ko": "작은 사업", "en": "Small programme"},
            "invented": True,
            "note": {"ko": "시드 3으로 만들었다.", "en": "Made from seed 3."},
        },
    )
    programme.ledger.append([opening], at=datetime(2026, 11, 1, tzinfo=UTC))
    for name, lines in (("sheets", sheets(12)), ("ballots", [vote(n) for n in range(60)])):
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    yield programme
    programme.close()


@pytest.fixture
def enter(people):
    """Appends those drafts whose id is not in the ledger yet, as `dokja observe` does."""

    def entered(batches):
        fresh = [
            draft
            for _, drafts in batches
            for draft in drafts
            if people.ledger.find(draft.id) is None
        ]
        people.ledger.append(fresh, at=datetime(2026, 11, 20, tzinfo=UTC))
        return [draft.id for draft in fresh]

    return entered


@pytest.fixture(scope="session")
def day():
    return date(2026, 11, 20)
