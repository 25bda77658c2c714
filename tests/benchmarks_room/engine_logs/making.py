"""Runs lm-eval and Inspect, unmodified and offline, on a few items of ours against an endpoint.

Nothing of a hub is asked: items stand in this file, the task of lm-eval is written beside them,
and so is the task of Inspect, and the endpoint is on this machine. As a program it leaves logs of
both engines in a folder, for whoever wants to look at real ones:

    .venvs/engines/bin/python tests/benchmarks_room/engine_logs/making.py build/engine-logs
"""

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHOICES = ("A", "B", "C", "D")
ITEMS = [
    {
        "id": f"q{number:02d}",
        "question": f"{number} 더하기 {number + 1}은 무엇입니까?",
        "choices": [str(2 * number + 1 + offset) for offset in (0, 2, 3, 5)],
        "answer": CHOICES[number % 4],
        "subject": ("수와 연산", "문자와 식")[number % 2],
    }
    for number in range(12)
]
"""Choices are turned so that the key varies; the right one always stands under the key."""

for _item in ITEMS:
    _turn = CHOICES.index(_item["answer"])
    _right, *_rest = _item["choices"]
    _item["choices"] = [*_rest[:_turn], _right, *_rest[_turn:]]

LM_EVAL_TASK = """\
task: dokja_sums
dataset_path: json
dataset_kwargs:
  data_files:
    test: {items}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}\\nA. {{{{choices[0]}}}}\\nB. {{{{choices[1]}}}}\\n\
C. {{{{choices[2]}}}}\\nD. {{{{choices[3]}}}}\\nAnswer with one letter."
doc_to_target: answer
repeats: {repeats}
generation_kwargs:
  until: []
  do_sample: false
  temperature: 0.0
  max_gen_toks: 16
filter_list:
  - name: letter
    filter:
      - function: regex
        regex_pattern: "([ABCD])(?!NSWER)"
      - function: take_first
  - name: strict
    filter:
      - function: regex
        regex_pattern: "^([ABCD])$"
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
def dokja_sums():
    samples = [
        Sample(
            id=item["id"],
            input=item["question"],
            choices=item["choices"],
            target=item["answer"],
            metadata={"subject": item["subject"]},
        )
        for item in ITEMS
    ]
    return Task(
        dataset=MemoryDataset(samples, name="dokja_sums"),
        solver=multiple_choice(),
        scorer=choice(),
    )
"""


class RandomEndpoint(ThreadingHTTPServer):
    """Answers chat completions at random, each time anew, as a sampling model does.

    What it says follows from the seed, the question and how often that came, so that a run's score
    does not hang on the order in which an engine's requests happen to arrive.

    Attributes:
        asked: How many completions were asked for.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, seed=0, lying=None, port=0):
        self.seed = seed
        self.came = Counter()
        self.lying = lying
        self.asked = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def said(self, question):
        with self.lock:
            self.asked += 1
            self.came[question] += 1
            time = self.came[question]
        if self.lying is not None:
            return self.lying
        chance = random.Random(f"{self.seed} {time} {question}")  # noqa: S311  # no secret
        sayings = ("{}", "ANSWER: {}", "ANSWER: {}", "({}) it is", "I cannot say")
        return chance.choice(sayings).format(chance.choice(CHOICES))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = self.server.said(json.dumps(asked["messages"]))
        message = {"role": "assistant", "content": text}
        said = {
            "id": f"chatcmpl-{self.server.asked}",
            "object": "chat.completion",
            "created": 1_780_000_000,
            "model": asked["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34},
        }
        raw = json.dumps(said, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Set-Cookie", "session=secret-cookie")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        """Stay silent."""


@contextmanager
def endpoint(**options):
    """Give a running random endpoint."""
    server = RandomEndpoint(**options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lm_eval_words(folder, *, url, out, repeats=1, concurrent=4):
    """Write the task of lm-eval into a folder; return the command that runs it."""
    items = write_items(folder)
    (folder / "dokja_sums.yaml").write_text(LM_EVAL_TASK.format(items=items, repeats=repeats))
    arguments = (
        f"model=stub,base_url={url}/chat/completions,num_concurrent={concurrent},"
        "tokenizer_backend=None,max_retries=1"
    )
    return [
        str(program("lm_eval")),
        *("run", "--model", "local-chat-completions", "--model_args", arguments),
        *("--tasks", "dokja_sums", "--include_path", str(folder), "--apply_chat_template"),
        *("--output_path", str(out), "--log_samples"),
    ]


def inspect_words(folder, *, out, log_format="json", epochs=1, url=None):
    """Return the command that runs Inspect, from within that folder: it wants tasks beside it.

    Without `url` the environment names the endpoint.
    """
    write_items(folder)
    (folder / "dokja_sums.py").write_text(INSPECT_TASK)
    place = [] if url is None else ["--model-base-url", url]
    return [
        str(program("inspect")),
        *("eval", "dokja_sums.py", "--model", "openai-api/dokja/stub", *place),
        *("--log-dir", str(out), "--log-format", log_format, "--epochs", str(epochs)),
        *("--max-connections", "4", "--max-retries", "1", "--display", "none"),
        *("--no-log-realtime", "--ctl-server", "false", "--no-fail-on-error"),
    ]


def write_items(folder):
    """Write the items into a folder; return their file."""
    folder.mkdir(parents=True, exist_ok=True)
    items = folder / "items.jsonl"
    items.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in ITEMS))
    return items


def program(name):
    """Return an engine's program, which lies beside the Python that runs the tests."""
    return Path(sys.executable).parent / name


def offline(home):
    """Return an environment in which an engine asks nobody but its endpoint."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_DATA_HOME": str(home / "data"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "DOKJA_API_KEY": "sk-not-to-be-kept",
        "OPENAI_API_KEY": "sk-not-to-be-kept",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


def engine(words, *, home):
    """Run an engine to its end; return what it said."""
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        words, env=offline(home), cwd=home, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = f"{words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)
    return done.stdout + done.stderr


def make_logs(folder, *, seed=0, epochs=2, repeats=1):
    """Make logs of both engines; return where they lie.

    Returns:
        `lm_eval`: the folder with `results_*.json` and `samples_*.jsonl`; `inspect_eval` and
        `inspect_json`: a log of Inspect in each format; `asked`: completions asked for by each.
    """
    made = {}
    with endpoint(seed=seed) as server:
        out = folder / "lm_eval"
        words = lm_eval_words(folder / "task", url=server.url, out=out, repeats=repeats)
        engine(words, home=folder / "home")
        made["lm_eval"] = next(out.rglob("results_*.json")).parent
        made["asked"] = {"lm_eval": server.asked}
        for log_format in ("eval", "json"):
            before = server.asked
            out = folder / f"inspect-{log_format}"
            words = inspect_words(
                folder / "home", out=out, log_format=log_format, epochs=epochs, url=server.url
            )
            engine(words, home=folder / "home")
            made[f"inspect_{log_format}"] = next(out.glob(f"*.{log_format}"))
            made["asked"][f"inspect_{log_format}"] = server.asked - before
    return made


if __name__ == "__main__":
    for _name, _place in make_logs(Path(sys.argv[1]).resolve()).items():
        print(f"{_name}: {_place}")  # noqa: T201  # it is a program
