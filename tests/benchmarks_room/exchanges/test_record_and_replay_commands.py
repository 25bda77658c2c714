"""`dokja record` and `dokja replay` around a small engine of ours, as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from dokja.cli.commands import run
from dokja.errors import InputError
from dokja.evidence.benchmarks.exchanges.engine_scores import read_scores

pytestmark = pytest.mark.loopback

ENGINE = """
import json, os, sys, urllib.error, urllib.request
out, items, key = sys.argv[1], int(sys.argv[2]), os.environ["OPENAI_API_KEY"]
said = []
for n in range(items):
    body = {"model": "m", "messages": [{"role": "user", "content": f"item {n}"}]}
    asked = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer " + key},
    )
    try:
        with urllib.request.urlopen(asked) as came:
            said.append(json.load(came)["choices"][0]["message"]["content"])
    except urllib.error.HTTPError as error:
        said.append(json.load(error)["error"]["code"])
score = sum("A" in text for text in said) / items
results = {"results": {"ours": {"acc,none": score, "said,none": len(set(said)), "alias": "ours"}}}
with open(out, "w") as file:
    json.dump({**results, "versions": {"ours": 1}}, file)
print("engine speaks")
"""


@pytest.fixture
def engine():
    def words(out, items=8):
        return [sys.executable, "-c", ENGINE, str(out), str(items)]

    return words


@pytest.fixture
def recorded(engines, engine, tmp_path, monkeypatch):
    """A store of a run with a random endpoint, and what the engine scored."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-kept")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    def made(*options, items=8):
        store, out = tmp_path / "store", tmp_path / "recorded.json"
        with engines.endpoint(seed=2) as server:
            words = ["record", "--upstream", server.url, "--store", str(store), *options]
            code = run([*words, "--", *engine(out, items)])
        assert code == 0
        return store, out

    return made


def replay(store, *options, command=()):
    return run(["replay", "--store", str(store), *options, *(["--", *command] if command else [])])


def test_score_is_the_same_with_the_endpoint_gone(recorded, engine, tmp_path, capfd):
    store, out = recorded()
    again = tmp_path / "again.json"
    capfd.readouterr()

    code = replay(
        store, "--recorded", str(out), "--score", str(again), "--json", command=engine(again)
    )

    said = json.loads(capfd.readouterr().out)
    assert code == 0
    assert json.loads(again.read_text()) == json.loads(out.read_text())
    assert json.loads(out.read_text())["results"]["ours"]["said,none"] > 1
    assert (said["answered"], said["missed"], said["unused"]) == (8, [], [])
    assert said["scores"]["identical"]
    assert said["scores"]["recorded"].keys() == {"ours/acc,none", "ours/said,none"}
    assert said["signed_lines"] == said["lines"] == 10


def test_nothing_of_the_engine_stands_on_standard_output(recorded, capfd):
    recorded("--json")

    out, error = capfd.readouterr()

    said = json.loads(out)
    assert "engine speaks" in error
    assert (said["recorded"], said["faults"], said["engine_exit"]) == (8, 0, 0)


def test_key_of_the_engine_is_nowhere_in_the_store(recorded):
    store, _ = recorded()

    kept = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())

    assert b"sk-not-to-be-kept" not in kept
    assert b"item 3" in kept


def test_request_that_was_not_recorded_ends_with_three_and_is_listed(
    recorded, engine, tmp_path, capfd
):
    store, _ = recorded(items=4)

    code = replay(store, command=engine(tmp_path / "b.json", items=6))

    said = capfd.readouterr().out
    assert code == 3
    assert "4 answered, 2 missed, 0 not asked for" in said
    assert said.count("never recorded") == 2


def test_exchange_that_is_not_asked_for_is_listed_and_ends_with_zero(
    recorded, engine, tmp_path, capfd
):
    store, _ = recorded(items=4)

    code = replay(store, command=engine(tmp_path / "b.json", items=3))

    assert code == 0
    assert "not asked for: exchange 4: POST /chat/completions" in capfd.readouterr().out


