import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dokja.decisions import judge
from dokja.decisions.rulebooks import read
from dokja.decisions.rules import Rulebook, load_rulebook
from dokja.evidence.ledger import Draft, Programme, create_programme
from dokja.values import Text

FOLDER = Path(__file__).parents[2] / "examples" / "k-ai-2025"
AT = datetime(2026, 7, 3, tzinfo=UTC)
VERSIONS = ("2025-06-20", "2026-01-05", "2026-01-15", "2026-01-23")


@pytest.fixture(scope="session")
def folder() -> Path:
    return FOLDER


@pytest.fixture(scope="session")
def lines() -> tuple[str, ...]:
    return tuple((FOLDER / "entries.jsonl").read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="session")
def drafts(lines: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in lines)


@pytest.fixture(scope="session")
def bodies(drafts: tuple[dict[str, Any], ...]) -> Mapping[str, dict[str, Any]]:
    return {draft["id"]: draft["body"] for draft in drafts}


@pytest.fixture(scope="session")
def sources() -> Mapping[str, tuple[str, ...]]:
    written = tomllib.loads((FOLDER / "sources.toml").read_text(encoding="utf-8"))
    return {tag: tuple(source["addresses"]) for tag, source in written.items()}


@pytest.fixture(scope="session")
def rulebook_bytes() -> Mapping[str, bytes]:
    return {version: read(f"k-ai-2025/{version}") for version in VERSIONS}


@pytest.fixture(scope="session")
def rulebooks(rulebook_bytes: Mapping[str, bytes]) -> Mapping[str, Rulebook]:
    return {
        version: load_rulebook(data, file=f"{version}.toml")
        for version, data in rulebook_bytes.items()
    }


@pytest.fixture(scope="session")
def programme(
    tmp_path_factory: pytest.TempPathFactory,
    drafts: tuple[dict[str, Any], ...],
    rulebook_bytes: Mapping[str, bytes],
) -> Iterator[Programme]:
    """The record in a real ledger."""
    made = create_programme(
        tmp_path_factory.mktemp("record") / "k-ai-2025",
        id="k-ai-2025",
        title=Text(ko="공개 기록", en="Public record"),
        at=AT,
        rulebook=rulebook_bytes["2026-01-15"],
    )
    opening = Draft(
        kind="programme",
        actor="office",
        id="programme",
        body={
            "programme": "k-ai-2025",
            "title": {"ko": "공개 기록", "en": "Public record"},
            "invented": False,
        },
    )
    made.ledger.append([opening, *(Draft(**draft) for draft in drafts)], at=AT)
    yield made
    made.close()


@pytest.fixture(scope="session")
def judged(
    programme: Programme, rulebooks: Mapping[str, Rulebook]
) -> Callable[[str, str], dict[str, Any]]:
    """Judges a stage under a version; the decision as JSON."""
    made: dict[tuple[str, str], dict[str, Any]] = {}
    ledger = programme.ledger

    def decision(stage: str, version: str) -> dict[str, Any]:
        if (stage, version) not in made:
            made[stage, version] = judge(
                rulebooks[version],
                tuple(ledger.entries(0, ledger.size)),
                stage=stage,
                ledger_head=(ledger.origin, ledger.size, ledger.root(ledger.size)),
                software=("dokja", "test"),
            ).to_json()
        return made[stage, version]

    return decision
