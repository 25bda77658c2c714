"""Signed records: statement, envelope, keys, and every way in which they can be wrong."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import RecordError
from dokja.models.forge.records import (
    KeyRegister,
    KeyRole,
    KeyStanding,
    RegisteredKey,
    attest,
    open_attestation,
    read_attestation,
    statement,
)
from dokja.models.forge.records.attest import authentication_bytes
from dokja.models.forge.records.signing import sign_files
from dokja.values import Digest, canonical_bytes
from dokja.values.keys import SigningKey

OTHER = SigningKey("other.example", bytes(31) + b"\x02")


@pytest.fixture(scope="module")
def record(finished_run):
    return finished_run.record


@pytest.fixture(scope="module")
def envelope(finished_run, record):
    return attest(record, finished_run.builder)


def signed(said, key):
    """Return an envelope over any payload, properly signed."""
    payload = canonical_bytes(said)
    signature = key.sign(authentication_bytes(payload))
    return canonical_bytes(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [
                {"keyid": str(key.verifier), "sig": base64.b64encode(signature).decode()}
            ],
        }
    )


def test_record_to_statement_to_envelope_and_back_is_equal(finished_run, record, tmp_path):
    path = tmp_path / "record.dsse.json"
    path.write_bytes(attest(record, finished_run.builder))

    found = read_attestation(path, keys=finished_run.keys)

    assert found.record == record
    assert (found.holds, found.reason, found.holder) == (True, "", "독자팀")
    assert (found.standing, found.signer) == (
        KeyStanding.VALID,
        str(finished_run.builder.verifier),
    )


def test_envelope_is_always_the_same_bytes(finished_run, record, envelope):
    assert attest(record, finished_run.builder) == envelope
    assert str(Digest.of(envelope)) == (
        "sha256:9dff9a54b23c6c19d59b1743dbfb5bef876d9831a52a6d01cfebe2f54f241077"
    )


def test_statement_has_a_subject_a_component_with_both_digests(record):
    said = statement(record)
    body, tokenizer = record.components

    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "urn:dokja:build-record:v1"
    assert said["subject"] == [
        {
            "name": "body",
            "digest": {
                "sha256": body.files.hex,
                "dokja-tensors-v1": body.root.removeprefix("dokja-tensors-v1:"),
            },
        },
        {"name": "tokenizer", "digest": {"sha256": tokenizer.files.hex}},
    ]
    assert said["predicate"] == record.to_json()


def test_authentication_bytes_are_those_of_the_dsse_specification():
    assert authentication_bytes("독자".encode(), kind="t") == b"DSSEv1 1 t 6 " + "독자".encode()


# Keys


def test_signature_by_an_unknown_key_is_an_answer_that_says_so(finished_run, record):
    found = open_attestation(attest(record, OTHER), file="r", keys=finished_run.keys)

    assert (found.holds, found.signed, found.standing) == (False, True, KeyStanding.UNKNOWN)
    assert found.reason == (
        f"the register does not know the key {OTHER.verifier}: whose it is cannot be told"
    )


def test_key_of_somebody_else_does_not_hold(finished_run, record):
    key = RegisteredKey(
        holder="others",
        role=KeyRole.BUILDER,
        key=OTHER.verifier,
        valid_from=datetime(2025, 1, 1, tzinfo=UTC),
    )
    keys = KeyRegister(keys=(*finished_run.keys.keys, key))

    found = open_attestation(attest(record, OTHER), file="r", keys=keys)

    assert (found.holds, found.reason) == (
        False,
        "the key is others's, but the record names 독자팀",
    )


@pytest.mark.parametrize(
    ("days", "standing"),
    [
        ({"valid_from": 1}, KeyStanding.NOT_YET),
        ({"valid_from": -9, "valid_to": -1}, KeyStanding.EXPIRED),
        ({"valid_from": -9, "revoked": -1}, KeyStanding.REVOKED),
    ],
)
def test_key_must_count_when_the_run_was_finished(finished_run, record, envelope, days, standing):
    dates = {name: record.span.finished + timedelta(days=number) for name, number in days.items()}
    key = RegisteredKey(
        holder="독자팀", role=KeyRole.BUILDER, key=finished_run.builder.verifier, **dates
    )

    found = open_attestation(envelope, file="r", keys=KeyRegister(keys=(key,)))

    assert (found.holds, found.standing) == (False, standing)
    assert standing.value in found.reason


def test_key_revoked_later_counts_if_a_witness_saw_the_seal_before(finished_run, record, envelope):
    finished = record.span.finished
    key = RegisteredKey(
        holder="독자팀",
        role=KeyRole.BUILDER,
        key=finished_run.builder.verifier,
        valid_from=finished - timedelta(days=9),
        revoked=finished + timedelta(days=1),
    )
    keys = KeyRegister(keys=(key,))

    unseen = open_attestation(envelope, file="r", keys=keys)
    early = open_attestation(envelope, file="r", keys=keys, seen=finished)

    assert (unseen.holds, early.holds) == (False, True)


# Tampering


def test_record_changed_under_its_signature_is_found(finished_run, envelope):
    said = json.loads(envelope)
    payload = base64.b64decode(said["payload"])
    changed = payload.replace(b'"claim_table":"2026-01"', b'"claim_table":"2026-02"')
    said["payload"] = base64.b64encode(changed).decode()

    found = open_attestation(canonical_bytes(said), file="r", keys=finished_run.keys)

    assert (found.holds, found.signed, found.record.claim_table) == (False, False, "2026-02")
    assert found.reason.startswith("the signature is not one by team.example")


@given(st.data())
@settings(max_examples=60)
def test_every_single_byte_edit_of_an_envelope_is_found(finished_run, envelope, data):
    place = data.draw(st.integers(0, len(envelope) - 2))  # the last is the line's end
    value = data.draw(st.integers(0, 255).filter(lambda value: value != envelope[place]))
    edited = envelope[:place] + bytes([value]) + envelope[place + 1 :]

    try:
        held = open_attestation(edited, file="r", keys=finished_run.keys).holds
    except RecordError:
        held = False

    assert not held


def test_subjects_must_be_the_records_components(finished_run, record):
    said = statement(record)
    said["subject"] = said["subject"][:1]

    with pytest.raises(RecordError, match="one subject a component"):
        open_attestation(signed(said, finished_run.builder), file="r", keys=finished_run.keys)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"payloadType": "text/plain"}, "payloadType"),
        ({"payload": "*"}, "payload"),
        ({"payload": base64.b64encode(b"[]").decode()}, "payload"),
        ({"payload": base64.b64encode(b"{}").decode()}, "payload"),
        ({"signatures": []}, "signatures"),
        ({"signatures": [{"keyid": "x", "sig": "AA=="}] * 2}, "signatures"),
        ({"signatures": [{"keyid": "x", "sig": "?"}]}, "signatures.0.sig"),
        ({"signatures": [{"keyid": 1, "sig": "AA=="}]}, "signatures.0.keyid"),
        ({"signatures": [{"keyid": "x", "sig": "AA=="}]}, "signatures.0.keyid"),
    ],
)
def test_what_is_no_envelope_of_a_record_is_refused(finished_run, envelope, change, place):
    said = json.loads(envelope) | change

    with pytest.raises(RecordError) as refused:
        open_attestation(canonical_bytes(said), file="r", keys=finished_run.keys)

    assert [mistake.place for mistake in refused.value.mistakes] == [place]


def test_statement_of_another_kind_is_refused(finished_run, record):
    said = statement(record) | {"predicateType": "https://slsa.dev/provenance/v1"}

    with pytest.raises(RecordError, match="urn:dokja:build-record:v1"):
        open_attestation(signed(said, finished_run.builder), file="r", keys=finished_run.keys)


def test_file_that_is_not_there_is_said(finished_run, tmp_path):
    with pytest.raises(RecordError, match="a signed build record"):
        read_attestation(tmp_path / "record.json", keys=finished_run.keys)


# Files, signed in the format of OpenSSF Model Signing


def test_signing_without_the_extra_names_it(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['OpenSSL'] = None\n"
        "from pathlib import Path\n"
        "from dokja.errors import ExtraMissingError\n"
        "from dokja.models.forge.records.signing import verify_files\n"
        "try:\n    verify_files(Path('a'), Path('b'), key=Path('c'))\n"
        "except ExtraMissingError as error:\n    print(error)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout

    assert said.startswith("OpenSSL is not installed here")
    assert "pip install 'dokja[sign]'" in said


@pytest.fixture(scope="module")
def keys_on_disk(tmp_path_factory):
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # only here
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  # likewise

    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        (folder / f"{name}.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    return folder


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    for name in ("model.safetensors", "inner/config.json", ".gitattributes"):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.torch
class TestFiles:
    @pytest.fixture
    def checked(self, model, keys_on_disk, tmp_path):
        from dokja.models.forge.records.signing import verify_files  # noqa: PLC0415  # needs the extra

        sign_files(model, tmp_path / "model.sig", key=keys_on_disk / "ours.pem")
        return lambda key="ours": verify_files(
            model, tmp_path / "model.sig", key=keys_on_disk / f"{key}.pub"
        )

    def test_signed_folder_holds(self, checked, tmp_path):
        found = checked()

        assert (found.holds, found.reason) == (True, "")
        assert [file.name for file in found.files.files] == [
            ".gitattributes",
            "inner/config.json",
            "model.safetensors",
        ]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model.sig"]

    @pytest.mark.parametrize(
        "name", ["model.safetensors", "inner/config.json", ".gitattributes", "added", ".git/new"]
    )
    def test_any_file_changed_or_added_is_found(self, model, checked, name):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_bytes(b"other")

        found = checked()

        assert not found.holds
        assert found.reason.startswith("Signature mismatch")

    def test_lost_file_is_found(self, model, checked):
        (model / "inner/config.json").unlink()

        assert not checked().holds

    def test_other_key_does_not_hold(self, checked):
        assert not checked("theirs").holds

    def test_changed_signature_does_not_hold(self, checked, tmp_path):
        said = json.loads((tmp_path / "model.sig").read_bytes())
        payload = json.loads(base64.b64decode(said["dsseEnvelope"]["payload"]))
        payload["subject"][0]["name"] = "another"
        said["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
        (tmp_path / "model.sig").write_text(json.dumps(said))

        found = checked()

        assert (found.holds, found.reason) == (
            False,
            "the signature was made with another key, or was changed",
        )

    def test_signature_that_leaves_files_out_does_not_hold(
        self, model, checked, keys_on_disk, tmp_path
    ):
        import model_signing  # noqa: PLC0415  # needs the extra

        hashing = model_signing.hashing.Config().set_ignored_paths(
            paths=["inner"], ignore_git_paths=False
        )
        signer = model_signing.signing.Config().use_elliptic_key_signer(
            private_key=keys_on_disk / "ours.pem"
        )
        signer.set_hashing_config(hashing).sign(model, tmp_path / "model.sig")

        assert not checked().holds

    def test_signature_inside_the_folder_is_refused(self, model, keys_on_disk):
        with pytest.raises(RecordError, match="a place outside of it"):
            sign_files(model, model / "model.sig", key=keys_on_disk / "ours.pem")

    def test_links_are_refused_before_anything_is_signed(self, model, keys_on_disk, tmp_path):
        (model / "link").symlink_to(model / "model.safetensors")

        with pytest.raises(RecordError, match="a link; expected the file itself"):
            sign_files(model, tmp_path / "model.sig", key=keys_on_disk / "ours.pem")

        assert not (tmp_path / "model.sig").exists()

    @pytest.mark.parametrize("data", [b"{}", b"x", b'{"dsseEnvelope":{"payload":"e30="}}'])
    def test_what_is_no_bundle_is_refused(self, checked, tmp_path, data):
        (tmp_path / "model.sig").write_bytes(data)

        with pytest.raises(RecordError, match="a Sigstore bundle"):
            checked()

    def test_keys_that_are_none_are_refused(self, model, checked, tmp_path, keys_on_disk):
        (keys_on_disk / "broken.pub").write_bytes(b"x")
        (keys_on_disk / "broken.pem").write_bytes(b"x")

        with pytest.raises(RecordError, match=r"broken\.pub"):
            checked("broken")
        with pytest.raises(RecordError, match=r"broken\.pem"):
            sign_files(model, tmp_path / "second.sig", key=keys_on_disk / "broken.pem")
        assert not Path(tmp_path / "second.sig").exists()
