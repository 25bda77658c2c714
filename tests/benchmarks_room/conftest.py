"""What the benchmark room's tests share: item files, and models whose answers were recorded."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from dokja.evidence.benchmarks.suites import read_suite
from dokja.models.serving import Answer, Finish, RecordedModel, recording_bytes

LONGEST = 16
MAKING = Path(__file__).with_name("engine_logs") / "making.py"


def item(number, **changes):
    made = {
        "id": f"sums-{number:03d}",
        "prompt": f"{number} + 1 = ?",
        "answer": str(number + 1),
        "cluster": f"family-{number % 4}",
        "language": "ko",
    }
    return {**made, **changes}


@pytest.fixture
def items():
    """Makes items with these numbers, some keys changed."""

    def made(count, **changes):
        return [item(number, **changes) for number in range(count)]

    return made


@pytest.fixture
def suite_file(tmp_path):
    """Writes lines, objects or raw bytes, to a suite's file."""

    def written(lines, *, name="sums.jsonl"):
        path = tmp_path / name
        raw = [
            line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
            for line in lines
        ]
        path.write_bytes(b"".join(line + b"\n" for line in raw))
        return path

    return written


@pytest.fixture
def suite(suite_file, items):
    """Reads a suite of so many items."""

    def made(count=8, **options):
        return read_suite(suite_file(items(count), **options))

    return made


@pytest.fixture
def model(tmp_path):
    """A recorded model that answers a suite rightly, but for the places that are named."""

    def made(suite, *, said=None, cut=()):
        answers = [
            (
                item.prompt,
                Answer(
                    text=(said or {}).get(place, item.answer),
                    finish=Finish.LENGTH if place in cut else Finish.STOP,
                    tokens_in=9,
                    tokens_out=2,
                ),
            )
            for place, item in enumerate(suite.items)
        ]
        path = tmp_path / f"{suite.name}-answers.jsonl"
        path.write_bytes(recording_bytes("garam-1", answers, max_new_tokens=LONGEST))
        return RecordedModel(path)

    return made


@pytest.fixture(scope="session")
def engines():
    """What runs lm-eval and Inspect unmodified; only in the environment that has them."""
    if "engine_logs.making" not in sys.modules:
        spec = importlib.util.spec_from_file_location("engine_logs.making", MAKING)
        sys.modules["engine_logs.making"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["engine_logs.making"])
    return sys.modules["engine_logs.making"]


@pytest.fixture(scope="session")
def engine_logs(engines, tmp_path_factory):
    """Logs that both engines really wrote; see `make_logs`. Tests with it are marked `engines`."""
    return engines.make_logs(tmp_path_factory.mktemp("engine-logs"))
