"""How long it takes to judge a stage, and to replay it, as the ledger grows around it.

    python benchmarks/judging.py

The stage is the real programme's stage 1; the ledger is filled up with notes, which no rule
reads. Every figure is of this run; compare the rows with each other, not with another machine.
"""

import json
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from dokja.decisions import judge, load_rulebook
from dokja.decisions.rulebooks import read
from dokja.evidence.ledger import Draft, create_programme, parse_drafts
from dokja.values import Text

ROOT = Path(__file__).parents[1]
RULEBOOK = "k-ai-2025/2026-01-15"
AT = datetime(2026, 1, 15, tzinfo=UTC)
SIZES = (0, 1_000, 10_000, 100_000)


def main() -> None:
    """Print the table."""
    print("| entries | read and judge, s | of which judge, s | decision, kB | peak memory, MB |")
    print("|---:|---:|---:|---:|---:|")
    digests = set()
    for extra in SIZES:
        with tempfile.TemporaryDirectory() as scratch:
            size, whole, judged, document = measured(Path(scratch) / "programme", extra=extra)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {size} | {whole:.2f} | {judged:.2f} | {len(document) / 1000:.0f} | {peak:.0f} |")
        told = json.loads(document)
        digests.add(json.dumps([told["outcome"], told["teams"]]))
    print(f"\nThe same outcome and standing in every row: {len(digests) == 1}")


def measured(folder: Path, *, extra: int) -> tuple[int, float, float, bytes]:
    """Return the ledger's size, both times in seconds, and the decision's bytes."""
    data = read(RULEBOOK)
    programme = create_programme(
        folder, id="k-ai-2025", title=Text(ko="기록", en="Record"), at=AT, rulebook=data
    )
    text = (ROOT / "examples/k-ai-2025/entries.jsonl").read_bytes()
    opening = Draft(
        kind="programme",
        actor="office",
        id="programme",
        body={
            "programme": "k-ai-2025",
            "title": {"ko": "기록", "en": "Record"},
            "invented": False,
        },
    )
    drafts = parse_drafts(text, file="entries.jsonl")
    if all(draft.kind != "programme" for draft in drafts):
        drafts = (opening, *drafts)
    programme.ledger.append(drafts, at=AT)
    note = Draft(
        kind="note",
        actor="office",
        body={"on": "2026-01-15", "text": {"ko": "메모", "en": "A note"}},
    )
    for start in range(0, extra, 1_000):
        programme.ledger.append([note] * min(1_000, extra - start), at=AT)
    rulebook = load_rulebook(data, file=RULEBOOK)
    size = programme.ledger.size
    started = time.perf_counter()
    entries = tuple(programme.ledger.entries())
    read_at = time.perf_counter()
    decision = judge(
        rulebook,
        entries,
        stage="stage-1",
        ledger_head=(programme.ledger.origin, size, programme.ledger.root()),
        software=("dokja", "benchmark"),
    )
    document = decision.canonical_bytes
    ended = time.perf_counter()
    programme.close()
    return size, ended - started, ended - read_at, document


if __name__ == "__main__":
    main()
