"""Every block of code in the documents runs, and every link leads somewhere.

A `console` block is typed line by line in a folder that looks like the root of the repository;
`# exit N` behind a command says that it ends with N. What is shown under a command must be what
it prints, where `...` stands for anything. A page whose first line is
`<!-- start: judged-sample -->` starts with the sample programme judged in `build/sample`.
"""

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("README*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *ROOT.glob("sample/README.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|<img[^>]*src=\"([^\"]+)\"")
SHOWN_ALIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
OF_RUN_PY = {"", "test", "torch", "engines", "check", "lock", "bench", "clean", "accept"}


def name(path):
    return str(path.relative_to(ROOT))


def blocks(page, *kinds):
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text()) if kind in kinds]


def with_blocks(*kinds):
    return [page for page in PAGES if blocks(page, *kinds)]


def steps(text):
    """Return (command, what is shown under it) for each `$ ` of a console block."""
    found = []
    until = None  # the word that ends a here-document
    for line in text.splitlines():
        if until is not None:
            found[-1] = (f"{found[-1][0]}\n{line}", [])
            until = None if line == until else until
        elif line.startswith("$ "):
            opened = re.search(r"<<'(\w+)'", line)
            until = opened.group(1) if opened else None
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0][:-1] + line.strip(), [])
        elif found:
            found[-1][1].append(line)
    return [(command, "\n".join(shown)) for command, shown in found]


@pytest.fixture
def desk(tmp_path):
    """A folder that looks like the root of the repository, with programs of this environment."""
    for part in ("sample", "examples", "docs", "run.py"):
        if (ROOT / part).exists():
            (tmp_path / part).symlink_to(ROOT / part)
    (tmp_path / "build").mkdir()
    return tmp_path


def typed(command, desk):
    binaries = str(Path(sys.executable).parent)
    return subprocess.run(
        ["bash", "-c", command],
        cwd=desk,
        env={**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("page", with_blocks("console"), ids=name)
def test_console_blocks_do_what_they_show(page, desk, judged_sample):
    if page.read_text().startswith("<!-- start: judged-sample -->"):
        shutil.copytree(judged_sample, desk / "build/sample")

    for _, text in blocks(page, "console"):
        for command, shown in steps(text):
            if command.startswith("python3 run.py"):
                assert command.removeprefix("python3 run.py").strip().split(" ")[0] in OF_RUN_PY
                continue
            wanted = re.search(r"# exit (\d+)", command)

            done = typed(command, desk)

            said = done.stdout + done.stderr
            assert done.returncode == (int(wanted.group(1)) if wanted else 0), (command, said)
            if shown.strip():
                checker = doctest.OutputChecker()
                assert checker.check_output(shown + "\n", said + "\n", SHOWN_ALIKE), (
                    f"{command}\n--- shown\n{shown}\n--- printed\n{said}"
                )


@pytest.mark.parametrize("page", with_blocks("toml", "json", "jsonl"), ids=name)
def test_data_blocks_can_be_read(page):
    for kind, text in blocks(page, "toml", "json", "jsonl"):
        match kind:
            case "toml":
                tomllib.loads(text)
            case "json":
                json.loads(text)
            case _:
                [json.loads(line) for line in text.splitlines() if line]


@pytest.mark.parametrize("page", with_blocks("python"), ids=name)
def test_python_blocks_run(page, desk):
    for _, text in blocks(page, "python"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", text],
            cwd=desk,
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    targets = [inside or picture for inside, picture in LINK.findall(page.read_text())]

    dead = [
        target
        for target in targets
        if "://" not in target and not (page.parent / target).resolve().exists()
    ]

    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_block_is_of_a_kind_that_is_not_tried(page):
    kinds = {kind for kind, _ in BLOCK.findall(page.read_text())}

    assert kinds <= {"console", "toml", "json", "jsonl", "python", "text"}
