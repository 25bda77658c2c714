import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dokja.decisions.rulebooks import read
from dokja.decisions.rules import Rulebook, load_rulebook

FOLDER = Path(__file__).parents[2] / "examples" / "k-ai-2025"
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
