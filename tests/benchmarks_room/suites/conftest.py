"""What the tests of suite folders share: a folder that is sound, and ways of spoiling it."""

import json

import pytest

TOML = """format = 1
name = "seasons"
version = "2026.1"
licence = "CC-BY-4.0"
language = "ko"
budget_tokens = 64
clusters = ["subject"]

[scorer]
kind = "choice"
"""
TEMPLATE = "{{question}}\n{{choices}}\n정답:\n"


def item(number, **changes):
    made = {
        "id": f"item-{number:03d}",
        "question": f"{number}번째 절기는 무엇인가?",
        "choices": ["입춘", "우수", "경칩", "춘분"],
        "key": "ABCD"[number % 4],
        "clusters": {"subject": f"family-{number % 3}"},
    }
    return {key: value for key, value in {**made, **changes}.items() if value is not None}


@pytest.fixture
def folder(tmp_path):
    """Writes a suite folder of so many items, with other files or private items as told."""

    def made(count=8, *, toml=TOML, template=TEMPLATE, rows=None, private=None):
        path = tmp_path / "seasons"
        path.mkdir(exist_ok=True)
        rows = [item(number) for number in range(count)] if rows is None else rows
        (path / "suite.toml").write_text(toml)
        (path / "template.txt").write_text(template)
        lines = [
            row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows
        ]
        (path / "items.jsonl").write_text("".join(f"{line}\n" for line in lines))
        if private is not None:
            (path / "suite.toml").write_text(toml + '\n[private]\nitems = "private.jsonl"\n')
            secret = path / "private.jsonl"
            secret.write_text(
                "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in private)
            )
            secret.chmod(0o600)
        return path

    return made


@pytest.fixture
def row():
    """Makes one item, some keys changed; None leaves a key out."""
    return item


@pytest.fixture
def secret():
    """Makes private items whose words must not get out."""

    def made(count=5, **changes):
        return [
            item(
                number,
                **{
                    "id": f"private-{number:03d}",
                    "question": f"아무도 알아서는 안 되는 물음이 있다면 {number}번째는 무엇인가?",
                    **changes,
                },
            )
            for number in range(count)
        ]

    return made
