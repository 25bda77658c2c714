"""A programme to be judged, told entry by entry, and a rulebook that tests can bend.

`a_programme()` opens one; every method says one thing and returns the programme, so that a test
reads like the record of a stage. Rules are changed by their key: `{"stages.first.planned_advance":
2}`; a value of `...` takes the key away. Nothing here knows what ought to come out.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Self

import pytest

from dokja.decisions import Decision, ModelGrade, Rulebook, grade_model, judge, load_rulebook
from dokja.decisions.rules import Record, read_record
from dokja.evidence.ledger import Entry
from dokja.values import Digest
from dokja.values.keys import SigningKey

VERSION = "2026-02"
ROOT = Digest.of(b"the root of a tree")
NORMAL_95 = 1.959963984540054

CONTROLS = {
    "well": (("derived", True), ("independent", False)),
    "none": (),
    "derived-missed": (("derived", False), ("independent", False)),
    "independent-found": (("derived", True), ("independent", True)),
    "only-independent": (("independent", False),),
    "one-derived-missed": (("derived", True), ("derived", False), ("independent", False)),
}


ROOT_TEXT = "dokja-tensors-v1:" + "a" * 64
SIGNER = str(SigningKey("garam.example/builds", bytes(32)).verifier)
RECORDS = {"scheme.records": {"level": "V2", "live_share": 0.9}}
CHECKS = ("V0.1", "V0.2", "V1.1", "V2.1", "V2.2", "V2.3")
LEVELS = ("V0", "V1", "V2", "V3")


def words(text: str) -> dict[str, str]:
    return {"ko": text, "en": text}


def part(name: str, points: float, **more: Any) -> dict[str, Any]:
    return {"id": name, "title": words(name), "points": points, "scale": "absolute", **more}


def valid_rules() -> dict[str, Any]:
    """A small rulebook: one stage of points behind one gate."""
    return {
        "format": 1,
        "id": "our-programme",
        "version": VERSION,
        "title": words("우리 규칙"),
        "in_force": date(2026, 2, 1),
        "supersedes": "2026-01",
        "changes": words("a second part"),
        "sources": {"own": {"address": "the office", "title": "its rules"}},
        "probability": {"draws": 2000, "seed": 7, "level": 0.95},
        "scheme": {
            "id": "t-scale",
            "weight_bearing": ["language-body", "vision-encoder"],
            "sources": ["own"],
            "floors": [
                {"use": "office", "title": words("office"), "minimum": "T4", "better": "T5"},
                {"use": "private", "title": words("private"), "minimum": "T0"},
            ],
            "derived": {
                **dict.fromkeys(("identical", "requantised", "adapter_merged"), "T1"),
                **dict.fromkeys(("fine_tuned", "continually_pretrained", "merged"), "T2"),
                **dict.fromkeys(("width_edited", "upcycled", "depth_edited"), "T3"),
            },
        },
        "gates": {
            "independence": {
                "title": words("독자성"),
                "question": words("initialised and trained by the team?"),
                "per": "component",
                "roles": ["language-body", "vision-encoder"],
                "minimum_grade": "T4",
                "rests_on": "findings",
                "controls": "required",
                "detectable_at_most": 0.5,
                "against": "all-submitted-and-references",
                "sources": ["own"],
            }
        },
        "stages": {
            "first": {
                "title": words("first"),
                "kind": "points",
                "opens": date(2026, 2, 2),
                "closes": date(2026, 2, 3),
                "decided": date(2026, 2, 9),
                "planned_advance": 1,
                "cut_among": "entrants",
                "gates": ["independence"],
                "sources": ["own"],
                "parts": [
                    part("bench", 60, parts=[part("items", 40), part("speed", 20)]),
                    part("expert", 40, sources=["own"]),
                ],
                "ties": {"rule": "undecided"},
                "vacancy": {"rule": "leave-open"},
                "objections": {"days": 10, "grounds": ["serious-flaw"]},
                "withheld": {"fields": ["reviewers"]},
            }
        },
    }


def vote_stage(**changes: Any) -> dict[str, Any]:
    vote = {"questions": ["competes", "contributes"], "more_than": 0.5, "places": 1}
    return {
        "title": words("re-entry"),
        "kind": "vote",
        "sources": ["own"],
        "vote": {**vote, "may_choose_none": True, **changes},
    }


def changed(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules with values put in place by their keys; `...` takes a key away."""
    made = copy.deepcopy(dict(table))
    for path, value in changes.items():
        *steps, last = path.split(".")
        inner: Any = made
        for step in steps:
            inner = inner[int(step)] if isinstance(inner, list) else inner.setdefault(step, {})
        if isinstance(inner, list):
            inner[int(last)] = value
        elif value is ...:
            del inner[last]
        else:
            inner[last] = value
    return made