def test_other_score_ends_with_three_and_is_named(recorded, engine, tmp_path, capfd):
    store, out = recorded()
    other = json.loads(out.read_text())
    other["results"]["ours"]["acc,none"] = 0.987
    out.write_text(json.dumps(other))
    again = tmp_path / "again.json"

    code = replay(store, "--recorded", str(out), "--score", str(again), command=engine(again))

    assert code == 3
    assert "differs: ours/acc,none: recorded 0.987, replayed 0." in capfd.readouterr().out


def test_score_from_before_is_not_taken_for_the_new_one(recorded, tmp_path, capfd):
    store, out = recorded()

    code = replay(
        store, "--recorded", str(out), "--score", str(out), command=[sys.executable, "-c", "0"]
    )

    assert code == 4
    assert "wrote no new result" in capfd.readouterr().out


def test_engine_that_fails_cannot_tell(recorded):
    store, _ = recorded()

    assert replay(store, command=[sys.executable, "-c", "raise SystemExit(7)"]) == 4


def test_engine_that_fails_in_recording_cannot_tell(tmp_path, upstream, kit):
    words = ["record", "--upstream", "http://127.0.0.1:9/v1", "--store", str(tmp_path / "s")]

    assert run([*words, "--", sys.executable, "-c", "raise SystemExit(7)"]) == 4


def test_engine_that_is_not_there_is_bad_usage(recorded):
    store, _ = recorded()

    assert replay(store, command=["no-such-engine"]) == 2


def test_missing_body_makes_the_store_incomplete(recorded, engine, tmp_path, capfd):
    store, _ = recorded()
    line = json.loads((store / "journal.jsonl").read_text().splitlines()[4])
    name = line["request"]["digest"].removeprefix("sha256:")
    (store / "blobs" / name[:2] / name).unlink()

    code = replay(store, command=engine(tmp_path / "b.json"))

    assert code == 4
    assert "not here: exchange 3: its request" in capfd.readouterr().out


def test_edited_store_ends_with_three_and_names_the_line(recorded, engine, tmp_path, capfd):
    store, _ = recorded()
    journal = store / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"status":200', b'"status":201', 1))

    code = replay(store, command=engine(tmp_path / "b.json"))

    assert code == 3
    assert "journal.jsonl, line 3" in capfd.readouterr().err


def test_no_store_ends_with_two(tmp_path):
    assert replay(tmp_path / "none") == 2


def test_sealed_store_replays_and_publishes_nothing(recorded, engine, tmp_path):
    store, out = recorded("--seal")
    again = tmp_path / "again.json"

    code = replay(store, "--recorded", str(out), "--score", str(again), command=engine(again))

    public = b"".join(path.read_bytes() for path in store.iterdir() if path.is_file())
    assert code == 0
    assert b"item" not in public


def test_key_from_elsewhere_is_asked_for(recorded, engine, tmp_path, capfd):
    store, _ = recorded()
    signer = json.loads((store / "journal.jsonl").read_text().splitlines()[0])["signer"]
    stranger = "example.org/log+4e933303+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    command = engine(tmp_path / "b.json")

    codes = [replay(store, "--key", key, command=command) for key in (signer, stranger)]

    assert codes == [0, 2]


@pytest.mark.parametrize(
    "upstream",
    ["ftp://a/v1", "a/v1", "https://me:secret@a/v1", "https://a/v1?key=secret", "http://"],
)
def test_upstream_that_cannot_be_written_down_is_refused(tmp_path, capfd, upstream):
    code = run(["record", "--upstream", upstream, "--store", str(tmp_path / "s")])

    assert code == 2
    assert not (tmp_path / "s").exists()
    assert "--upstream" in capfd.readouterr().err


@pytest.mark.parametrize("options", [["--score", "x"], ["--recorded", "x"]])
def test_scores_are_compared_in_pairs(recorded, options):
    store, _ = recorded()

    assert replay(store, *options) == 2


def test_store_of_other_terms_is_refused(recorded, tmp_path, capfd):
    store, _ = recorded()
    profile = tmp_path / "p.toml"
    profile.write_text('name = "mine"\nvolatile = ["user"]\n')
    words = ["--upstream", "http://127.0.0.1:9/other", "--profile", str(profile)]

    code = run(["record", "--store", str(store), *words])

    said = capfd.readouterr().err
    assert code == 2
    assert ", profile:" in said
    assert ", upstream:" in said


