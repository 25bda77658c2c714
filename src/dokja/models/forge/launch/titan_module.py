"""What torchtitan 0.3 runs for a plan: the module with its settings, and the conversion back."""

__all__ = ["TITAN_CONVERT", "TITAN_MODULE"]

TITAN_MODULE = '''\
"""Settings of torchtitan 0.3 for one plan. Written by Dokja; change the plan, not this file.

Everything with a number comes from titan.json beside this file. Needs torchtitan and dokja.
"""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from torchtitan.components.checkpoint import CheckpointManager
from torchtitan.components.dataloader import BaseDataLoader
from torchtitan.components.loss import ChunkedLossWrapper, CrossEntropyLoss
from torchtitan.components.metrics import MetricsProcessor
from torchtitan.components.optimizer import (
    LRSchedulersContainer,
    OptimizersContainer,
    ParamGroupConfig,
)
from torchtitan.config import ParallelismConfig, TrainingConfig
from torchtitan.config.configs import DebugConfig
from torchtitan.models.common import ComplexRoPE, Embedding, Linear, RMSNorm
from torchtitan.models.common.config_utils import (
    decoder_vocab_size,
    get_attention_config,
    make_ffn_config,
    make_gqa_config,
)
from torchtitan.models.llama3 import Llama3Model, model_registry
from torchtitan.models.llama3.model import Llama3TransformerBlock
from torchtitan.trainer import Trainer

from dokja.models.forge.corpora import open_data
from dokja.models.forge.schedules import factor

HERE = Path(__file__).parent
SAID = json.loads((HERE / "titan.json").read_text(encoding="utf-8"))
JOB = SAID["job"]
IGNORED = -100


class PlanData(BaseDataLoader):
    """The plan's batches: step t sees the instances from (t - 1) B up to t B."""

    @dataclass(kw_only=True, slots=True)
    class Config(BaseDataLoader.Config):
        pass

    def __init__(self, config, *, dp_world_size, dp_rank, seq_len, local_batch_size, **_):
        self.data = open_data(JOB["data"], base=HERE, length=seq_len)
        self.world, self.rank, self.rows = dp_world_size, dp_rank, local_batch_size
        self.drawn = 0

    def __iter__(self):
        while True:
            first = (self.drawn * self.world + self.rank) * self.rows
            rows = self.data.batch(first, first + self.rows)
            window = torch.from_numpy(np.ascontiguousarray(rows))
            self.drawn += 1
            labels = torch.full_like(window, IGNORED)
            labels[:, :-1] = window[:, 1:]
            positions = torch.arange(window.shape[1]).repeat(window.shape[0], 1)
            yield {"input": window, "positions": positions}, labels

    def state_dict(self):
        return {"drawn": self.drawn}

    def load_state_dict(self, state):
        self.drawn = int(state.get("drawn", 0))


class PlanSchedule(LRSchedulersContainer):
    """The plan's learning rates, step by step; torchtitan's own fall one step later."""

    @dataclass(kw_only=True, slots=True)
    class Config(LRSchedulersContainer.Config):
        def build(self, *, optimizers, training_steps):
            return LRSchedulersContainer(optimizers, lambda done: factor(JOB["schedule"], done + 1))


def structure():
    """The plan's network; its first weights are overwritten by those that are loaded."""
    said = JOB["structure"]
    width, epsilon = said["width"], said["epsilon"]
    matrix = {"weight": partial(nn.init.normal_, std=0.02), "bias": nn.init.zeros_}
    rows = {"weight": partial(nn.init.normal_, std=0.02)}
    ones = {"weight": nn.init.ones_}

    def norm():
        return RMSNorm.Config(normalized_shape=width, eps=epsilon, param_init=ones)

    def block():
        rope = ComplexRoPE.Config(
            dim=said["head_width"],
            max_seq_len=said["positions"],
            theta=said["rope_theta"],
            scaling="none",
        )
        return Llama3TransformerBlock.Config(
            attention_norm=norm(),
            ffn_norm=norm(),
            attention=make_gqa_config(
                dim=width,
                n_heads=said["heads"],
                n_kv_heads=said["kv_heads"],
                head_dim=said["head_width"],
                wqkv_param_init=matrix,
                wo_param_init=matrix,
                inner_attention=get_attention_config("flex"),
                fuse_qkv=True,
                rope=rope,
            ),
            feed_forward=make_ffn_config(
                dim=width, hidden_dim=said["ffn"], w1_param_init=matrix, w2w3_param_init=matrix
            ),
        )

    return Llama3Model.Config(
        dim=width,
        vocab_size=said["vocabulary"],
        enable_weight_tying=said["tied"],
        tok_embeddings=Embedding.Config(
            num_embeddings=said["vocabulary"], embedding_dim=width, param_init=rows
        ),
        norm=norm(),
        lm_head=Linear.Config(
            in_features=width, out_features=said["vocabulary"], param_init=matrix
        ),
        layers=[block() for _ in range(said["layers"])],
    )


def optimizer():
    """AdamW; gains have no weight decay."""
    said = JOB["optimizer"]
    shared = {"lr": said["lr"], "betas": tuple(said["betas"]), "eps": said["eps"]}
    return OptimizersContainer.Config(
        param_groups=[
            ParamGroupConfig(
                pattern=r"norm\\.weight$",
                optimizer_name="AdamW",
                optimizer_kwargs=shared | {"weight_decay": 0.0},
            ),
            ParamGroupConfig(
                pattern=r".*",
                optimizer_name="AdamW",
                optimizer_kwargs=shared | {"weight_decay": said["weight_decay"]},
            ),
        ],
        implementation="fused" if JOB["fused"] else "foreach" if JOB["foreach"] else "for-loop",
    )


def plan():
    """What `--config plan` means."""
    spec = model_registry("debugmodel")
    spec.model, spec.flavor = structure(), "plan"
    batch = JOB["batch"]
    start = str((HERE / JOB["start"]).resolve())
    return Trainer.Config(
        loss=ChunkedLossWrapper.Config(
            loss_fn=CrossEntropyLoss.Config(global_vocab_size=decoder_vocab_size(spec))
        ),
        model_spec=spec,
        hf_assets_path=start,
        dump_folder=str(HERE / "titan"),
        metrics=MetricsProcessor.Config(log_freq=1, enable_tensorboard=True),
        dataloader=PlanData.Config(),
        optimizer=optimizer(),
        lr_scheduler=PlanSchedule.Config(warmup_steps=JOB["schedule"]["warmup_steps"]),
        training=TrainingConfig(
            local_batch_size=SAID["local_batch"],
            global_batch_size=batch["sequences"],
            seq_len=batch["length"],
            max_norm=JOB["optimizer"]["clip"],
            steps=JOB["steps"],
            dtype="float32",
            mixed_precision_param="bfloat16" if JOB["precision"] == "bf16" else "float32",
        ),
        parallelism=ParallelismConfig(**SAID["parallelism"]),
        checkpoint=CheckpointManager.Config(
            enable=True,
            folder="checkpoint",
            interval=JOB["keep"]["checkpoint_every"],
            keep_latest_k=0,
            initial_load_path=start,
            initial_load_in_hf=True,
            initial_load_model_only=True,
            last_save_model_only=True,
            last_save_in_hf=True,
            export_dtype="float32",
        ),
        debug=DebugConfig(seed=0, deterministic=SAID["deterministic"]),
    )
'''

TITAN_CONVERT = '''\
"""Turns a checkpoint of torchtitan into safetensors. Written by Dokja; the builder runs it.

convert_titan.py STEP_FOLDER HF_FOLDER

torch's distributed form holds pickles, and reading it runs them: do this where you trained, and
hand in only HF_FOLDER.
"""

import shutil
import sys
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import save_file

from dokja_titan import HERE, JOB, plan

source, target = Path(sys.argv[1]), Path(sys.argv[2])
start = str((HERE / JOB["start"]).resolve())
spec = plan().model_spec
state = spec.model.build().state_dict()
dcp.load(state, checkpoint_id=str(source))
adapter = spec.state_dict_adapter(spec.model, start)
tensors = {
    name: tensor.to(torch.float32).contiguous() for name, tensor in adapter.to_hf(state).items()
}
unfinished = target.with_name(f".{target.name}.unfinished")
unfinished.mkdir(parents=True)
save_file(tensors, unfinished / "model.safetensors", metadata={"format": "pt"})
shutil.copyfile(Path(start) / "config.json", unfinished / "config.json")
unfinished.rename(target)
'''
