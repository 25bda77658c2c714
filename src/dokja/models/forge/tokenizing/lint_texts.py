"""Checks of what a tokenizer does to a text: whether it comes back, whole and unchanged."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from dokja.errors import RecipeError
from dokja.models.forge.tokenizing.lint_findings import (
    Facts,
    LintFinding,
    fails,
    holds,
    undecided,
)
from dokja.models.forge.tokenizing.opened import steps
from dokja.models.forge.tokenizing.probes import probe
from dokja.models.forge.tokenizing.report import round_trip_losses

__all__ = ["TEXT_CHECKS"]

_Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

# What sentencepiece's own files do to a text before its vocabulary, and undo after it.
_UNDONE = {"Prepend", "Replace"}


def normaliser_keeps(facts: Facts) -> Iterator[LintFinding]:
    """Find a normaliser that changes a text, which nothing can undo."""
    check = "normaliser-keeps"
    found = False
    for step in steps(facts.file.said.get("normalizer")):
        kind = str(step.get("type"))[:20]
        if kind in _UNDONE:
            continue
        found = True
        changed = _changed(step)
        if changed is None:
            yield undecided(
                check,
                f"normalizer, {kind}",
                read="a step whose effect is not worked out here",
                expected="no normaliser",
                remedy="See whether round-trip holds.",
            )
        elif changed:
            yield fails(
                check,
                f"normalizer, {kind}",
                read=f"a step that changes {changed[0][:20]!r} into {changed[1][:20]!r}",
                expected="no normaliser: a text comes back as it was",
                remedy="Remove it and normalise the corpus instead, where that is recorded; a "
                "model that was trained with it must keep it. llama.cpp does not apply it.",
            )
        else:
            yield holds(check, f"normalizer, {kind}", "a step that changes no text of the probe")
    if not found:
        yield holds(check, "normalizer", "none that loses anything")


def _changed(step: Mapping[str, Any]) -> tuple[str, str] | tuple[()] | None:
    """Return a text that a step changes and what into; nothing if none; `None` if unknown."""
    kind = step.get("type")
    for text in probe().texts:
        match kind:
            case "NFC" | "NFD" | "NFKC" | "NFKD":
                after = unicodedata.normalize(_form(kind), text)
            case "Lowercase" | "BertNormalizer":
                after = text.lower()
            case "Strip" | "StripAccents" | "Nmt":
                after = text.strip()
            case "Precompiled":  # a table of sentencepiece, in all but name NFKC
                after = unicodedata.normalize("NFKC", text)
            case _:
                return None
        if after != text:
            return text, after
    return ()


def _form(kind: str) -> _Form:
    return next(form for form in get_args(_Form) if form == kind)


def no_truncation(facts: Facts) -> Iterator[LintFinding]:
    """Find a length beyond which texts are cut off, or padding that is added, in silence."""
    said = facts.file.said
    for part in ("truncation", "padding"):
        if said.get(part) is None:
            yield holds(f"no-{part}", part, "none")
            continue
        yield fails(
            f"no-{part}",
            part,
            read="settings of some earlier use",
            expected="null: the caller says how long a text may be",
            remedy=f'Set "{part}" to null in tokenizer.json.',
        )


def no_prefix_space(facts: Facts) -> Iterator[LintFinding]:
    """Find a space that is set before each text, so that its first word has other ids."""
    said = facts.file.said
    setters = [
        str(step.get("type"))
        for part in ("normalizer", "pre_tokenizer")
        for step in steps(said.get(part))
        if step.get("type") == "Prepend"
        or step.get("add_prefix_space") is True
        or step.get("prepend_scheme") in ("always", "first")
    ]
    if not setters:
        yield holds("no-prefix-space", "pre_tokenizer", "no space before a text")
        return
    yield fails(
        "no-prefix-space",
        "pre_tokenizer" if setters[0] != "Prepend" else "normalizer",
        read=f"a space that {setters[0]} sets before each text",
        expected="a text as it is",
        remedy="Keep it for a model that was trained so; leave it out of a new tokenizer.",
        advice=True,
    )


def round_trip(facts: Facts) -> Iterator[LintFinding]:
    """Find texts of the probe that do not come back."""
    texts = probe().texts
    if isinstance(facts.subject, str):
        yield undecided(
            "round-trip",
            "probe",
            read=facts.subject,
            expected="a tokenizer that can encode here",
            remedy="pip install 'dokja[tokenizer]', then look again.",
        )
        return
    try:
        losses = round_trip_losses(facts.subject, texts)
    except RecipeError as error:
        yield fails(
            "round-trip",
            "probe",
            read=error.mistakes[0].read,
            expected="an encoder that takes every text",
            remedy="Look at the findings on unknown token and bytes.",
        )
        return
    if not losses:
        yield holds("round-trip", "probe", f"all {len(texts)} texts as they were")
        return
    yield fails(
        "round-trip",
        "probe",
        read=f"{len(losses)} of {len(texts)} texts changed, such as "
        f"{losses[0].text[:20]!r} into {losses[0].back[:20]!r}",
        expected="each text as it was",
        remedy="Look at the findings on normaliser, unknown token and bytes.",
    )


TEXT_CHECKS = (normaliser_keeps, no_truncation, no_prefix_space, round_trip)
