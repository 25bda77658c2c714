import json
import os
import struct
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import LogError
from dokja.models.forge.importers import FaultKind, LogKind, find_logs, read_log
from dokja.models.forge.importers.points import Points

# Lines as torchtitan 0.3.0 and Megatron-LM 0.16 print them, the first with its colours.
TITAN = (
    "[rank0]:[titan] 2026-01-02 03:04:{second:02d},678 - root - INFO - \033[31mstep: {step:2}  "
    "\033[32mloss: {loss:8.5f}  \033[38;2;180;60;0mgrad_norm: {norm:7.4f}  "
    "\033[38;2;54;234;195mmemory:  1.50GiB(1.90%)  \033[34mtps: 7,213  \033[36mtflops: 3.21  "
    "\033[35mmfu: 1.03%\033[39m\n"
)
MEGATRON = (
    " [2026-01-02 03:04:{second:02d}.123456] iteration {step:8d}/     500 | consumed samples: "
    "{samples:12d} | elapsed time per iteration (ms): 812.3 | throughput per GPU (TFLOP/s/GPU): "
    "401.2 | learning rate: {lr:.6E} | global batch size:   256 |{loss} loss scale: 1.0 | "
    "grad norm: {norm:.3f} | number of skipped iterations:   0 | number of nan iterations: "
    "{nan:3d} |\n"
)


def titan(steps):
    lines = [TITAN.format(step=s, second=s, loss=8 - s / 8, norm=1.5) for s in steps]
    return "[titan] 2026-01-02 03:04:00,000 - root - INFO - torchtitan version: 0.3.0\n" + "".join(
        lines
    )


def megatron(steps, nan_at=()):
    return "training ...\n" + "".join(
        MEGATRON.format(
            step=s,
            second=s,
            samples=256 * s,
            lr=1e-5 * s,
            norm=5.123,
            loss="" if s in nan_at else f" lm loss: {10 - s / 8:.6E} |",
            nan=int(s in nan_at),
        )
        for s in steps
    )


def test_torchtitan_output_is_read_with_colours_and_thousands(tmp_path):
    path = tmp_path / "job.out"
    path.write_text(titan([1, 10, 20, 30]))

    read = read_log(path, utc_offset_minutes=540)

    assert read.kind == LogKind.TITAN
    assert read.series["loss"].step.tolist() == [1, 10, 20, 30]
    assert read.series["loss"].value.tolist() == [7.875, 6.75, 5.5, 4.25]
    assert read.series["tps"].value.tolist() == [7213.0] * 4
    assert str(read.series["loss"].at[0]) == "2026-01-01T18:04:01.678000"
    assert read.series["loss"].averaged is False
    assert read.faults == ()
    assert read.missing == ("lr", "tokens")


def test_validation_lines_of_torchtitan_are_not_training(tmp_path):
    line = "[titan] 2026-01-02 03:04:05,678 - root - INFO - validate step:  2  loss:  1.0000  \
memory:  1.50GiB(1.90%)  tps: 7,213\n"
    path = tmp_path / "job.out"
    path.write_text(titan([1, 2, 3]) + line)

    assert read_log(path).series["loss"].value.tolist() == [7.875, 7.75, 7.625]


def test_a_cut_line_of_torchtitan_gives_no_number_that_may_have_lost_digits(tmp_path):
    path = tmp_path / "job.out"
    path.write_text(titan([1, 2, 3])[: -len("  tps: 7,213  tflops: 3.21  mfu: 1.03%") - 30])

    read = read_log(path)

    assert read.series["loss"].step.tolist() == [1, 2]
    assert [(fault.kind, fault.place) for fault in read.faults] == [(FaultKind.CUT, "line 4")]


def test_megatron_output_is_read_and_its_meanings_are_said(tmp_path):
    path = tmp_path / "slurm-41.out"
    path.write_text(megatron([10, 20, 30]))

    read = read_log(path)

    assert read.kind == LogKind.MEGATRON
    assert read.series["loss"].value.tolist() == [8.75, 7.5, 6.25]
    assert read.series["lr"].value.tolist() == [1e-4, 2e-4, 3e-4]
    assert read.series["grad_norm"].value.tolist() == [5.123] * 3
    assert read.series["consumed samples"].value.tolist() == [2560.0, 5120.0, 7680.0]
    assert (read.series["loss"].averaged, read.series["lr"].leads) == (True, 1)
    assert read.faults == ()


def test_a_loss_that_megatron_left_out_is_a_fault(tmp_path):
    path = tmp_path / "slurm-41.out"
    path.write_text(megatron([10, 20, 30], nan_at=[20]))

    read = read_log(path)

    assert read.series["loss"].step.tolist() == [10, 30]
    assert [str(fault) for fault in read.faults] == [
        "absent, line 3, step 20: read no loss (number of nan iterations 1, number of skipped \
iterations 0); expected a loss; Megatron leaves out one that is NaN."
    ]


