"""What the runner costs a sample, beside lm-eval and Inspect: prints one table.

Run it from the root of the repository:

    python benchmarks/runner.py [--items 5000] [--peers] [--flat 1000000]

Items are Korean multiple-choice questions made from a seed. The endpoint runs in another process
and answers at once; what is counted is the CPU of the client's process and its children alone,
with hashing, scoring, the journal and the records. Every client runs twice, on few items and on
all: the difference is what a sample costs, the rest is what starting costs. `--peers` needs the
environment that `python3 run.py engines` makes; both engines run unmodified, with 64 requests at
once and their logs on. `--flat` runs ten thousand items once and so often that so many samples
come together, and compares the peaks of memory.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENGINES = ROOT / ".venvs/engines/bin"
CONCURRENCY = 64
FEW = 100
SUBJECTS = ("한국사", "경제", "물리", "법", "간호", "지리", "국어", "수학", "생물", "전산")
SAID = "ANSWER: B"
SUITE = """\
format = 1
name = "korean-choices"
version = "1"
licence = "CC0-1.0"
language = "ko"
budget_tokens = 16
clusters = ["subject"]
strata = "subject"
scorer = { kind = "choice" }
"""
TEMPLATE = """\
다음 물음에 알맞은 답을 고르고, 마지막 줄에 "ANSWER: 기호"라고만 쓰십시오.

{{question}}

{{choices}}
"""
LM_EVAL_TASK = """\
task: dokja_choices
dataset_path: json
dataset_kwargs:
  data_files:
    test: {items}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}\\nA. {{{{options[0]}}}}\\nB. {{{{options[1]}}}}\\n\
C. {{{{options[2]}}}}\\nD. {{{{options[3]}}}}\\nANSWER:"
doc_to_target: key
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
  max_gen_toks: 16
filter_list:
  - name: letter
    filter:
      - function: regex
        regex_pattern: "ANSWER: ([ABCD])"
      - function: take_first
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
INSPECT_TASK = """\
import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import choice
from inspect_ai.solver import multiple_choice

ITEMS = map(json.loads, Path(__file__).with_name("items.jsonl").read_text().splitlines())


@task
def dokja_choices():
    samples = [
        Sample(id=x["id"], input=x["question"], choices=x["options"], target=x["key"])
        for x in ITEMS
    ]
    return Task(
        dataset=MemoryDataset(samples, name="dokja_choices"),
        solver=multiple_choice(),
        scorer=choice(),
    )
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process took: CPU and wall seconds, peak of memory in MB."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def items(count: int) -> Iterator[dict[str, object]]:
    """Yield Korean multiple-choice items, the same ones every time."""
    chance = random.Random(20261126)  # noqa: S311  # the same items every time, no secret
    for number in range(count):
        subject = SUBJECTS[number % len(SUBJECTS)]
        left, right = chance.randrange(10**6), chance.randrange(10**6)
        options = [str(left + right + off) for off in (0, 1, 10, 100)]
        chance.shuffle(options)
        yield {
            "id": f"item-{number:07d}",
            "question": f"[{subject}] {left}에 {right}을 더한 값으로 옳은 것은 무엇입니까?",
            "choices": [{"label": x, "text": y} for x, y in zip("ABCD", options, strict=True)],
            "options": options,
            "key": "ABCD"[options.index(str(left + right))],
            "subject": subject,
        }


def write_suite(folder: Path, count: int) -> Path:
    """Write a suite folder of so many items."""
    folder.mkdir(parents=True)
    (folder / "suite.toml").write_text(SUITE)
    (folder / "template.txt").write_text(TEMPLATE)
    with (folder / "items.jsonl").open("w") as file:
        for item in items(count):
            said = {
                "id": item["id"],
                "question": item["question"],
                "choices": item["options"],
                "key": item["key"],
                "clusters": {"subject": item["subject"]},
            }
            file.write(json.dumps(said, ensure_ascii=False) + "\n")
    return folder


@contextmanager
def endpoint() -> Iterator[str]:
    """Give an endpoint in a process of its own."""
    said = json.dumps({"otherwise": SAID})
    words = [sys.executable, str(ROOT / "tests/simulators/endpoint.py"), said]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        port = (server.stdout.readline() if server.stdout else "").strip()
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def cost(words: list[str], *, folder: Path, home: Path | None = None) -> Cost:
    """Run a program to its end and return what it took, its children counted."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    if home is not None:
        home.mkdir(parents=True, exist_ok=True)
        env |= {
            "HOME": str(home),
            "HF_HOME": str(home / "hf"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "DOKJA_API_KEY": "none",
            "OPENAI_API_KEY": "none",
            "NO_PROXY": "127.0.0.1",
        }
    log = folder / f"said-{time.monotonic_ns()}.txt"
    began = time.monotonic()
    with log.open("wb") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said, cwd=folder, env=env)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"{words[0]} ended with {process.returncode}: {log.read_text()[-2000:]}")
    return Cost(cpu_s=used.ru_utime + used.ru_stime, wall_s=wall, peak_mb=used.ru_maxrss / 1024)


