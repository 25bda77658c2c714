"""Decisions to tell, and a browser to look at them with.

`cases/` holds decisions made by hand: one after the real programme with most scores missing, one
with everything measured, one that decides nothing.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
    """The sample with one team of each fate: all that a page can hold, quickly looked through."""
    case = _case("sample")
    teams = [t for t in case.decision["teams"] if t["team"] in {"byeol", "noeul", "garam"}]
    return Case(decision={**case.decision, "teams": teams}, entries=case.entries)


@pytest.fixture
def sample(case: Callable[[str], Case]) -> Case:
    return case("sample")


@pytest.fixture
def k_ai(case: Callable[[str], Case]) -> Case:
    return case("k-ai")


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