def test_every_fault_is_told_at_once(tmp_path):
    rows = [
        {"step": 1, "loss": 5.0, "time": 100.0},
        {"step": 2, "loss": float("nan"), "time": 101.0},
        {"step": 3, "loss": 4.0, "time": 90.0},
        {"step": 3, "loss": 4.5, "time": 102.0},
        {"step": 4, "loss": 4.0, "time": 103.0},
        {"step": 9, "loss": 3.0, "time": 104.0},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "words\n" + '{"step": 10, "l')

    read = read_log(path)

    assert [(fault.kind.value, fault.place, fault.step) for fault in read.faults] == [
        ("clock", "line 3", 3),
        ("unreadable", "line 7", None),
        ("cut", "line 8", None),
        ("repeated", "", 3),
        ("not-finite", "line 2", 2),
        ("gap", "", 4),
    ]
    assert read.series["loss"].value.tolist()[2:] == [4.5, 4.0, 3.0]


def test_an_unknown_kind_is_an_error_that_names_the_known(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("we trained for a while\n")

    with pytest.raises(LogError) as caught:
        read_log(path)

    assert caught.value.mistakes[0].read == "no log of a known kind"


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(LogError, match="No such file"):
        read_log(tmp_path / "none.jsonl")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "log.jsonl")

    with pytest.raises(LogError, match="pipe"):
        read_log(tmp_path / "log.jsonl")


def test_a_folder_with_several_logs_lists_them(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"step": 1, "loss": 1.0}\n')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.out").write_text(titan([1]))

    with pytest.raises(LogError) as caught:
        read_log(tmp_path)

    assert caught.value.mistakes[0].read == "2 logs: a.jsonl (jsonl), sub/b.out (torchtitan)"
    assert read_log(tmp_path, kind=LogKind.TITAN).kind == "torchtitan"


def test_the_newest_trainer_state_of_a_folder_is_taken(tmp_path):
    for number in (5, 10, 9):
        place = tmp_path / f"checkpoint-{number}"
        place.mkdir()
        history = [{"step": number, "loss": 1.0}]
        (place / "trainer_state.json").write_text(json.dumps({"log_history": history}))

    assert read_log(tmp_path).series["loss"].step.tolist() == [10]
    assert [files[0].parent.name for _, files in find_logs(tmp_path)] == ["checkpoint-10"]


def state(count=5):
    history = [
        {"epoch": s / 5, "grad_norm": 1.0, "learning_rate": 1e-3 / s, "loss": 6.0 - s, "step": s}
        for s in range(1, count + 1)
    ]
    return json.dumps({"best_metric": None, "log_history": history, "max_steps": count}, indent=2)


def test_trainer_state_is_read_with_nan_and_without_what_is_no_number(tmp_path):
    path = tmp_path / "trainer_state.json"
    path.write_text(state().replace("3.0", "NaN"))

    read = read_log(path)

    assert list(read.series) == ["grad_norm", "loss", "lr"]
    assert [(fault.kind, fault.place) for fault in read.faults] == [
        (FaultKind.NOT_FINITE, "entry 3")
    ]
    assert np.isnat(read.series["loss"].at).all()
    assert read.series["loss"].averaged is True


