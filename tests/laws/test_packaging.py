"""What is installed is what is written down: one list of needs, pinned, without addresses."""

import re
import tomllib
from pathlib import Path

import pytest

import dokja

ROOT = Path(__file__).parents[2]
LOCKS = ["build", "run", "test", "engines", "torch-extra"]


def needs(lines):
    return {re.split(r"[\[<>=!~; ]", line)[0].lower() for line in lines}


def test_run_lock_holds_the_needs_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    written = (ROOT / "requirements/run.in").read_text().splitlines()

    locked = [line for line in written if line and not line.startswith("#")]

    assert needs(locked) == needs(project["dependencies"])


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_pinned_with_hashes_and_names_no_index(lock):
    text = (ROOT / f"requirements/{lock}.txt").read_text()

    pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,-]+\])?==", text, flags=re.MULTILINE)
    bare = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line) and "==" not in line]

    assert len(pins) > 0
    assert bare == []
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text


def test_locks_agree_on_what_both_hold():
    def pins(lock):
        text = (ROOT / f"requirements/{lock}.txt").read_text()
        return set(re.findall(r"^([a-z0-9._-]+)==([^ \\]+)", text, flags=re.MULTILINE))

    run, test = pins("run"), pins("test")

    assert {name for name, _ in run - test} == set()


def test_core_needs_no_torch_and_no_web_framework():
    text = (ROOT / "requirements/run.txt").read_text()

    heavy = re.findall(r"^(torch|transformers|django|flask|fastapi|scipy)==", text, re.MULTILINE)

    assert heavy == []


def test_engines_are_locked_at_the_versions_of_their_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "requirements/engines.txt").read_text()

    pins = [need for need in project["optional-dependencies"]["engines"] if "==" in need]

    bare = [re.sub(r"\[.*\]", "", pin) for pin in pins]
    assert [pin.partition("==")[0] for pin in bare] == ["inspect-ai", "lm-eval"]
    assert all(f"\n{pin} \\" in locked for pin in bare)


def test_tests_with_engines_stand_where_they_are_looked_for():
    mark = "pytest.mark." + "engines"

    found = [path for path in (ROOT / "tests").rglob("*.py") if mark in path.read_text()]

    assert found != []
    assert all(path.is_relative_to(ROOT / "tests/benchmarks_room") for path in found)


def test_version_is_written_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["version"] == dokja.__version__
