"""What the forge's tests share: a small corpus, a start from a seed, and a job for them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dokja.documents.packing import CorpusFacts, write_corpus
from dokja.models.forge.engines import Job, write_job, write_weights
from dokja.models.forge.engines.jobs import AdamW, Batch, Keep, Teacher
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest

TINY = {
    "vocabulary": 256,
    "width": 32,
    "layers": 2,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 64,
    "positions": 64,
}


@dataclass(frozen=True)
class Workplace:
    """A folder with a job file, its data and its start weights."""

    folder: Path
    job: Job

    @property
    def path(self):
        return self.folder / "job.json"


@pytest.fixture(scope="session")
def tiny():
    """Sizes of a network of the size of tests."""
    return dict(TINY)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A corpus of 20,000 bytes of invented text."""
    folder = tmp_path_factory.mktemp("corpus") / "ko"
    text = "".join(np.random.default_rng(1).choice(list("abcdefg hij\n"), 20_000))
    write_corpus(
        [text],
        folder,
        encode=lambda said: list(said.encode()),
        facts=CorpusFacts(
            name="ko",
            tokenizer=Digest.of(b"bytes"),
            vocabulary=256,
            licence="CC0-1.0",
            origin="invented",
            collected="2026-01-15",
            personal_data="none",
        ),
    )
    return folder


@pytest.fixture(scope="session")
def make_workplace(tmp_path_factory, corpus):
    """Return a maker of workplaces; each has its own folder, all share the corpus."""

    def make(structure=None, *, steps=20, **settings):
        folder = tmp_path_factory.mktemp("run")
        structure = structure or Structure(family="llama", **TINY)
        write_weights(
            folder / "start", dict(initialise(structure, b"seed")), config=structure.config()
        )
        (folder / "data").symlink_to(corpus.parent)
        said = {
            "plan": "sha256:" + "0" * 64,
            "structure": structure,
            "start": "start",
            "steps": steps,
            "batch": Batch(sequences=8, length=32, micro=4),
            "optimizer": AdamW(lr=1e-3),
            "schedule": Schedule(
                kind="warmup-linear", warmup_steps=5, final=0.1, total_steps=max(steps, 5)
            ),
            "data": {
                "seed": "aa",
                "sources": [
                    {"name": "ko", "corpus": "data/ko", "weight": 1.0, "max_repeats": 1000}
                ],
            },
            "keep": Keep(checkpoint_every=10, dense_until=1),
            "log_every": 4,
        }
        job = Job(**{**said, **settings})
        write_job(job, folder / "job.json")
        return Workplace(folder, job)

    return make


@pytest.fixture(scope="session")
def make_taught(tmp_path_factory, make_workplace):
    """Return a maker of workplaces whose job has a teacher with opinions of its own."""

    def make(structure=None, *, share, temperature=2.0, teacher=None, **settings):
        teacher = teacher or Structure(family="llama", **{**TINY, "width": 48, "ffn": 96})
        folder = tmp_path_factory.mktemp("teacher")
        # Fresh weights would give every token the same probability.
        loud = {name: 4 * tensor for name, tensor in initialise(teacher, b"teacher")}
        write_weights(folder / "weights", loud, config=teacher.config())
        said = Teacher(
            weights="teacher/weights",
            root=root_text(root(source_digests(open_source(folder / "weights")))),
            structure=teacher,
            share=share,
            temperature=temperature,
        )
        workplace = make_workplace(structure, teacher=said, **settings)
        (workplace.folder / "teacher").symlink_to(folder)
        return workplace

    return make
