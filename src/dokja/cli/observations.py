"""What a stage's rulebook asks to be observed, made from what lies in the programme folder.

Each function observes one thing through the room that knows how, and returns drafts. What was
observed before is left as it is: an observation is made once, and mended by a correction.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from dokja.decisions.rules import Gate, Part, Rulebook
from dokja.errors import InputError, Mistake, ProgrammeError, SuiteError, WeightsError
from dokja.evidence.benchmarks.drafts import run_draft
from dokja.evidence.benchmarks.records import RunRecord
from dokja.evidence.benchmarks.runs import run_suite
from dokja.evidence.benchmarks.suites import Suite, read_suite
from dokja.evidence.ledger import Draft, Programme
from dokja.evidence.ledger.kinds import Model, read_body
from dokja.evidence.lineage import ComponentSpec, Plan, finding_drafts, trace
from dokja.evidence.lineage.calibrations import default_calibration
from dokja.evidence.statistics import ScoreTerms
from dokja.models.serving import open_model
from dokja.models.weights import Source, open_source

__all__ = [
    "ACTOR",
    "Entrants",
    "answer",
    "compare",
    "declared_components",
    "entrants",
    "measured_parts",
    "refuse_two_models",
    "terms",
    "unscored",
]

ACTOR = "dokja"
LONGEST_ANSWER = 32  # tokens; the sample's answers are short, and a longer one is `truncated`

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrants:
    """The models of a stage and where their files are.

    Attributes:
        candidates: By id, those that are judged.
        references: By id, those that they are compared with.
        folders: Where the files of each are; a model whose files were not handed in is absent.
    """

    candidates: Mapping[str, Model]
    references: Mapping[str, Model]
    folders: Mapping[str, Path]

    @property
    def models(self) -> dict[str, Model]:
        """All of them by id."""
        return {**self.candidates, **self.references}

    @property
    def teams(self) -> tuple[str, ...]:
        """The candidates' teams."""
        return tuple(sorted({model.team for model in self.candidates.values()}))


def entrants(programme: Programme, *, stage: str) -> Entrants:
    """Return the models of a stage, having opened every file that was handed in.

    Raises:
        ProgrammeError: A declared folder is not there.
        WeightsError: Files are damaged or hostile; every mistake of every model.
    """
    candidates: dict[str, Model] = {}
    references: dict[str, Model] = {}
    for entry in programme.ledger.current(kind="model"):
        if entry.body is None:
            continue
        body = read_body("model", entry.body)
        if isinstance(body, Model):
            if body.role == "reference":
                references[body.model] = body
            elif stage in body.stages:
                candidates[body.model] = body
    folders = {
        name: programme.models / model.folder
        for name, model in {**candidates, **references}.items()
        if model.folder is not None
    }
    _refuse_unreadable(folders)
    _refuse_undeclared({**candidates, **references}, folders=folders)
    return Entrants(candidates=candidates, references=references, folders=folders)


def _refuse_unreadable(folders: Mapping[str, Path]) -> None:
    """Raise every mistake of every model's files at once."""
    absent = [
        Mistake(
            file=str(folder),
            place="",
            read="nothing",
            expected=f"the files of {name}, which its entry declares",
        )
        for name, folder in folders.items()
        if not folder.is_dir()
    ]
    if absent:
        raise ProgrammeError(absent)
    damaged: list[Mistake] = []
    for folder in folders.values():
        try:
            open_source(folder)
        except WeightsError as error:
            damaged += error.mistakes
    if damaged:
        raise WeightsError(damaged, changed="Nothing was observed and nothing was changed.")


def _refuse_undeclared(models: Mapping[str, Model], *, folders: Mapping[str, Path]) -> None:
    """Raise every model whose files hold tensors that none of its declared components claims.

    What nobody declares is compared with nothing, so that a gate could hold without having seen
    it. Where a model declares no tensors at all, components are told by the tensors' names.
    """
    mistakes: list[Mistake] = []
    for name, folder in folders.items():
        prefixes = tuple(prefix for part in models[name].components for prefix in part.tensors)
        if not prefixes:
            continue
        strange = [
            tensor for tensor in open_source(folder).names if not tensor.startswith(prefixes)
        ]
        if strange:
            more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
            mistakes.append(
                Mistake(
                    file=str(folder),
                    place=f"model {name}",
                    read=f"tensors of no declared component: {strange[0]}{more}",
                    expected="a component in the model's entry for each of its tensors",
                    remedy="Correct the model's entry, so that every part of it is declared.",
                )
            )
    if mistakes:
        raise ProgrammeError(mistakes, changed="Nothing was observed and nothing was changed.")


