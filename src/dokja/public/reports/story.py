"""A decision in the order in which it is told, in one language.

It sorts, groups and looks things up; it adds no fact and no judgement to what the decision says.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from dokja.evidence.ledger.kinds import Control, Dispute, Finding, Ruling
from dokja.public.reports import pictures
from dokja.public.reports.builds import BuildLine, build_lines
from dokja.public.reports.document import (
    ComponentGrade,
    Decision,
    Gate,
    Measure,
    MissingScore,
    Part,
    Reason,
    Score,
    Source,
    Team,
    Verdict,
    sources_of,
)
from dokja.public.reports.document import Ruling as Answer
from dokja.public.reports.headlines import failed_gates, sentences
from dokja.public.reports.merging import SUPPORTING, merged
from dokja.public.reports.reaches import ReachLine, reach_lines
from dokja.public.reports.records import Records, Said
from dokja.public.reports.words import Words

__all__ = ["Compared", "Gap", "Story", "by_total"]

_ORDER = {"holds": 0, "undecided": 1, "fails": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Scores that are missing for one reason and that one thing would settle.

    Attributes:
        team: Whose they are.
        parts: Which parts of the score sheet; empty where it is something else.
        reason: Why they are missing.
        settles: What would settle them.
        entries: Entries that say so.
    """

    team: str
    parts: tuple[str, ...]
    reason: str
    settles: Reason | None
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a component was compared with.

    Attributes:
        model: The model.
        component: Its component.
        findings: The comparisons that were made for it.
        beside: Entries of comparisons that were made for another and saw it from the other side.
    """

    model: str
    component: ComponentGrade
    findings: Sequence[tuple[Finding, Said]]
    beside: tuple[int, ...]

    @property
    def controls(self) -> Sequence[Control]:
        """The different controls of the comparisons; one that came out otherwise stands apart."""
        every = [control for finding, _ in self.findings for control in finding.controls]
        unique = {(control.kind, control.name, control.found): control for control in every}
        return list(unique.values())


class Story:
    """A decision, arranged for reading."""

    def __init__(self, decision: Decision, *, records: Records, words: Words) -> None:
        self.decision = decision
        self.records = records
        self._words = words
        self._teams = {team.team: team for team in decision.teams}
        self._seqs = frozenset(line.seq for line in decision.entries)

    def is_listed(self, seq: int) -> bool:
        """Tell whether the entry stands in the table of entries at the end."""
        return seq in self._seqs

    def team(self, identifier: str) -> Team | None:
        """Return the team of that name."""
        return self._teams.get(identifier)

    @property
    def by_verdict(self) -> Sequence[Team]:
        """Teams that go on, then those of which it cannot be told, then the others."""
        return sorted(
            self.decision.teams, key=lambda team: (_ORDER[team.advances.verdict], team.team)
        )

    @property
    def by_total(self) -> Sequence[Team]:
        """Teams by their totals, best first; those without one behind, by the ranks left open."""
        return by_total(self.decision.teams)

    @property
    def whole_parts(self) -> Sequence[Part]:
        """Parts that are no part of another."""
        return [part for part in self.decision.parts if part.parent is None]

    def score(self, team: Team, part: str) -> Score | None:
        """Return the line of the team's score sheet for the part."""
        return next((line for line in team.scores if line.part == part), None)

    @property
    def gates(self) -> Sequence[Gate | str]:
        """The gates of the stage: as they are described, else by their identifiers."""
        described = {gate.id: gate for gate in self.decision.gates}
        # A frontier that counts as a gate has a chapter of its own.
        named = dict.fromkeys(
            ruling.rule
            for team in self.decision.teams
            for ruling in team.gates
            if ruling.rule != "frontier"
        )
        order = [*described, *(name for name in named if name not in described)]
        return [described.get(name, name) for name in order]

    def gate_answers(self, gate: str) -> Sequence[tuple[Team, Answer]]:
        """Return what the gate answered of each team."""
        return [
            (team, ruling)
            for team in self.by_verdict
            for ruling in team.gates
            if ruling.rule == gate
        ]

    def failed_gates(self, team: str) -> Sequence[str]:
        """Return the gates that the team does not pass."""
        return failed_gates(self.decision, team)

    def components(self, team: Team) -> Sequence[tuple[str, ComponentGrade]]:
        """Return every component of the team's models with its model."""
        return [(grade.model, part) for grade in team.grades for part in grade.components]

    def findings(self, numbers: Iterable[int]) -> Sequence[tuple[Finding, Said]]:
        """Return the findings of these entries, each once, in order."""
        found = {}
        for number in numbers:
            if number in self.records.findings:
                finding, said = self.records.findings[number]
                found[said.seqs] = (finding, said)
        return [found[seqs] for seqs in sorted(found)]

    def rulings(self, team: Team, gate: str) -> Sequence[tuple[Ruling, Said]]:
        """Return the authority's rulings on a team's gate that the decision rests on."""
        found = {
            said.seqs: (ruling, said)
            for ruling, said in self.records.rulings.values()
            if ruling.team == team.team
            and ruling.gate == gate
            and ruling.stage == self.decision.stage.id
        }
        return [found[seqs] for seqs in sorted(found)]

    @property
    def reaches(self) -> Sequence[ReachLine]:
        """The measurements beside the frontier that the decision rests on."""
        return reach_lines(self.decision, self.records)

    @property
    def frontier_systems(self) -> Sequence[str]:
        """What the systems that stand for the frontier are called."""
        target = self.decision.stage.frontier
        if target is None:
            return []
        return [self._words.name("model", system.name) for system in target.systems]

    @property
    def strip_parts(self) -> Sequence[Part]:
        """Parts that the strips of the score sheet are made of."""
        return pictures.strip_parts(self.decision)

    @property
    def counted_missing(self) -> int:
        """How many scores are missing."""
        return sum(
            not isinstance(line.score, Measure)
            for team in self.decision.teams
            for line in team.scores
        )

    @property
    def counted_scores(self) -> int:
        """How many scores there would be."""
        return sum(len(team.scores) for team in self.decision.teams)

    @property
    def gaps(self) -> Sequence[Gap]:
        """What is missing, with the parts of one team that share a reason told together."""

        def kind(gap: MissingScore) -> tuple[str, str, str]:
            return gap.team, gap.reason, gap.settles.code if gap.settles else ""

        gathered = []
        for (team, reason, _), group in groupby(sorted(self.decision.missing, key=kind), key=kind):
            gaps = list(group)
            gathered.append(
                Gap(
                    team=team,
                    parts=tuple(gap.part for gap in gaps if gap.part is not None),
                    reason=reason,
                    settles=_merged([gap.settles for gap in gaps if gap.settles is not None]),
                    entries=tuple(sorted({seq for gap in gaps for seq in gap.entries})),
                )
            )
        return gathered

    @property
    def invented_scores(self) -> bool:
        """Whether any score rests on ballots or sheets that a script made up."""
        return any(line.invented for team in self.decision.teams for line in team.scores)

    @property
    def sources(self) -> Sequence[Source]:
        """Every source of the stage, its parts and its gates."""
        return sources_of(self.decision)

    @property
    def disputes(self) -> Mapping[str, Sequence[tuple[Dispute, Said]]]:
        """Disputes about the teams of this stage."""
        return {
            name: steps
            for name, steps in self.records.disputes.items()
            if any(step.team in self._teams for step, _ in steps)
        }

    @property
    def headline(self) -> Sequence[str]:
        """The decision in as few sentences of HTML as it needs."""
        return sentences(self.decision, self._words, say=self._words.markup)

    @property
    def any_grades(self) -> bool:
        """Whether any model was graded."""
        return any(team.grades for team in self.decision.teams)

    def every_reason(self, ruling: Answer) -> Sequence[Reason]:
        """Return the reasons of a ruling and of all that it is made of, each said once."""
        return merged(_gathered(ruling))

    def own_reasons(self, ruling: Answer) -> Sequence[Reason]:
        """Return the reasons of a ruling that none of its parts gives."""
        below = [reason for part in ruling.parts for reason in _gathered(part)]
        return merged(reason for reason in ruling.reasons if reason not in below)

    def telling_reasons(self, ruling: Answer) -> Sequence[Reason]:
        """Return the reasons that decided a ruling; all of them where nothing else is said."""
        every = self.every_reason(ruling)
        return [reason for reason in every if reason.code not in SUPPORTING] or every

    def builds(self, model: str) -> Sequence[BuildLine]:
        """Return what the build records of a model say of its components."""
        return build_lines(self.records, model)

    def grade_reasons(self, team: Team, *, model: str, part: ComponentGrade) -> Sequence[Reason]:
        """Return the reasons for a component's grade that no gate has told already."""
        subject = f"{model}/{part.component}"
        told = any(answer.subject == subject for gate in team.gates for answer in gate.parts)
        if told:
            return ()
        return merged(reason for reason in part.reasons if reason.code != "declared-origin")

    @property
    def settles(self) -> Sequence[Reason]:
        """What would settle the decision, the greatest effect first."""
        return merged(self.decision.reliability.settles)

    def compared(self, team: Team, ruling: Answer) -> Sequence[Compared]:
        """Return the components that a gate looked at and that were compared with anything."""
        asked = {part.subject for part in ruling.parts}
        found = []
        for model, part in self.components(team):
            every = self.findings(part.findings)
            if not every or (asked and f"{model}/{part.component}" not in asked):
                continue
            own = [(finding, said) for finding, said in every if finding.model == model]
            beside = [said.seqs for finding, said in every if finding.model != model]
            found.append(
                Compared(
                    model=model,
                    component=part,
                    findings=own or every,
                    beside=tuple(seq for seqs in beside for seq in seqs) if own else (),
                )
            )
        return found

    def any_compared(self, gate: str) -> bool:
        """Tell whether any component that the gate looked at was compared with anything."""
        return any(self.compared(team, ruling) for team, ruling in self.gate_answers(gate))

    def has_facts(self, compared: Compared) -> bool:
        """Tell whether any of the comparisons carries a fact that is no part of it."""
        return any(finding.facts for finding, _ in compared.findings)

    def needs_telling(self, finding: Finding) -> bool:
        """Tell whether a finding says more than its row in the table of comparisons."""
        return (
            finding.derivation != "no" or finding.basis == "published" or finding.note is not None
        )

    def only_findings(self, found: Sequence[tuple[Finding, Said]]) -> Sequence[Finding]:
        """Return the findings without their entries."""
        return [finding for finding, _ in found]

    def needs(self, verdict: Verdict) -> Sequence[Team]:
        """Return the teams with this verdict, in order."""
        return [team for team in self.decision.teams if team.advances.verdict == verdict]


