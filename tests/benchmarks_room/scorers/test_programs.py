"""Programs run in a sandbox, or not at all."""

import pytest

from dokja.errors import ExtraMissingError
from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.scorers import (
    Aids,
    CodeScorer,
    CodeTest,
    Reply,
    Sandbox,
    Task,
    open_sandbox,
)

SUM = Task(
    id="sum",
    keys=(),
    prompt="두 수의 합을 출력하는 프로그램을 쓰세요.",
    tests=(CodeTest(stdin="2 3\n", stdout="5\n"), CodeTest(stdin="-4 4\n", stdout="0\n")),
)
RIGHT = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"


@pytest.fixture(scope="module")
def sandbox():
    try:
        return open_sandbox(wall_s=3.0)
    except ExtraMissingError as lacking:
        pytest.skip(str(lacking))


def scored(text, executor=None):
    return CodeScorer().score(SUM, Reply(text=text, tokens_out=9), aids=Aids(executor=executor))


def test_without_a_sandbox_nothing_is_run(tmp_path):
    reached = tmp_path / "reached"

    scoring = scored(f"```python\nopen({str(reached)!r}, 'w')\n```")

    assert (scoring.outcome, scoring.cause) == (Outcome.INFRASTRUCTURE_ERROR, Cause.SANDBOX)
    assert scoring.charge.value == "operator"
    assert not reached.exists()


def test_sandbox_that_cannot_be_built_is_our_fault():
    broken = Sandbox(bwrap="/bin/false", interpreter="/usr/bin/python3")
    absent = Sandbox(bwrap="/nowhere/bwrap", interpreter="/usr/bin/python3")

    causes = {scored(RIGHT, executor).cause for executor in (broken, absent)}

    assert causes == {Cause.SANDBOX}


def test_machine_without_bubblewrap_is_told_so():
    with pytest.raises(ExtraMissingError, match="none works here"):
        open_sandbox(bwrap="/bin/false")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (RIGHT, Outcome.CORRECT),
        ("생각해 보면\n" + RIGHT + "\n이렇게 됩니다.", Outcome.CORRECT),
        ("a, b = map(int, input().split())\nprint(a + b)", Outcome.CORRECT),
        ("```python\nprint(5)\n```", Outcome.WRONG),
        ("```python\nprint(5); exit(0)\n```\n```python\nprint(1)\n```", Outcome.WRONG),
        ("```python\nimport os; os._exit(0)\n```", Outcome.WRONG),
        ("```python\nprint(5)\nraise SystemExit(1)\n```", Outcome.WRONG),
        ("```python\nthis is no program\n```", Outcome.WRONG),
        ("모르겠습니다.", Outcome.NO_ANSWER),
        ("```java\nclass A {}\n```", Outcome.NO_ANSWER),
    ],
)
def test_program_is_right_if_every_test_comes_out(sandbox, text, outcome):
    assert scored(text, sandbox).outcome is outcome


def test_last_program_counts(sandbox):
    text = "```python\nprint(1)\n```\n고치면:\n" + RIGHT

    scoring = scored(text, sandbox)

    assert scoring.outcome is Outcome.CORRECT
    assert text[slice(*scoring.span)].startswith("a, b")


@pytest.mark.parametrize(
    "program",
    [
        "import socket; socket.create_connection(('1.1.1.1', 80), 1); print('reached')",
        "print(open('/etc/passwd').read(), 'reached')",
        "import os; print('reached' if 'HOME' in os.environ else '')",
        "x = bytearray(4 << 30); print('reached')",
        "open('/usr/reached', 'w'); print('reached')",
        "import os; print('reached' if os.getuid() == 0 else '')",
        "import os; print('reached' if sum(map(str.isdigit, os.listdir('/proc'))) > 3 else '')",
    ],
)
def test_program_reaches_nothing(sandbox, program):
    ran = sandbox.run(program, stdin="")

    assert "reached" not in ran.stdout
    assert ran.fault == ""


def test_program_cannot_pretend_that_it_was_not_run(sandbox):
    shout = "import sys\nprint('bwrap: no', file=sys.stderr)\nsys.exit(1)"

    ran = sandbox.run(shout, stdin="")

    assert (ran.ended, ran.fault) == (False, "")


def test_endless_program_ends_and_endless_output_is_cut(sandbox):
    quick = Sandbox(
        bwrap=sandbox.bwrap, interpreter=sandbox.interpreter, wall_s=0.5, output_bytes=5000
    )

    endless = quick.run("while True: pass", stdin="")
    flood = quick.run("while True: print('x' * 1000)", stdin="")

    assert not endless.ended
    assert not flood.ended
    assert len(flood.stdout) <= 5000