def toml(value: Any) -> str:
    """Write a value as TOML, tables inside included."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int() | float():
            return repr(value)
        case date():
            return value.isoformat()
        case Mapping():
            return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(toml(item) for item in value) + "]"
    raise TypeError(value)


def written(table: Mapping[str, Any]) -> bytes:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in table.items()).encode()


class Programme:
    """A programme whose ledger grows by what is said of it."""

    def __init__(self, changes: Mapping[str, Any] | None = None) -> None:
        self.rules = changed(valid_rules(), changes or {})
        self.entries: list[Entry] = []
        self.enter(
            "programme", {"programme": "ours", "title": words("우리 사업"), "invented": True}
        )

    def enter(self, kind: str, body: Mapping[str, Any], *, name: str | None = None) -> Self:
        seq = len(self.entries)
        sourced = {} if kind in {"programme", "correction", "unseal"} else {"on": "2026-02-05"}
        self.entries.append(
            Entry(
                seq=seq,
                id=name or f"{kind}/{seq}",
                time="2026-02-05T09:00:00Z",
                kind=kind,
                actor="office",
                body=json.loads(json.dumps({**sourced, **body})),
            )
        )
        return self

    @property
    def last(self) -> Entry:
        return self.entries[-1]

    def teams(self, *names: str) -> Self:
        for name in names:
            self.enter("team", {"team": name, "name": words(name)})
        return self

    def entrants(self, *names: str, stage: str = "first", count: int | None = None) -> Self:
        """Teams that apply to a stage with nothing but their names."""
        self.teams(*(name for name in names if name not in read_record(self.entries).teams()))
        count = len(names) if count is None else count
        return self.enter("applications", {"stage": stage, "count": count, "teams": list(names)})

    def model(self, team: str, *components: Mapping[str, Any], **more: Any) -> Self:
        """A model; one body of the team's own initialisation where no component is told."""
        told = [dict(one) for one in components] or [component()]
        body = {"model": f"{team}-1", "team": team, "name": team, "stages": ["first"]}
        return self.enter("model", {**body, "components": told, **more})

    def score(
        self,
        team: str,
        part: str,
        value: float,
        *,
        error: float | None = None,
        rounded: float | None = None,
        **more: Any,
    ) -> Self:
        """A score: counted, rounded to within half of `rounded`, or with a standard error."""
        half = NORMAL_95 * error if error is not None else (rounded or 0.0) / 2
        kind = "sampling" if error is not None else "exact" if rounded is None else "rounding"
        body = {"stage": "first", "team": team, "part": part, "rulebook": VERSION}
        interval = {"value": value, "low": value - half, "high": value + half, "kind": kind}
        interval |= {"level": 0.95 if error is not None else 1.0, "standard_error": error}
        return self.enter(
            "score", {**body, "score": interval, "method": "count", "basis": "measured", **more}
        )

    def totals(self, scores: Mapping[str, float], **how: Any) -> Self:
        for team, value in scores.items():
            self.score(team, "total", value, **how)
        return self

    def finding(self, model: str, reference: str, *relations: str, **more: Any) -> Self:
        """A comparison; one that could have seen a derivation and saw none, if not told else."""
        known = {"no_evidence", "shared_initialisation", "not_testable"}
        derivation = "no" if known.issuperset(relations) else "yes"
        kinds = CONTROLS[more.pop("controls", "well")]
        controls = [{"kind": k, "name": k, "value": float(f), "found": f} for k, f in kinds]
        body = {
            "model": model,
            "component": "body",
            "reference": reference,
            "relations": list(relations) or ["no_evidence"],
            "derivation": derivation,
            "measure": "centred_r",
            "controls": controls,
            "minimum_detectable": 0.2,
            "method": "layer-pairs",
            "basis": "measured",
        }
        return self.enter("finding", {**body, **more})

    def build(self, team: str = "garam", **more: Any) -> Self:
        """A build record of a team's body that shows its own start, if not told else.

        `outcomes` says what checks came to; `claim`, `root`, `leaves` are the body's.
        """
        outcomes = {**dict.fromkeys(CHECKS, "pass"), **more.pop("outcomes", {})}
        body = {
            "component": "body",
            "role": "language-body",
            "claim": more.pop("claim", "T4"),
            "root": more.pop("root", ROOT_TEXT),
            "leaves": more.pop("leaves", [{"kind": "S", "name": "llama"}]),
            "steps": ["train"],
        }
        findings = [
            {"check": check, "component": None if check < "V1" else "body", "outcome": outcome}
            for check, outcome in outcomes.items()
            if outcome is not None
        ]
        said = {
            "model": f"{team}-1",
            "record": str(Digest.of(b"a record")),
            "record_schema": "dokja.record/1",
            "builder": team,
            "signer": SIGNER,
            "table": "2026-01",
            "claim": body["claim"],
            "components": [body],
            "findings": findings,
            "level": reached(findings),
            "place": "examiner",
            "live_share": 0.95,
            "invented": True,
        }
        return self.enter("build", {**said, **more})

    def ruling(self, team: str, verdict: str, **more: Any) -> Self:
        body = {"stage": "first", "gate": "independence", "team": team, "authority": "ministry"}
        return self.enter("ruling", {**body, "verdict": verdict, "grounds": words("-"), **more})

    def order(self, *groups: Sequence[str]) -> Self:
        return self.enter(
            "published-order", {"stage": "first", "groups": [list(group) for group in groups]}
        )

    def outcome(
        self, advance: Sequence[str], out: Mapping[str, str] | None = None, **more: Any
    ) -> Self:
        eliminated = [
            {"team": team, "ground": ground, "gate": "independence" if ground == "gate" else None}
            for team, ground in (out or {}).items()
        ]
        counts = {"from_count": len(advance) + len(eliminated), "to_count": len(advance)}
        body = {"stage": "first", "advance": list(advance), "eliminated": eliminated, **counts}
        return self.enter("outcome", {**body, **more})

    def vote(self, team: str, question: str, in_favour: int | None, of: int | None) -> Self:
        body = {"stage": "re-entry", "team": team, "question": question}
        return self.enter("review-vote", {**body, "in_favour": in_favour, "reviewers": of})

    def aggregate(self, part: str, statistic: str, value: float, teams: int, **more: Any) -> Self:
        interval = {"value": value, "low": value, "high": value, "level": 1.0, "kind": "exact"}
        body = {"stage": "first", "part": part, "statistic": statistic, "teams": teams}
        return self.enter("aggregate", {**body, "score": interval, **more})

    def correct(self, entry: Entry, body: Mapping[str, Any] | None) -> Self:
        said = {"corrects": entry.id, "digest": str(entry.digest), "reason": words("-")}
        return self.enter("correction", {**said, "body": body})

    @property
    def rulebook_bytes(self) -> bytes:
        return written(self.rules)

    @property
    def rulebook(self) -> Rulebook:
        return load_rulebook(self.rulebook_bytes, file="rulebook.toml")

    @property
    def record(self) -> Record:
        return read_record(self.entries)

    def decision(self, *, stage: str = "first", entries: Sequence[Entry] | None = None) -> Decision:
        return judge(
            self.rulebook,
            self.entries if entries is None else entries,
            stage=stage,
            ledger_head=("ours.example/ledger", len(self.entries), ROOT),
            software=("dokja", "0"),
        )

    def grade(self, model: str) -> ModelGrade:
        return grade_model(self.rulebook, self.entries, model=model)


