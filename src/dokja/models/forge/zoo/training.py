"""One training of the zoo: its job is written, and what came of it becomes a record."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokja.documents.packing import Corpus
from dokja.models.forge.engines import Job, read_events, write_job, write_weights
from dokja.models.forge.engines.jobs import AdamW, Adapter, Batch, Keep
from dokja.models.forge.engines.tensors import sync_folder
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.transforms import items
from dokja.models.forge.zoo.blueprints import Blueprint
from dokja.models.forge.zoo.corpora import corpus_form, token_entropy
from dokja.models.forge.zoo.making import Made
from dokja.models.forge.zoo.manifest import RECORD, model_folder, write_json
from dokja.models.forge.zoo.records import Parent, ZooRecord
from dokja.models.forge.zoo.tiers import FamilyTier
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["GROWING", "finish", "job_path", "prepare"]

GROWING = ".growing"
_CHECKPOINT_EVERY = 200
_LAST_SHARE = 0.1


def job_path(folder: Path, name: str) -> Path:
    """Return where the job of a model in training lies."""
    return folder / GROWING / name / "job.json"


def prepare(
    blueprint: Blueprint, begun: Made, *, folder: Path, corpus: Corpus, share: FamilyTier
) -> Path:
    """Write start weights and job of a training that was not begun yet; return the job's path.

    Args:
        blueprint: What is made; its last step trains.
        begun: What the steps before made.
        folder: Of the zoo.
        corpus: What it is trained on.
        share: Batch and root steps.
    """
    path = job_path(folder, blueprint.name)
    if path.exists():
        return path
    shutil.rmtree(path.parent, ignore_errors=True)
    path.parent.mkdir(parents=True)
    write_weights(path.parent / "start", dict(items(begun.tensors)), config=begun.config)
    write_job(_job(blueprint, begun, corpus=corpus, share=share), path)
    return path


def _job(blueprint: Blueprint, begun: Made, *, corpus: Corpus, share: FamilyTier) -> Job:
    step = blueprint.steps[-1]
    steps = int(step["steps"])
    instances = steps * share.sequences
    source: dict[str, Json] = {
        "name": step["corpus"],
        "corpus": f"../../corpora/{step['corpus']}",
        "weight": 1.0,
        "max_repeats": 1 + instances // max(1, corpus.windows(share.length)),
    }
    adapter = step["adapter"]
    trainable = step["trainable"]
    recipe = Digest.of(canonical_bytes({"name": blueprint.name, "recipe": blueprint.recipe()}))
    return Job(
        plan=str(recipe),
        structure=begun.structure,
        start="start",
        steps=steps,
        batch=Batch(sequences=share.sequences, length=share.length, micro=share.sequences),
        optimizer=AdamW(lr=float(step["lr"])),
        schedule=Schedule(
            kind="warmup-linear", total_steps=steps, warmup_steps=min(10, steps), final=0.1
        ),
        trainable=trainable if isinstance(trainable, str) else tuple(trainable),
        adapter=None if adapter is None else _adapter(adapter),
        data={"seed": step["order"], "sources": [source]},
        keep=Keep(checkpoint_every=_CHECKPOINT_EVERY),
    )


def _adapter(said: Mapping[str, Any]) -> Adapter:
    return Adapter(
        rank=said["rank"],
        alpha=said["alpha"],
        targets=tuple(said["targets"]),
        seed=said["seed"],
    )


def finish(
    blueprint: Blueprint,
    begun: Made,
    *,
    folder: Path,
    corpus: Corpus,
    parents: tuple[Parent, ...],
    teacher: Parent | None,
) -> ZooRecord:
    """Give a trained model its place and its record, both at once; return the record.

    Args:
        blueprint: What was made.
        begun: What the steps before the training made.
        folder: Of the zoo.
        corpus: What it was trained on.
        parents: Whose weights went in.
        teacher: Whose answers it learned from.
    """
    place = job_path(folder, blueprint.name).parent
    told = _told(blueprint, place / "events.jsonl", corpus=corpus)
    record = ZooRecord(
        name=blueprint.name,
        family=blueprint.family,
        structure=begun.structure,
        parents=parents,
        teacher=teacher,
        recipe=blueprint.steps,
        steps=(*begun.steps, told),
        root=root_text(root(source_digests(open_source(place / "model")))),
        stored=True,
    )
    shutil.copyfile(place / "events.jsonl", place / "model" / "events.jsonl")
    write_json(place / "model" / RECORD, record.to_json())
    target = model_folder(folder, blueprint.name)
    target.parent.mkdir(exist_ok=True)
    (place / "model").rename(target)
    sync_folder(target.parent)
    shutil.rmtree(place)
    return record


def _told(blueprint: Blueprint, events: Path, *, corpus: Corpus) -> dict[str, Json]:
    """Return the record of a training that came to its end."""
    losses = read_events(events).metrics().loss
    step = blueprint.steps[-1]
    return {
        "kind": "train",
        "engine": step["engine"],
        "steps": step["steps"],
        "lr": step["lr"],
        "order": step["order"],
        "trainable": step["trainable"],
        "adapter": step["adapter"],
        "corpus": {
            "name": step["corpus"],
            "form": corpus_form(step["corpus"]),
            "digest": str(Digest.of(canonical_bytes(corpus.manifest.to_json()))),
        },
        "loss": {
            "first": round(float(losses[0]), 6),
            "last": round(float(losses[-max(1, round(_LAST_SHARE * len(losses))) :].mean()), 6),
            "unigram": round(token_entropy(corpus), 6),
        },
    }
