"""Looks through anybody's `tokenizer.json` for what goes wrong later and in silence.

Every check answers with what it read, what it expected and what to do: it holds, it fails, or
it is undecided because the extra that could encode is not installed. A check that is advice warns
of what works and costs something. Nothing is changed, and nothing in the file is acted upon.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from dokja.errors import ExtraMissingError, RecipeError
from dokja.models.forge.tokenizing.folders import read_tokenizer
from dokja.models.forge.tokenizing.lint_cuts import CUT_CHECKS, probe_cut
from dokja.models.forge.tokenizing.lint_findings import Facts, LintFinding, LintOutcome
from dokja.models.forge.tokenizing.lint_texts import TEXT_CHECKS
from dokja.models.forge.tokenizing.lint_vocabulary import VOCABULARY_CHECKS
from dokja.models.forge.tokenizing.opened import Subject, open_file, open_subject, subject

__all__ = ["LINT_CHECKS", "LintFinding", "LintOutcome", "lint"]

LINT_CHECKS: tuple[Callable[[Facts], Iterator[LintFinding]], ...] = (
    *CUT_CHECKS,
    *VOCABULARY_CHECKS,
    *TEXT_CHECKS,
)
"""All checks, in the order in which they are told."""


def lint(
    path: Path, *, rows: int | None = None, limit_seconds: float = 20.0
) -> tuple[LintFinding, ...]:
    """Look through a tokenizer.

    Args:
        path: Its folder, or the `tokenizer.json` in it.
        rows: Rows of the model's embedding, where there is a model.
        limit_seconds: How long a split pattern that is not ours may take on the probe.

    Returns:
        At least one finding of each check.

    Raises:
        RecipeError: There is no such file, or it is no JSON object with one reading: a token
            that stands twice in the vocabulary is such.
    """
    file = open_file(path)
    facts = Facts(
        file=file,
        rows=rows,
        subject=_encoding(path),
        cuts=probe_cut(file, limit_seconds=limit_seconds),
    )
    return tuple(finding for check in LINT_CHECKS for finding in check(facts))


def _encoding(path: Path) -> Subject | str:
    """Return the tokenizer ready to encode, or why it cannot."""
    try:
        return open_subject(path, name=path.name)
    except ExtraMissingError as missing:
        try:
            return subject(read_tokenizer(path), name=path.name)
        except RecipeError:
            return str(missing)
    except RecipeError as error:
        return str(error.mistakes[0])
