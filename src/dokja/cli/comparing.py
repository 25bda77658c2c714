"""What `dokja compare` is asked, by options or by a rulebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from dokja.decisions.rules import Rulebook
from dokja.errors import InputError, Mistake
from dokja.evidence.benchmarks.comparing import BY_CATEGORY, Question, openable
from dokja.evidence.benchmarks.conventions import CONVENTIONS, Convention, read_convention
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.statistics.contrasts import (
    Combine,
    FrontierOf,
    GeneraliseTo,
    ReferenceMode,
    reach_terms,
)

__all__ = ["Asked", "asked_by_options", "asked_by_rulebook", "labels_of"]


_MOST_TIMES = 10  # whoever types 95 means 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, and how the tables' labels are called in a programme.

    Attributes:
            model: The candidate's id in a ledger.
        names: Labels of the tables, by what a rulebook or the options call the systems.
    """

    question: Question
    model: str
    names: Mapping[str, str]


def asked_by_options(candidate: str, given: Mapping[str, Any]) -> Asked:
    """Return the question that options ask.

    Raises:
        UsageError: An option cannot be understood.
    """
    if not given["references"]:
        raise click.UsageError("nobody to compare with: --against REF, or --rulebook FILE")
    name = given["convention"] or "strict"
    if name not in CONVENTIONS:
        raise click.UsageError(f"no convention {name!r}; there are {', '.join(CONVENTIONS)}")
    convention = CONVENTIONS[name]
    try:
        terms = reach_terms(
            given["ratio"] or "0.95",
            seed=given["seed"],
            generalise_to=GeneraliseTo(given["generalise_to"] or "new-clusters"),
            mode=ReferenceMode(given["mode"] or "all"),
        )
    except ValueError as error:
        raise click.UsageError(f"--ratio: {error}") from error
    if terms.ratio > _MOST_TIMES:
        raise click.UsageError(f"--ratio {given['ratio']}: expected a share such as 0.95")
    labels = labels_of(given["labels"])
    question = Question(
        candidate=candidate,
        references=tuple(given["references"]),
        terms=terms,
        convention=convention,
        open=openable(convention),
        weights=given["weights"] or "items",
        chance=_chance(given["chance"]),
        clusters=given["clusters"] or BY_CATEGORY,
        combine=Combine(given["combine"] or "ratio-of-means"),
    )
    return Asked(question=question, model=candidate, names=labels)


def asked_by_rulebook(
    book: Rulebook, candidate: str, *, stage: str, labels: Mapping[str, str]
) -> Asked:
    """Return the question that a rulebook registered for a stage.

    Args:
        book: The rulebook.
        candidate: Id of the model that is asked about.
        stage: The stage.
        labels: What the tables call models and systems, where it is something else.

    Raises:
        UsageError: The rulebook has no such stage.
        InputError: The stage has no frontier.
    """
    if stage not in book.stages:
        known = ", ".join(book.stages)
        raise click.UsageError(f"no stage {stage!r}; the rulebook's stages are {known}")
    frontier = book.stages[stage].frontier
    if frontier is None:
        raise InputError(
            [
                Mistake(
                    file=f"rulebook {book.id} {book.version}",
                    place=f"stages.{stage}.frontier",
                    read="nothing",
                    expected="what share of whom the stage asks for",
                    remedy="Ask by --against and --ratio; the answer is no programme decision.",
                )
            ]
        )
    view, verdict = frontier.view, frontier.verdict
    question = Question(
        candidate=candidate,
        references=tuple(one.name for one in frontier.systems),
        terms=reach_terms(
            verdict.ratio,
            seed=book.probability.seed,
            alpha_clear=float(verdict.alpha_clear),
            alpha_fail=float(verdict.alpha_fail),
            delta_min=float(verdict.delta_min),
            generalise_to=GeneraliseTo(view.generalise_to),
            mode=ReferenceMode(verdict.mode),
        ),
        convention=_convention(book, view.convention),
        open=frozenset(Outcome(name) for name in frontier.open),
        weights=view.weights,
        chance=view.chance,
        clusters=view.clusters,
        combine=Combine(view.combine),
        frontier=FrontierOf(view.frontier_of),
        registered=True,
        may_lack=frontier.on_reference_lost == "without-it",
    )
    return Asked(question=question, model=candidate, names=labels)


def labels_of(pairs: Sequence[str]) -> dict[str, str]:
    """Return labels by name from options such as `NAME=LABEL`.

    Raises:
        UsageError: One is written otherwise.
    """
    labels = {}
    for pair in pairs:
        name, sign, label = pair.partition("=")
        if not (name and sign and label):
            raise click.UsageError(f"--label {pair!r}: expected NAME=LABEL")
        labels[name] = label
    return labels


def _convention(book: Rulebook, name: str) -> Convention:
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    said = book.conventions[name].model_dump()
    found, mistakes = read_convention(name, said, file=f"rulebook {book.id} {book.version}")
    if found is None:
        raise InputError(mistakes)
    return found


def _chance(written: str) -> Any:
    if written in {"none", "item"}:
        return written
    try:
        share = float(written)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise click.UsageError(f"--chance {written!r}: none, item, or a share from 0 to below 1")
    return share
