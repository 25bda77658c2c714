"""How fast a live chain is written, read and checked, and a record signed: prints one table.

Run it from the root of the repository; it writes into a scratch folder beside it, because
`/tmp` may be in memory and would then say nothing of a disk:

    python benchmarks/build_record.py [--entries 100000] [--threads 1] [--folder build]

Every figure is of this machine, this disk and this moment. The long chain is written without
waiting for the disk; what waiting costs is measured apart, over fewer entries.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dokja.models.forge.records import (
    ChainWriter,
    Code,
    Commit,
    KeyRegister,
    KeyRole,
    Link,
    LogSpan,
    Metrics,
    RegisteredKey,
    check_chain,
    issue_receipt,
    liveness,
    read_chain,
)
from dokja.models.forge.records.entries import LateReceipt
from dokja.models.forge.records.witness import Receipt
from dokja.values import Digest
from dokja.values.keys import SigningKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BUILDER = SigningKey("team.example", bytes(32))
WITNESS = SigningKey("witness.example", bytes(31) + b"\x01")
FOR_THE_DISK = 300
KEYS = KeyRegister(
    keys=tuple(
        RegisteredKey(holder="team", role=role, key=key.verifier, valid_from=NOON)
        for role, key in ((KeyRole.BUILDER, BUILDER), (KeyRole.WITNESS, WITNESS))
    )
)


class Prompt:
    """A witness that answers at once."""

    name = "prompt"

    def __init__(self) -> None:
        self.seen = 0

    def submit(self, entry: bytes) -> Receipt:
        """Return a receipt; in this benchmark nothing is shown twice."""
        self.seen += 1
        at = NOON + timedelta(seconds=self.seen)
        return issue_receipt(entry, WITNESS, seq=self.seen - 1, at=at)


def body(step: int) -> Metrics:
    """Return what 200 steps measured."""
    log = LogSpan(file="events.jsonl", start=step, stop=step + 1, digest=Digest.of(b"log"))
    return Metrics(
        component="body",
        first=200 * step + 1,
        last=200 * step + 200,
        tokens=(step + 1) * 200 * 4_000_000,
        loss=2.5,
        log=log,
    )


def commit() -> Commit:
    """Return what every chain begins with."""
    return Commit(
        builder="team",
        recipe=Digest.of(b"recipe"),
        plan=Digest.of(b"plan"),
        code=Code(commit="0" * 40),
        environment={},
        data={},
        order="dokja.order/1",
        tokenizer=None,
        bases={},
        nonce=Digest.of(bytes(32)),
        archive_share=0.1,
        dense_until=100,
    )


def written(path: Path, entries: int) -> None:
    """Write a chain, waiting for the disk after every line as a run does."""
    moments = iter(range(entries + 1))

    def clock() -> datetime:
        return NOON + timedelta(seconds=next(moments))

    with ChainWriter(path, signer=BUILDER, clock=clock, witness=Prompt()) as writer:
        writer.append(commit())
        for step in range(entries - 1):
            writer.append(body(step))


def without_waiting(path: Path, entries: int) -> None:
    """Write a long chain as `written` would, but in one go."""
    import base64  # noqa: PLC0415  # what a run never needs to do itself

    from dokja.models.forge.records.entries import (  # noqa: PLC0415  # likewise
        SIGNED,
        START,
        Entry,
        entry_bytes,
    )

    witness, lines, prev = Prompt(), [], START
    for n in range(entries):
        said = commit() if n == 0 else body(n - 1)
        entry = Entry(n=n, prev=prev, at=NOON + timedelta(seconds=n), body=said)
        raw = entry_bytes(entry)
        signature = base64.b64encode(BUILDER.sign(SIGNED + raw)).decode()
        signer = str(BUILDER.verifier)
        link = Link(
            entry=entry, raw=raw, signature=signature, signer=signer, receipt=None, line=n + 1
        )
        lines += [link.to_line(), LateReceipt(n=n, receipt=witness.submit(raw)).to_line()]
        prev = link.digest
    path.write_bytes(b"".join(lines))


def row(name: str, entries: int, work: Callable[[], object]) -> object:
    """Do the work and print how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name:<34}{entries:>10,}{wall:>10.2f}{cpu:>10.2f}{entries / wall:>14,.0f}")
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build"))
    options = parser.parse_args()
    options.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        slow, path, entries = Path(folder) / "slow.jsonl", Path(folder) / "a.jsonl", options.entries
        print(f"{'what':<34}{'entries':>10}{'wall s':>10}{'cpu s':>10}{'entries/s':>14}")
        row("append, with two syncs", FOR_THE_DISK, lambda: written(slow, FOR_THE_DISK))
        row("sign and witness, in memory", entries, lambda: without_waiting(path, entries))
        chain = read_chain(path)
        row("read", entries, lambda: read_chain(path))
        problems = row(
            "check (two signatures an entry)",
            entries,
            lambda: check_chain(chain, keys=KEYS, threads=options.threads),
        )
        row("live share", entries, lambda: liveness(chain, component="body"))
        bare = replace(chain, links=tuple(replace(link, receipt=None) for link in chain.links))
        row(
            "check (no receipts)",
            entries,
            lambda: check_chain(bare, keys=KEYS, threads=options.threads),
        )
        print(f"{path.stat().st_size / entries:.0f} bytes an entry; problems: {problems}")


if __name__ == "__main__":
    main()
