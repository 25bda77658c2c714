# ruff: noqa: PLC0415  # the plain environment, which collects this file too, has no torch
"""The importers against what the foreign libraries themselves write."""

import json
import math
import warnings

import numpy as np
import pytest

from dokja.models.forge.importers import FaultKind, read_log

pytestmark = pytest.mark.torch


def test_scalars_that_pytorch_writes_are_read(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tensorboard's own imports warn of what they will lose
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(tmp_path)) as writer:
            for step in range(1, 41):
                loss = math.nan if step == 7 else 6 - step / 16
                writer.add_scalar("loss_metrics/global_avg_loss", loss, step, walltime=1e9 + step)
                writer.add_scalar("lr/AdamW/0", step / 1024, step, walltime=1e9 + step)
                writer.add_scalar("grad_norm", 0.0, step, walltime=1e9 + step, new_style=True)
                writer.add_scalar(
                    "double", 0.1, step, walltime=1e9 + step, new_style=True, double_precision=True
                )
            writer.add_histogram("weights", np.arange(9.0), 1)
            writer.add_text("words", "a text", 1)

    read = read_log(tmp_path)

    assert set(read.series) == {"loss", "lr", "grad_norm", "double"}
    assert read.series["loss"].step.tolist() == list(range(1, 41))
    np.testing.assert_array_equal(
        read.series["loss"].value, [math.nan if s == 7 else 6 - s / 16 for s in range(1, 41)]
    )
    assert read.series["lr"].value.tolist() == [s / 1024 for s in range(1, 41)]
    assert read.series["grad_norm"].value.tolist() == [0.0] * 40
    assert read.series["double"].value.tolist() == [0.1] * 40
    assert read.series["loss"].at[0] == np.datetime64(10**9 + 1, "s")
    assert [(fault.kind, fault.step) for fault in read.faults] == [(FaultKind.NOT_FINITE, 7)]


def test_our_values_are_those_of_tensorboards_own_reader(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(tmp_path)) as writer:
            for step in range(100):
                writer.add_scalar("train/loss", 1 / (step + 3), step)
        oracle = EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
        oracle.Reload()
        theirs = oracle.Scalars("train/loss")

    ours = read_log(tmp_path).series["loss"]

    assert ours.step.tolist() == [event.step for event in theirs]
    assert ours.value.tolist() == [event.value for event in theirs]
    assert ours.at.astype(np.int64).tolist() == [round(event.wall_time * 1e6) for event in theirs]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A real run of the Trainer: two layers, 20 steps, logged every 4, saved every 10."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

    folder = tmp_path_factory.mktemp("trainer")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    tokens = torch.randint(0, 64, (80, 16), generator=torch.Generator().manual_seed(1))
    rows = [{"input_ids": row, "labels": row} for row in tokens]
    losses = []

    class Watched(Trainer):
        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            losses.append(float(loss))
            return loss

    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=20,
        per_device_train_batch_size=4,
        logging_steps=4,
        save_steps=10,
        learning_rate=1e-2,
        warmup_steps=5,
        lr_scheduler_type="linear",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        include_num_input_tokens_seen="all",
        dataloader_pin_memory=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of transformers, about itself
        Watched(model=LlamaForCausalLM(config), args=arguments, train_dataset=rows).train()
    return folder, losses


def test_a_real_trainer_state_is_read(trained):
    folder, losses = trained

    read = read_log(folder)

    assert read.kind == "trainer"
    assert read.files[0][0] == "trainer_state.json"
    loss = read.series["loss"]
    assert loss.step.tolist() == [4, 8, 12, 16, 20]
    means = np.array(losses).reshape(5, 4).mean(axis=1)
    np.testing.assert_allclose(loss.value, means, rtol=1e-6)
    assert loss.averaged is True
    assert read.series["tokens"].value.tolist() == [256.0, 512.0, 768.0, 1024.0, 1280.0]
    assert read.faults == ()


def test_the_trainers_learning_rate_is_that_of_the_step_itself(trained):
    folder, _ = trained

    lr = read_log(folder).series["lr"]

    def factor(step):  # of update `step`, whose scheduler has counted step - 1
        return (step - 1) / 5 if step - 1 < 5 else (20 - (step - 1)) / 15

    np.testing.assert_allclose(lr.value, [1e-2 * factor(s) for s in (4, 8, 12, 16, 20)], rtol=1e-9)
    assert lr.leads == 0


def test_a_checkpoint_state_is_the_history_so_far(trained):
    folder, _ = trained

    said = json.loads((folder / "checkpoint-10" / "trainer_state.json").read_text())
    read = read_log(folder / "checkpoint-10")

    assert said["global_step"] == 10
    assert read.series["loss"].step.tolist() == [4, 8]
