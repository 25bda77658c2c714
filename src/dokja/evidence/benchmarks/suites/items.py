"""One item of a suite folder: what is asked, what is right, and whose like it is.

What is asked and what is right have digests of their own: a corrected key is not a new question.
A private item is named by salted commitments instead, because the digest of a short key, or of a
text that somebody suspects, tells what it stands for. What stands in a private item is never put
into words, and no mistake quotes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from dokja.evidence.benchmarks.scorers import Choice, CodeTest
from dokja.values import Digest, Json, canonical_bytes
from dokja.values.trees import leaf_hash

__all__ = ["SuiteItem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteItem:
    """One question with its right answers.

    Attributes:
        id: Names it inside its suite.
        question: What is asked.
        keys: Every answer that is right; for options their labels.
        choices: The options in their order, with the labels that the prompt shows.
        clusters: What it was drawn from, by the name of the clustering, such as `source`.
        stratum: Its category, by which the blueprint is drawn up; empty if there is none.
        language: Such as `ko`.
        chance: What guessing gets, in [0, 1); None if undeclared.
        fields: Further texts that the template may show, such as `passage`.
        tests: For programs.
        form: The form that it belongs to; empty where the suite has none.
        dated: The day from which the item could have been known, `YYYY-MM-DD`; empty if unknown.
        salt: 32 random bytes of a private item; empty for a public one.
    """

    id: str
    question: str
    keys: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    clusters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stratum: str = ""
    language: str = "ko"
    chance: float | None = None
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    tests: tuple[CodeTest, ...] = ()
    form: str = ""
    dated: str = ""
    private: bool = False
    salt: bytes = field(default=b"", repr=False)

    @property
    def content(self) -> Mapping[str, Json]:
        """What is asked, without the key, as JSON."""
        content: dict[str, Json] = {"id": self.id, "question": self.question}
        if self.choices:
            content["choices"] = [[choice.label, choice.text] for choice in self.choices]
        if self.fields:
            content["fields"] = dict(self.fields)
        return {**content, "language": self.language}

    @property
    def key(self) -> Mapping[str, Json]:
        """What is right, as JSON."""
        tests: Sequence[Json] = [[test.stdin, test.stdout] for test in self.tests]
        return {"keys": list(self.keys), **({"tests": tests} if tests else {})}

    @property
    def whole(self) -> Mapping[str, Json]:
        """The item with its key: what a commitment commits to."""
        return {**self.content, **self.key}

    @property
    def item_digest(self) -> Digest:
        """Names what is asked, without the key."""
        return self._digest(self.content, place="item")

    @property
    def key_digest(self) -> Digest:
        """Names what is right."""
        return self._digest(self.key, place="key")

    @property
    def leaf(self) -> bytes:
        """The leaf of the item in its form's commitment: SHA-256(0x00 ‖ salt ‖ RFC 8785 item).

        Raises:
            ValueError: The item has no salt.
        """
        if not self.salt:
            raise ValueError(f"item {self.id} has no salt, so that its leaf would tell what it is")
        return leaf_hash(self.salt + canonical_bytes(self.whole))

    @property
    def handle(self) -> str:
        """What records call it: its id, or for a private item one that tells nothing of it.

        A corrected key leaves it as it is.
        """
        return f"sealed-{self.item_digest.hex[:24]}" if self.private else self.id

    def _digest(self, value: Mapping[str, Json], *, place: str) -> Digest:
        if self.private:
            # Only secrets need the ledger, which takes longer to load than a suite to read.
            from dokja.evidence.ledger.sealing import commitment  # noqa: PLC0415  # see above

            return commitment(value, salt=self.salt, field=place)
        return Digest.of(canonical_bytes(value))
