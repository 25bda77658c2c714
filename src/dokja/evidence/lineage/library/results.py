"""What a scan of a library found: frozen values, ranked, each with what it rests on.

A scan is a screen. Where it finds a relation it says which relations its kept values leave open,
and `trace` against the weights themselves says more; where it finds none it says how large a
likeness it would have seen. It knows no "unrelated".
"""

from dataclasses import dataclass

from dokja.errors import Mistake
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.findings import BranchSummary, GainReading, TokenRows
from dokja.evidence.lineage.outcomes import Outcome
from dokja.evidence.lineage.relations import Derivation, Relation
from dokja.values import Estimate

__all__ = ["EntryFinding", "LibraryScan", "NotCompared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFinding:
    """One component of the suspect beside one entry.

    Attributes:
        entry: Name of the entry.
        kind: Its kind.
        folder: Plain name of its folder.
        origin: Where its weights lay; none where that was kept out.
        licence: As whoever added it said; none where nothing was said.
        component: Of the suspect.
        role: What it is for.
        entry_component: Of the entry.
        relations: Every relation that the kept values leave open.
        derivation: Whether values come from the other side's training.
        effect: Mean centred correlation over mapped layers and roles, or over the best alignment
            of all layers; of paired rows where only these are alike; of a relation that only
            agreement shows, its share of neurons. None where only rows of tokens were compared
            and none of them are alike.
        measure: What the effect is: `centred_r`, `token_rows` or `agreement`.
        layer_map: (suspect's layer, entry's) of the layers that are alike; empty where none are.
        gains: Gains of the mapped layers; none where there is no relation or they do not vary.
        token_rows: Embedding and head by token.
        controls: What the same rule said of the entry mixed with noise, and scrambled; made for
            relations and for the entry that came nearest.
        detectable: Smallest correlation that the rule sees in nine of ten cases; none where no
            layers were compared.
        branches: What agreement of neurons says, of forensic entries.
        compared_share: Share of the suspect's matrix values in tensors whose like the entry has.
        tests: How many layer pairs, rows and blocks were looked at.
    """

    entry: str
    kind: str
    folder: str
    origin: str | None
    licence: str | None
    component: str
    role: str
    entry_component: str
    relations: tuple[Relation, ...]
    derivation: Derivation
    effect: Estimate | None
    measure: str = "centred_r"
    layer_map: tuple[tuple[int, int], ...] = ()
    gains: GainReading | None = None
    token_rows: tuple[TokenRows, ...] = ()
    controls: tuple[ControlReading, ...] = ()
    detectable: float | None = None
    branches: tuple[BranchSummary, ...] = ()
    compared_share: float = 0.0
    tests: int = 0

    @property
    def related(self) -> bool:
        """Whether every relation that is left open is one with the entry."""
        return not {Relation.NO_EVIDENCE, Relation.NOT_TESTABLE} & set(self.relations)

    @property
    def value(self) -> float:
        """The effect by which findings are ranked; the largest branch's share counts as well."""
        shares = [one.share for one in self.branches if one.share is not None]
        return max([0.0 if self.effect is None else self.effect.value, *shares])


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """An entry that has nothing that could be laid beside the suspect: never "unrelated".

    Attributes:
        entry: Its name.
        folder: Plain name of its folder.
        why: What differs.
    """

    entry: str
    folder: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryScan:
    """What a scan found.

    Attributes:
        suspect: Name of the suspect's files.
        findings: Relations first, then by effect, the largest first.
        absent: Components of the suspect that no entry has the like of.
        not_compared: Entries of other shapes.
        damaged: What is wrong with entries that could not be used; each names its entry.
        entries: How many entries there are, damaged ones among them.
        comparisons: How many pairs of components were compared; the error rate is shared out.
        tests: How many layer pairs, rows and blocks were looked at in all.
        error_rate: Chance, over the whole scan, that re-ordered rows would be called related.
        bytes_read: Of the suspect.
        library_bytes: Of the entries.
    """

    suspect: str
    findings: tuple[EntryFinding, ...]
    absent: tuple[str, ...]
    not_compared: tuple[NotCompared, ...]
    damaged: tuple[Mistake, ...]
    entries: int
    comparisons: int
    tests: int
    error_rate: float
    bytes_read: int
    library_bytes: int

    @property
    def related(self) -> tuple[EntryFinding, ...]:
        """The findings that show a relation."""
        return tuple(one for one in self.findings if one.related)

    @property
    def outcome(self) -> Outcome:
        """What the scan comes to.

        An entry of other shapes leaves nothing open by itself, for it says so; a damaged one
        might have been the one.
        """
        if self.related:
            return Outcome.RELATED
        told = [one for one in self.findings if one.relations == (Relation.NO_EVIDENCE,)]
        return Outcome.CANNOT_TELL if self.damaged or not told else Outcome.NOTHING
