"""A tokenizer's report: what it does to Korean, English and code, on a probe that is pinned.

Two reports stand beside each other only if their probe digests are equal. A figure of one's own
text may be added, and is named as such: a text that the tokenizer was trained on flatters it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.tokenizing.measures import MEASURES, counted, measure
from dokja.models.forge.tokenizing.opened import Subject
from dokja.models.forge.tokenizing.overlap import Overlap, overlap
from dokja.models.forge.tokenizing.probes import probe
from dokja.models.forge.tokenizing.tokenizer import padded, utf8
from dokja.values import Digest, Estimate, Json, Measured, Missing, shown

__all__ = ["Loss", "Report", "TextReport", "report", "round_trip_losses"]

SCHEMA = "dokja.tokenizer-report/1"
_PROBE = ("korean", "english", "code")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A text that a tokenizer does not give back.

    Attributes:
        text: The text.
        back: What came back.
    """

    text: str
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReport:
    """What a tokenizer does to one text.

    Attributes:
        name: `korean`, `english` or `code` of the probe, or the name that the caller gave.
        digest: The digest of the text in UTF-8.
        measures: By name, in the order of `measures.MEASURES`.
    """

    name: str
    digest: Digest
    measures: Mapping[str, Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured of one tokenizer.

    Attributes:
        tokenizer: Its name.
        digest: The digest that it is known by, if it is one of Dokja's.
        size: How many ids it has.
        rows: How many embedding rows that makes when padded to 128.
        probe: The digest of the pinned probe.
        texts: The probe's texts, then the caller's.
        parity: Tokens of the Korean sentences over tokens of the same in English.
        losses: Texts of the probe that do not come back; empty if it is lossless there.
        shared: By the other tokenizer's name, what the two vocabularies share.
    """

    tokenizer: str
    digest: str | None
    size: int
    rows: int
    probe: Digest
    texts: tuple[TextReport, ...]
    parity: Measured
    losses: tuple[Loss, ...]
    shared: Mapping[str, Overlap]

    def to_json(self) -> dict[str, Json]:
        """Return it as JSON; a missing figure has a reason in place of a value."""
        return {
            "schema": SCHEMA,
            "tokenizer": self.tokenizer,
            "digest": self.digest,
            "size": self.size,
            "rows": self.rows,
            "probe": str(self.probe),
            "texts": [
                {
                    "name": text.name,
                    "digest": str(text.digest),
                    "measures": {name: _as_json(found) for name, found in text.measures.items()},
                }
                for text in self.texts
            ],
            "parity": _as_json(self.parity),
            "lossless": not self.losses,
            "losses": [{"text": loss.text, "back": loss.back} for loss in self.losses],
            "shared": {
                name: {
                    "tokens": found.shared,
                    "same_id": found.same_id,
                    "of_this": found.of_one,
                    "of_other": found.of_other,
                    "jaccard": found.jaccard,
                }
                for name, found in self.shared.items()
            },
        }

    def as_text(self) -> str:
        """Return it as a table for a terminal; `-` stands for what could not be measured."""
        width = max(len(name) for name in MEASURES)
        names = [shown(text.name) for text in self.texts]
        head = f"{self.tokenizer}: {self.size} ids, {self.rows} rows when padded to 128"
        lines = [head, " " * width + "".join(f"  {name:>12}" for name in names)]
        for name in MEASURES:
            cells = [_cell(text.measures[name]) for text in self.texts]
            columns = zip(cells, names, strict=True)
            row = "".join(f"  {cell:>{max(12, len(title))}}" for cell, title in columns)
            lines.append(f"{name:<{width}}{row}")
        lines.append(f"tokens of Korean over tokens of the same in English: {_cell(self.parity)}")
        lines.append(self._round_trip())
        lines += [
            f"shared with {name}: {found.shared} tokens, {found.of_one:.1%} of these and "
            f"{found.of_other:.1%} of its own; {found.same_id} have the same id"
            for name, found in self.shared.items()
        ]
        return "\n".join(lines)

    def _round_trip(self) -> str:
        if not self.losses:
            return "every text of the probe comes back as it was"
        first = self.losses[0]
        text, back = shown(repr(first.text)), shown(repr(first.back))
        return f"{len(self.losses)} texts do not come back, first {text} as {back}"


def report(
    tokenizer: Subject,
    *,
    texts: Mapping[str, str] | None = None,
    parallel: tuple[Sequence[str], Sequence[str]] | None = None,
    others: Sequence[Subject] = (),
) -> Report:
    """Measure a tokenizer.

    Args:
        tokenizer: What is measured.
        texts: Further texts by name.
        parallel: Korean and English sentences that say the same, in place of the probe's.
        others: Tokenizers to compare its vocabulary with.

    Raises:
        RecipeError: A text is empty, has no UTF-8 or the name of a probe; or the parallel texts
            differ in number.
    """
    given = dict(texts or {})
    pinned = probe()
    korean, english = parallel or (pinned.korean, pinned.english)
    mistakes = [*_text_mistakes(given), *_parallel_mistakes(korean, english)]
    if mistakes:
        raise RecipeError(mistakes)
    held = {
        "korean": "\n".join(pinned.korean),
        "english": "\n".join(pinned.english),
        "code": "\n".join(pinned.code),
        **given,
    }
    return Report(
        tokenizer=tokenizer.name,
        digest=tokenizer.digest,
        size=tokenizer.size,
        rows=padded(tokenizer.size),
        probe=pinned.digest,
        texts=tuple(
            TextReport(name=name, digest=Digest.of(utf8(text)), measures=measure(tokenizer, text))
            for name, text in held.items()
        ),
        parity=counted(
            sum(len(tokenizer.encode(sentence)) for sentence in korean),
            sum(len(tokenizer.encode(sentence)) for sentence in english),
            ("Korean tokens", "English tokens"),
        ),
        losses=round_trip_losses(tokenizer, pinned.texts),
        shared={other.name: overlap(tokenizer.vocabulary, other.vocabulary) for other in others},
    )


def round_trip_losses(tokenizer: Subject, texts: Sequence[str]) -> tuple[Loss, ...]:
    """Return the texts that do not come back as they were."""
    back = ((text, tokenizer.decode(tokenizer.encode(text))) for text in texts)
    return tuple(Loss(text=text, back=came) for text, came in back if came != text)


def _text_mistakes(given: Mapping[str, str]) -> list[Mistake]:
    mistakes = []
    for name, text in given.items():
        if name in _PROBE:
            expected = "a name that no text of the probe has"
            mistakes.append(Mistake(file=name, place="name", read=name, expected=expected))
        if not text.strip():
            expected = "a text to measure"
            mistakes.append(Mistake(file=name, place="", read="an empty text", expected=expected))
        try:
            utf8(text)
        except RecipeError as error:
            mistakes += error.mistakes
    return mistakes


def _parallel_mistakes(korean: Sequence[str], english: Sequence[str]) -> list[Mistake]:
    if korean and len(korean) == len(english):
        return []
    return [
        Mistake(
            file="parallel texts",
            place="",
            read=f"{len(korean)} sentences in Korean and {len(english)} in English",
            expected="as many of each, and at least one",
        )
    ]


def _as_json(found: Measured) -> dict[str, Json]:
    match found:
        case Estimate():
            return {
                "value": found.value,
                "rests_on": dict(found.rests_on),
                "method": found.method,
            }
        case Missing():
            return {"missing": found.reason.value, "what": list(found.what)}
        case _:
            assert_never(found)


def _cell(found: Measured) -> str:
    match found:
        case Estimate():
            return f"{found.value:.3f}"
        case Missing():
            return "-"
        case _:
            assert_never(found)
