"""Which rulebook a command means: a file, a packaged version, a folder's own, or a digest.

Packaged versions are named `ID/VERSION`, with or without `dokja:` before them.
"""

from pathlib import Path

from dokja.decisions.rulebooks import available, read
from dokja.decisions.rules import Rulebook, load_rulebook
from dokja.errors import Mistake, RulebookError
from dokja.evidence.ledger import Entry, Ledger, Programme
from dokja.values import Digest

__all__ = ["adoptions", "by_digest", "in_folder", "named", "refuse_edited"]

PACKAGED = "dokja:"


def named(name: str) -> tuple[bytes, str]:
    """Return a rulebook's bytes and what to call its file.

    Raises:
        RulebookError: There is neither such a file nor such a packaged version.
    """
    packaged = name.removeprefix(PACKAGED)
    if packaged in available():
        return read(packaged), f"{PACKAGED}{packaged}"
    path = Path(name)
    try:
        return path.read_bytes(), name
    except OSError as error:
        raise RulebookError(
            [
                Mistake(
                    file=name,
                    place="",
                    read=error.strerror or "nothing",
                    expected="a rulebook file, or one of " + ", ".join(available()),
                )
            ]
        ) from error


def in_folder(programme: Programme, name: str | None) -> tuple[Rulebook, bytes]:
    """Return the rulebook that is named, or the programme folder's own.

    Raises:
        RulebookError: It is wrong, or an adopted version was edited.
    """
    data, file = named(name or str(programme.rulebook_path))
    rulebook = load_rulebook(data, file=file)
    refuse_edited(rulebook, programme.ledger, file=file)
    return rulebook, data


def adoptions(ledger: Ledger) -> tuple[Entry, ...]:
    """Return the entries by which rulebook versions came into force, oldest first."""
    return tuple(ledger.entries(kind="rulebook"))


def refuse_edited(rulebook: Rulebook, ledger: Ledger, *, file: str) -> None:
    """Refuse a rulebook that says something else than when its version was adopted.

    Raises:
        RulebookError: The ledger pins other bytes under this version.
    """
    for entry in adoptions(ledger):
        body = entry.body
        same_name = (body["rulebook"], body["version"]) == (rulebook.id, rulebook.version)
        if same_name and body["digest"] != str(rulebook.digest):
            raise RulebookError(
                [
                    Mistake(
                        file=file,
                        place=f"version {rulebook.version}",
                        read=str(rulebook.digest),
                        expected=f"{body['digest']}, as adopted in ledger entry {entry.seq}",
                        remedy=(
                            "A version is never edited: give the changed rules a new `version` "
                            f'and set supersedes = "{rulebook.version}"; scores stay valid if the '
                            "stage's `accepts` names the versions that they were made under."
                        ),
                    )
                ]
            )


def by_digest(digest: str, programme: Programme, *, name: str | None) -> tuple[bytes, str]:
    """Return the bytes of the rulebook that a decision names.

    Looked for in the file that is named, in the folder's `rulebook.toml`, among the blobs that
    the ledger pinned, and among the packaged versions.

    Raises:
        RulebookError: None of them has this digest.
    """
    candidates = [name] if name else [str(programme.rulebook_path)]
    candidates += [f"{PACKAGED}{packaged}" for packaged in available()]
    for candidate in candidates:
        data, file = named(candidate)
        if str(Digest.of(data)) == digest:
            return data, file
    pinned = Digest.parse(digest)
    if any(pinned in entry.blobs for entry in adoptions(programme.ledger)):
        return programme.blobs.get(pinned), f"blobs/{pinned}"
    raise RulebookError(
        [
            Mistake(
                file=name or str(programme.folder),
                place="rulebook",
                read="no rulebook with this digest",
                expected=digest,
                remedy="Ask who sent the decision for the rulebook, and name it with --rulebook.",
            )
        ]
    )