def reached(findings: Sequence[Mapping[str, Any]]) -> str:
    """The slow twin of an entry's level: try each level, from the weakest."""
    level = "none"
    for one in LEVELS:
        upto = [check for check in findings if check["check"] < f"{one}.99"]
        if any(check["outcome"] == "fail" for check in upto):
            break
        if any(check["outcome"] == "pass" and check["check"].startswith(one) for check in upto):
            level = one
    return level


def component(name: str = "body", **more: Any) -> dict[str, Any]:
    own = {"origin": "own-initialisation", "structure": "known"}
    return {"component": name, "role": "language-body", **own, **more}


@pytest.fixture(scope="session")
def a_programme() -> type[Programme]:
    """Opens a programme under the small rulebook, with changes to it."""
    return Programme


@pytest.fixture(scope="session")
def points_only() -> Any:
    """Opens a programme whose one stage has no gate and some places."""

    def opened(places: int = 1, changes: Mapping[str, Any] | None = None) -> Programme:
        ungated = {"stages.first.gates": [], "stages.first.planned_advance": places}
        return Programme({**ungated, **(changes or {})})

    return opened


@pytest.fixture(scope="session")
def told_component() -> Any:
    """A component as its team tells it: own weights in a known structure, if not told else."""
    return component


@pytest.fixture(scope="session")
def a_part() -> Any:
    return part


@pytest.fixture(scope="session")
def a_vote_stage() -> Any:
    return vote_stage


@pytest.fixture(scope="session")
def rules_with() -> Any:
    """The bytes of the small rulebook with changes."""

    def made(changes: Mapping[str, Any] | None = None) -> bytes:
        return written(changed(valid_rules(), changes or {}))

    return made


@pytest.fixture(scope="session")
def write_toml() -> Any:
    return written


@pytest.fixture(scope="session")
def small_rules() -> Any:
    """The small rulebook as tables."""
    return valid_rules


@pytest.fixture(scope="session")
def reads_records() -> dict[str, Any]:
    """Changes to the small rulebook, so that it reads build records."""
    return RECORDS


@pytest.fixture(scope="session")
def root_text() -> str:
    """The root that build records name, if not told else."""
    return ROOT_TEXT
