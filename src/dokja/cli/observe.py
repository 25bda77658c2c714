"""`dokja observe`: make the observations that a stage's rulebook asks for, and append them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.status import Status

from dokja.cli import observations, reaching
from dokja.cli.observations import ACTOR, Entrants
from dokja.cli.people import ballot_drafts, sheet_drafts
from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.programmes import unbroken
from dokja.cli.rulebooks import in_folder
from dokja.decisions.rules import Rulebook
from dokja.evidence.benchmarks.drafts import score_drafts
from dokja.evidence.benchmarks.records import RunRecord, read_records
from dokja.evidence.benchmarks.runs import score_again
from dokja.evidence.benchmarks.suites import Suite
from dokja.evidence.ledger import Draft, Programme

__all__ = ["observe"]

_DraftsOf = Callable[..., list[tuple[str, list[Draft]]]]

WHAT = ("benchmarks", "frontier", "ballots", "sheets", "lineage")


@click.command
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--stage", required=True, help="Id of the stage in the rulebook.")
@click.option("--only", type=click.Choice(WHAT), multiple=True, help="Only these; all by default.")
@as_json
def observe(folder: Path, stage: str, only: tuple[str, ...], *, as_json: bool) -> int:
    """Observe what the rulebook of the programme in FOLDER asks for at a stage.

    Every model below models/ answers every item of the parts' benchmarks, and candidates are laid
    beside the frontier where the stage has one; ballots.jsonl and
    sheets.jsonl are rated; every candidate's components are compared with every other model.
    All files are read before anything is entered; what was observed before is kept, so that
    a run that was stopped goes on where it was.

    \b
    Example:
      dokja observe build/sample --stage final
    """
    with unbroken(folder) as programme:
        rulebook, _ = in_folder(programme, None)
        if stage not in rulebook.stages:
            known = ", ".join(rulebook.stages)
            raise click.UsageError(f"no stage {stage!r}; the rulebook's stages are {known}")
        console = Console(stderr=True)
        with console.status("reading") as status:
            observer = _Observer(
                programme,
                rulebook,
                stage=stage,
                wanted=only or WHAT,
                on=now().date(),
                status=status,
            )
            counts = observer.observe()
        size, root = programme.ledger.size, programme.ledger.root()
    if as_json:
        head = {"size": size, "root": str(root)}
        emit({"schema": "dokja.observe/1", "stage": stage, "appended": counts, "ledger": head})
        return 0
    for name, count in counts.items():
        say(f"{name:<11} {count} entries appended")
    say(f"ledger      {size} entries")
    return 0


class _Observer:
    """One pass over a stage: reads everything first, then appends as it goes."""

    def __init__(
        self,
        programme: Programme,
        rulebook: Rulebook,
        *,
        stage: str,
        wanted: Sequence[str],
        on: date,
        status: Status,
    ) -> None:
        self.programme = programme
        self.rulebook = rulebook
        self.stage = stage
        self.on = on
        self.status = status
        self.known = {entry.id for entry in programme.ledger.entries()}
        self.field: Entrants = observations.entrants(programme, stage=stage)
        self.run_parts = observations.measured_parts(rulebook, stage=stage, by="runs")
        self.suites: dict[str, Suite] = observations.suites(
            programme, self.run_parts, besides=reaching.benchmarks_of(rulebook, stage=stage)
        )
        self.wanted = wanted
        if self.suites:
            observations.refuse_two_models(self.field, stage=stage)
        # Read whole before anything is entered; nothing is sealed for keeps.
        self.people = {name: self._people(name, keep=False) for name in wanted}

    def observe(self) -> dict[str, int]:
        """Return how many entries were appended for each of what was wanted."""
        wanted = self.wanted
        counts: dict[str, int] = {}
        if "benchmarks" in wanted:
            counts["benchmarks"] = self._answer() + self._score()
        if "frontier" in wanted:
            counts["frontier"] = self._reach()
        for name in ("ballots", "sheets"):
            if name in wanted:
                sealed = name == "sheets"  # their seals are made when they are entered
                drafts = self._people(name, keep=True) if sealed else self.people[name]
                counts[name] = self._append(drafts)
        if "lineage" in wanted:
            counts["lineage"] = self._compare()
        return counts

    def _people(self, name: str, *, keep: bool) -> list[Draft]:
        """Return what people said as drafts; with `keep`, seals can be opened later."""
        if name == "ballots":
            drafts_of: _DraftsOf = ballot_drafts
        elif name == "sheets":
            drafts_of = partial(sheet_drafts, keep=keep)
        else:
            return []
        teams = self.field.teams
        found = drafts_of(self.programme, self.rulebook, stage=self.stage, on=self.on, teams=teams)
        return [draft for _, drafts in found for draft in drafts]

    def _append(self, drafts: Sequence[Draft]) -> int:
        """Append those drafts whose id is not there yet."""
        fresh = [draft for draft in drafts if draft.id is None or draft.id not in self.known]
        self.programme.ledger.append(fresh, at=now())
        self.known |= {draft.id for draft in fresh if draft.id is not None}
        return len(fresh)

    def _answer(self) -> int:
        count = 0
        asked = {
            model: {
                name: suite
                for name, suite in self.suites.items()
                if f"run/{self.stage}/{model}/{name}" not in self.known
            }
            for model in self.field.folders
        }
        for model, suites in asked.items():
            if not suites:
                continue
            one = Entrants(
                candidates=self.field.candidates,
                references=self.field.references,
                folders={model: self.field.folders[model]},
            )
            for _, run in observations.answer(one, suites, progress=self.status.update):
                self.programme.blobs.put(run.records_bytes)
                draft = observations.run_entry(run, stage=self.stage, model=model, on=self.on)
                count += self._append([draft])
        return count

    def _score(self) -> int:
        """Score each part from the answers in the blobs, not from those in memory."""
        count = 0
        for part in self.run_parts:
            runs: dict[str, list[RunRecord]] = defaultdict(list)
            evidence: dict[str, list[str]] = defaultdict(list)
            names = () if part.measure is None else part.measure.benchmarks
            for name, model in self.field.candidates.items():
                ids = [f"run/{self.stage}/{name}/{benchmark}" for benchmark in names]
                if not all(one in self.known for one in ids):
                    continue  # no files, no answers: the score stays missing
                for one, benchmark in zip(ids, names, strict=True):
                    runs[model.team].append(self._recorded(one, self.suites[benchmark]))
                    evidence[model.team].append(one)
            terms = observations.terms(self.rulebook, part, stage=self.stage, on=self.on)
            scores = score_drafts(runs, terms=terms, evidence=evidence)
            count += self._append(
                observations.unscored(
                    scores.drafts, self.programme, self.rulebook, stage=self.stage
                )
            )
        return count

    def _reach(self) -> int:
        """Lay every candidate beside the stage's frontier, from the answers in the blobs."""
        frontier = self.rulebook.stages[self.stage].frontier
        if frontier is None:
            return 0
        names = [*self.field.candidates, *(system.name for system in frontier.systems)]
        runs = {
            benchmark: {
                name: self._recorded(one, self.suites[benchmark])
                for name in dict.fromkeys(names)
                if (one := f"run/{self.stage}/{name}/{benchmark}") in self.known
            }
            for benchmark in frontier.benchmarks
        }
        count = 0
        for name, model in self.field.candidates.items():
            self.status.update(f"{name} beside the frontier")
            found = reaching.reach_of(
                self.rulebook,
                runs,
                stage=self.stage,
                model=name,
                team=model.team,
                on=self.on,
                invented=self._invented(),
            )
            if found is not None and found[0].id not in self.known:
                self.programme.blobs.put(found[1])
                count += self._append([found[0]])
        return count

    def _invented(self) -> bool:
        opened = next(iter(self.programme.ledger.entries(kind="programme")), None)
        return bool(opened is not None and opened.body.get("invented"))

    def _recorded(self, run_id: str, suite: Suite) -> RunRecord:
        entry = self.programme.ledger.find(run_id)
        if entry is None:
            message = f"the run {run_id} was entered a moment ago and is not there"
            raise RuntimeError(message)
        data = self.programme.blobs.get(entry.blobs[0])
        records = read_records(data, file=f"blobs/{entry.blobs[0]}")
        return score_again(
            records,
            suite,
            responder=str(entry.body["responder"]),
            max_new_tokens=observations.LONGEST_ANSWER,
        )

    def _compare(self) -> int:
        gates = [self.rulebook.gates[name] for name in self.rulebook.stages[self.stage].gates]
        done = {
            (entry.body["model"], entry.body["reference"])
            for entry in self.programme.ledger.entries(kind="finding")
            if entry.actor == ACTOR
        }
        count = 0
        compared = observations.compare(
            self.field,
            gates=gates,
            seed=self.rulebook.probability.seed,
            on=self.on,
            progress=self.status.update,
            done=done,
        )
        for _, _, drafts in compared:
            count += self._append(drafts)
        return count
