"""A run of `dokja trace` made by hand: the golden file of its JSON, and what its page is tried on.

Nothing here was measured. Every kind of answer stands in it once.
"""

import json

from dokja.evidence.lineage import (
    AdapterReading,
    BranchSummary,
    Chance,
    ComponentFinding,
    ControlReading,
    Derivation,
    Direction,
    GainReading,
    LayerAgreement,
    LayerReading,
    MergeReading,
    Named,
    NeuronMap,
    OtherFacts,
    Plan,
    Relation,
    Setting,
    TokenRows,
    TraceReport,
    Tracing,
    trace_document,
)
from dokja.models.comparison import TokenOverlap
from dokja.models.weights import Notice
from dokja.values import Digest, Estimate, Reason

NAMES = tuple(Named(name=name, digest=f"sha256:{sign * 64}") for name, sign in
              (("mine", "a"), ("base", "b"), ("other", "c")))  # fmt: skip


def tracing() -> Tracing:
    """Return the run: three components and one that is absent, beside two references."""
    base = TraceReport(
        suspect="mine",
        reference="base",
        findings=(_merged(), _encoder(), _projector()),
        absent=(),
        unclaimed=("extra.weight",),
        tokenizers=TokenOverlap(shared=900, child=1000, parent=950),
        bytes_read=2_400_000,
        tests=60,
    )
    other = TraceReport(
        suspect="mine",
        reference="other",
        findings=(_turned(), _left_open(), _clear()),
        absent=("audio-encoder",),
        unclaimed=("extra.weight",),
        tokenizers=None,
        bytes_read=1_100_000,
        tests=30,
    )
    return Tracing(
        suspect="mine",
        reports=(base, other),
        facts=(
            OtherFacts(
                tokenizers=base.tokenizers,
                same_rows=0.75,
                same_settings=12,
                other_settings=(
                    Setting(key="num_hidden_layers", suspect="4", reference="3"),
                    Setting(key="rope_theta", suspect="10000.0", reference=None),
                ),
                configured=True,
            ),
            OtherFacts(notices=((Notice(name="LICENSE", digest=Digest.of(b"free")),), None)),
        ),
        chances=(
            Chance(component="language-body", reference=0, log10=-300.0, adjusted=-299.4),
            Chance(component="vision-encoder", reference=0, log10=-12.0, adjusted=-11.5),
            Chance(component="language-body", reference=1, log10=-80.0, adjusted=-79.5),
            Chance(component="vision-encoder", reference=1, log10=-6.2, adjusted=-5.9),
            Chance(component="projector", reference=1, log10=-0.2, adjusted=0.0),
        ),
        tests=90,
        seed=1,
        plan=Plan(),
    )


def example() -> str:
    """Return the run as the JSON document that `dokja trace --json` would print."""
    document = trace_document(tracing(), suspect=NAMES[0], references=NAMES[1:], exit_code=3)
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _estimate(value: float, low: float, high: float, **rests_on: int) -> Estimate:
    return Estimate(value=value, low=low, high=high, level=0.95, rests_on=tuple(rests_on.items()))


def _layers(value: float) -> tuple[LayerReading, ...]:
    return tuple(
        LayerReading(
            suspect=layer,
            reference=layer,
            value=value,
            standard_error=0.01,
            roles=(("down", value - 0.01), ("gate", value + 0.01)),
        )
        for layer in range(3)
    )


def _square(diagonal: float, beside: float) -> tuple[tuple[float | None, ...], ...]:
    return tuple(
        tuple(diagonal if row == column else beside for column in range(3)) for row in range(3)
    )


_CONTROLS = (
    ControlReading(kind="derived", name="reference-with-noise-0.5", value=0.5, found=True),
    ControlReading(kind="derived", name="reference-with-noise-0.3", value=0.3, found=True),
    ControlReading(kind="independent", name="reference-scrambled", value=-0.004, found=False),
)


def _branch(name: str, share: float, *, found: bool) -> BranchSummary:
    return BranchSummary(
        branch=name,
        share=share,
        log10_p=-80.0 if found else 0.0,
        null=0.01,
        basis=None if name == "coordinates" else 0.98,
        found=found,
        shares=tuple((layer, layer, share) for layer in range(3)),
        tests=9,
        agreements=tuple(
            LayerAgreement(
                suspect=layer, reference=layer, two=int(100 * share), three=int(96 * share), of=100
            )
            for layer in range(3)
        ),
        pairs=_square(share, 0.0),
    )


def _missing(name: str, why: str) -> BranchSummary:
    return BranchSummary(branch=name, missing=why)


def _merged() -> ComponentFinding:
    return ComponentFinding(
        component="language-body",
        role="language-body",
        reference_component="language-body",
        relations=(Relation.MERGED,),
        derivation=Derivation.YES,
        effect=_estimate(0.94, 0.92, 0.96, layers=3, tensors=6),
        layer_map=((0, 0), (1, 1), (2, 2)),
        layers=_layers(0.94),
        layers_compared=3,
        gains=GainReading(value=0.98, standard_error=0.05, gains=6, values=384),
        token_rows=(
            TokenRows(role="embedding", value=0.95, standard_error=0.02, tokens=900, related=True),
        ),
        controls=_CONTROLS,
        minimum_detectable=0.15,
        branches=(_branch("coordinates", 1.0, found=True),),
        merge=MergeReading(
            parents=("base", "third"),
            places=(0, 1),
            weights=(_estimate(0.7, 0.69, 0.71, layers=3), _estimate(0.3, 0.29, 0.31, layers=3)),
            left=0.0004,
            left_by_one=0.06,
            left_by_twin=0.055,
            layers=((0, (0.7, 0.3)), (1, (0.69, 0.31)), (2, (0.71, 0.29))),
            tensors=6,
            not_elected="it takes three references: a base, and two that were tuned from it",
        ),
        pairs=_square(0.94, 0.01),
        parameter_share=0.86,
        read_share=0.99,
        bytes_read=2_000_000,
        tests=40,
    )