def dokja(folder: Path, url: str, count: int, *, epochs: int = 1) -> Cost:
    """Measure with Dokja."""
    name = f"dokja-{count}-{epochs}"
    suite = write_suite(folder / f"{name}-suite", count)
    words = [sys.executable, "-m", "dokja", "measure", "always-right", "--endpoint", url]
    words += ["--suite", str(suite), "--out", str(folder / name), "--sentinels", "0"]
    words += ["--concurrency", str(CONCURRENCY), "--epochs", str(epochs)]
    return cost(words, folder=folder)


def lm_eval(folder: Path, url: str, count: int) -> Cost:
    """Measure with lm-eval."""
    place = folder / f"lm-eval-{count}"
    place.mkdir()
    rows = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items(count))
    (place / "items.jsonl").write_text(rows)
    (place / "task.yaml").write_text(LM_EVAL_TASK.format(items=place / "items.jsonl"))
    arguments = (
        f"model=always-right,base_url={url}/chat/completions,num_concurrent={CONCURRENCY},"
        "tokenizer_backend=None,max_retries=1"
    )
    words = [str(ENGINES / "lm_eval"), "run", "--model", "local-chat-completions"]
    words += ["--model_args", arguments, "--tasks", "dokja_choices", "--include_path", str(place)]
    words += ["--apply_chat_template", "--output_path", str(place / "out"), "--log_samples"]
    return cost(words, folder=place, home=folder / "home")


def inspect(folder: Path, url: str, count: int) -> Cost:
    """Measure with Inspect."""
    place = folder / f"inspect-{count}"
    place.mkdir()
    rows = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items(count))
    (place / "items.jsonl").write_text(rows)
    (place / "dokja_choices.py").write_text(INSPECT_TASK)
    words = [str(ENGINES / "inspect"), "eval", "dokja_choices.py", "--model-base-url", url]
    words += ["--model", "openai-api/dokja/always-right", "--log-dir", str(place / "out")]
    words += ["--max-connections", str(CONCURRENCY), "--max-retries", "1", "--display", "none"]
    words += ["--no-log-realtime", "--ctl-server", "false", "--no-fail-on-error"]
    return cost(words, folder=place, home=folder / "home")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--flat", type=int, default=0, metavar="SAMPLES")
    wanted = parser.parse_args()
    clients = {"dokja measure": dokja}
    if wanted.peers and ENGINES.exists():
        clients |= {"lm-eval": lm_eval, "Inspect": inspect}
    elif wanted.peers:
        print("no peers: make their environment with python3 run.py engines")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch, endpoint() as url:
        folder = Path(scratch)
        print(f"{wanted.items} items, {CONCURRENCY} at once")
        print(f"{'':<14} {'ms CPU a sample':>16} {'start, s CPU':>13} {'samples/s':>10} {'MB':>5}")
        for name, client in clients.items():
            few, all_of_them = client(folder, url, FEW), client(folder, url, wanted.items)
            each = (all_of_them.cpu_s - few.cpu_s) / (wanted.items - FEW)
            rate = wanted.items / all_of_them.wall_s
            print(
                f"{name:<14} {each * 1e3:>16.3f} {few.cpu_s - FEW * each:>13.2f} "
                f"{rate:>10.0f} {all_of_them.peak_mb:>5.0f}",
                flush=True,
            )
        run = folder / f"dokja-{wanted.items}-1"
        size = (run / "journal.jsonl").stat().st_size / wanted.items
        bodies = (run / "blobs/bodies.pack").stat().st_size / wanted.items
        print(f"journal {size:.0f} bytes a sample, compressed bodies {bodies:.0f}")
        if wanted.flat:
            flat(folder, url, wanted.flat)


def flat(folder: Path, url: str, samples: int) -> None:
    """Print the peaks of memory of ten thousand samples and of many more of the same items."""
    count = 10_000
    once = dokja(folder, url, count)
    often = dokja(folder, url, count, epochs=samples // count)
    print(f"{count} samples {once.peak_mb:.0f} MB, {samples} samples {often.peak_mb:.0f} MB")
    print(f"{samples / often.wall_s:.0f} samples/s, {often.cpu_s / samples * 1e3:.3f} ms CPU each")


if __name__ == "__main__":
    main()