def refuse_two_models(field: Entrants, *, stage: str) -> None:
    """Raise every team that stands with several models whose answers would be scored.

    A part has one score per team, and nothing says which model's it is.
    """
    by_team: dict[str, list[str]] = {}
    for name, model in field.candidates.items():
        if name in field.folders:
            by_team.setdefault(model.team, []).append(name)
    mistakes = [
        Mistake(
            file=f"stage {stage}",
            place=f"team {team}",
            read=f"several models with files: {', '.join(names)}",
            expected="one model whose answers are scored",
            remedy="Correct the others' entries, so that they have no `folder` or other `stages`.",
        )
        for team, names in sorted(by_team.items())
        if len(names) > 1
    ]
    if mistakes:
        raise ProgrammeError(mistakes, changed="Nothing was observed and nothing was changed.")


def measured_parts(rulebook: Rulebook, *, stage: str, by: str) -> tuple[Part, ...]:
    """Return the parts of a stage that are measured by `runs`, `ballots` or `sheets`."""
    return tuple(
        part
        for part, _ in rulebook.parts(stage)
        if part.measure is not None and part.measure.by == by
    )


def suites(
    programme: Programme, parts: Sequence[Part], *, besides: Sequence[str] = ()
) -> dict[str, Suite]:
    """Return the suites that the parts name, and others besides, from `items/NAME.jsonl`.

    Raises:
        SuiteError: A suite is missing or wrong; every mistake of every suite.
    """
    names = dict.fromkeys(
        name for part in parts if part.measure is not None for name in part.measure.benchmarks
    )
    names |= dict.fromkeys(besides)
    found: dict[str, Suite] = {}
    mistakes: list[Mistake] = []
    for name in names:
        try:
            found[name] = read_suite(programme.folder / "items" / f"{name}.jsonl")
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise SuiteError(mistakes, changed="Nothing was observed and nothing was changed.")
    return found


def answer(
    field: Entrants, asked: Mapping[str, Suite], *, progress: Progress
) -> Iterator[tuple[str, RunRecord]]:
    """Yield (model, run) for every model whose files are there and every suite."""
    for model, folder in field.folders.items():
        responder = open_model(folder)
        for suite in asked.values():
            progress(f"{model} answers {suite.name}")
            yield model, run_suite(responder, suite, max_new_tokens=LONGEST_ANSWER)


def run_entry(run: RunRecord, *, stage: str, model: str, on: date) -> Draft:
    """Return the entry of a run."""
    return run_draft(run, stage=stage, model=model, on=on, actor=ACTOR)


def terms(rulebook: Rulebook, part: Part, *, stage: str, on: date) -> ScoreTerms:
    """Return what the rulebook says of a part, as the observers take it."""
    return ScoreTerms(
        stage=stage,
        part=part.id,
        points=part.points,
        scale="to-best" if part.scale == "to-best" else "absolute",
        rulebook=rulebook.version,
        level=rulebook.probability.level,
        draws=rulebook.probability.draws,
        seed=rulebook.probability.seed,
        on=on,
        actor=ACTOR,
    )


def unscored(
    drafts: Sequence[Draft], programme: Programme, rulebook: Rulebook, *, stage: str
) -> list[Draft]:
    """Return those scores whose team and part have none yet that the rulebook counts.

    A score under an older version that the stage accepts counts: a second one beside it would be
    two answers to one question, and no decision could be made from them.
    """
    versions = {rulebook.version, *rulebook.stages[stage].accepts}
    counted = {
        (entry.body["team"], entry.body["part"])
        for entry in programme.ledger.current(kind="score")
        if entry.body is not None
        and entry.body["stage"] == stage
        and entry.body["rulebook"] in versions
    }
    return [draft for draft in drafts if (draft.body["team"], draft.body["part"]) not in counted]


def compare(
    field: Entrants,
    *,
    gates: Sequence[Gate],
    seed: int,
    on: date,
    progress: Progress,
    done: Collection[tuple[object, object]] = (),
) -> Iterator[tuple[str, str, tuple[Draft, ...]]]:
    """Yield (model, reference, findings) of every candidate against every other model.

    Pairs in `done` were compared before and are left out.
    """
    if all(gate.rests_on == "rulings" for gate in gates):
        return
    declared = {name: declared_components(model) for name, model in field.models.items()}
    opened: dict[str, Source] = {name: open_source(path) for name, path in field.folders.items()}
    plan = Plan(calibration=default_calibration())
    for name in field.candidates:
        for other in field.folders:
            if name == other or name not in opened or (name, other) in done:
                continue
            progress(f"{name} is compared with {other}")
            report = trace(
                opened[name],
                opened[other],
                rng=np.random.default_rng(seed),
                components=declared[name],
                reference_components=declared[other],
                plan=plan,
            )
            yield (
                name,
                other,
                finding_drafts(report, model=name, reference=other, on=on, actor=ACTOR),
            )


def declared_components(model: Model) -> dict[str, ComponentSpec] | None:
    """Return the components as declared; None where no tensors were named."""
    specs = {
        component.component: ComponentSpec(role=component.role, tensors=component.tensors)
        for component in model.components
        if component.tensors
    }
    return specs or None
