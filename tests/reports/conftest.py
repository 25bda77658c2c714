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


def _reach(team: str, verdict: str, ratio: str, **more: Any) -> dict[str, Any]:
    """A measurement beside the frontier, as the ledger holds it."""
    spread = {"clusters": (0.05, 11), "strata": (0.02, 1876), "items": (0.021, 1876)}
    return {
        "on": "2026-01-08",
        "stage": "stage-1",
        "team": team,
        "model": f"{team}-1",
        "rulebook": "2026-01-05",
        "references": ["north", "east"],
        "strictest": "north",
        "required": "0.95",
        "benchmarks": ["click"],
        "items": 1876,
        "convention": "strict",
        "generalise_to": "new-clusters",
        "decisive": "wild-cluster",
        "ratio": ratio,
        "standards": [
            {
                "by": by,
                "delta": f"{float(ratio) - 0.95:.6f}",
                "error": f"{half / 2:.6f}",
                "units": units,
                "p_reaches": "0.436",
                "ratio": {
                    "low": f"{float(ratio) - half:.4f}",
                    "high": f"{float(ratio) + half:.4f}",
                },
            }
            for by, (half, units) in spread.items()
        ],
        "conventions": [{"convention": "valid_only", "ratio": "0.9149"}],
        "fragility": {"items": 8, "share": "0.0043"},
        "multiverse": {"clears": 2, "does_not_clear": 5, "undecided": 13},
        "flags": [{"flag": "id_collision", "count": 7}],
        "verdict": verdict,
        "reasons": ["interval", "faults"] if verdict == "undecided" else [],
        "document": f"sha256:{'a' * 64}",
        "invented": True,
        **more,
    }


def _beside_frontier() -> Case:
    """The measured case with a frontier: reached, not reached, and not to be told."""
    case = _case("measured")
    system = {"version": "1", "effort": "medium", "released": "2025-11-13", "sources": []}
    target = {
        "counts": "gate",
        "rule": "best-of-listed",
        "ratio": "0.95",
        "alpha_clear": "0.05",
        "alpha_fail": "0.05",
        "mode": "all",
        "freeze_on": "2026-01-05",
        "measure_between": ["2026-01-06", "2026-01-10"],
        "benchmarks": ["click"],
        "convention": "strict",
        "generalise_to": "new-clusters",
        "clusters": "category",
        "systems": [{"name": name, **system} for name in ("north", "east")],
    }
    bodies = {
        "byeol": _reach("byeol", "does_not_clear", "0.8000"),
        "garam": _reach("garam", "clears", "1.0100"),
        "maru": _reach(
            "maru",
            "undecided",
            "0.9454",
            open=100,
            bounds={"low": "0.9008", "high": "0.9578"},
            settles_items=61000,
            settles_reask=100,
        ),
    }
    entries = list(case.entries)
    answers = {
        "clears": ("holds", "frontier-reached"),
        "does_not_clear": ("fails", "frontier-not-reached"),
    }
    teams = []
    for team in case.decision["teams"]:
        name, seq = team["team"], len(entries)
        body = bodies.get(name)
        params: dict[str, Any] = {"model": f"{name}-1", "required": "0.95"}
        if body is None:
            verdict, code, used = "undecided", "frontier-not-measured", []
        else:
            verdict, code = answers.get(body["verdict"], ("undecided", "frontier-open"))
            params |= {"reference": "north", "ratio": float(body["ratio"])}
            if verdict == "undecided":
                params["frontier_reasons"] = body["reasons"]
            used = [seq]
            entries.append(
                Entry(
                    seq=seq,
                    id=f"reach/{name}",
                    time="2026-01-15T09:00:00Z",
                    kind="reach",
                    actor="office",
                    body=body,
                )
            )
        reason = {"code": code, "params": params, "entries": used}
        ruling = {"rule": "frontier", "subject": name, "verdict": verdict, "reasons": [reason]}
        teams.append({**team, "frontier": {**ruling, "parts": []}})
    stage = {**case.decision["stage"], "frontier": target}
    listed = [
        *case.decision["entries"],
        *(
            {"seq": one.seq, "id": one.id, "kind": one.kind, "digest": str(one.digest)}
            for one in entries[len(case.entries) :]
        ),
    ]
    decision = {**case.decision, "stage": stage, "teams": teams, "entries": listed}
    return Case(decision=decision, entries=tuple(entries))


MADE = {"short": _short, "frontier": _beside_frontier}


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
            case = MADE[name]() if name in MADE else _case(name)
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, or a skip that says how to get it.

    Playwright keeps an event loop running for as long as it is open, in which no other can be
    started; so it is closed before the tests of another file.
    """
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
