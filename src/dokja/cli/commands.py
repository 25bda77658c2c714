"""The map of all commands, and what happens when one of them raises."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from dokja import __version__
from dokja.cli.ordering import Ordered
from dokja.cli.printing import say
from dokja.errors import DokjaError

__all__ = ["dokja", "main"]

_OBJECTS = 100_000

_COMMANDS = {
    "new": ("dokja.cli.new:new", "Make a programme folder."),
    "rules": ("dokja.cli.rules:rules", "Check, show and adopt rulebooks."),
    "simulate": (
        "dokja.cli.simulate:simulate_command",
        "Say how often rules would send the better team home, before a stage opens.",
    ),
    "observe": (
        "dokja.cli.observe:observe",
        "Make a stage's observations and append them to the ledger.",
    ),
    "measure": (
        "dokja.cli.measure:measure",
        "Ask a model a suite, keep every answer, and go on where it was stopped.",
    ),
    "runs": (
        "dokja.cli.runs:runs",
        "Say what runs tell of endpoints, rulers and keys, before their scores are read.",
    ),
    "rescore": (
        "dokja.cli.rescore:rescore_command",
        "Score a run again, from what came over the wire.",
    ),
    "suite": (
        "dokja.cli.suite:suite",
        "Check a suite folder, promise its private items, open one of them.",
    ),
    "sanity": (
        "dokja.cli.sanity:sanity",
        "Try a scorer before it may produce evidence.",
    ),
    "judge": (
        "dokja.cli.judge:judge",
        "Judge a stage, or check a decision that someone sends you.",
    ),
    "grade": ("dokja.cli.grade:grade", "Grade one model T0–T6, component by component."),
    "ledger": (
        "dokja.cli.ledger:ledger",
        "Verify, show, append to, prove from, witness and export a ledger.",
    ),
    "import": (
        "dokja.cli.import_:import_",
        "Import results that others recorded, and say what is wrong with them.",
    ),
    "compare": (
        "dokja.cli.compare:compare",
        "Say whether a model reaches the required share of the frontier.",
    ),
    "trace": (
        "dokja.cli.trace:trace",
        "Say what a model's weights are consistent with, beside references.",
    ),
    "weights": (
        "dokja.cli.weights:weights",
        "Show what weights hold, here or at an address, and what was read.",
    ),
    "library": (
        "dokja.cli.library:library",
        "Keep what a scan needs of many models, and lay one beside all of them.",
    ),
    "record": (
        "dokja.cli.record:record",
        "Record what an endpoint answers to an unmodified engine.",
    ),
    "replay": (
        "dokja.cli.replay:replay",
        "Give an engine the recorded answers again, without the endpoint.",
    ),
    "forge": ("dokja.cli.forge:forge", "Build models with a record that can be checked."),
}
"""Each command and its line of help; a command is imported when it is run."""


@click.group(
    cls=Ordered,
    table=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 done and nothing against it; 2 bad input or usage; 3 found something "
        "(a failed gate, a difference, a broken ledger); 4 cannot tell."
    ),
)
@click.version_option(__version__, prog_name="dokja")
def dokja() -> None:
    """Judge a sovereign-AI foundation-model programme on evidence.

    \b
    The way of a stage, from left to right:
      new → rules → ledger append → observe → judge → judge --check
    A rulebook says what counts, the ledger holds what was seen, and a decision
    follows from the two and from nothing else, so that anyone can replay it.

    \b
    Try it on the sample that comes with the repository:
      dokja new build/sample --from sample/programme
      dokja observe build/sample --stage final
      dokja judge build/sample --stage final
    """


def main(words: Sequence[str] | None = None) -> None:
    """Run a command line and exit with its code."""
    # What modules are made of stays until the end: looking through it for waste at every 700
    # new objects would take a tenth of a short command's time.
    gc.set_threshold(_OBJECTS)
    # Matrices here are small: threads that share one wait for each other longer than they work
    # (a trace of the sample took five times as long on two). Whoever says otherwise is heard.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(run(words))


def run(words: Sequence[str] | None = None) -> int:
    """Run a command line; return its exit code, having told what went wrong."""
    try:
        code: Any = dokja.main(args=words, prog_name="dokja", standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as mistake:
        mistake.show()
        return mistake.exit_code
    except click.Abort:
        say(
            "Stopped. What was acknowledged is in the ledger; nothing else was changed.", error=True
        )
        return 130
    except DokjaError as error:
        say(str(error), error=True)
        return error.exit_code
    return code if isinstance(code, int) else 0
