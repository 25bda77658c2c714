"""What the ballots' tests share: votes as lines, and files of them."""

import json

import pytest

TEAMS = ("garam", "maru", "raon")


def vote(number, **changes):
    made = {
        "voter": f"v-{number % 10}",
        "prompt": f"p-{number}",
        "left": TEAMS[number % 3],
        "right": TEAMS[(number + 1) % 3],
        "choice": ("left", "right", "tie")[number % 3 if number % 5 else 2],
    }
    return {**made, **changes}


@pytest.fixture(scope="session")
def votes():
    """Makes votes with these numbers, some keys changed."""

    def made(count, **changes):
        return [vote(number, **changes) for number in range(count)]

    return made


@pytest.fixture
def batch_file(tmp_path):
    """Writes lines, objects or raw bytes, to a file of ballots."""

    def written(lines):
        path = tmp_path / "ballots.jsonl"
        raw = [
            line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode()
            for line in lines
        ]
        path.write_bytes(b"".join(line + b"\n" for line in raw))
        return path

    return written