def _merged(reasons: Sequence[Reason]) -> Reason | None:
    """Return one reason for several of the same code, with what they differ in as a list."""
    if not reasons:
        return None
    params: dict[str, object] = {}
    for key in reasons[0].params:
        values = [reason.params.get(key) for reason in reasons]
        unique = [value for index, value in enumerate(values) if value not in values[:index]]
        params[key] = unique[0] if len(unique) == 1 else unique
    if len(reasons) > 1 and "points" in params:
        params["points"] = None  # several parts: their names and points stand beside it
    entries = tuple(sorted({seq for reason in reasons for seq in reason.entries}))
    return Reason(code=reasons[0].code, params=params, entries=entries)


def _gathered(ruling: Answer) -> Sequence[Reason]:
    found = list(ruling.reasons)
    for part in ruling.parts:
        found += [reason for reason in _gathered(part) if reason not in found]
    return found


def by_total(teams: Iterable[Team]) -> Sequence[Team]:
    """Return the teams by their totals, best first; those without one by the ranks left open."""

    def place(team: Team) -> tuple[bool, float, int, int, str]:
        value = -team.total.value if isinstance(team.total, Measure) else 0.0
        best, worst = (team.rank_set.best, team.rank_set.worst) if team.rank_set else (0, 0)
        return not isinstance(team.total, Measure), value, best, worst, team.team

    return sorted(teams, key=place)
