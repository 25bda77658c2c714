r"""Checks of how a tokenizer cuts a text before it merges.

A literal text where a regular expression was meant never matches, so that nothing is ever cut: a
released model of a billion parameters shipped so (ggml-org/llama.cpp #29211). llama.cpp brings its
own cuts and knows each by the name in `tokenizer.ggml.pre`; one that it does not know gives other
ids than the model was trained on (#8649, #9927, #13421).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from dokja.models.forge.tokenizing.cutting import cut_apart, cut_here
from dokja.models.forge.tokenizing.lint_findings import (
    Facts,
    LintFinding,
    fails,
    holds,
    undecided,
)
from dokja.models.forge.tokenizing.opened import TokenizerFile, steps
from dokja.models.forge.tokenizing.patterns import SPLITS
from dokja.models.forge.tokenizing.probes import probe

__all__ = ["CUT_CHECKS", "known_cut", "probe_cut"]

_PLACE = "pre_tokenizer"
_LOOKS_LIKE_REGEX = re.compile(r"\\[pPsSdDwWrn]|\(\?|\[\^|\)[*+?|]|\][*+?|]")
_DIGITS = re.compile(r"[0-9]{2,}")
_SPACED_DIGIT = re.compile(r"\s[0-9]")

# What the ByteLevel pre-tokenizer cuts by when its use_regex is on: the cut of GPT-2.
_GPT2 = r"'(?:[stmd]|re|ve|ll)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_DIGIT = r"\p{N}"

# Patterns that are known to end soon; any other is a stranger's and runs in a process of its own.
_TRUSTED = frozenset({_GPT2, _DIGIT, r"\p{N}+", *(split.pattern for split in SPLITS.values())})


def split_is_regex(facts: Facts) -> Iterator[LintFinding]:
    """Find a literal text where a regular expression was meant, or one that is none."""
    found = False
    for place, written in _patterns(facts.file):
        literal = written.get("String")
        if isinstance(literal, str) and _LOOKS_LIKE_REGEX.search(literal):
            found = True
            yield fails(
                "split-is-regex",
                place,
                read=f"the literal text {literal[:40]!r}, which no text holds",
                expected="the same as a regular expression",
                remedy='Write {"Regex": …} in place of {"String": …}; a model trained under the '
                "literal text must keep it, and says so in its card.",
            )
    if not found:
        yield holds("split-is-regex", _PLACE, "no literal text that looks like a regex")


def split_matches(facts: Facts) -> Iterator[LintFinding]:
    """Find a pre-tokenizer that never cuts a text."""
    if not facts.file.byte_level:
        yield holds("split-matches", _PLACE, "a vocabulary that is not byte-level")
        return
    if not facts.file.model.get("merges"):
        yield holds("split-matches", _PLACE, "no merges, so nothing that a cut could stop")
        return
    if isinstance(facts.cuts, str):
        yield _not_understood("split-matches", facts.cuts)
        return
    texts = len((*probe().korean, *probe().english))
    whole = sum(1 for found in facts.cuts[:texts] if len(found) < 2)  # noqa: PLR2004  # one piece is no cut
    if whole == texts:
        yield fails(
            "split-matches",
            _PLACE,
            read=f"all {whole} sentences of the probe in one piece each",
            expected="words in pieces of their own",
            remedy="Give the Split step a pattern that matches words; merges across words "
            "make tokens of whole phrases and encoding slow.",
        )
    else:
        yield holds("split-matches", _PLACE, f"{texts - whole} of {texts} sentences cut")


def digits_split(facts: Facts) -> Iterator[LintFinding]:
    """Find tokens that hold several digits, and digits that stick to a space."""
    texts = [(token, _text(facts.file, token)) for token, _ in facts.file.tokens]
    longest = max((len(run) for _, text in texts for run in _DIGITS.findall(text)), default=1)
    if longest == 1:
        yield holds("digits-split", "model.vocab", "no token of two digits")
    else:
        example = next(token for token, text in texts if _longest(text) == longest)
        yield fails(
            "digits-split",
            "model.vocab",
            read=f"tokens of up to {longest} digits, such as {example[:20]!r}",
            expected="each digit by itself",
            remedy="Cut digits one by one (\\p{N}); groups move arithmetic scores.",
            advice=longest <= 3,  # noqa: PLR2004  # groups of three from the left are usual
        )
    spaced = next((token for token, text in texts if _SPACED_DIGIT.search(text)), None)
    if spaced is None:
        yield holds("digits-without-space", "model.vocab", "no token of a space and a digit")
    else:
        yield fails(
            "digits-without-space",
            "model.vocab",
            read=f"the token {spaced[:20]!r}",
            expected="a digit that is the same token after a space and after a sign",
            remedy="Let no space stand before \\p{N} in the split pattern.",
            advice=True,
        )


def _longest(text: str) -> int:
    return max((len(run) for run in _DIGITS.findall(text)), default=1)


def _text(file: TokenizerFile, token: str) -> str:
    return file.text_of(token).decode(errors="replace")


def ggml_pre(facts: Facts) -> Iterator[LintFinding]:
    """Find a cut that llama.cpp does not know."""
    check, file = "ggml-pre", facts.file
    if not file.byte_level:
        yield holds(check, _PLACE, "a vocabulary that is not byte-level and needs no such name")
        return
    if isinstance(facts.cuts, str):
        yield _not_understood(check, facts.cuts)
        return
    # Whatever is cut, bytes without merges stay bytes.
    name = known_cut(facts.cuts) if file.model.get("merges") else "gpt-2"
    if name is not None:
        yield holds(check, _PLACE, f"texts cut as under tokenizer.ggml.pre = {name!r}")
        return
    yield fails(
        check,
        _PLACE,
        read="texts cut as under no tokenizer.ggml.pre that is known here",
        expected="a cut that llama.cpp has, such as "
        + ", ".join(repr(split.ggml) for split in SPLITS.values() if split.ggml),
        remedy="Do not write another name into a GGUF file: the ids would differ from those "
        "that the model was trained on. Train with a split of the list, or serve it elsewhere.",
        advice=True,
    )


def known_cut(cuts: Sequence[Sequence[str]]) -> str | None:
    """Return the `tokenizer.ggml.pre` under which llama.cpp cuts the probe so, if there is one.

    Args:
        cuts: The pieces of each text of the probe.
    """
    ours = [list(found) for found in cuts]
    return next((name for name, theirs in _known().items() if theirs == ours), None)


@lru_cache(maxsize=1)
def _known() -> Mapping[str, list[list[str]]]:
    cuts = {split.ggml: [split.pattern] for split in SPLITS.values() if split.ggml}
    cuts |= {"gpt-2": [_GPT2], "starcoder": [_DIGIT, _GPT2]}
    return {name: _cut_by(patterns, limit_seconds=0) for name, patterns in cuts.items()}


def probe_cut(file: TokenizerFile, *, limit_seconds: float) -> tuple[tuple[str, ...], ...] | str:
    """Return how a file cuts each text of the probe, or why that cannot be told.

    Args:
        file: The tokenizer's files.
        limit_seconds: How long each of its patterns may take.
    """
    patterns: list[str] = []
    for step in steps(file.said.get("pre_tokenizer")):
        found = _step(step)
        if found is None:
            return f"the step {str(step.get('type'))[:20]!r}, which is not understood here"
        patterns += found
    try:
        cuts = _cut_by(patterns, limit_seconds=limit_seconds)
    except ValueError as error:
        return str(error)
    return tuple(tuple(pieces) for pieces in cuts)


def _step(step: Mapping[str, Any]) -> list[str] | None:
    """Return the patterns that a step cuts by; `None` if it does something else."""
    match step:
        case {"type": "ByteLevel", "add_prefix_space": False}:
            return [_GPT2] if step.get("use_regex", True) else []
        case {"type": "Digits"}:
            return [_DIGIT if step.get("individual_digits") else r"\p{N}+"]
        case {"type": "Split", "behavior": "Isolated", "pattern": {"String": str(literal)}}:
            return [re.escape(literal)] if literal else None
        case {"type": "Split", "behavior": behavior, "pattern": {"Regex": str(pattern)}}:
            # Inverted and "removed" keeps what matches, one by one, as isolated does.
            kept = behavior == "Isolated" or (behavior == "Removed" and step.get("invert"))
            return [pattern] if kept else None
    return None


def _cut_by(patterns: Sequence[str], *, limit_seconds: float) -> list[list[str]]:
    """Cut the probe by one pattern after another."""
    found = [[text] for text in probe().texts]
    for pattern in patterns:
        longer = [piece for pieces in found for piece in pieces]
        shorter = iter(
            cut_here(pattern, longer)
            if pattern in _TRUSTED
            else cut_apart(pattern, longer, limit_seconds=limit_seconds)
        )
        found = [[part for _ in pieces for part in next(shorter)] for pieces in found]
    return found


def _patterns(file: TokenizerFile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for part in ("pre_tokenizer", "normalizer"):
        for step in steps(file.said.get(part)):
            written = step.get("pattern")
            if isinstance(written, dict):
                yield f"{part}, {step.get('type')}", written


def _not_understood(check: str, why: str) -> LintFinding:
    return undecided(
        check,
        _PLACE,
        read=why,
        expected="Split, Digits and ByteLevel without a prefix space",
        remedy="Compare ids of the probe by hand before you export it.",
    )


CUT_CHECKS = (split_is_regex, split_matches, digits_split, ggml_pre)
