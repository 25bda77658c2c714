"""What relation a model of the zoo truly has to what it was made of, in the words of verdicts.

Nobody writes a label: each follows from the steps of the record. Where several steps were done,
the one that changes most names the relation, and the others are told beside it. Laundering is no
relation; it is told as what would have to be undone. Embedding and head are parts of the body
that can be replaced alone, so that every part has a word of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from dokja.models.forge.zoo.records import ZooRecord
from dokja.values import Json

__all__ = ["WORDS", "Label", "label", "parts_of", "relation_of", "tell"]

WORDS = (
    "identical",
    "requantised",
    "adapter_merged",
    "fine_tuned",
    "continually_pretrained",
    "merged",
    "component_reuse",
    "width_edited",
    "depth_edited",
    "upcycled",
    "shared_initialisation",
    "no_evidence",
)
"""Every word a label may use; of two relations that were both made, the later one names it."""

_KINDS: Mapping[str, str] = {
    "dus": "depth_edited",
    "zero-blocks": "depth_edited",
    "drop-layers": "depth_edited",
    "prune-neurons": "width_edited",
    "prune-heads": "width_edited",
    "grow": "width_edited",
    "upcycle": "upcycled",
    "merge": "merged",
    "transplant": "component_reuse",
    "quantise": "requantised",
    # The verdicts have no word for noise; every weight moved a little is what they call this.
    "noise": "fine_tuned",
    "vocabulary": "identical",
    "replace-embeddings": "identical",
    "launder": "identical",
    "start": "no_evidence",
}
_BODY_ONLY = frozenset({"dus", "zero-blocks", "drop-layers", "upcycle", "prune-neurons"})
_PARTS: Mapping[str, tuple[str, ...]] = {
    "language_body": ("model.layers.0.self_attn.q_proj.weight", "transformer.h.0.ln_1.weight"),
    "embedding": ("model.embed_tokens.weight", "transformer.wte.weight"),
    "head": ("lm_head.weight",),
    "vision_encoder": ("vision_tower.post_layernorm.weight",),
    "projector": ("multi_modal_projector.linear_1.weight",),
}
"""Every part, and a tensor by whose name one can tell whether a step touches it."""

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The truth of one model against its parents.

    Attributes:
        relation: One of `WORDS`; to the first parent. For a model from a seed: `no_evidence`.
        parts: The same for each part. Where a part is another model's, the word says how it
            relates to that one, and `sources` names it.
        sources: For each part, whose weights it has; nothing where it was drawn anew.
        transform: Kinds of the steps, in order.
        layer_map: For each layer, the first parent's layer that it was; None for no change.
        merge: Each parent's weight, by name; nominal for slerp, TIES and DARE.
        laundering: Kinds that would have to be undone.
        parents: Names of the models whose weights went in.
        teacher: The model whose answers it learned from, which leaves no weight evidence.
    """

    relation: str
    parts: Mapping[str, str]
    sources: Mapping[str, tuple[str, ...]]
    transform: tuple[str, ...]
    layer_map: tuple[int, ...] | None = None
    merge: Mapping[str, float] = field(default_factory=dict)
    laundering: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    teacher: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as the manifest states it."""
        return {
            "relation": self.relation,
            "parts": dict(self.parts),
            "sources": {part: list(names) for part, names in self.sources.items()},
            "transform": list(self.transform),
            "layer_map": None if self.layer_map is None else list(self.layer_map),
            "merge": dict(self.merge),
            "laundering": list(self.laundering),
            "parents": list(self.parents),
            "teacher": self.teacher,
        }


def label(record: ZooRecord) -> Label:
    """Return the truth that a record holds.

    Example:
        >>> from dokja.models.forge.zoo.tiers import TIERS
        >>> from dokja.models.forge.zoo.records import Parent, ZooRecord
        >>> record = ZooRecord(
        ...     name="f1-r00.deep", family="F1", teacher=None, recipe=(), root="", stored=False,
        ...     structure=TIERS["smoke"].families["F1"].structure,
        ...     parents=(Parent(name="f1-r00", root=""),),
        ...     steps=({"kind": "dus", "map": {"layers": [0, 1, 1, 2, 2, 3]}},),
        ... )
        >>> label(record).relation, label(record).layer_map
        ('depth_edited', (0, 1, 1, 2, 2, 3))
    """
    parents = tuple(parent.name for parent in record.parents)
    parts = parts_of(record)
    told = {part: tell(record.steps, part) for part in parts}
    sources = {part: _sources(record.steps, part, parents=parents) for part in parts}
    if not parents:
        relation, told = "no_evidence", dict.fromkeys(parts, "no_evidence")
    else:
        relation = relation_of(record.steps)
    return Label(
        relation=relation,
        parts=told,
        sources=sources,
        transform=tuple(str(step["kind"]) for step in record.steps),
        layer_map=_layer_map(record.steps),
        merge=_merge_weights(record.steps, parents),
        laundering=tuple(
            kind for step in record.steps if step["kind"] == "launder" for kind in step["kinds"]
        ),
        parents=parents,
        teacher=None if record.teacher is None else record.teacher.name,
    )


def relation_of(steps: Sequence[Step]) -> str:
    """Return the relation of a result to what the first of some steps began with.

    Example:
        >>> relation_of([{"kind": "launder"}, {"kind": "quantise"}])
        'requantised'
    """
    return max(("identical", *map(_word, steps)), key=WORDS.index)


def parts_of(record: ZooRecord) -> tuple[str, ...]:
    """Return the parts that a model has; a tied head is no part of its own."""
    parts = ["language_body", "embedding"]
    if not record.structure.tied:
        parts.append("head")
    if record.family == "F5":
        parts += ["vision_encoder", "projector"]
    return tuple(parts)


def tell(steps: Sequence[Step], part: str) -> str:
    """Return the relation of one part to where its weights come from."""
    touching = [step for step in steps if _touches(step, part)]
    if any(_replaces(step, part) == "drawn" for step in touching):
        return "no_evidence"
    words = [_word(step) for step in touching if not _replaces(step, part)]
    return max(("identical", *words), key=WORDS.index)


def _word(step: Step) -> str:
    if step["kind"] != "train":
        return _KINDS[step["kind"]]
    if step["adapter"] is not None:
        return "adapter_merged"
    return "fine_tuned" if step["corpus"]["form"] == "answers" else "continually_pretrained"


def _touches(step: Step, part: str) -> bool:
    """Tell whether a step changes, or replaces, a part."""
    kind = step["kind"]
    if kind == "launder":
        return False
    if kind == "train":
        return _trains(step, part)
    if kind in _BODY_ONLY or kind in {"prune-heads", "grow"}:
        return part == "language_body"
    if kind == "quantise":
        return part not in {"embedding", "head"}
    if kind in {"vocabulary", "replace-embeddings", "transplant"}:
        return _replaces(step, part) is not None or (kind == "vocabulary" and _has_rows(part))
    return True


def _trains(step: Step, part: str) -> bool:
    if step["adapter"] is not None:
        return part == "language_body"
    patterns = step["trainable"]
    if isinstance(patterns, str):
        return True
    return any(fnmatchcase(name, one) for name in _PARTS[part] for one in patterns)


def _has_rows(part: str) -> bool:
    return part in {"embedding", "head"}


def _replaces(step: Step, part: str) -> str | None:
    """Return `drawn` or `donor` where a step puts other values in a part's place."""
    kind = step["kind"]
    if kind == "vocabulary":
        return "drawn" if _has_rows(part) and step["map"]["share_new"] == 1 else None
    if kind == "replace-embeddings":
        replaced = set(step["map"]["replaced"]) & set(_PARTS[part])
        if not replaced:
            return None
        return "donor" if len(step["parents"]) > 1 else "drawn"
    if kind == "transplant":
        taken = any(name.startswith(step["parameters"]["prefix"]) for name in _PARTS[part])
        return "donor" if taken else None
    return None


