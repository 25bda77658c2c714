"""A comparison of weights in sentences: for the page as HTML, for the terminal as plain text.

Every sentence stands in the wording tables; here is decided which one is said, and with what it
is filled. Figures are never without their controls: whoever tells an effect tells those as well.
"""

import re
from typing import assert_never

from markupsafe import Markup

from dokja.evidence.lineage import (
    BranchSummary,
    ComponentFinding,
    ControlReading,
    Derivation,
    Direction,
    Relation,
    Tracing,
)
from dokja.public.reports import figures
from dokja.public.reports.lineage_merges import between, merge_lines, merge_sentence
from dokja.public.reports.lineage_spans import spans
from dokja.public.reports.words import Words
from dokja.values import Estimate

__all__ = ["LineageTeller"]

_NOT_RUN = (
    (re.compile(r"layers have no interior"), "no-interior"),
    (re.compile(r"no interior layer has a block"), "no-block"),
    (re.compile(r"the widths .* differ"), "widths"),
    (re.compile(r"one side has no"), "no-part"),
    (re.compile(r"has no tokenizer"), "no-tokenizer"),
    (re.compile(r"shared tokens"), "few-tokens"),
    (re.compile(r"all layers are near-duplicates"), "near-duplicates"),
    (re.compile(r"no two layers have neurons"), "no-anchor"),
)

_POWER_OF = {
    "coordinates": "lineage.power-coordinates",
    "agreement": "lineage.power-agreement",
}
"""What could have been seen, by the way of looking."""


