"""The fields of the EU's public summary of training content that a build record can fill.

The headings are those of the template to Article 53(1)(d) of Regulation (EU) 2024/1689, as the
Commission published it in July 2025. A record knows its sources, sizes, dates and licences; what
only a provider can say stands there as null beside the reason, so that nobody takes silence for
"none".
"""

import re
from collections.abc import Sequence
from typing import Any

from dokja.models.forge.records.facts import DataSource, LeafKind
from dokja.models.forge.records.record import BuildRecord
from dokja.models.forge.records.teachers import taught_by

__all__ = ["training_content"]

_NOT_RECORDED = "not in the build record; the provider says it"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

# The template's size classes for text, in tokens.
_SMALL, _LARGE = 10**9, 10**13


def training_content(record: BuildRecord) -> dict[str, Any]:
    """Return the fields of the summary, filled as far as the record goes.

    Args:
        record: All that is said comes from here.
    """
    return {
        "schema": "dokja.training-content/1",
        "template": "Commission template for the public summary of training content (Article "
        "53(1)(d) of Regulation (EU) 2024/1689), July 2025",
        "record": str(record.digest),
        "1_general_information": {
            "1.1_provider": {"name": record.builder.name, "contact": _unsaid()},
            "1.2_model": {
                "versioned_model_name": f"{record.name} ({record.size})",
                "model_dependencies": _dependencies(record),
                "date_of_placing_on_the_market": _unsaid(),
            },
            "1.3_modalities_and_size": _text(record.data),
        },
        "2_list_of_data_sources": {
            "sources": [_source(source) for source in record.data],
            "2.1_publicly_available_datasets": _unsaid(),
            "2.2_private_datasets_of_third_parties": _unsaid(),
            "2.3_crawled_and_scraped": _unsaid(),
            "2.4_user_data": _unsaid(),
            "2.5_synthetic_data": _teachers(record),
            "2.6_other_sources": _unsaid(),
        },
        "3_data_processing": {
            "3.1_reservation_of_rights": _unsaid(),
            "3.2_removal_of_illegal_content": {
                source.name: list(source.filters) for source in record.data
            },
            "3.3_other": {source.name: source.personal_data for source in record.data},
        },
    }


def _unsaid() -> dict[str, Any]:
    return {"value": None, "reason": _NOT_RECORDED}


def _dependencies(record: BuildRecord) -> list[dict[str, Any]]:
    return [
        {
            "component": component.id,
            "model": leaf.name,
            "licence": leaf.licence,
            "tensor_root": leaf.root,
        }
        for component in record.components
        for leaf in component.leaves
        if leaf.kind is not LeafKind.SCRATCH
    ]


def _text(data: Sequence[DataSource]) -> dict[str, Any]:
    tokens = sum(source.tokens for source in data)
    days = sorted(day for source in data for day in _DAY.findall(source.collected))
    if not data:
        size = "no text was trained on"
    elif tokens < _SMALL:
        size = "less than 1 billion tokens"
    elif tokens <= _LARGE:
        size = "1 billion to 10 trillion tokens"
    else:
        size = "more than 10 trillion tokens"
    return {
        "modalities": ["text"] if data else [],
        "text": {"size": size, "tokens": tokens},
        "latest_date_of_data_acquisition": days[-1] if days else None,
        "languages": sorted({language for source in data for language in source.languages}),
    }


def _source(source: DataSource) -> dict[str, Any]:
    return {
        "name": source.name,
        "manifest": str(source.manifest),
        "origin": source.origin,
        "licence": source.licence,
        "collected": source.collected,
        "documents": source.documents,
        "tokens": source.tokens,
        "bytes": source.bytes,
        "languages": list(source.languages),
    }


def _teachers(record: BuildRecord) -> list[dict[str, Any]]:
    """Return models whose answers were trained on, which a record keeps as edges of data."""
    return [
        {
            "component": one.component,
            "model": one.name,
            "licence": one.licence,
            "tensor_root": one.root,
            "share_of_loss": one.share,
        }
        for one in taught_by(record)
    ]
