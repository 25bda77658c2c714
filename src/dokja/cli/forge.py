"""`dokja forge`: build models with a record that can be checked, and check records."""

import click

from dokja.cli.ordering import Ordered

__all__ = ["forge"]

_COMMANDS = {
    "plan": (
        "dokja.cli.forge_planning:plan",
        "Resolve a recipe for a size: shapes, data, budget, claim.",
    ),
    "run": (
        "dokja.cli.forge_running:run",
        "Build a model by a plan, recording what is done while it is done.",
    ),
    "attach": (
        "dokja.cli.forge_running:attach",
        "Record a training that runs, or ran, elsewhere.",
    ),
    "verify": (
        "dokja.cli.forge_verifying:verify",
        "Check a build against its record, level by level.",
    ),
    "enter": (
        "dokja.cli.forge_entering:enter",
        "Enter a verified record into a programme's ledger.",
    ),
    "claim": (
        "dokja.cli.forge_planning:claim",
        "Say what a recipe or plan may claim under a table, and why.",
    ),
    "demo": (
        "dokja.cli.forge_demo:demo",
        "Build honest models and false ones, and show which check catches which.",
    ),
    "export": (
        "dokja.cli.forge_exporting:export_model",
        "Export a model to GGUF or ONNX, measured against its parent.",
    ),
    "tokenizer": (
        "dokja.cli.forge_tokenizer:tokenizer",
        "Train, look through and measure tokenizers.",
    ),
    "transform": (
        "dokja.cli.forge_transform:transform",
        "Edit weights without training them: dus, merge, prune, quantise and others.",
    ),
    "launder": (
        "dokja.cli.forge_transform:launder",
        "Make weights look like others, for tests of lineage.",
    ),
    "zoo": (
        "dokja.cli.forge_zoo:zoo",
        "Grow families of small models whose relations are known.",
    ),
}
"""Each command and its line of help; a command is imported when it is run."""


@click.group(cls=Ordered, table=_COMMANDS)
def forge() -> None:
    """Build a model from a recipe, with a build record that proves how, and verify records.

    \b
    The way of a model, from left to right:
      plan → run → verify → export
    A run made elsewhere comes in by `attach`. What a model may claim follows from its
    ancestry; nobody types a grade.

    \b
    Try it without anybody's weights or data:
      dokja forge plan t4 -o build/plan-t4
      dokja forge run build/plan-t4 -o build/run-t4
      dokja forge verify build/run-t4 --level V2
    """
