"""A small run with everything in it, sealed, and what its plan says: made once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dokja.models.forge.records import (
    BuildRecord,
    Chain,
    ChainWriter,
    Checkpoint,
    Code,
    Commit,
    Component,
    DataSource,
    Export,
    Init,
    Interruption,
    KeyRegister,
    KeyRole,
    Leaf,
    LeafKind,
    LocalWitness,
    LogSpan,
    Metrics,
    NamedLoss,
    PlanFacts,
    Probe,
    RegisteredKey,
    Seal,
    SeedOrigin,
    Stage,
    StateDigest,
    Tokenizer,
    draw_seed,
    file_manifest,
    make_record,
)
from dokja.values import Digest
from dokja.values.keys import SigningKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NONCE = bytes(range(32))


def root(word):
    return f"dokja-tensors-v1:{Digest.of(word).hex}"


def state(step):
    return StateDigest(
        step=step,
        tokens=step * 1024,
        cursor=step * 8,
        weights=root(b"weights %d" % step),
        optimizer=root(b"moments %d" % step),
    )


def metrics(first, last, **other):
    log = LogSpan(file="events.jsonl", start=first, stop=last, digest=Digest.of(b"log"))
    words = {"component": "body", "tokens": last * 1024, "loss": 2.5, "log": log, **other}
    return Metrics(first=first, last=last, **words)


@dataclass(frozen=True)
class Run:
    """A run as it lies there, and what its plan says."""

    folder: Path
    builder: SigningKey
    keys: KeyRegister
    chain: Chain
    facts: PlanFacts

    @property
    def record(self) -> BuildRecord:
        return make_record(self.chain, self.facts, keys=self.keys)


def clock_from(at):
    moments = iter(at + timedelta(minutes=1) * number for number in range(10_000))
    return lambda: next(moments)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A sealed run of a depth-up-scaled Korean model; read it, never write to it."""
    folder = tmp_path_factory.mktemp("run")
    for name, data in (("model/model.safetensors", b"weights"), ("model/config.json", b"{}")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer/tokenizer.json").write_bytes(b"{}")
    builder = SigningKey("team.example", bytes(32))
    witness = SigningKey("witness.example", bytes(31) + b"\x01")
    facts = plan_facts(folder)
    clock = clock_from(NOON)
    with ChainWriter(
        folder,
        signer=builder,
        clock=clock,
        witness=LocalWitness(folder / "outside/journal.jsonl", key=witness, clock=clock),
    ) as writer:
        committed = writer.append(commit(facts))
        receipt = committed.receipt
        for body in (
            Init(
                seed=draw_seed(committed.entry.body.plan, NONCE, receipt=receipt).hex(),
                origin=SeedOrigin.RECEIPT,
                nonce=NONCE.hex(),
                receipt=Digest.of(receipt.to_bytes()),
                roots={"body": root(b"weights 0")},
            ),
            *course(),
            seal(facts),
        ):
            writer.append(body)
        chain = writer.chain
    keys = KeyRegister(
        keys=tuple(
            RegisteredKey(
                holder=holder, role=role, key=key.verifier, valid_from=NOON - timedelta(days=1)
            )
            for holder, role, key in (
                ("독자팀", KeyRole.BUILDER, builder),
                ("w", KeyRole.WITNESS, witness),
            )
        )
    )
    return Run(folder=folder, builder=builder, keys=keys, chain=chain, facts=facts)


def plan_facts(folder):
    model, tokenizer = file_manifest(folder / "model"), file_manifest(folder / "tokenizer")
    body = Component(
        id="body",
        role="language-model",
        parameters=900_000,
        share=None,
        leaves=(
            Leaf(kind=LeafKind.OPEN, name="zoo/base-09m", root=root(b"base"), licence="Apache-2.0"),
        ),
        steps=({"do": "dus", "map": [0, 1, 2, 1, 2, 3]}, {"do": "train", "teacher": "zoo/big"}),
        licence="Apache-2.0",
        signature={"norm": "pre-rms", "ffn": "swiglu"},
        structure={"family": "llama", "layers": 6, "width": 128},
        root=root(b"final"),
        files=model.digest,
        size=model.bytes,
    )
    bpe = Component(
        id="tokenizer",
        role="tokenizer",
        parameters=None,
        share=None,
        leaves=(Leaf(kind=LeafKind.SCRATCH, name="byte-bpe"),),
        steps=(),
        licence=None,
        signature=None,
        structure=None,
        root=None,
        files=tokenizer.digest,
        size=tokenizer.bytes,
    )
    news = DataSource(
        name="ko-news",
        manifest=Digest.of(b"news"),
        mixture="ko-mix",
        weight=0.7,
        max_repeats=4,
        documents=1200,
        tokens=2_000_000,
        bytes=4_000_000,
        languages=("ko",),
        licence="KOGL Type 1",
        origin="공공누리 뉴스",
        collected="2025-01-01/2025-06-30",
        filters=("중복 제거", "adult content"),
        personal_data="names of public persons",
    )
    return PlanFacts(
        name="false|name",
        size="cpu",
        claim_table="2026-01",
        claim={"model": "T3", "components": {"body": "T3"}},
        components=(body, bpe),
        data=(news,),
        tokenizer=Tokenizer(digest=tokenizer.digest, vocabulary=2000, corpus=Digest.of(b"news")),
        steps={"body": 200},
    )


def commit(facts):
    return Commit(
        builder="독자팀",
        recipe=Digest.of(b"recipe"),
        plan=Digest.of(b"plan"),
        code=Code(commit="0f" * 20, difference=Digest.of(b"difference")),
        environment={"python": "3.11", "threads": 1, "devices": ["cpu"]},
        data={source.name: source.manifest for source in facts.data},
        order="dokja.order/1",
        tokenizer=facts.tokenizer.digest,
        bases={"body": root(b"base")},
        nonce=Digest.of(NONCE),
        archive_share=0.25,
        dense_until=100,
    )


def course():
    return (
        Stage(
            component="body",
            index=0,
            do="dus",
            step=0,
            terms={"map": [0, 1, 2, 1, 2, 3]},
            before=root(b"base"),
            after=root(b"weights 0"),
        ),
        Stage(component="body", index=1, do="train", step=0, terms={}, before=root(b"weights 0")),
        metrics(1, 100),
        Probe(
            component="body",
            before=state(90),
            after=state(100),
            losses=(NamedLoss(instance=800, loss=2.25),),
        ),
        Checkpoint(component="body", state=state(100), folder="checkpoints/step-00000100"),
        Interruption(component="body", step=120, reason="preempted", resumed_at=100),
        metrics(101, 200, loss=2.125),
        Export(
            component="body",
            format="gguf",
            method="q8_0",
            parent=root(b"final"),
            file="exports/body.gguf",
            digest=Digest.of(b"gguf"),
            quality={"bits_per_byte": 0.0004},
        ),
    )


def seal(facts):
    return Seal(
        roots={one.id: one.root for one in facts.components if one.root is not None},
        files={one.id: one.files for one in facts.components},
        compute={
            "device_hours": {"cpu": 0.02},
            "flop": 1.5e12,
            "energy_kwh": None,
            "jobs": ["slurm-7"],
        },
    )
