"""The register of keys: whose they are, and when they count."""

from datetime import UTC, datetime

import pytest

from dokja.errors import RecordError
from dokja.models.forge.records import KeyRole, read_keys
from dokja.values.keys import SigningKey

BUILDER = SigningKey("team.example", bytes(32))
WITNESS = SigningKey("witness.example", bytes(31) + b"\x01")


def test_register_is_read_from_toml(tmp_path):
    file = tmp_path / "keys.toml"
    file.write_text(
        'schema = "dokja.keys/1"\n'
        f'[[key]]\nholder = "팀"\nrole = "builder"\nvkey = "{BUILDER.verifier}"\n'
        "from = 2026-01-01\nto = 2026-07-01T09:00:00+09:00\nrevoked = 2026-03-01\n"
        f'[[key]]\nholder = "w"\nrole = "witness"\nvkey = "{WITNESS.verifier}"\n'
        "from = 2026-01-01\n"
    )

    first, second = read_keys(file).keys

    assert (first.holder, first.role, first.key) == ("팀", KeyRole.BUILDER, BUILDER.verifier)
    assert first.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert first.valid_to == datetime(2026, 7, 1, tzinfo=UTC)
    assert first.revoked == datetime(2026, 3, 1, tzinfo=UTC)
    assert (second.role, second.valid_to, second.revoked) == (KeyRole.WITNESS, None, None)


def test_every_fault_of_a_register_is_named(tmp_path):
    file = tmp_path / "keys.toml"
    file.write_text(
        'schema = "other"\nmore = 1\n'
        '[[key]]\nholder = ""\nrole = "judge"\nvkey = "x"\nfrom = 2026-01-01T00:00:00\nodd = 1\n'
        f'[[key]]\nholder = "b"\nrole = "builder"\nvkey = "{BUILDER.verifier}"\n'
        "from = 2026-02-01\nto = 2026-01-01\n"
        '[[key]]\nholder = "c"\n'
    )

    with pytest.raises(RecordError) as wrong:
        read_keys(file)

    assert [one.place for one in wrong.value.mistakes] == [
        "more",
        "schema",
        "key 1, odd",
        "key 1, holder",
        "key 1, role",
        "key 1, vkey",
        "key 1, from",
        "key 2, to",
        "key 3, role",
        "key 3, vkey",
        "key 3, from",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"\xff", "TOML in UTF-8"), (b"key = 1", "tables"), (None, "a register of keys")],
)
def test_register_that_is_none_is_said(tmp_path, text, said):
    file = tmp_path / "keys.toml"
    if text is not None:
        file.write_bytes(text)

    with pytest.raises(RecordError, match=said):
        read_keys(file)


def test_one_key_in_two_roles_is_refused(tmp_path):
    file = tmp_path / "keys.toml"
    row = f'vkey = "{BUILDER.verifier}"\nfrom = 2026-01-01\n'
    twin = f'vkey = "{SigningKey("twin.example", bytes(32)).verifier}"\nfrom = 2026-01-01\n'
    file.write_text(
        f'schema = "dokja.keys/1"\n[[key]]\nholder = "a"\nrole = "builder"\n{row}'
        f'[[key]]\nholder = "b"\nrole = "witness"\n{twin}'
    )

    with pytest.raises(RecordError, match="one key in two roles"):
        read_keys(file)
