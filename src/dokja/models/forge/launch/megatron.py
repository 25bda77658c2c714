"""Attaches Megatron: writes arguments of Megatron-LM and the lines that start it.

Megatron-LM 0.16 (`pretrain_gpt.py`, megatron/training/arguments.py) takes its settings as
arguments; Megatron-Bridge 0.3 turns Hugging Face weights into its checkpoints and back
(`AutoBridge.import_ckpt`, `export_ckpt`), and so start and end of the run are weights that the
forge can open. What Megatron does in another way than the plan says is told by `differences`.
"""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines import Job
from dokja.models.forge.importers.whole import write_whole
from dokja.models.forge.launch.files import write_launch
from dokja.models.forge.launch.parallelism import Parallelism
from dokja.models.forge.launch.request import Determinism, LaunchRequest

__all__ = ["BRIDGE_VERSION", "VERSION", "differences", "megatron_files", "write_megatron"]

VERSION = "0.16"
"""The release of Megatron-LM whose arguments are written."""

BRIDGE_VERSION = "0.3.1"
"""The release of Megatron-Bridge that turns the weights."""

_DECAY = {"constant": "constant", "warmup-linear": "linear", "warmup-cosine": "cosine"}


def megatron_files(
    job: Job, *, parallelism: Parallelism, request: LaunchRequest, data_path: str
) -> dict[str, str]:
    """Return Megatron's arguments and the conversions by their file names.

    Args:
        job: What is trained; its paths are relative to the request's folder.
        parallelism: How it is spread over the request's GPUs.
        request: What is asked of the cluster.
        data_path: The tokens in Megatron's own indexed form, without `.bin`.

    Raises:
        RecipeError: Megatron cannot train this; every reason is in it.
    """
    gpus = request.nodes * request.gpus_per_node
    mistakes = [*_mistakes(job, data_path), *parallelism.mistakes(job, gpus=gpus)]
    if mistakes:
        raise RecipeError(mistakes)
    arguments = [
        *_structure_arguments(job),
        *_training_arguments(job),
        *_parallel_arguments(job, parallelism),
        *_output_arguments(job, request, data_path),
    ]
    lines = [" ".join(shlex.quote(word) for word in argument) for argument in arguments]
    return {
        "megatron.args": "\n".join(lines) + "\n",
        "convert_megatron.py": _CONVERT.format(start=job.start, final=job.final),
        "start_megatron.py": _START,
    }


def write_megatron(
    job: Job, folder: Path, *, parallelism: Parallelism, request: LaunchRequest, data_path: str
) -> tuple[Path, ...]:
    """Write arguments, conversions and launch files, and return where they are.

    Args:
        job: What is trained.
        folder: Where to write; it need not be the request's, which is the cluster's.
        parallelism: How it is spread over the GPUs.
        request: What is asked of the cluster; its command is Megatron's `pretrain_gpt.py`.
        data_path: The tokens in Megatron's own indexed form, without `.bin`.

    Raises:
        RecipeError: Megatron cannot train this; nothing was written. Or the
            folder cannot be written to.
    """
    files = megatron_files(job, parallelism=parallelism, request=request, data_path=data_path)
    paths = []
    for name, content in files.items():
        write_whole(folder / name, content.encode(), refusal=RecipeError)
        paths.append(folder / name)
    # `start_megatron.py` reads the arguments from the file, whose name is the launch files' job.
    started = replace(
        request,
        command=("start_megatron.py", *request.command),
        job=request.job.with_name("megatron.args"),
    )
    return (*paths, *write_launch(started, folder))


def differences(job: Job) -> tuple[tuple[str, str], ...]:
    """Return what Megatron does otherwise than the plan says: what, and how.

    Args:
        job: What is trained.
    """
    found = [
        ("instances", "Megatron shuffles its own indexed data; the plan's order is not followed."),
        ("batch", "A window has length + 1 tokens, so that every position is predicted."),
    ]
    if job.schedule.warmup_steps:
        found.append(
            ("schedule", "The warm-up begins at 0: step t has the rate that the plan has at t - 1.")
        )
    return tuple(found)


def _structure_arguments(job: Job) -> Iterator[list[str]]:
    structure = job.structure
    yield ["--use-mcore-models"]
    yield ["--num-layers", str(structure.layers)]
    yield ["--hidden-size", str(structure.width)]
    yield ["--ffn-hidden-size", str(structure.ffn)]
    yield ["--num-attention-heads", str(structure.heads)]
    if structure.kv_heads != structure.heads:
        yield ["--group-query-attention"]
        yield ["--num-query-groups", str(structure.kv_heads)]
    yield ["--kv-channels", str(structure.head_width)]
    yield ["--max-position-embeddings", str(structure.positions)]
    yield ["--position-embedding-type", "rope"]
    yield ["--rotary-base", f"{structure.rope_theta:g}"]
    yield ["--normalization", "RMSNorm"]
    yield ["--norm-epsilon", repr(structure.epsilon)]
    yield ["--swiglu"]
    yield ["--disable-bias-linear"]
    yield ["--attention-dropout", "0.0"]
    yield ["--hidden-dropout", "0.0"]
    if not structure.tied:
        yield ["--untie-embeddings-and-output-weights"]