@given(st.integers(min_value=0, max_value=len(state()) - 1))
def test_a_trainer_state_cut_anywhere_gives_whole_entries_or_an_error(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "trainer_state.json"
    path.write_text(state()[:length])

    try:
        read = read_log(path, kind=LogKind.TRAINER)
    except LogError:
        whole = 0
    else:
        whole = len(read.series["loss"].step)
        assert read.series["loss"].value.tolist() == [6.0 - s for s in range(1, whole + 1)]
        assert FaultKind.CUT in {fault.kind for fault in read.faults}
    assert whole == sum(state()[:length].count(f'"step": {s}\n    }}') for s in range(1, 6))


# Two records of a history, byte for byte as wandb 0.31.0 wrote them.
ROW = (
    b"\x08\x07\x12\xb3\x01\n\x12\x12\ntrain/loss\x82\x01\x035.4\n\x1d\x12\x13train/learning_rate"
    b"\x82\x01\x050.001\n\x15\x12\x0ftrain/grad_norm\x82\x01\x011\n\x17\x12\x11train/global_step"
    b"\x82\x01\x011\n%\x12\n_timestamp\x82\x01\x161.7956919661446702e+09\n\x18\x12\x08_runtime"
    b"\x82\x01\x0b0.252190033\n\x0b\x12\x05_step\x82\x01\x010\x12\x00"
)
REQUEST = b"\x08\x09\x1a\x18\n\x0b\x12\x05_step\x82\x01\x011\n\x09\x12\x03x/y\x82\x01\x017"


def offline(*records, block=32_768):
    data = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
    for record in records:
        first, rest = True, record
        while first or rest:
            left = block - len(data) % block
            if left < 7:
                data += bytes(left)
                continue
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[
                first, not rest
            ]
            checksum = zlib.crc32(bytes([kind]) + part)
            data += struct.pack("<IHB", checksum, len(part), kind) + part
            first = False
    return data


def test_an_offline_file_of_wandb_is_read(tmp_path):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(offline(b"\x08\x01", ROW, REQUEST))

    read = read_log(path)

    assert {name: series.value.tolist() for name, series in read.series.items()} == {
        "loss": [5.4],
        "lr": [0.001],
        "grad_norm": [1.0],
    }
    assert read.series["loss"].step.tolist() == [1]  # the trainer's, not W&B's 0
    assert str(read.series["loss"].at[0]) == "2026-11-26T11:19:26.144670"


def test_an_offline_record_may_run_over_blocks(tmp_path):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(offline(b"\x08\x01" + b"\x2a\x80\x80\x04" + bytes(65_536), ROW))

    assert read_log(path).series["loss"].value.tolist() == [5.4]


def test_a_wrong_checksum_and_a_cut_of_an_offline_file_are_faults(tmp_path):
    path = tmp_path / "run-a.wandb"
    damaged = bytearray(offline(b"\x08\x01", ROW, ROW))
    damaged[20] ^= 1
    path.write_bytes(damaged[:-3] if damaged else b"")

    with pytest.raises(LogError):
        read_log(path)

    path.write_bytes(offline(ROW) + b"\0\0\0")
    assert [fault.kind for fault in read_log(path).faults] == [FaultKind.CUT]


def test_an_offline_file_of_another_version_says_how_to_export(tmp_path):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(b":W&B" + struct.pack("<HB", 0xBEE1, 9) + bytes(30))

    with pytest.raises(LogError, match=r"scan_history\(\)"):
        read_log(path)


def test_a_table_of_a_whole_history_is_read(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("_step,_timestamp,train/loss,note\n0,1.7e9,5.5,a\n1,1.7e9,NaN,b\n2,1.7e9,,\n")

    read = read_log(path)

    assert read.kind == "wandb-table"
    assert read.series["loss"].step.tolist() == [0, 1]
    assert [fault.kind for fault in read.faults] == [FaultKind.NOT_FINITE]


def test_a_chart_of_several_runs_is_an_error_that_names_them(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text('"Step","a - train/loss","b - train/loss"\n1,5.5,5.5\n')

    with pytest.raises(LogError, match="2 runs: a, b"):
        read_log(path)


def test_a_history_of_wandb_as_json_lines_takes_its_words_for_nan(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"_step": 0, "train/loss": 5.5}\n{"_step": 1, "train/loss": "NaN"}\n')

    read = read_log(path)

    assert read.kind == "wandb"
    assert [fault.kind for fault in read.faults] == [FaultKind.NOT_FINITE]


values = st.one_of(st.floats(allow_nan=True), st.integers(-(10**6), 10**6).map(float))
points_of_a_log = st.lists(
    st.tuples(st.sampled_from(["loss", "lr", "mfu"]), st.integers(0, 50), values), min_size=1
)


@given(points_of_a_log)
def test_metrics_come_back_from_their_file(tmp_path_factory, logged):
    folder = tmp_path_factory.mktemp("metrics")
    points = Points(unit="line")
    last = {}
    for place, (name, step, value) in enumerate(logged, start=1):
        points.add(name, value, step=step, seconds=1.7e9 + place, place=place)
        last[step, name] = value  # the slow twin: a dictionary keeps the last
    read = points.metrics(kind="jsonl", files=())

    read.write_metrics(folder / "metrics.jsonl")
    again = read_log(folder / "metrics.jsonl")

    assert again.kind == "dokja"
    assert sorted(last) == sorted(
        (int(step), name) for name, series in again.series.items() for step in series.step
    )
    for name, series in again.series.items():
        kept = [last[int(step), name] for step in series.step]
        np.testing.assert_array_equal(series.value, kept)
        np.testing.assert_array_equal(series.at, read.series[name].at)


@given(st.sets(st.integers(1, 60), min_size=3))
def test_gaps_are_where_steps_are_further_apart_than_most(steps):
    points = Points(unit="line")
    ordered = sorted(steps)
    for place, step in enumerate(ordered):
        points.add("loss", 1.0, step=step, seconds=None, place=place)
    apart = [after - before for before, after in pairwise(ordered)]
    stride = min(set(apart), key=lambda one: (-apart.count(one), one))
    wide = [one > stride for one in [ordered[0], *apart]]
    # Neighbouring gaps of one width are told once.
    runs = 1 if ordered[0] > max(stride, 1) else 0
    runs += sum(
        here and not (place > 0 and wide[place] and apart[place - 1] == apart[place])
        for place, here in enumerate(wide[1:])
    )

    found = [f for f in points.metrics(kind="x", files=()).faults if f.kind is FaultKind.GAP]

    assert len(found) == runs


def test_names_without_end_are_cut_off_and_said(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = [{"step": 1, **{f"n{place}_{row}": 1 for place in range(999)}} for row in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    read = read_log(path)

    assert len(read.series) == 10_000
    assert [fault.kind for fault in read.faults] == [FaultKind.UNREADABLE]


def test_faults_without_end_are_counted(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "loss": 1.0}\n' + "words\n" * 250)

    read = read_log(path)

    assert len(read.faults) == 101
    assert read.faults[-1].read == "150 more like these"
