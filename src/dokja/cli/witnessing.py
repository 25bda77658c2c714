"""`dokja ledger witness`: co-sign a ledger from outside, or ask what witnesses saw."""

import secrets
from pathlib import Path

import click

from dokja.cli.ledger_printing import opened, progress, tell_verification
from dokja.cli.printing import as_json, emit, now, say
from dokja.errors import LedgerError
from dokja.evidence import ledger as room
from dokja.evidence.ledger import KeySort, Programme, SigningKey, Witness
from dokja.values import Json

__all__ = ["witness"]


@click.command("witness", short_help="Co-sign a ledger as a witness, or ask what witnesses saw.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--sign", "action", flag_value="sign", help="Co-sign the ledger as it stands.")
@click.option("--check", "action", flag_value="check", help="Compare it with what was co-signed.")
@click.option("--key", help="The witness's key file; with --check also its public key.")
@click.option("--state", help="File outside DIR, or https://…, of what the witness saw last.")
@click.option("--name", help="Make the key file, under this name, if it is not there yet.")
@click.option("--register", is_flag=True, help="Name the witness in programme.toml.")
@as_json
def witness(
    folder: Path,
    action: str | None,
    key: str | None,
    state: str | None,
    name: str | None,
    *,
    register: bool,
    as_json: bool,
) -> int:
    """Co-sign the ledger in DIR as a witness, or compare it with what witnesses saw.

    A witness is a key and a file outside the programme folder. It co-signs only a ledger
    that grew out of the one it saw last, so that a cut tail or a rewritten history is found.

    \b
    Examples:
      dokja ledger witness build/sample --sign --register --name press.example/w1 \\
          --key build/witness.key --state build/witness.note
      dokja ledger witness build/sample --check
    """
    if action is None:
        message = "say --sign or --check"
        raise click.UsageError(message)
    if action == "sign" and (key is None or state is None):
        message = "--sign needs --key and --state"
        raise click.UsageError(message)
    if (key is None) != (state is None):
        message = "--key and --state go together"
        raise click.UsageError(message)
    with opened(folder) as programme:
        if action == "sign":
            told = _sign(programme, Path(str(key)), Path(str(state)), name=name, register=register)
        else:
            extra = () if key is None else (_witness(key, str(state)),)
            return _check(programme, extra, as_json=as_json)
    if as_json:
        emit(told)
        return 0
    say(f"{state}: {told['witness']} has seen {told['size']} entries, root {told['root']}")
    return 0


def _witness(key: str, state: str) -> Witness:
    at = state if state.startswith(("https://", "http://")) else str(Path(state).absolute())
    return Witness(key=room.read_public_key(key, sort=KeySort.WITNESS), at=at)


def _check(programme: Programme, extra: tuple[Witness, ...], *, as_json: bool) -> int:
    """Compare the ledger with what witnesses saw."""
    witnesses = tuple(dict.fromkeys([*programme.witnesses, *extra]))
    if not witnesses:
        message = (
            f"{programme.folder}: no witness is named in programme.toml; give --key and --state, "
            "or make one with: dokja ledger witness DIR --sign --register"
        )
        raise LedgerError(message)
    with progress() as walked:
        found = programme.ledger.verify(
            keys=programme.log_keys,
            witnesses=witnesses,
            folder=programme.folder,
            progress=walked,
        )
    return tell_verification(found, programme.folder, command="witness", as_json=as_json)


def _sign(
    programme: Programme, key_path: Path, state: Path, *, name: str | None, register: bool
) -> dict[str, Json]:
    """Co-sign the ledger as it stands, and remember it outside the folder."""
    if not room.is_outside(state, folder=programme.folder):
        message = f"{state}: lies inside {programme.folder}; a witness remembers outside of it"
        raise LedgerError(message)
    if not key_path.exists() and name is not None:
        room.write_key(key_path, SigningKey(name, secrets.token_bytes(32), KeySort.WITNESS))
    key = room.read_key(key_path)
    if not programme.log_key_path.exists():
        made = SigningKey(programme.ledger.origin, secrets.token_bytes(32))
        programme = room.add_log_key(programme, made)
    note = room.publish_checkpoint(programme, key=room.read_key(programme.log_key_path))
    at = str(state.absolute())
    seen = room.fetch(at, folder=programme.folder) if state.exists() else None
    signed = room.co_sign(
        note, ledger=programme.ledger, key=key, log_keys=programme.log_keys, seen=seen, at=now()
    )
    room.write_note(state, signed)
    if register:
        room.add_witness(programme, Witness(key=key.verifier, at=at)).close()
    found = room.open_note(signed, keys=[key.verifier], place=at)
    return {
        "schema": "dokja.ledger.witness/1",
        "witness": str(key.verifier),
        "state": at,
        "size": found.size,
        "root": str(found.root),
        "note": signed,
    }
