"""What a comparison of two models found, each number with what it rests on.

A finding is about tensors: what they are statistically consistent with, beside the controls of
the same run and the smallest effect that it would have seen. It knows no person, no intent, no
grade and no licence. Tokenizers are compared beside it and never enter it.
"""

from dataclasses import dataclass

from dokja.evidence.lineage.calibrations import Calibrated
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.relations import Derivation, Direction, Relation
from dokja.models.comparison import TokenOverlap
from dokja.values import Estimate, Reason

__all__ = [
    "METHOD",
    "AdapterReading",
    "BranchSummary",
    "ComponentFinding",
    "ElectedReading",
    "GainReading",
    "LayerAgreement",
    "LayerReading",
    "MergeReading",
    "NeuronMap",
    "TokenRows",
    "TraceReport",
]

METHOD = "dokja.lineage/3"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReading:
    """One pair of layers.

    Attributes:
        suspect: Layer of the suspect.
        reference: Layer of the reference.
        value: Mean centred correlation over roles.
        standard_error: Of the mean, under re-ordered rows.
        roles: Each role's centred correlation.
    """

    suspect: int
    reference: int
    value: float
    standard_error: float
    roles: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GainReading:
    """How alike normalisation gains are: beside the weights, never in their place.

    Attributes:
        value: Mean centred correlation over the gains of the mapped layers.
        standard_error: 1/√(values), which gains deserve only roughly.
        gains: Over how many gain vectors.
        values: How many values these hold.
    """

    value: float
    standard_error: float
    gains: int
    values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRows:
    """How alike embedding or head are in the rows of tokens that both models have.

    Attributes:
        role: `embedding` or `head`.
        value: Centred correlation of the paired rows.
        standard_error: Under re-ordered rows.
        tokens: How many tokens were paired, by their text.
        related: Whether it reaches the plan's rule by itself.
    """

    role: str
    value: float
    standard_error: float
    tokens: int
    related: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterReading:
    """How far one model holds what an adapter adds to its base.

    Attributes:
        coefficient: By how much of the adapter's change the model differs from the base: 1 where
            it was merged as it is, 0 where nothing of it is there.
        likeness: Mean centred correlation of the model's change of the base with the adapter's.
        twin: The same, without its sign, of the adapter's change in random order: a control.
        left: Mean share of the model's change that the adapter's, taken as it is, leaves.
        matrices: How many matrices the adapter changes.
        merged: Whether the model is the base with the adapter, up to rounding.
        untouched: Whether those matrices are the base's own, up to rounding.
    """

    coefficient: Estimate
    likeness: float
    twin: float
    left: float
    matrices: int
    merged: bool
    untouched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronMap:
    """Which neurons of two mapped blocks go together: those that all matchings agree on.

    Attributes:
        suspect: Layer of the suspect.
        block: Its block, such as `ffn`.
        reference: Layer of the reference.
        reference_block: Its block.
        pairs: (suspect's neuron, reference's neuron).
        of: Neurons of the smaller block.
        among: Neurons of the larger one.
    """

    suspect: int
    block: str
    reference: int
    reference_block: str
    pairs: tuple[tuple[int, int], ...]
    of: int
    among: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAgreement:
    """How many neurons of one layer agree with the layer of the reference that it is nearest to.

    Attributes:
        suspect: Layer of the suspect.
        reference: Layer of the reference.
        two: Neurons whose gates and ups agree; of the block that agrees most.
        three: Neurons on which all matchings agree.
        of: Neurons of the smaller block.
    """

    suspect: int
    reference: int
    two: int
    three: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectedReading:
    """What a component shows of a base to which trimmed and elected changes were added (TIES).

    Attributes:
        base: Name of the reference that all parents were tuned from.
        place: Its place among the candidates.
        form: Whether elected changes were averaged by their weights (`mean`) or added up (`sum`).
        densities: Of each parent, the share of its change that was kept, over all tensors.
        scale: What the mean was multiplied by, with its interval over layers; of a sum, what its
            coefficients add up to.
        left: Share of the energy of the component's change of the base that is left unexplained.
        rounding: Share of it that rounding to the stored type would leave by itself.
    """

    base: str
    place: int
    form: str
    densities: tuple[float, ...]
    scale: Estimate
    left: float
    rounding: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeReading:
    """A component as a weighted sum of several references, or of their elected changes.

    Attributes:
        parents: Names of the references that make it up, the one that leaves least first.
        places: Their places among the candidates.
        weights: Of each, the mean over layers with its interval; they add up to 1.
        left: Share of the component's energy that the sum leaves unexplained.
        left_by_one: Share that the best single reference leaves.
        left_by_twin: Share that is left with the last parent's scrambled twin in its place.
        layers: For each layer its number and the parents' weights there.
        tensors: How many tensors it rests on.
        elected: What was added to which base, where it is no plain sum; the weights are then
            those of the parents' changes.
        not_elected: Why it is none of those; empty where it is one.
    """

    parents: tuple[str, ...]
    places: tuple[int, ...]
    weights: tuple[Estimate, ...]
    left: float
    left_by_one: float
    left_by_twin: float
    layers: tuple[tuple[int, tuple[float, ...]], ...]
    tensors: int
    elected: ElectedReading | None = None
    not_elected: str = ""

    @property
    def models(self) -> tuple[int, ...]:
        """Places of all candidates that went in: the parents, and their base where it shows."""
        return self.places if self.elected is None else (*self.places, self.elected.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSummary:
    """What one branch said of a component: how far neurons' matchings agree under its basis.

    Attributes:
        branch: `coordinates`, `embeddings`, `head` or `free`.
        missing: Why it could not run; empty where it did.
        share: Median over interior layers of the largest share of neurons on which all
            matchings agree, in [0, 1]; none where it could not run.
        log10_p: Bound of the chance of that, approximate; none likewise.
        null: Largest share of the reference with its layers turned apart; none likewise.
        basis: How good the basis is on what it was not fitted to; none where it needs none.
        found: Whether it found a relation by the plan's rule.
        shares: For each layer of the suspect the largest share, and with which layer of the
            reference: (suspect's, reference's, share).
        tests: How many pairs of blocks were matched.
        agreements: The same in neurons.
        pairs: Share for every pair of layers: the suspect's by the reference's; none for a pair
            that could not be compared.
    """

    branch: str
    missing: str = ""
    share: float | None = None
    log10_p: float | None = None
    null: float | None = None
    basis: float | None = None
    found: bool = False
    shares: tuple[tuple[int, int, float], ...] = ()
    tests: int = 0
    agreements: tuple[LayerAgreement, ...] = ()
    pairs: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentFinding:
    """What one component of the suspect is consistent with, against the reference.

    Attributes:
        component: Of the suspect.
        role: What it is for.
        reference_component: Which component of the reference it was compared with; empty when
            none has a tensor of the same role and shape.
        relations: Every relation that the evidence leaves open, strongest first.
        derivation: Whether values come from the other side's training.
        direction: Only where repeated layers show it.
        measure: What the effect is: `centred_r`, or `agreement` where the relation shows only
            once symmetries are undone.
        effect: Mean centred correlation over mapped layers and roles, or over the best alignment
            of all layers where none are alike; of `agreement`, the mean share of neurons over
            interior layers. Missing when nothing could be compared.
        layer_map: (layer of the suspect, layer of the reference) of the layers that are alike;
            missing when none are.
        map_chance: How often the same likenesses in random places of the table of layer pairs
            would align as well; missing without a map of two layers.
        layers: What the effect was taken over, pair by pair.
        layers_compared: How many of the suspect's layers were compared with all others.
        gains: Normalisation gains, where they vary.
        token_rows: Embedding and head by token.
        controls: What the same rule said of pairs whose truth is known.
        minimum_detectable: Smallest correlation that the rule found in nine of ten draws of
            independent noise, in the same coordinates, or by agreement where only that could
            look; missing when none.
        detectable: The same of every way of looking whose power is known, `coordinates` and
            `agreement`: what one cannot see the other may.
        branches: What the agreement of matchings says, branch by branch.
        re_expressed: Symmetries that had to be undone to see the relation.
        likeness: Mean cosine of agreeing neurons' vectors; missing without a relation by
            agreement.
        head_map: (suspect's layer, its query head, reference's layer, its query head) of heads
            that go together by what they write and by what they attend to.
        expert_map: (suspect's layer, its block, reference's layer, its block), where a side has
            experts.
        neuron_map: Which neurons go together, layer by layer, where another width shows or the
            plan asks for it.
        merge: The component as a weighted sum of several references, where it is one.
        adapter: What is seen of an adapter that one side is laid with; none where none is.
        pairs: Centred correlation of every pair of layers in the same coordinates: the suspect's
            by the reference's; none for a pair that could not be compared.
        calibrated: What a calibration says of the reading; missing where none was given, or where
            the component's blocks are not known.
        unmapped_share: Share of the component's values in tensors whose place in the network is
            not known; missing where blocks were not looked at.
        parameter_share: The component's share of the suspect's values.
        read_share: The share of the component's values that was read.
        bytes_read: Of both sides, for this component.
        tests: How many layer pairs were looked at.
        reasons: Why it is not testable, or what was left out.
    """

    component: str
    role: str
    reference_component: str
    relations: tuple[Relation, ...]
    derivation: Derivation
    direction: Direction | None = None
    measure: str = "centred_r"
    effect: Estimate | None = None
    layer_map: tuple[tuple[int, int], ...] | None = None
    map_chance: float | None = None
    layers: tuple[LayerReading, ...] = ()
    layers_compared: int = 0
    gains: GainReading | None = None
    token_rows: tuple[TokenRows, ...] = ()
    controls: tuple[ControlReading, ...] = ()
    minimum_detectable: float | None = None
    detectable: tuple[tuple[str, float], ...] = ()
    branches: tuple[BranchSummary, ...] = ()
    re_expressed: tuple[str, ...] = ()
    likeness: float | None = None
    head_map: tuple[tuple[int, int, int, int], ...] = ()
    expert_map: tuple[tuple[int, str, int, str], ...] = ()
    neuron_map: tuple[NeuronMap, ...] = ()
    merge: MergeReading | None = None
    adapter: AdapterReading | None = None
    pairs: tuple[tuple[float | None, ...], ...] = ()
    calibrated: Calibrated | None = None
    unmapped_share: float | None = None
    parameter_share: float
    read_share: float
    bytes_read: int
    tests: int = 0
    reasons: tuple[Reason, ...] = ()

    @property
    def related(self) -> bool:
        """Whether every relation that is left open is one with the reference."""
        return not {Relation.NO_EVIDENCE, Relation.NOT_TESTABLE} & set(self.relations)

    @property
    def open_mixture(self) -> bool:
        """Whether a mixture with a model that was not given is left open.

        It is one of several relations then, in the ledger as well: it lets no other model off
        and names none.
        """
        return self.merge is None and Relation.MERGED in self.relations

    @property
    def tested(self) -> bool:
        """Whether something could be said at all."""
        return Relation.NOT_TESTABLE not in self.relations


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceReport:
    """What a comparison of two models found.

    Attributes:
        suspect: Name of the suspect's files.
        reference: Name of the reference's files.
        findings: One for each component of the suspect that the reference has a like of.
        absent: Components of the suspect for whose role the reference has nothing.
        unclaimed: The suspect's tensors that belong to no declared component.
        tokenizers: How much the vocabularies share: a fact that is no lineage.
        bytes_read: Of both sides in all.
        tests: How many layer pairs were looked at in all.
        method: Name and version of the method.
    """

    suspect: str
    reference: str
    findings: tuple[ComponentFinding, ...]
    absent: tuple[str, ...]
    unclaimed: tuple[str, ...]
    tokenizers: TokenOverlap | None
    bytes_read: int
    tests: int
    method: str = METHOD

    @property
    def reused(self) -> tuple[str, ...]:
        """Components that are related while another one was tested and is not.

        A summary over findings (`component_reuse`), and never a finding about one.
        """
        related = tuple(one.component for one in self.findings if one.related)
        others = any(one.tested and not one.related for one in self.findings)
        return related if others else ()