def _training_arguments(job: Job) -> Iterator[list[str]]:
    optimizer, schedule = job.optimizer, job.schedule
    yield ["--seq-length", str(job.batch.length)]
    yield ["--micro-batch-size", str(job.batch.micro)]
    yield ["--global-batch-size", str(job.batch.sequences)]
    yield ["--train-iters", str(job.steps)]
    yield ["--optimizer", "adam"]  # with decoupled decay, which is Megatron's default
    yield ["--lr", repr(optimizer.lr)]
    yield ["--min-lr", repr(optimizer.lr * schedule.final)]
    yield ["--lr-decay-style", _DECAY[schedule.kind]]
    yield ["--lr-decay-iters", str(schedule.total_steps)]
    yield ["--lr-warmup-iters", str(schedule.warmup_steps)]
    yield ["--adam-beta1", repr(optimizer.betas[0])]
    yield ["--adam-beta2", repr(optimizer.betas[1])]
    yield ["--adam-eps", repr(optimizer.eps)]
    yield ["--weight-decay", repr(optimizer.weight_decay)]
    yield ["--clip-grad", repr(optimizer.clip or 0.0)]
    if job.precision == "bf16":
        yield ["--bf16"]


def _parallel_arguments(job: Job, parallelism: Parallelism) -> Iterator[list[str]]:
    yield ["--tensor-model-parallel-size", str(parallelism.tensor)]
    yield ["--pipeline-model-parallel-size", str(parallelism.pipeline)]
    yield ["--context-parallel-size", str(parallelism.context)]
    if parallelism.sharded and parallelism.data > 1:
        yield ["--use-distributed-optimizer"]
    # The vocabulary is padded to this times the tensor degree; one leaves the plan's rows.
    yield ["--make-vocab-size-divisible-by", "1"]
    yield ["--vocab-size", str(job.structure.vocabulary)]


def _output_arguments(job: Job, request: LaunchRequest, data_path: str) -> Iterator[list[str]]:
    yield ["--tokenizer-type", "NullTokenizer"]
    yield ["--data-path", data_path]
    yield ["--split", "1000,0,0"]
    yield ["--seed", "1"]
    yield ["--load", "megatron-checkpoints"]
    yield ["--pretrained-checkpoint", "megatron-start"]
    yield ["--save", "megatron-checkpoints"]
    yield ["--save-interval", str(job.keep.checkpoint_every)]
    yield ["--log-interval", "1"]
    yield ["--log-throughput"]
    yield ["--tensorboard-dir", "tensorboard"]
    yield ["--tensorboard-log-interval", "1"]
    yield ["--eval-iters", "0"]
    if request.determinism == Determinism.STRICT:
        yield ["--deterministic-mode"]  # no flash attention; reported 3 to 8 % slower
        yield ["--attention-backend", "fused"]


def _mistakes(job: Job, data_path: str) -> Iterator[Mistake]:
    structure = job.structure
    if structure.family != "llama" or structure.window is not None:
        read, expected = structure.family, "llama with full attention"
        yield _mistake("structure.family", read, expected)
    if job.trainable != "all" or job.adapter is not None:
        yield _mistake("trainable", str(job.trainable), "all weights in training")
    if job.first_step:
        expected = "a training from its first step: Megatron counts from the weights it loads"
        yield _mistake("first_step", str(job.first_step), expected)
    if job.teacher is not None:
        yield _mistake("teacher", "a teacher", "a training on data alone")
    if not data_path or not data_path.isprintable():
        yield _mistake("data_path", repr(data_path[:60]), "a path of printable signs")


def _mistake(place: str, read: str, expected: str) -> Mistake:
    return Mistake(file="job", place=place, read=read, expected=expected)


_START = '''\
"""Starts Megatron with the arguments of a file. Written by Dokja; change the plan, not this file.

Called as: start_megatron.py [Python arguments of Megatron's own script] megatron.args
"""

import runpy
import shlex
import sys

script, *given, listed = sys.argv[1:]
with open(listed, encoding="utf-8") as stream:
    sys.argv = [script, *given, *shlex.split(stream.read())]
runpy.run_path(script, run_name="__main__")
'''

_CONVERT = '''\
"""Turns the plan's start into a Megatron checkpoint, and Megatron's back. Written by Dokja.

convert_megatron.py start                       before the run
convert_megatron.py back CHECKPOINT STEP        for each checkpoint that is to be verified
"""

import sys

from megatron.bridge import AutoBridge

START, FINAL = {start!r}, {final!r}

if sys.argv[1] == "start":
    AutoBridge.import_ckpt(START, "megatron-start")
else:
    place, step = sys.argv[2:]
    AutoBridge.from_hf_pretrained(START).export_ckpt(place, f"hf/step-{{step}}")
'''