def _encoder() -> ComponentFinding:
    return ComponentFinding(
        component="vision-encoder",
        role="vision-encoder",
        reference_component="vision-encoder",
        relations=(Relation.CONTINUALLY_PRETRAINED, Relation.SHARED_INITIALISATION),
        derivation=Derivation.CANNOT_TELL,
        direction=Direction.MODEL_FROM_REFERENCE,
        effect=_estimate(0.41, 0.35, 0.47, layers=3, tensors=6),
        layer_map=((0, 0), (1, 1), (2, 1)),
        layers=_layers(0.41),
        layers_compared=3,
        controls=_CONTROLS,
        minimum_detectable=0.2,
        branches=(
            _missing(
                "coordinates", "2 layers have no interior, and the outermost carry no finding"
            ),
            _missing("embeddings", "one side has no embeddings"),
        ),
        pairs=_square(0.41, -0.02),
        parameter_share=0.1,
        read_share=0.97,
        bytes_read=300_000,
        tests=18,
    )


def _projector() -> ComponentFinding:
    return ComponentFinding(
        component="projector",
        role="projector",
        reference_component="projector",
        relations=(Relation.NOT_TESTABLE,),
        derivation=Derivation.CANNOT_TELL,
        parameter_share=0.04,
        read_share=0.0,
        bytes_read=0,
        reasons=(Reason(code="lineage-shapes-differ"),),
    )


def _turned() -> ComponentFinding:
    return ComponentFinding(
        component="language-body",
        role="language-body",
        reference_component="language-body",
        relations=(Relation.FINE_TUNED,),
        derivation=Derivation.YES,
        measure="agreement",
        effect=_estimate(0.97, 0.9, 1.0, layers=1),
        layer_map=((0, 0), (1, 1), (2, 2)),
        layers_compared=3,
        controls=(
            ControlReading(
                kind="derived",
                name="agreement-with-noise-0.4",
                value=0.8,
                found=True,
                measure="agreement",
            ),
            ControlReading(
                kind="independent",
                name="reference-turned-apart",
                value=0.01,
                found=False,
                measure="agreement",
            ),
            ControlReading(
                kind="independent", name="third", value=0.02, found=False, measure="agreement"
            ),
        ),
        minimum_detectable=0.4,
        branches=(
            _branch("coordinates", 0.0, found=False),
            _branch("embeddings", 0.97, found=True),
        ),
        detectable=(("coordinates", 0.2), ("agreement", 0.4)),
        re_expressed=("residual_rotation", "ffn_permutation"),
        likeness=0.991,
        neuron_map=(
            NeuronMap(
                suspect=0,
                block="ffn",
                reference=0,
                reference_block="ffn",
                pairs=((0, 5), (1, 2)),
                of=3,
                among=8,
            ),
        ),
        adapter=AdapterReading(
            coefficient=_estimate(0.98, 0.95, 1.01, layers=3, matrices=6),
            likeness=0.97,
            twin=0.01,
            left=0.06,
            matrices=6,
            merged=False,
            untouched=False,
        ),
        unmapped_share=0.0,
        pairs=_square(0.01, 0.0),
        parameter_share=0.86,
        read_share=0.7,
        bytes_read=900_000,
        tests=20,
        reasons=(Reason(code="lineage-by-agreement", params={"branch": "embeddings"}),),
    )


def _left_open() -> ComponentFinding:
    return ComponentFinding(
        component="vision-encoder",
        role="vision-encoder",
        reference_component="vision-encoder",
        relations=(Relation.CONTINUALLY_PRETRAINED, Relation.NO_EVIDENCE),
        derivation=Derivation.CANNOT_TELL,
        effect=_estimate(0.12, 0.05, 0.19, layers=3, tensors=6),
        layers=_layers(0.12),
        layers_compared=3,
        controls=_CONTROLS,
        minimum_detectable=0.2,
        pairs=_square(0.12, 0.03),
        parameter_share=0.1,
        read_share=0.97,
        bytes_read=150_000,
        tests=9,
        reasons=(Reason(code="lineage-many-tests"),),
    )


def _clear() -> ComponentFinding:
    return ComponentFinding(
        component="projector",
        role="projector",
        reference_component="projector",
        relations=(Relation.NO_EVIDENCE,),
        derivation=Derivation.NO,
        effect=_estimate(0.002, -0.01, 0.014, layers=1, tensors=2),
        layers=_layers(0.002)[:1],
        layers_compared=1,
        controls=_CONTROLS,
        minimum_detectable=0.15,
        detectable=(("coordinates", 0.15), ("agreement", 0.4)),
        pairs=((0.002,),),
        parameter_share=0.04,
        read_share=1.0,
        bytes_read=50_000,
        tests=1,
    )