def _sources(steps: Sequence[Step], part: str, *, parents: tuple[str, ...]) -> tuple[str, ...]:
    """Return whose weights a part has, of the record's parents."""
    has = parents[:1]
    for step in steps:
        how = _replaces(step, part)
        if how == "drawn":
            has = ()
        elif how == "donor":
            has = parents[1:2]
        elif step["kind"] == "merge":
            has = parents
    return has


def _layer_map(steps: Sequence[Step]) -> tuple[int, ...] | None:
    """Return the map of all steps together; maps of maps when layers changed more than once."""
    found: tuple[int, ...] | None = None
    for step in steps:
        if _KINDS.get(step["kind"]) == "depth_edited":
            layers = step["map"]["layers"]
            found = tuple(layers if found is None else (found[layer] for layer in layers))
    return found


def _merge_weights(steps: Sequence[Step], parents: tuple[str, ...]) -> dict[str, float]:
    for step in steps:
        if step["kind"] == "merge":
            said = step["parameters"]
            if said["method"] == "slerp":
                weights = [1 - said["share"], said["share"]]
            elif said["method"] == "linear":
                weights = [one / sum(said["weights"]) for one in said["weights"]]
            else:  # changes to a base are added: what is left of one is the base's
                weights = [1 - sum(said["weights"]), *said["weights"]]
            return {name: round(one, 12) for name, one in zip(parents, weights, strict=True)}
    return {}
