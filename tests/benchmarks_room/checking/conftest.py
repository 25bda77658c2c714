"""What tests of checks share: a suite with options, scripted systems behind endpoints, and runs."""

import hashlib
import importlib.util
import json
import random
from pathlib import Path

import pytest

from dokja.cli.commands import run

ROOT = Path(__file__).parents[3]
LABELS = "ABCD"


def suite_folder(folder, count):
    """A suite of choices; returns the prompts with their keys."""
    folder.mkdir()
    (folder / "suite.toml").write_text(
        'format = 1\nname = "choices"\nversion = "2026.1"\nlicence = "CC0-1.0"\n'
        'language = "ko"\nbudget_tokens = 16\nclusters = ["subject"]\nstrata = "subject"\n'
        'scorer = { kind = "choice" }\n'
    )
    (folder / "template.txt").write_text("{{question}}\n\n{{choices}}\n\n정답:\n")
    keys, rows = {}, []
    for number in range(count):
        options = [f"보기 {number} {off}" for off in "가나다라"]
        key = LABELS[(number * 7) % 4]
        question = f"{number}번 물음"
        subject = {"subject": f"s{number % 5}"}
        rows.append(
            {
                "id": f"q-{number:03d}",
                "question": question,
                "choices": options,
                "key": key,
                "clusters": subject,
            }
        )
        listed = "\n".join(f"{a}. {b}" for a, b in zip(LABELS, options, strict=True))
        keys[f"{question}\n\n{listed}\n\n정답:"] = key
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return keys


def chance(*what):
    """A share in [0, 1) that follows from what is named."""
    data = hashlib.sha256(repr(what).encode()).digest()
    return int.from_bytes(data[:6]) / 2**48


class System(dict):
    """What a scripted system answers: right as often as it is able, and wavering a little.

    Attributes:
        turns: After how many requests it becomes another system; None for never.
    """

    def __init__(self, name, keys, *, able=0.7, wavers=0.04, turns=None, hard=0.0, day=0):
        super().__init__(keys)
        self.name, self.able, self.wavers, self.turns = name, able, wavers, turns
        self.hard, self.day = hard, day
        self.asked = 0
        self.times = {}

    def get(self, question, otherwise=None):
        del otherwise
        self.asked += 1
        time = self.times[question] = self.times.get(question, 0) + 1
        turned = self.turns is not None and self.asked > self.turns
        name = f"{self.name} anew" if turned else self.name
        if chance(self.name, question, time, self.day) < self.wavers:
            return random.Random(f"{name} {question} {time} {self.day}").choice(LABELS)  # noqa: S311  # a test
        able = self.able - self.hard * (chance("hard", question) - 0.5)
        key = self[question]
        if chance(name, question) < able:
            return key
        return random.Random(f"{name} {question}").choice(LABELS.replace(key, ""))  # noqa: S311


@pytest.fixture
def scripted():
    """Makes scripted systems."""
    return System


@pytest.fixture
def choices(tmp_path):
    """Makes a suite of so many choices; returns its folder, and its prompts with their keys."""

    def make(count=60, *, name="choices"):
        folder = tmp_path / name
        return folder, suite_folder(folder, count)

    return make


@pytest.fixture(scope="session")
def simulator():
    spec = importlib.util.spec_from_file_location(
        "simulated_endpoint_of_checks", ROOT / "tests/simulators/endpoint.py"
    )
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def measured(simulator, tmp_path):
    """Measures a scripted system under a label; returns the run's folder."""

    def measure(system, suite, label, *, at="now", sentinels=40, words=(), **behaviour):
        out = tmp_path / at / label
        made = simulator.Behaviour(answers=system, model=label, **behaviour)
        with simulator.Endpoint(made) as server:
            asked = ["measure", label, "--endpoint", server.url, "--suite", str(suite)]
            asked += ["--out", str(out), "--sentinels", str(sentinels), *words]
            assert run(asked) == 0
        return out

    return measure


@pytest.fixture
def told(capsys):
    """Runs a command line and returns its code with what it printed."""

    def go(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go
