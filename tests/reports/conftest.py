"""Decisions to tell, and a browser to look at them with.

`cases/` holds decisions made by hand: `unpublished` after the real programme with most scores
missing, `measured` with nothing missing, and `undecided`. `judged` holds real ones.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dokja.cli.commands import run
from dokja.evidence.ledger import Entry
from dokja.public.reports import DossierFiles, write_dossier

CASES = Path(__file__).parent / "cases"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Case:
    """A decision and the ledger beside it."""

    decision: dict[str, Any]
    entries: tuple[Entry, ...]

    def team(self, name: str) -> dict[str, Any]:
        return next(team for team in self.decision["teams"] if team["team"] == name)


@pytest.fixture
def case() -> Callable[[str], Case]:
    """A case by its name, apart from every other test's."""
    return _case


def _case(name: str) -> Case:
    said = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    entries = tuple(Entry(**entry) for entry in said["entries"])
    return Case(decision=copy.deepcopy(said["decision"]), entries=entries)


def _short() -> Case:
    """Two teams of different fates: all that a page can hold, quickly looked through."""
    case = _case("measured")
    teams = [t for t in case.decision["teams"] if t["team"] in {"byeol", "garam"}]
    return Case(decision={**case.decision, "teams": teams}, entries=case.entries)


@pytest.fixture
def measured(case: Callable[[str], Case]) -> Case:
    return case("measured")


@pytest.fixture
def unpublished(case: Callable[[str], Case]) -> Case:
    return case("unpublished")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], DossierFiles]:
    """The dossier of a case, written once."""
    made: dict[str, DossierFiles] = {}

    def of(name: str) -> DossierFiles:
        if name not in made:
            case = _short() if name == "short" else _case(name)
            out = tmp_path_factory.mktemp(name)
            made[name] = write_dossier(case.decision, entries=case.entries, out=out)
        return made[name]

    return of


@pytest.fixture(scope="session")
def judged(judged_sample: Path, k_ai: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Pages of real decisions: the sample, and three stages of the real programme."""
    asked = {
        "sample": (judged_sample, "final", []),
        "stage-1": (k_ai, "stage-1", []),
        "selection-5": (k_ai, "selection-5", []),
        "re-entry": (k_ai, "re-entry", ["--rulebook", "k-ai-2025/2026-01-23"]),
    }
    made = {}
    for name, (folder, stage, more) in asked.items():
        out = tmp_path_factory.mktemp("dossiers") / name
        code = run(["judge", str(folder), "--stage", stage, "--out", str(out), "--json", *more])
        assert code in {0, 3, 4}
        made[name] = out / "dossier.html"
    return made


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, or a skip that says how to get it."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip(
            "no Chromium here: apt-get install chromium fonts-nanum, and run the tests again"
        )
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="no playwright here: python3 run.py test installs it"
    )
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def look(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page; every request it makes and everything it complains of is kept on it."""
    contexts = []

    def opened(path: Path, *, width: int = 1280, ask: str = "", **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri() + ask)
        return page

    yield opened
    for context in contexts:
        context.close()


RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture
def violations() -> Callable[..., list[tuple[str, list[Any]]]]:
    """What axe finds wrong with a page; contrast and regions are slow to look at."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def of(page: Any, *, slow_rules: bool = True) -> list[tuple[str, list[Any]]]:
        options = {
            "runOnly": {"type": "tag", "values": RULES},
            "rules": {rule: {"enabled": slow_rules} for rule in ("color-contrast", "region")},
        }
        found = axe.run(page, options=options)
        return [
            (one["id"], [node["target"] for node in one["nodes"]][:5])
            for one in found.response["violations"]
        ]

    return of
