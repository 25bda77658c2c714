"""Makes a build record of a sealed chain and of what the plan says of the components.

What the chain says is taken from the chain, and nothing of it is said twice by hand: builder,
recipe, plan, code, environment, seed, stages, checkpoints, metrics, interruptions, exports and
compute. The caller adds what only the plan and the manifests know, and it must fit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dokja.errors import Mistake, RecordError
from dokja.models.forge.forms import read_form
from dokja.models.forge.records.bodies import (
    Body,
    Checkpoint,
    Commit,
    Export,
    Init,
    Interruption,
    Metrics,
    Seal,
    Stage,
)
from dokja.models.forge.records.chain import Chain, Said
from dokja.models.forge.records.facts import (
    Builder,
    ChainFacts,
    Component,
    Compute,
    DataSource,
    Seed,
    Span,
    Tokenizer,
    WitnessedSteps,
)
from dokja.models.forge.records.liveness import liveness
from dokja.models.forge.records.record import BuildRecord
from dokja.models.forge.records.register import KeyRegister

__all__ = ["PlanFacts", "make_record", "with_shares"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """What a record takes from the plan and its manifests.

    Attributes:
        name: Of the recipe.
        size: At which it was resolved.
        claim_table: Version of the claim table.
        claim: What followed under it.
        components: With what came out: root, file manifest.
        data: Every source.
        tokenizer: None where no text was trained on.
        steps: Planned steps of each trained component, by its id.
    """

    name: str
    size: str
    claim_table: str
    claim: Mapping[str, Any]
    components: tuple[Component, ...]
    data: tuple[DataSource, ...] = ()
    tokenizer: Tokenizer | None = None
    steps: Mapping[str, int] = field(default_factory=dict)


def with_shares(components: Sequence[Component]) -> tuple[Component, ...]:
    """Return components with their shares of all parameters that were counted."""
    total = sum(one.parameters or 0 for one in components)
    return tuple(
        replace(one, share=None if one.parameters is None or not total else one.parameters / total)
        for one in components
    )


def make_record(chain: Chain, facts: PlanFacts, *, keys: KeyRegister | None = None) -> BuildRecord:
    """Return the record of a run.

    Args:
        chain: Of the run, sealed.
        facts: What the plan and the manifests say.
        keys: Witnesses whose receipts count; None where all count.

    Raises:
        RecordError: The chain has no commit, init or seal, or the plan's facts do not fit what
            the chain says; every mistake is in it.
    """
    commit, init, seal = chain.commit, chain.init, chain.seal
    if commit is None or init is None or seal is None:
        raise RecordError(list(_missing(chain)))
    compute = read_form(Compute, dict(seal.compute), file=chain.file, place="seal, compute")
    mistakes = list(_misfits(chain.file, facts, seal)) + list(
        _other_data(chain.file, facts, commit)
    )
    if mistakes:
        raise RecordError(mistakes)
    last = chain.links[-1]
    return BuildRecord(
        name=facts.name,
        size=facts.size,
        recipe=commit.recipe,
        plan=commit.plan,
        claim_table=facts.claim_table,
        claim=facts.claim,
        builder=Builder(name=commit.builder, key=last.signer),
        span=Span(started=chain.links[0].entry.at, finished=last.entry.at),
        code=commit.code,
        environment=commit.environment,
        seed=_seed(commit, init, seal),
        components=with_shares(facts.components),
        data=facts.data,
        order=commit.order,
        tokenizer=facts.tokenizer,
        stages=_said(chain, Stage),
        checkpoints=_said(chain, Checkpoint),
        metrics=_said(chain, Metrics),
        interruptions=_said(chain, Interruption),
        exports=_said(chain, Export),
        compute=compute,
        chain=_chain_facts(chain, facts.steps, keys=keys),
    )


def _said(chain: Chain, kind: type[Said]) -> tuple[Said, ...]:
    return tuple(said for _, said in chain.of(kind))


def _seed(commit: Commit, init: Init, seal: Seal) -> Seed:
    return Seed(
        commitment=commit.nonce,
        origin=init.origin,
        value=init.seed,
        nonce=init.nonce or seal.nonce,
        receipt=init.receipt,
    )


def _chain_facts(chain: Chain, steps: Mapping[str, int], *, keys: KeyRegister | None) -> ChainFacts:
    trained = sorted({*steps, *(said.component for _, said in chain.of(Metrics))})
    witnessed = {}
    for component in trained:
        found = liveness(chain, component=component, steps=steps.get(component), keys=keys)
        witnessed[component] = WitnessedSteps(
            steps=found.steps, live=found.live, late=found.late, unwitnessed=found.unwitnessed
        )
    receipts = [link.receipt for link in chain.links if link.receipt is not None]
    return ChainFacts(
        digest=chain.digest,
        head=chain.head,
        entries=len(chain.links),
        witnesses=tuple(sorted({receipt.witness for receipt in receipts})),
        witnessed=witnessed,
    )


def _missing(chain: Chain) -> Iterator[Mistake]:
    parts: tuple[tuple[str, Body | None], ...] = (
        ("commit", chain.commit),
        ("init", chain.init),
        ("seal", chain.seal),
    )
    for kind, body in parts:
        if body is None:
            yield Mistake(
                file=chain.file,
                place=kind,
                read="no such entry",
                expected="a chain that was committed, begun and sealed",
                remedy="Resume the run until it is done: dokja forge run --resume",
            )


def _misfits(file: str, facts: PlanFacts, seal: Seal) -> Iterator[Mistake]:
    """Find components whose root or files are others than the sealed ones."""
    for component in facts.components:
        for place, said, sealed in (
            ("root", component.root, seal.roots.get(component.id)),
            ("files", component.files, seal.files.get(component.id)),
        ):
            if said != sealed:
                yield Mistake(
                    file=file,
                    place=f"seal, {place} of {component.id}",
                    read=str(sealed),
                    expected=f"{said}, which was found on the disk",
                )
    for name in sorted({*seal.roots, *seal.files} - {one.id for one in facts.components}):
        expected = "only components of the plan"
        yield Mistake(file=file, place="seal", read=f"the component {name}", expected=expected)


def _other_data(file: str, facts: PlanFacts, commit: Commit) -> Iterator[Mistake]:
    """Find data or a tokenizer that the builder was not bound to."""
    said = {source.name: source.manifest for source in facts.data}
    for name in sorted({*said, *commit.data}):
        if said.get(name) != commit.data.get(name):
            yield Mistake(
                file=file,
                place=f"commit, data {name}",
                read=str(commit.data.get(name)),
                expected=f"{said.get(name)}, the manifest that was found",
            )
    digest = None if facts.tokenizer is None else facts.tokenizer.digest
    if digest != commit.tokenizer:
        yield Mistake(
            file=file,
            place="commit, tokenizer",
            read=str(commit.tokenizer),
            expected=f"{digest}, the tokenizer that was found",
        )
