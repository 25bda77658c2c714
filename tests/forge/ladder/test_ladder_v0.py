"""V0: an honest run passes whole, and each tampering with bytes is seen by the check it meets."""

import base64
import json
import shutil

import pytest

from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.findings import Level, Outcome
from dokja.models.forge.ladder.settings import Settings, sampled
from dokja.models.forge.ladder.verify import verify
from dokja.models.weights import open_source


def flip(path, place=-3):
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def change_chain(build):
    path = build.run / "chain.jsonl"
    text = path.read_text()
    assert text.count('"tokens":2560,') >= 1
    path.write_text(text.replace('"tokens":2560,', '"tokens":2561,', 1))


def change_record(build):
    path = build.run / "record.json"
    envelope = json.loads(path.read_bytes())
    payload = base64.b64decode(envelope["payload"])
    assert payload.count(b'"name":"tiny"') == 1
    changed = payload.replace(b'"name":"tiny"', b'"name":"huge"')
    envelope["payload"] = base64.b64encode(changed.replace(b"recipe:tiny", b"recipe:huge")).decode()
    path.write_text(json.dumps(envelope, separators=(",", ":"), sort_keys=True) + "\n")


def leave_entry_out(build):
    path = build.run / "chain.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [
        line
        for line in lines
        if (said := json.loads(line)).get("n", said.get("entry", {}).get("n")) != 5
    ]
    path.write_bytes(b"".join(kept))


def change_plan(build):
    path = build.run / "plan.json"
    said = json.loads(path.read_text())
    said["components"][0]["stages"][0]["optimizer"]["eps"] = 1e-7
    path.write_text(json.dumps(said))


TAMPERINGS = {
    "final weights": (lambda b: flip(b.run / "model/model.safetensors"), {"V0.4"}),
    "archived weights": (lambda b: flip(b.state(20) / "weights/model.safetensors"), {"V0.4"}),
    "optimizer state": (lambda b: flip(b.state(20) / "state/optimizer.safetensors"), {"V0.4"}),
    "configuration": (lambda b: flip(b.run / "model/config.json", 5), {"V0.4"}),
    "digest list": (
        lambda b: flip(b.run / "digests/body/01-train/step-00000020.json", 30),
        {"V0.5"},
    ),
    "cut weights": (
        lambda b: (b.state(10) / "weights/model.safetensors").write_bytes(b"\0" * 40),
        {"V0.6"},
    ),
    "lost shard": (lambda b: (b.plan / "data/text-1/tokens-00000.u16").unlink(), {"V0.7"}),
    "log": (lambda b: flip(b.events, 700), {"V0.8"}),
    "card": (lambda b: flip(b.run / "card.en.md"), {"V0.9"}),
    "record": (change_record, {"V0.1", "V0.9", "V0.10"}),
    "chain": (change_chain, {"V0.1", "V0.2", "V0.3", "V0.10"}),
    "entry left out": (leave_entry_out, {"V0.2", "V0.10"}),
    "plan": (change_plan, {"V0.10"}),
}


def test_an_honest_run_passes_every_check(honest):
    found = honest.verify(Level.V0, corpora=True)

    assert {one.check: one.outcome for one in found if one.outcome is not Outcome.PASS} == {}
    assert {one.check for one in found} == {f"V0.{n}" for n in range(1, 11)}


def test_live_share_is_told(honest):
    (live,) = [one for one in honest.verify(Level.V0) if one.check == "V0.3"]

    assert (live.component, live.value) == ("body", 1.0)


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_seen_by_the_check_that_it_meets(build, name):
    tamper, expected = TAMPERINGS[name]

    tamper(build)

    assert build.failing(Level.V0) == expected


def test_a_changed_token_is_seen_once_the_corpora_are_read(build):
    flip(build.plan / "data/text-0/tokens-00000.u16")

    assert build.failing(Level.V0) == set()
    assert build.failing(Level.V0, corpora=True) == {"V0.7"}


def test_a_lost_corpus_is_named_and_passes_nothing(build):
    shutil.rmtree(build.plan / "data/text-1")

    found = {one.title: one for one in build.verify(Level.V0) if one.check == "V0.7"}

    assert sorted(one.outcome.value for one in found.values()) == ["not-available", "pass"]


def test_a_lost_state_is_undecided_and_named(build):
    shutil.rmtree(build.state(20))

    (roots,) = [one for one in build.verify(Level.V0) if one.check == "V0.4"]

    assert roots.outcome is Outcome.UNDECIDED
    assert "step-00000020" in roots.why


def test_an_unknown_key_is_one_finding(build):
    other = build.keys.read_text().replace("builder.local", "somebody.else")
    lines = other.splitlines()
    start = next(n for n, line in enumerate(lines) if line == "[[key]]")
    build.keys.write_text("\n".join([*lines[:start], *lines[start + 5 :]]))

    failing = [one for one in build.verify(Level.V0) if one.outcome is Outcome.FAIL]

    assert [one.check for one in failing] == ["V0.1"]
    assert "unknown" in failing[0].why


def test_without_a_register_signatures_are_undecided(honest):
    found = verify(open_artefacts(honest.run), upto=Level.V0, settings=Settings())

    unsettled = {one.check: one.outcome for one in found if one.outcome is not Outcome.PASS}
    assert unsettled == {"V0.1": Outcome.UNDECIDED, "V0.3": Outcome.UNDECIDED}


def test_a_record_alone_passes_nothing_that_needs_more(honest, tmp_path):
    shutil.copyfile(honest.run / "record.json", tmp_path / "record.json")

    found = verify(open_artefacts(tmp_path / "record.json"), settings=Settings())

    assert {one.check for one in found if one.outcome is Outcome.PASS} == set()
    assert {one.check for one in found if one.outcome is Outcome.FAIL} == set()


def test_a_sample_sees_a_change_in_a_drawn_tensor_only(build):
    folder = build.state(20) / "weights"
    source = open_source(folder)
    last = max(source.names, key=lambda name: source.info(name).stop)
    head = open_artefacts(build.run).chain.head.raw

    def drawn(place):
        chosen = Settings(sample=3, draw=bytes([place]))
        return last in sampled(source.names, settings=chosen, head=head)

    with_it = next(place for place in range(256) if drawn(place))
    without = next(place for place in range(256) if not drawn(place))
    flip(folder / "model.safetensors")  # a value of the last tensor

    assert build.failing(Level.V0, sample=3, draw=bytes([with_it])) == {"V0.4"}
    assert build.failing(Level.V0, sample=3, draw=bytes([without])) == set()
