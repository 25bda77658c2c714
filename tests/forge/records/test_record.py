"""Build records: made of a sealed chain, written, read back, and refused whole."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import RecordError
from dokja.models.forge.forms import quick_bytes
from dokja.models.forge.records import (
    Metrics,
    check_chain,
    file_manifest,
    make_record,
    read_chain,
    read_record,
    record_of,
    with_shares,
)
from dokja.values import Digest, canonical_bytes


@pytest.fixture(scope="module")
def record(finished_run):
    return finished_run.record


def places(error):
    return [mistake.place for mistake in error.value.mistakes]


# Making


def test_record_says_what_the_chain_says(finished_run, record):
    chain = read_chain(finished_run.folder)

    assert check_chain(chain, keys=finished_run.keys) == ()
    assert (record.recipe, record.plan) == (Digest.of(b"recipe"), Digest.of(b"plan"))
    assert (record.builder.name, record.builder.key) == (
        "독자팀",
        str(finished_run.builder.verifier),
    )
    assert [stage.do for stage in record.stages] == ["dus", "train"]
    assert [said.last for said in record.metrics] == [said.last for _, said in chain.of(Metrics)]
    assert (len(record.checkpoints), len(record.interruptions), len(record.exports)) == (1, 1, 1)
    assert (record.chain.head, record.chain.entries) == (chain.head, 11)
    assert (record.seed.value, record.seed.nonce) == (chain.init.seed, chain.init.nonce)
    assert (record.compute.flop, record.compute.energy_kwh) == (1.5e12, None)
    assert record.component("body").share == 1.0
    assert record.component("tokenizer").share is None


def test_record_says_how_many_steps_were_witnessed_live(record):
    found = record.chain.witnessed["body"]

    assert (found.steps, found.live, found.late, found.unwitnessed) == (200, 200, 0, 0)


def test_unsealed_chain_makes_no_record(finished_run):
    chain = replace(finished_run.chain, links=finished_run.chain.links[:-1])

    with pytest.raises(RecordError) as refused:
        make_record(chain, finished_run.facts)

    assert places(refused) == ["seal"]


def test_what_was_found_on_the_disk_must_be_what_was_sealed(finished_run):
    facts = finished_run.facts
    body, tokenizer = facts.components
    other = replace(
        facts,
        components=(replace(body, root=None, files=Digest.of(b"other")),),
        data=(),
        tokenizer=None,
    )

    with pytest.raises(RecordError) as refused:
        make_record(finished_run.chain, other)

    assert places(refused) == [
        "seal, root of body",
        "seal, files of body",
        "seal",
        "commit, data ko-news",
        "commit, tokenizer",
    ]
    assert tokenizer.id in refused.value.mistakes[2].read


def test_compute_of_another_form_is_refused(finished_run):
    chain = finished_run.chain
    last = chain.links[-1]
    body = replace(last.entry.body, compute={"hours": 3})
    links = (*chain.links[:-1], replace(last, entry=replace(last.entry, body=body)))

    with pytest.raises(RecordError) as refused:
        make_record(replace(chain, links=links), finished_run.facts)

    assert places(refused) == ["seal, compute, device_hours", "seal, compute, hours"]


def test_shares_are_of_what_was_counted(finished_run):
    body, tokenizer = finished_run.facts.components
    encoder = replace(body, id="encoder", parameters=100_000)

    assert [one.share for one in with_shares([body, tokenizer, encoder])] == [0.9, None, 0.1]
    assert [one.share for one in with_shares([tokenizer])] == [None]


# Writing and reading


def test_record_reads_back_equal(record, tmp_path):
    path = tmp_path / "record.json"
    path.write_bytes(canonical_bytes(record.to_json()))

    assert read_record(path) == record
    assert record_of(record.to_json(), file="r") == record
    assert read_record(path).digest == record.digest


def test_bytes_of_a_record_are_golden(record):
    assert str(record.digest) == (
        "sha256:837868a436b4464557a134aefd748e26bc4ba837a253e1372680cf440422ea5f"
    )


def test_record_has_the_shape_of_slsa_provenance(record):
    said = record.to_json()

    assert sorted(said) == ["buildDefinition", "runDetails", "schema", "training"]
    assert sorted(said["buildDefinition"]) == [
        "buildType",
        "externalParameters",
        "internalParameters",
        "resolvedDependencies",
    ]
    assert [one["name"] for one in said["buildDefinition"]["resolvedDependencies"]] == [
        "base:body:zoo/base-09m",
        "code-difference",
        "data:ko-news",
        "plan:cpu",
        "recipe:false|name",
        "tokenizer",
        "tokenizer-corpus",
    ]


def test_every_fault_of_a_record_is_named(record):
    said = json.loads(canonical_bytes(record.to_json()))
    said["buildDefinition"]["externalParameters"]["grade"] = "T5"
    said["runDetails"]["builder"] = {"name": "x", "key": 1}
    said["training"]["components"][0]["share"] = "all"
    del said["training"]["components"][0]["root"]
    said["training"]["data"][0]["manifest"] = "md5:0"

    with pytest.raises(RecordError) as refused:
        record_of(said, file="record.json")

    assert places(refused) == [
        "buildDefinition.externalParameters.grade",
        "builder.key",
        "components.0.share",
        "components.0.root",
        "data.0.manifest",
    ]


@pytest.mark.parametrize("gone", ["buildDefinition", "runDetails", "training"])
def test_missing_parts_are_named(record, gone):
    said = json.loads(canonical_bytes(record.to_json()))
    del said[gone]

    with pytest.raises(RecordError) as refused:
        record_of(said, file="record.json")

    assert refused.value.mistakes[0].place.startswith(gone)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["buildDefinition"]["resolvedDependencies"].pop(),
        lambda said: said["buildDefinition"].update(buildType="urn:other"),
        lambda said: said.update(more=1),
        lambda said: said["buildDefinition"].update(more=1),
    ],
    ids=["dependency", "build-type", "key", "inner-key"],
)
def test_what_follows_from_the_rest_must_follow_from_it(record, change):
    said = json.loads(canonical_bytes(record.to_json()))
    change(said)

    with pytest.raises(RecordError, match="those that follow from the rest"):
        record_of(said, file="record.json")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{", "one JSON object"),
        (b'{"schema": "dokja.build-record/2"}', "dokja.build-record/1"),
        (b"[]", "dokja.build-record/1"),
        (None, "a build record"),
    ],
    ids=["broken", "newer", "list", "missing"],
)
def test_what_is_no_record_is_refused(tmp_path, data, expected):
    path = tmp_path / "record.json"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(RecordError) as refused:
        read_record(path)

    assert refused.value.mistakes[0].expected == expected


# The form of values

numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1e16, 1e21, 1e-4, 1e-5, 1e-7, 123.0, 0.1 + 0.2, 5e-324]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(values)
@settings(max_examples=200)
def test_quick_bytes_are_the_canonical_ones(value):
    try:
        expected = canonical_bytes(value)
    except ValueError:
        with pytest.raises(ValueError, match="canonical"):
            quick_bytes(value)
        return

    assert quick_bytes(value) == expected
    assert quick_bytes({"𝄞": value, "\uffff": 1}) == canonical_bytes({"𝄞": value, "\uffff": 1})


@pytest.mark.parametrize("value", [float("nan"), 2**53, "\ud800"], ids=["nan", "large", "half"])
def test_what_has_no_canonical_form_has_no_quick_one(value):
    with pytest.raises(ValueError, match="no canonical JSON form"):
        quick_bytes([value])


# Files of a component


def test_file_manifest_lists_every_file_hidden_ones_too(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/b.bin", ".hidden", "z"):
        (tmp_path / name).write_bytes(name.encode())

    found = file_manifest(tmp_path)

    assert [(file.name, file.bytes) for file in found.files] == [
        (".hidden", 7),
        ("a/b.bin", 7),
        ("z", 1),
    ]
    assert found.files[1].sha256 == Digest.of(b"a/b.bin")
    assert found.bytes == 15
    assert file_manifest(tmp_path / "z").files == found.files[2:]


def test_file_manifest_changes_with_any_name_or_byte(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    digests = [file_manifest(tmp_path).digest]

    (tmp_path / "a").write_bytes(b"2")
    digests.append(file_manifest(tmp_path).digest)
    (tmp_path / "a").rename(tmp_path / "b")
    digests.append(file_manifest(tmp_path).digest)

    assert len(set(digests)) == 3


def test_links_out_of_the_folder_and_empty_folders_are_refused(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(RecordError, match="an empty folder"):
        file_manifest(tmp_path / "model")
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "model/link").symlink_to(tmp_path / "secret")
    (tmp_path / "model/folder").symlink_to(tmp_path, target_is_directory=True)

    with pytest.raises(RecordError) as refused:
        file_manifest(tmp_path / "model")

    assert [mistake.file for mistake in refused.value.mistakes] == ["model/folder", "model/link"]
