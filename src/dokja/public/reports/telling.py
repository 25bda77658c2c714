"""Sentences about what a picture or a finding shows, for those who read and those who listen.

A finding is told in one fixed way: what the weights are statistically consistent with, beside
its controls and the smallest effect that the comparison would have seen. Nothing here says who
did what.
"""

from collections.abc import Sequence

from dokja.evidence.ledger.kinds import Dispute, Finding
from dokja.public.reports import figures
from dokja.public.reports.document import (
    ComponentGrade,
    Decision,
    Gate,
    Grades,
    Measure,
    Ruling,
    Team,
)
from dokja.public.reports.headlines import failed_gates
from dokja.public.reports.reaches import ReachLine
from dokja.public.reports.records import Said
from dokja.public.reports.terms import Range
from dokja.public.reports.words import Words

__all__ = ["Teller"]


class Teller:
    """Puts parts of a decision into words, in one language."""

    def __init__(self, decision: Decision, words: Words) -> None:
        self._decision = decision
        self._words = words
        self._losses = {loss.team: loss for loss in decision.outcome.out}

    def ground(self, team: Team) -> str:
        """Return on which ground a team does not go on; empty where it does or may."""
        loss = self._losses.get(team.team)
        if loss is None:
            return ""
        gates = failed_gates(self._decision, team.team)
        if loss.ground in {"gate", "both"} and gates:
            return self._words.text(f"ground.{loss.ground}", gates=gates)
        return self._words.label("ground", loss.ground)

    def rule(self, ruling: Ruling) -> str:
        """Return what was ruled on: the rule by its name, and its subject where it has one."""
        rule = self._words.name("gate", ruling.rule)
        if rule == ruling.rule:
            kind, _, question = ruling.rule.partition("/")
            rule = self._words.label("rule", kind)
            rule = f"{rule} · {self._words.label('question', question)}" if question else rule
        if "/" not in ruling.subject:
            return rule
        return f"{rule} · {self.subject(ruling.subject)}"

    def subject(self, subject: str) -> str:
        """Return a ruling's subject: a team, a component, or a model and its component."""
        model, _, component = subject.rpartition("/")
        if not model:
            return self._words.label("role", self._words.name("team", subject))
        return self._words.label("role", component)

    def subject_model(self, subject: str) -> str:
        """Return the model of which a ruling's subject is a component; empty where it is none."""
        model = subject.rpartition("/")[0]
        return self._words.name("model", self._words.name("team", model)) if model else ""

    def rests_on(self, measured: Measure) -> str:
        """Return what a number rests on."""
        return ", ".join(
            self._words.text("number.rests", what=self._words.label("unit", what), n=n)
            for what, n in measured.rests_on
        )

    def kind(self, measured: Measure) -> str:
        """Return what the interval of a number covers."""
        if measured.kind == "sampling":
            return self._words.text("number.sampling", level=measured.level)
        return self._words.label("interval", measured.kind)

    def total(self, team: Team) -> str:
        """Return a team's total with its interval and ranks."""
        name = self._words.local(team.name)
        if team.total is None:
            return name
        if not isinstance(team.total, Measure):
            why = self._words.label("missing", team.total.missing)
            return self._words.text("tell.no-total", name=name, why=why, ranks=self.ranks(team))
        return self._words.text(
            "tell.total",
            name=name,
            value=figures.value(team.total),
            interval=figures.interval(team.total),
            ranks=self.ranks(team),
        )

    def ranks(self, team: Team) -> str:
        """Return the ranks that a team may hold."""
        ranks = team.rank_set
        if ranks is None or ranks.basis == "none":
            return self._words.text("tell.no-ranks")
        if ranks.best == ranks.worst:
            return self._words.text("tell.rank", best=ranks.best)
        return self._words.text("tell.ranks", best=ranks.best, worst=ranks.worst)

    def reach(self, line: ReachLine) -> str:
        """Return a model's ratio to the frontier with its widest interval and the verdict."""
        return self._words.text(
            "measurement.told",
            model=line.reach.model,
            ratio=self.ratio(line),
            required=line.reach.required,
            verdict=self._words.label("reach", line.verdict),
        )

    def ratio(self, line: ReachLine) -> str:
        """Return a ratio with its widest interval."""
        if line.reach.ratio is None:
            return self._words.text("tell.no-ranks")
        ends = next((one.ratio for one in line.standards if one.ratio is not None), None)
        if ends is None:
            return line.reach.ratio
        return f"{line.reach.ratio} ({ends.low}–{ends.high})"

    def chance(self, team: Team) -> str:
        """Return how probable it is that a team goes on.

        A share that was drawn is never certain; a gate that is not met is.
        """
        found = team.probability
        if found is None:
            return self._words.text("decision.cannot-be-told")
        failed = failed_gates(self._decision, team.team)
        drawn = found.basis == "draws" and not failed
        return self._words.shares(found.advance.low, found.advance.high, drawn=drawn)

    def wrong(self, found: Range) -> str:
        """Return how probable it is that the decision is wrong."""
        drawn = any(
            team.probability is not None and team.probability.basis == "draws"
            for team in self._decision.teams
        )
        return self._words.shares(found.low, found.high, drawn=drawn)

    def strip(self, team: Team) -> str:
        """Return a team's score sheet in one sentence."""
        parts = {part.id: self._words.local(part.title) for part in self._decision.parts}
        said = [
            self._words.text(
                "tell.part", part=parts.get(line.part, line.part), value=figures.value(line.score)
            )
            if isinstance(line.score, Measure)
            else self._words.text(
                "tell.no-part",
                part=parts.get(line.part, line.part),
                why=self._words.label("missing", line.score.missing),
            )
            for line in team.scores
        ]
        return f"{self._words.local(team.name)}: {'; '.join(said)}"

    def gate(self, gate: Gate) -> str:
        """Return what a gate rests on and what it asks for at least."""
        said = []
        if gate.minimum_grade is not None:
            said.append(self._words.text("gates.minimum", grade=gate.minimum_grade))
        if gate.rests_on is not None:
            rests = self._words.label("rests-on", gate.rests_on)
            authority = self._words.label("authority", gate.authority) if gate.authority else ""
            said.append(self._words.text("gates.rests", rests=rests))
            if authority:
                said.append(self._words.text("gates.whose", authority=authority))
        return " ".join(said)

    def finding_title(self, finding: Finding) -> str:
        """Return which component was compared with what."""
        return self._words.text(
            "finding.title",
            component=finding.component,
            model=finding.model,
            reference=finding.reference,
        )

    def finding(self, finding: Finding) -> str:
        """Return what the finding says, in the fixed wording."""
        relations = [self._words.label("relation", one) for one in finding.relations]
        told = self._words.text(
            f"finding.{finding.derivation}",
            component=finding.component,
            model=finding.model,
            reference=finding.reference,
            relations=self._words.text("finding.or").join(relations),
        )
        if finding.basis == "published":
            by = finding.by or self._words.text("finding.somebody")
            told = f"{told} {self._words.text('finding.published', by=by)}"
        return told

    def measure(self, finding: Finding) -> str:
        """Return the name of the finding's measure."""
        return self._words.label("measure", finding.measure)

    def other(self, finding: Finding, model: str) -> str:
        """Return what a model was compared with, from whichever end of the finding it stands."""
        other = finding.model if finding.reference == model else finding.reference
        return self._words.name("model", other)

    def read(self, finding: Finding) -> Sequence[str]:
        """Return in short what was read for a finding, and facts that are no part of it."""
        say = self._words.text
        said = [say("read.layers", n=finding.layers_compared)] if finding.layers_compared else []
        if finding.read_share is not None and finding.read_share < 1:
            said.append(say("read.share", share=finding.read_share))
        said += [
            say("read.fact", fact=self._words.label("fact", name), value=number)
            for name, number in finding.facts.items()
        ]
        return said

    def effect(self, finding: Finding) -> str:
        """Return the picture of a finding in words."""
        said = []
        if finding.effect is not None:
            said.append(
                self._words.text(
                    "tell.effect",
                    value=figures.value(finding.effect, least_digits=2),
                    interval=figures.interval(finding.effect, least_digits=2),
                )
            )
        said += [
            f"{self._words.label('control', control.kind)} {figures.count(control.value)}"
            for control in finding.controls
        ]
        if finding.minimum_detectable is not None:
            smallest = self._words.text("finding.smallest")
            said.append(f"{smallest} {figures.count(finding.minimum_detectable)}")
        return f"{self.measure(finding)}: {'; '.join(said)}"

    def limits(self, finding: Finding) -> Sequence[str]:
        """Return what the comparison rests on and what it could not see."""
        say = self._words.text
        # None is what a published finding says that does not tell how many were compared.
        said = [say("limits.layers", n=finding.layers_compared)] if finding.layers_compared else []
        if finding.read_share is not None:
            said.append(say("limits.read", share=finding.read_share))
        if finding.bytes_read is not None:
            said.append(say("limits.bytes", bytes=figures.bytes_read(finding.bytes_read)))
        if finding.minimum_detectable is None:
            said.append(say("limits.power-unknown"))
        else:
            said.append(say("limits.power", smallest=finding.minimum_detectable))
        if not finding.controls:
            said.append(say("limits.no-controls"))
        return [*said, say("limits.method", method=finding.method)]

    def grades(self, found: Grades | None) -> str:
        """Return a range of grades; one where both ends are alike."""
        if found is None:
            return self._words.text("grades.not-found")
        return found.low if found.low == found.high else f"{found.low}–{found.high}"

    def component(self, part: ComponentGrade) -> str:
        """Return a component by its role, and by its own name where that says more."""
        role = self._words.label("role", part.role)
        return role if part.component == part.role else f"{role} ({part.component})"

    def grade(self, part: ComponentGrade) -> str:
        """Return the picture of a component's grades in words."""
        return self._words.text(
            "tell.grade",
            declared=part.declared or self._words.text("grades.not-declared"),
            found=self.grades(part.found),
        )

    def published(self, team: Team) -> str:
        """Return what the organiser published of a team."""
        published = self._decision.published
        if published is None:
            return self._words.text("tell.nothing-published")
        if team.team in published.advance:
            return self._words.label("advance", "holds")
        for loss in published.eliminated:
            if loss.team == team.team and loss.gate:
                return self._words.text("tell.out-by-gate", gate=loss.gate)
            if loss.team == team.team:
                ground = self._words.label("ground", loss.ground)
                return self._words.text("tell.out-by", ground=ground)
        return self._words.text("tell.nothing-published")

    def dispute(self, steps: Sequence[tuple[Dispute, Said]]) -> str:
        """Return what a dispute is about: whose model, and compared with what."""
        first = steps[0][0]
        about = first.model or first.team
        name = self._words.name("model" if first.model else "team", about)
        reference = next((step.reference for step, _ in steps if step.reference), None)
        if reference is None:
            return name
        return self._words.text("record.dispute", name=name, reference=reference)

    @property
    def stage(self) -> str:
        """The rules of the stage in a few sentences."""
        stage, say = self._decision.stage, self._words.text
        said = [self._words.label("stage-kind", stage.kind)]
        if stage.planned_advance is not None:
            said.append(say("rules.planned", n=stage.planned_advance))
        if stage.cut_among is not None:
            said.append(self._words.label("cut-among", stage.cut_among))
        for group, rule in (("ties", stage.ties), ("vacancy-rule", stage.vacancy)):
            name = rule.get("rule") if isinstance(rule, dict) else None
            if isinstance(name, str):
                said.append(self._words.label(group, name))
        return " ".join(said)
