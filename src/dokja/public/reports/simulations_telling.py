"""A simulated stage in sentences and in rows of tables, for the page and for the terminal.

Nothing here computes: shares that were drawn are never written as none or as all, and every table
names what it was drawn under.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.evidence.statistics.simulating import Lever, LeverEffect, Outcome, Simulation
from dokja.public.reports import figures
from dokja.public.reports.names import Names
from dokja.public.reports.terms import Text
from dokja.public.reports.words import Words

__all__ = ["Assumption", "SimulationReport", "SimulationTeller", "Table"]

_MOST_WAYS = 3
_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """A quantity that the answer rests on.

    Attributes:
        part: Of which part; none where of the stage.
        quantity: Its name.
        value: What was taken; none where nothing was set.
        origin: `rulebook`, `design`, `option` or `assumed`.
        source: Where it was read; empty where it was read nowhere.
    """

    part: str | None
    quantity: str
    value: float | str | None
    origin: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """A simulation with the names of what was simulated.

    Attributes:
        rulebook: Its title.
        version: Its version.
        digest: Of its bytes.
        stage: The stage's id.
        names: Of the stage, its parts and its gates.
        gates: Ids of the stage's gates.
        assumptions: Everything that the answer rests on.
        simulation: The answer.
    """

    rulebook: Text
    version: str
    digest: str
    stage: str
    names: Names
    gates: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    simulation: Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under a caption and a header; the first cell names its row."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class SimulationTeller:
    """Tells a simulated stage in one language."""

    def __init__(self, report: SimulationReport, words: Words) -> None:
        self.report = report
        self.found = report.simulation
        self.words = words

    def title(self) -> str:
        """Return what was simulated."""
        return self.words.text(
            "simulation.title",
            rulebook=self.words.local(self.report.rulebook),
            version=self.report.version,
            stage=self.report.stage,
        )

    def setting(self) -> str:
        """Return how many teams enter and go on, and how it was drawn."""
        return self.words.text(
            "simulation.setting",
            teams=self.found.stage.teams,
            places=self.found.stage.places,
            draws=figures.count(self.found.overall.draws),
            seed=str(self.found.seed),
        )

    def answer(self) -> list[str]:
        """Return the answer over random fields, in sentences."""
        overall = self.found.overall
        said = [self.words.text("simulation.overall", share=self.share(overall.wrong))]
        if overall.wrong:
            regret = overall.regret / overall.wrong
            said.append(
                self.words.text("simulation.overall-cost", regret=regret, mean=overall.regret)
            )
        if overall.undecided:
            open_share = self.share(overall.undecided)
            said.append(self.words.text("simulation.overall-open", share=open_share))
        greatest = max(outcome.error for outcome in self._outcomes())
        said.append(self.words.text("simulation.error", error=100 * greatest + 0.05))
        return said

    def needed(self) -> list[str]:
        """Return how far apart teams must be."""
        said = [self.words.text("simulation.noise", sd=self.found.noise_sd)]
        for share, gap in self.found.needed:
            key = "simulation.needed-none" if gap is None else "simulation.needed"
            said.append(self.words.text(key, share=figures.share(share), gap=gap or 0.0))
        return said

    def halving(self) -> list[str]:
        """Return what halves the error, or that nothing does."""
        said = []
        for number, way in enumerate(self.found.halving[:_MOST_WAYS]):
            levers = self.words.listing([self.lever(lever) for lever in way.levers])
            key = "simulation.halved-also" if number else "simulation.halved"
            said.append(self.words.text(key, levers=levers, share=self.share(way.outcome.wrong)))
        if not said:
            left = self.share(self.found.everything.wrong)
            said.append(self.words.text("simulation.halved-not", share=left))
            alone = [e for e in self.found.levers if not self._of_rule(e)]
            if alone:
                most = min(alone, key=lambda effect: effect.outcome.wrong)
                share = self.share(most.outcome.wrong)
                lever = self.lever(most.lever)
                said.append(self.words.text("simulation.most", lever=lever, share=share))
        return said

    def lever(self, lever: Lever) -> str:
        """Return a lever with what it is now and what it would be."""
        before, after = self._turn(lever, lever.before), self._turn(lever, lever.after)
        return f"{self._lever_name(lever)} ({before} → {after})"

    def basis(self) -> list[str]:
        """Return what was assumed and left out."""
        assumed = [one for one in self.report.assumptions if one.origin == "assumed"]
        said = [
            self.words.text("simulation.assumed", n=len(assumed), all=len(self.report.assumptions))
        ]
        if self.report.gates:
            names = [self.words.name("gate", gate) for gate in self.report.gates]
            said.append(self.words.text("simulation.gates", gates=self.words.listing(names)))
        return [*said, self.words.text("simulation.limits")]

    def curve(self) -> Table:
        """Return the error by the true gap at the cut."""
        rows = [
            (
                figures.count(at.gap),
                self.share(at.outcome.wrong),
                self.share(at.outcome.undecided) if at.outcome.undecided else "–",
            )
            for at in self.found.curve
        ]
        return self._table(
            "simulation.curve-caption",
            ("simulation.gap", "simulation.wrong", "simulation.undecided"),
            rows,
        )

    def curve_told(self) -> str:
        """Return the curve in one sentence."""
        points = [
            self.words.text(
                "simulation.curve-point",
                gap=figures.count(at.gap),
                share=self.share(at.outcome.wrong),
            )
            for at in self.found.curve
        ]
        return self.words.text("simulation.curve-told", told="; ".join(points))

    def teams(self) -> Table:
        """Return what becomes of each team of a typical field."""
        rows = [
            (
                str(team.place),
                figures.plain(team.points, 1),
                self.share(team.on),
                self.share(team.undecided) if team.undecided else "–",
                self.share(team.last),
                figures.plain(team.regret, 2),
            )
            for team in self.found.teams
        ]
        header = (
            "simulation.place",
            "simulation.points",
            "simulation.on",
            "simulation.undecided",
            "simulation.last",
            "simulation.regret",
        )
        return self._table("simulation.teams-caption", header, rows)

    def noise(self) -> Table:
        """Return where the error of a difference comes from."""
        rows = [
            (
                self.words.name("part", source.part),
                figures.plain(source.sd, 2),
                self.words.share(source.share),
                "–" if source.subjects is None else self.words.share(source.subjects),
            )
            for source in self.found.noise
        ]
        return self._table(
            "simulation.noise-caption",
            ("simulation.part", "simulation.sd", "simulation.share", "simulation.subjects"),
            rows,
        )

    def levers(self) -> Table:
        """Return what each lever does alone."""
        rows = [
            (
                self._lever_name(effect.lever),
                self._turn(effect.lever, effect.lever.before),
                self._turn(effect.lever, effect.lever.after),
                self.share(effect.outcome.wrong),
                self.ratio(effect),
                self.share(effect.outcome.undecided) if effect.outcome.undecided else "–",
                figures.plain(effect.outcome.going, 2),
            )
            for effect in self.found.levers
        ]
        header = (
            "simulation.lever",
            "simulation.now",
            "simulation.then",
            "simulation.wrong",
            "simulation.ratio",
            "simulation.undecided",
            "simulation.going",
        )
        return self._table("simulation.levers-caption", header, rows)

    def ratio(self, effect: LeverEffect) -> str:
        """Return a lever's error as a share of the error now, and whether that halves it."""
        if effect.ratio is None:
            return "–"
        shown = figures.plain(100 * effect.ratio, 0) + "%"
        if effect.ratio > _HALF:
            return shown
        halves = self.words.text("simulation.halves")
        return f"{shown} ({halves})"

    def doubts(self) -> Table:
        """Return what the answer would be under other assumptions."""
        rows = []
        for effect in self.found.doubts:
            doubt = effect.doubt
            name = self.words.label("quantity", doubt.quantity)
            if doubt.part is not None:
                name = f"{self.words.name('part', doubt.part)}: {name}"
            if doubt.assumed is None:
                now, instead = "–", self.words.text("simulation.times", n=doubt.instead)
            else:
                now, instead = self._said(doubt.assumed), self._said(doubt.instead)
            rows.append((name, now, instead, self.share(effect.outcome.wrong)))
        return self._table(
            "simulation.doubts-caption",
            ("simulation.assumption", "simulation.now", "simulation.instead", "simulation.wrong"),
            rows,
        )

    def assumptions(self) -> Table:
        """Return everything that the answer rests on, with its source."""
        of: dict[tuple[str, str, str], list[str]] = {}
        for one in self.report.assumptions:
            origin = self.words.label("assumed-from", one.origin)
            source = f"{origin}: {one.source}" if one.source else origin
            said = (self.words.label("quantity", one.quantity), self._value(one), source)
            part = "stage" if one.part is None else one.part
            of.setdefault(said, []).append(self.words.name("part", part))
        rows = [
            (quantity, value, ", ".join(parts), source)
            for (quantity, value, source), parts in of.items()
        ]
        header = ("simulation.quantity", "simulation.value", "simulation.part", "simulation.from")
        return self._table("simulation.assumptions-caption", header, rows)

    def share(self, number: float) -> str:
        """Return a share that was drawn."""
        return self.words.shares(number, number, drawn=True)

    def _table(self, caption: str, header: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
        return Table(
            caption=self.words.text(caption),
            header=tuple(self.words.text(key) for key in header),
            rows=tuple(rows),
        )

    def _value(self, one: Assumption) -> str:
        if one.value is None:
            key = "all" if one.quantity == "teams_each" else "none"
            return self.words.label("assumed-value", key)
        return self._said(one.value)

    def _said(self, value: float | str) -> str:
        return (
            self.words.label("assumed-value", value)
            if isinstance(value, str)
            else figures.count(value)
        )

    def _lever_name(self, lever: Lever) -> str:
        name = self.words.label("lever", lever.kind)
        return name if lever.part is None else f"{self.words.name('part', lever.part)}: {name}"

    def _turn(self, lever: Lever, value: float | str) -> str:
        if isinstance(value, str):
            rule, _, margin = value.partition(", ")
            shown = self.words.label("tie", rule)
            return f"{margin}: {shown}" if margin else shown
        return self.words.share(value) if lever.kind == "faults" else figures.count(value)

    @staticmethod
    def _of_rule(effect: LeverEffect) -> bool:
        return effect.lever.kind in {"tie-rule", "level-within"}

    def _outcomes(self) -> list[Outcome]:
        found = self.found
        return [
            found.overall,
            *(at.outcome for at in found.curve),
            *(effect.outcome for effect in found.levers),
            *(effect.outcome for effect in found.doubts),
        ]