class LineageTeller:
    """What a run found, in one language.

    Args:
        tracing: The run.
        words: The language's wording.
        markup: Whether sentences are HTML, with what they are filled with escaped.
    """

    def __init__(self, tracing: Tracing, words: Words, *, markup: bool) -> None:
        self.tracing = tracing
        self.words = words
        self._say = words.markup if markup else words.text
        self._join = Markup if markup else str

    def reference(self, number: int) -> str:
        """Return a reference's name."""
        return self.tracing.reports[number].reference

    def sentence(self, finding: ComponentFinding, number: int) -> str:
        """Return what a finding says, as one sentence of the fixed table."""
        named = {"component": finding.component, "reference": self.reference(number)}
        if Relation.NOT_TESTABLE in finding.relations:
            return self._say("lineage.untestable", **named, **self._why(finding))
        if finding.merge is not None:
            told = {"component": finding.component, "details": self.details(finding)}
            return merge_sentence(self._say, finding.merge, **told)
        if finding.relations == (Relation.NO_EVIDENCE,):
            if finding.minimum_detectable is None:
                return self._say("lineage.none-weak", **named)
            return self._say(self._none(finding), **named, **self._smallest(finding))
        relations = self.relations(finding)
        if not finding.related:
            why = self._why(finding)["why"]
            return self._say("lineage.mixed", **named, why=why, relations=relations)
        match finding.derivation:
            case Derivation.YES:
                key = "lineage.yes"
            case Derivation.NO:
                key = "lineage.no-derivation"
            case Derivation.CANNOT_TELL:
                key = "lineage.open"
            case _:
                assert_never(finding.derivation)
        return self._say(key, **named, relations=relations, details=self.details(finding))

    def _none(self, finding: ComponentFinding) -> str:
        return "lineage.none-both" if len(finding.detectable) > 1 else "lineage.none"

    def _smallest(self, finding: ComponentFinding) -> dict[str, str]:
        """Return the power of each way of looking, and the one that the finding rests on."""
        ways = {way: figures.plain(value, 2) for way, value in finding.detectable}
        return {"smallest": figures.plain(finding.minimum_detectable or 0.0, 2), **ways}

    def relations(self, finding: ComponentFinding) -> str:
        """Return the relations that are left open, as one list."""
        shown = [
            self.words.label("relation", one.value)
            if one is not Relation.MERGED or not finding.open_mixture
            else self.words.text("lineage.merged-unknown")
            for one in finding.relations
        ]
        return self.words.text("finding.or").join(shown)

    def _why(self, finding: ComponentFinding) -> dict[str, str]:
        codes = [reason.code for reason in finding.reasons]
        return {
            "why": " ".join(self.words.label("why", code) for code in codes if self._worded(code)),
            "needs": " ".join(
                self.words.label("needs", code) for code in codes if self._worded(code)
            ),
        }

    def _worded(self, code: str) -> bool:
        return self.words.label("why", code) != code

    def details(self, finding: ComponentFinding) -> str:
        """Return map, effect and what else says how near the two are."""
        said = []
        pairs = finding.layer_map
        if pairs:
            whole = len(pairs) == finding.layers_compared
            in_order = whole and all(ours == theirs for ours, theirs in pairs)
            counts = {"n": len(pairs), "all": max(finding.layers_compared, len(pairs))}
            key = "lineage.detail-one-to-one" if in_order else "lineage.detail-mapped"
            said.append(self._say(key, **counts))
        if finding.effect is not None:
            said.append(self._effect(finding.effect, finding.measure))
        if finding.likeness is not None and finding.measure == "agreement":
            value = figures.plain(finding.likeness, 2)
            said.append(self._say("lineage.detail-likeness", value=value))
        if finding.merge is not None:
            left, alone = finding.merge.left, finding.merge.left_by_one
            said.append(self._say("lineage.detail-sum", left=left, alone=alone))
        return self._join("; ").join(said)

    def _effect(self, effect: Estimate, measure: str) -> str:
        if measure == "agreement":
            ends = {"share": effect.value, "low": effect.low, "high": effect.high}
            return self._say("lineage.detail-agreement", **ends)
        value = figures.plain(effect.value, 2)
        return self._say(
            "lineage.detail-correlation", value=value, interval=between(effect, digits=2)
        )

    def direction(self, finding: ComponentFinding, number: int) -> str | None:
        """Return which way a relation runs; none where nothing shows it."""
        named = {"model": self.tracing.suspect, "reference": self.reference(number)}
        match finding.direction:
            case None:
                return None
            case Direction.MODEL_FROM_REFERENCE:
                return self._say("lineage.direction-model", **named)
            case Direction.REFERENCE_FROM_MODEL:
                return self._say("lineage.direction-reference", **named)
            case _:
                assert_never(finding.direction)

    def summaries(self) -> list[str]:
        """Return for each reference that only a part of the model is related to which part."""
        return [
            self._say(
                "lineage.reuse",
                reference=report.reference,
                components=[self.words.label("role", one) for one in report.reused],
            )
            for report in self.tracing.reports
            if report.reused
        ]

    def absences(self) -> list[str]:
        """Return what references have no like of."""
        return [
            self._say("lineage.absent", component=component, reference=report.reference)
            for report in self.tracing.reports
            for component in report.absent
        ]

    def how(self, finding: ComponentFinding, number: int) -> list[tuple[str, list[str]]]:
        """Return how a component was looked at: a heading and what is said under it, in order."""
        said = [
            ("lineage.layers", [self.layers(finding)]),
            ("lineage.neurons", self._neurons(finding)),
            ("lineage.weights", self._weights(finding)),
            ("lineage.adapter", self._adapter(finding)),
            ("lineage.controls", self.controls(finding)),
            ("lineage.power", self._power(finding)),
            ("lineage.read", [self._read(finding)]),
            ("lineage.undone", [self.undone(finding)]),
            ("lineage.branches", self.branches(finding)),
            ("lineage.gains", self._gains(finding)),
            ("lineage.rows", self._rows(finding)),
            ("lineage.chance", self._chance(finding, number)),
            ("lineage.calibration", self._calibration(finding)),
        ]
        return [(self.words.text(key), lines) for key, lines in said if lines]

    def layers(self, finding: ComponentFinding) -> str:
        """Return the layer map, runs of layers together."""
        if not finding.layer_map:
            return self._say("lineage.layers-none")
        return ", ".join(spans(finding.layer_map))

    def _neurons(self, finding: ComponentFinding) -> list[str]:
        """Return how many neurons of each layer go with which layer's."""
        return [
            self._say(
                "lineage.neurons-are",
                layer=one.suspect,
                block=one.block,
                other=one.reference,
                n=len(one.pairs),
                of=one.of,
                among=one.among,
            )
            for one in finding.neuron_map
        ]

    def _weights(self, finding: ComponentFinding) -> list[str]:
        if finding.merge is None:
            return []
        return merge_lines(self._say, finding.merge)

    def controls(self, finding: ComponentFinding) -> list[str]:
        """Return each control with its value and whether the rule called it related."""
        if not finding.controls:
            return [self._say("lineage.controls-none")]
        return [
            self._say(
                "lineage.control-found" if one.found else "lineage.control-not-found",
                name=self._control(one),
                value=figures.plain(one.value, 2),
            )
            for one in finding.controls
        ]

    def _adapter(self, finding: ComponentFinding) -> list[str]:
        reading = finding.adapter
        if reading is None:
            return []
        return [
            self._say(
                "lineage.adapter-is",
                value=figures.plain(reading.coefficient.value, 2),
                interval=between(reading.coefficient, digits=2),
                n=reading.matrices,
                r=figures.plain(reading.likeness, 2),
                twin=figures.plain(reading.twin, 2),
                left=reading.left,
            )
        ]

    def _control(self, control: ControlReading) -> str:
        name = self.control(control.name)
        third = name == control.name
        if third and control.measure == "agreement":
            return self._say("lineage.control-matched", name=name)
        return name

    def control(self, name: str) -> str:
        """Return what a control was made from; the name of a third model as it is."""
        made, _, level = name.rpartition("-")
        if level.replace(".", "").isdigit():
            return f"{self.words.label('made', made)} {level}"
        return self.words.label("made", name)

    def _power(self, finding: ComponentFinding) -> list[str]:
        if finding.minimum_detectable is None:
            return [self._say("lineage.power-unknown")]
        if not finding.detectable:
            smallest = figures.plain(finding.minimum_detectable, 2)
            return [self._say("lineage.power-known", smallest=smallest)]
        return [
            self._say(_POWER_OF[way], smallest=figures.plain(smallest, 2))
            for way, smallest in finding.detectable
        ]

    def _read(self, finding: ComponentFinding) -> str:
        return self._say(
            "lineage.read-of",
            bytes=figures.bytes_read(finding.bytes_read),
            share=finding.read_share,
            part=finding.parameter_share,
        )

    def undone(self, finding: ComponentFinding) -> str:
        """Return the symmetries that had to be undone."""
        if not finding.re_expressed:
            return self._say("lineage.undone-none")
        return ", ".join(self.words.label("symmetry", one) for one in finding.re_expressed)

    def branches(self, finding: ComponentFinding) -> list[str]:
        """Return what each branch said, or why it could not run."""
        if not finding.branches:
            given_up = any(reason.code == "lineage-budget" for reason in finding.reasons)
            return [self._say("lineage.budget" if given_up else "lineage.branches-none")]
        return [self._branch(one) for one in finding.branches]

    def _branch(self, branch: BranchSummary) -> str:
        name = self.words.label("branch", branch.branch)
        if branch.share is None:
            return self._say("lineage.branch-missing", branch=name, why=self._not_run(branch))
        key = "lineage.branch-found" if branch.found else "lineage.branch-not-found"
        return self._say(key, branch=name, share=branch.share, null=branch.null or 0.0)

    def _not_run(self, branch: BranchSummary) -> str:
        """Return why a branch could not run; in the words it was raised in where none are kept."""
        for pattern, key in _NOT_RUN:
            if pattern.search(branch.missing):
                return self.words.label("not-run", key)
        return branch.missing

    def _gains(self, finding: ComponentFinding) -> list[str]:
        if finding.gains is None:
            return []
        value = figures.plain(finding.gains.value, 2)
        return [self._say("lineage.gains-are", value=value, n=finding.gains.gains)]

    def _rows(self, finding: ComponentFinding) -> list[str]:
        return [
            self._say(
                "lineage.rows-are", part=one.role, value=figures.plain(one.value, 2), n=one.tokens
            )
            for one in finding.token_rows
        ]

    def _chance(self, finding: ComponentFinding, number: int) -> list[str]:
        chance = self.tracing.chance(finding.component, number)
        if chance is None:
            return []
        return [
            self._say(
                "lineage.chance-is",
                log=figures.plain(chance.log10, 0),
                adjusted=figures.plain(chance.adjusted, 0),
                n=len(self.tracing.chances),
            )
        ]

    def _calibration(self, finding: ComponentFinding) -> list[str]:
        said = finding.calibrated
        if said is None:
            return []
        if said.log10_ratio is None:
            return [self._say("lineage.ratio-missing", calibration=said.calibration)]
        ratio = figures.plain(said.log10_ratio, 1)
        told = {"calibration": said.calibration, "log": ratio, "pairs": said.capped_by}
        return [self._say("lineage.ratio-is", **told)]

    def levels(self) -> str:
        """Return whether a calibration stands behind the run, and what follows where none does."""
        given = any(one.calibrated is not None for _, one in self.tracing.findings)
        return self._say("lineage.calibrated" if given else "lineage.not-calibrated")

    def held_together(self) -> str:
        """Return how many tests were made, and that they are held together."""
        counts = {"tests": figures.count(self.tracing.tests), "n": len(self.tracing.chances)}
        return self._say("lineage.held-together", **counts)

    def facts(self) -> list[str]:
        """Return what is no lineage, reference by reference."""
        said = []
        for number, one in enumerate(self.tracing.facts):
            named = {"reference": self.reference(number)}
            if one.tokenizers is None:
                said.append(self._say("lineage.no-vocabulary", **named))
            else:
                shares = {"share": one.tokenizers.share, "same": one.same_rows or 0.0}
                said.append(self._say("lineage.vocabulary", **named, **shares))
            if one.configured:
                counts = {"n": one.same_settings, "other": len(one.other_settings)}
                said.append(self._say("lineage.settings", **named, **counts))
            else:
                said.append(self._say("lineage.no-settings", **named))
        unclaimed = max(len(report.unclaimed) for report in self.tracing.reports)
        if unclaimed:
            said.append(self._say("lineage.not-compared", n=unclaimed))
        return said
