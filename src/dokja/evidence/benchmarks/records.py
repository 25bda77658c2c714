"""What a model answered, one JSON line an item, so that it can be scored again without it.

A record holds the answer byte for byte, the digests of what was asked and of the key it was scored
against, and the outcome. It holds no time and no machine: the same model on the same items gives
the same bytes. The lines are the leaves of an RFC 6962 tree, so that one of them can be shown to
belong to a run without showing the others.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.scoring import Outcome
from dokja.models.serving import Finish
from dokja.values import Digest, Json, canonical_bytes, json_lines, shown
from dokja.values.trees import Frontier, leaf_hash

__all__ = ["Record", "RunRecord", "read_records"]

_VERSION = 1
_TEXTS = ("suite", "item", "cluster", "prompt", "key", "answer", "scorer")
_COUNTS = ("tokens_in", "tokens_out")
_EXPECTED = {
    "v": f"{_VERSION}, or a newer Dokja",
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_COUNTS, "a count"),
    "finish": "one of " + ", ".join(each.value for each in Finish),
    "outcome": "one of " + ", ".join(each.value for each in Outcome),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One answer and what became of it.

    Attributes:
        suite: The benchmark.
        item: The item's id.
        cluster: Its cluster.
        prompt: Digest of what was asked.
        key: Digest of the right answer.
        answer: What the model said, unchanged.
        finish: Why it ended.
        tokens_in: Tokens of the prompt.
        tokens_out: Tokens of the answer.
        outcome: What became of it.
        scorer: The rules by which that was told.
    """

    suite: str
    item: str
    cluster: str
    prompt: str
    key: str
    answer: str
    finish: Finish
    tokens_in: int
    tokens_out: int
    outcome: Outcome
    scorer: str

    @property
    def line(self) -> bytes:
        """The record as one canonical JSON line, without its end."""
        body: dict[str, Json] = {"v": _VERSION}
        body |= {key: getattr(self, key) for key in (*_TEXTS, *_COUNTS)}
        return canonical_bytes({**body, "finish": self.finish.value, "outcome": self.outcome.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """All answers of one model to one suite.

    Attributes:
        suite: The benchmark.
        items_digest: Digest of the items as they were asked.
        responder: What answered.
        max_new_tokens: The longest answer that was allowed.
        records: One per item, in the order of the suite.
    """

    suite: str
    items_digest: Digest
    responder: str
    max_new_tokens: int
    records: tuple[Record, ...]

    @property
    def records_bytes(self) -> bytes:
        """The records as JSON Lines: the blob of the run's entry."""
        return b"".join(record.line + b"\n" for record in self.records)

    @property
    def records_digest(self) -> Digest:
        """Digest of the records."""
        return Digest.of(self.records_bytes)

    @property
    def root(self) -> Digest:
        """Root of the RFC 6962 tree over the record lines."""
        edge = Frontier()
        for _ in edge.add([leaf_hash(record.line) for record in self.records]):
            pass
        return Digest(edge.root.hex())

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many of each outcome, those that did not occur left out."""
        counts = Counter(record.outcome for record in self.records)
        return {outcome.value: counts[outcome] for outcome in Outcome if counts[outcome]}


def read_records(data: bytes, *, file: str) -> tuple[Record, ...]:
    """Return the records of a blob.

    Args:
        data: JSON Lines.
        file: Where they were read, for the error.

    Raises:
        SuiteError: A line is no record; every mistake at once.
    """
    lines, broken = json_lines(data, file=file, keys=_EXPECTED)
    records: list[Record] = []
    mistakes = list(broken)
    for line in lines:
        found = [
            Mistake(
                file=file,
                place=f"{line.place}, {key}",
                read=shown(repr(line.said[key])),
                expected=expected,
            )
            for key, expected in _EXPECTED.items()
            if not _fits(key, line.said[key])
        ]
        mistakes += found
        if not found:
            records.append(_record(line.said))
    if mistakes:
        raise SuiteError(mistakes)
    return tuple(records)


def _record(said: Mapping[str, Json]) -> Record:
    tokens_in, tokens_out = said["tokens_in"], said["tokens_out"]
    return Record(
        **{key: str(said[key]) for key in _TEXTS},
        tokens_in=tokens_in if isinstance(tokens_in, int) else 0,
        tokens_out=tokens_out if isinstance(tokens_out, int) else 0,
        finish=Finish(said["finish"]),
        outcome=Outcome(said["outcome"]),
    )


def _fits(key: str, value: Json) -> bool:
    if key in _TEXTS:
        return isinstance(value, str)
    if key in _COUNTS:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if key == "v":
        return value == _VERSION and not isinstance(value, bool)
    allowed = {each.value for each in (Finish if key == "finish" else Outcome)}
    return isinstance(value, str) and value in allowed