def started(*words):
    """Start a server of ours; return the process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dokja", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    for line in process.stderr:
        if " at http://" in line:
            return process, line.rpartition(" at ")[2].strip()
    raise AssertionError(process.communicate())


def asked(url, n):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"item {n}"}]})
    request = urllib.request.Request(f"{url}/chat/completions", body.encode())  # noqa: S310  # ours
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as came:
        return came.read()


def test_servers_end_when_they_are_told_and_sign_what_they_have(engines, tmp_path):
    how = signal.SIGTERM  # from the keyboard it is SIGINT, as below
    store = str(tmp_path / "store")
    with engines.endpoint(seed=2) as server:
        recorder, url = started("record", "--upstream", server.url, "--store", store, "--json")
        came = [asked(url, n) for n in range(3)]
        recorder.send_signal(how)
        said = json.loads(recorder.communicate()[0])

    replayer, url = started("replay", "--store", store, "--json")
    again = [asked(url, n) for n in range(3)]
    replayer.send_signal(how)
    ended = json.loads(replayer.communicate()[0])

    assert again == came
    assert (said["recorded"], recorder.returncode) == (3, 0)
    assert (ended["answered"], ended["signed_lines"], replayer.returncode) == (3, 5, 0)


def test_killed_recorder_loses_nothing_that_was_answered(engines, tmp_path):
    store = tmp_path / "store"
    with engines.endpoint(seed=2) as server:
        recorder, url = started("record", "--upstream", server.url, "--store", str(store))
        came = [asked(url, n) for n in range(5)]
        recorder.kill()
        recorder.communicate()
        recorder, url = started("record", "--upstream", server.url, "--store", str(store))
        came += [asked(url, n) for n in range(5, 7)]
        recorder.send_signal(signal.SIGINT)
        recorder.communicate()

    replayer, url = started("replay", "--store", str(store))
    again = [asked(url, n) for n in range(7)]
    replayer.send_signal(signal.SIGINT)
    replayer.communicate()

    assert again == came
    assert replayer.returncode == 0


def test_recording_that_cannot_be_written_stops(engines, tmp_path):
    store = tmp_path / "store"
    with engines.endpoint(seed=2) as server:
        recorder, url = started("record", "--upstream", server.url, "--store", str(store))
        asked(url, 0)
        for path in sorted(store.rglob("blobs/**/*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (store / "blobs").rmdir()
        (store / "blobs").write_bytes(b"")
        with pytest.raises(urllib.error.HTTPError, match="507"):
            asked(url, 1)
        _, said = recorder.communicate(timeout=20)

    assert recorder.returncode == 2
    assert ": read Not a directory; expected " in said
    assert "What was recorded before stands." in said


@pytest.mark.parametrize("command", ["record", "replay"])
def test_without_the_extra_nothing_is_begun(tmp_path, command):
    without = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from dokja.cli.commands import run\n"
        "sys.exit(run(sys.argv[1:]))"
    )
    options = ["--upstream", "http://127.0.0.1:9"] if command == "record" else []
    words = [sys.executable, "-c", without, command, "--store", str(tmp_path / "s"), *options]

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "pip install 'dokja[measure]'" in done.stderr
    assert not (tmp_path / "s").exists()


def test_session_that_is_not_there_is_refused(recorded):
    store, _ = recorded()

    assert replay(store, "--session", "7") == 2


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", '{"results": {}, "versions": {}}', '{"results": {"scores": []}}', "no json"],
)
def test_file_without_scores_is_refused(tmp_path, text):
    (tmp_path / "results_1.json").write_text(text)

    with pytest.raises(InputError):
        read_scores(tmp_path)


def test_newest_result_of_a_folder_is_read(tmp_path):
    for place, value in (("m/results_1.json", 0.25), ("m/results_2.json", 0.5)):
        file = tmp_path / place
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"results": {"t": {"acc,none": value}}, "versions": {}}))
        os.utime(file, (time.time(), 1_700_000_000 + value * 100))
    (tmp_path / "m/samples_t.json").write_text("{}")

    found = read_scores(tmp_path)

    assert found.values == {"t/acc,none": "0.5"}
    assert found.file == Path(tmp_path / "m/results_2.json")
