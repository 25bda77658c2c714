"""What two models have in common besides their weights: facts that are no lineage.

They stand beside a report and enter no score: a vocabulary can be taken over without a weight,
and two strangers built after one paper have one configuration.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dokja.models.comparison import TokenOverlap, token_overlap
from dokja.models.weights import Notice, Source, notices

__all__ = ["OtherFacts", "Setting", "other_facts"]

_LONGEST = 80
_MOST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A key of the configurations whose values differ.

    Attributes:
        key: Its path, such as `text_config.hidden_size`.
        suspect: What the suspect's says, as JSON; none where it says nothing.
        reference: Likewise, of the reference.
    """

    key: str
    suspect: str | None
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherFacts:
    """What stands beside a comparison.

    Attributes:
        tokenizers: How much the vocabularies share; none where a model names no tokens.
        same_rows: Share of the shared tokens that stand in the same row on both sides; none
            likewise, or where none is shared.
        same_settings: How many settings of the configurations are equal.
        other_settings: Those that are not.
        configured: Whether both sides have a configuration.
        notices: Licence and notice files of the suspect and of the reference; none for weights
            at an address, beside which nobody looks.
    """

    tokenizers: TokenOverlap | None = None
    same_rows: float | None = None
    same_settings: int = 0
    other_settings: tuple[Setting, ...] = ()
    configured: bool = False
    notices: tuple[tuple[Notice, ...] | None, tuple[Notice, ...] | None] = (None, None)


def other_facts(suspect: Source, reference: Source) -> OtherFacts:
    """Return what two models have in common besides their weights.

    Raises:
        WeightsError: A tokenizer's file is damaged.
    """
    ours, theirs = suspect.token_rows(), reference.token_rows()
    overlap = token_overlap(ours, theirs) if ours and theirs else None
    shared = set(ours or ()) & set(theirs or ())
    same = sum((ours or {})[token] == (theirs or {})[token] for token in shared)
    first, second = (dict(_settings(side.config or {})) for side in (suspect, reference))
    keys = sorted(set(first) | set(second))
    differing = [key for key in keys if first.get(key) != second.get(key)]
    return OtherFacts(
        tokenizers=overlap,
        same_rows=same / len(shared) if shared else None,
        same_settings=len(keys) - len(differing),
        other_settings=tuple(
            Setting(key=key, suspect=first.get(key), reference=second.get(key))
            for key in differing[:_MOST]
        ),
        configured=suspect.config is not None and reference.config is not None,
        notices=(notices(suspect), notices(reference)),
    )


def _settings(config: Mapping[str, Any], *, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield every setting with its path; the values come from outside, and are cut to a line."""
    for key, value in config.items():
        if isinstance(value, Mapping) and not above.count("."):
            yield from _settings(value, above=f"{above}{key}.")
        else:
            written = json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
            shown = written if len(written) <= _LONGEST else f"{written[: _LONGEST - 1]}…"
            yield f"{above}{key}", shown
