"""`dokja forge verify`: what people read, what programs read, and how it ends."""

import json
import shutil

from dokja.cli.commands import run as dokja


def verified(*words):
    return dokja(["forge", "verify", *map(str, words)])


def test_an_honest_run_ends_with_0_and_the_claim(honest, capsys):
    code = verified(honest.run, "--keys", honest.keys, "--level", "V2")

    text = capsys.readouterr().out
    assert code == 0
    assert text.splitlines()[-1] == ("T4 claimed, V0 holds, V1 holds, V2 holds, live share 100 %")
    assert "V2.3 would have seen: a coordinate carried" in text


def test_json_holds_every_finding(honest, capsys):
    code = verified(
        honest.run / "record.json", "--keys", honest.keys, "--json", "--place", "builder"
    )

    said = json.loads(capsys.readouterr().out)
    assert (code, said["schema"], said["outcome"]) == (0, "dokja.forge.verify/1", "pass")
    assert (said["level"], said["asked"], said["place"]) == ("V2", "V2", "builder")
    assert said["live_share"] == 1.0
    assert set(said["findings"][0]) == {
        "check",
        "title",
        "outcome",
        "component",
        "value",
        "threshold",
        "power",
        "read_bytes",
        "why",
        "remedy",
    }


def test_a_failing_check_ends_with_3_and_says_why_and_what_to_do(build, capsys):
    path = build.run / "model/model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))

    code = verified(build.run, "--keys", build.keys, "--level", "V0")

    text = capsys.readouterr().out
    assert code == 3
    assert "V0.4 tensor roots (body): fail" in text
    assert "  now: Fetch the weights that the record names" in text
    assert text.splitlines()[-1] == "T4 claimed, V0 fails (V0.4), live share 100 %"


def test_without_keys_it_ends_with_4(honest, capsys):
    assert verified(honest.run, "--level", "V0") == 4
    assert "--keys" in capsys.readouterr().out


def test_a_record_elsewhere_takes_its_artefacts_by_name(honest, tmp_path, capsys):
    shutil.copyfile(honest.run / "record.json", tmp_path / "record.json")

    alone = verified(tmp_path / "record.json", "--keys", honest.keys, "--level", "V1")
    together = verified(
        tmp_path / "record.json", "--artefacts", honest.run, "--keys", honest.keys, "--level", "V1"
    )

    assert "V0.2" in capsys.readouterr().out
    assert (alone, together) == (4, 4)  # no bills and cards lie beside that record


def test_what_is_no_build_ends_with_2(tmp_path, capsys):
    assert verified(tmp_path) == 2
    assert "neither a chain nor a record" in capsys.readouterr().err


def test_bad_options_end_with_2(honest, tmp_path, capsys):
    hours = tmp_path / "hours.json"
    hours.write_text("[]")

    assert verified(honest.run, "--accounting", hours) == 2
    assert verified(honest.run, "--log", "body/1") == 2
    assert verified(honest.run, "--keys", tmp_path / "none.toml") == 2
    assert "such as body/1=trainer_state.json" in capsys.readouterr().err


def test_accounting_and_samples_are_heard(build, capsys):
    hours = build.folder / "hours.json"
    hours.write_text(json.dumps({"4711": 100.0}))

    code = verified(
        build.run, "--keys", build.keys, "--accounting", hours, "--sample", 4, "--losses", 1
    )

    assert code == 3
    assert "V1.7 device-hours: fail" in capsys.readouterr().out
