"""The teachers that a record names: models whose answers or probabilities were trained on.

A teacher is an edge of data. It is shown with its root and licence wherever data are shown, and
its weights did not go into the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dokja.models.forge.records.record import BuildRecord

__all__ = ["Taught", "taught_by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A teacher of one component.

    Attributes:
        component: Whose teacher.
        name: As the recipe calls it.
        root: Its tensor root; none where it is not recorded.
        licence: Under which it was used; none where it is not recorded.
        share: Share of the loss that followed it, in [0, 1]; none where it is not recorded.
        temperature: What both networks' scores were divided by; none likewise.
    """

    component: str
    name: str
    root: str | None
    licence: str | None
    share: float | None
    temperature: float | None


def taught_by(record: BuildRecord) -> tuple[Taught, ...]:
    """Return every teacher of a record's components, each once, in the order of the steps."""
    found: dict[Taught, None] = {}
    for component in record.components:
        for step in component.steps:
            options = step.get("options")
            # A program of the builder's own is handed its teacher among its options.
            said = step.get("teacher") or (
                options.get("teacher") if isinstance(options, Mapping) else None
            )
            if isinstance(said, str):  # a record may name a teacher and no more
                said = {"base": said}
            if isinstance(said, Mapping) and "base" in said:
                found[_taught(component.id, said)] = None
    return tuple(found)


def _taught(component: str, said: Mapping[str, object]) -> Taught:
    return Taught(
        component=component,
        name=str(said["base"]),
        root=_text(said.get("root")),
        licence=_text(said.get("licence")),
        share=_number(said.get("weight")),
        temperature=_number(said.get("temperature")),
    )


def _text(said: object) -> str | None:
    return said if isinstance(said, str) else None


def _number(said: object) -> float | None:
    return float(said) if isinstance(said, int | float) else None
