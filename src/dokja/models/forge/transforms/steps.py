"""How each transform's checked parameters become a call, and what it does to ancestry.

One entry a transform; `registry` finds them by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dokja.models.forge.transforms import parameters as takes
from dokja.models.forge.transforms.layers import (
    drop_layers,
    insert_zero_blocks,
    overlap_map,
    scale_depth,
)
from dokja.models.forge.transforms.lora import AdapterTerms, merge_adapter
from dokja.models.forge.transforms.merge import merge_dare, merge_linear, merge_slerp, merge_ties
from dokja.models.forge.transforms.moe import upcycle
from dokja.models.forge.transforms.noise import add_noise
from dokja.models.forge.transforms.parameters import Parameter
from dokja.models.forge.transforms.prune import CRITERIA, prune_heads, prune_neurons
from dokja.models.forge.transforms.quantise import SCHEMES, quantise
from dokja.models.forge.transforms.records import Model, Transformed
from dokja.models.forge.transforms.transplant import transplant
from dokja.models.forge.transforms.vocabulary import (
    NEW_ROWS,
    change_vocabulary,
    extend_rows,
    pad_rows,
    replace_embeddings,
    swap_rows,
)
from dokja.models.forge.transforms.width import grow
from dokja.values import Json

__all__ = ["SPECS", "TransformSpec"]

_Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformSpec:
    """What is known of a transform before it is applied.

    Attributes:
        name: As recipes write it after `do`.
        parameters: What it takes.
        run: From checked values and sources to the result.
        changes_structure: Whether the result counts as another structure.
        adds_leaves: Whether other parents' leaves become the result's.
        check: Finds what is wrong between values that each are sound: place, read, expected.
    """

    name: str
    parameters: tuple[Parameter, ...]
    run: Callable[[_Values, Sequence[Model]], Transformed]
    changes_structure: bool = False
    adds_leaves: bool = False
    check: Callable[[_Values], Sequence[tuple[str, str, str]]] = lambda _: ()

    def to_json(self) -> dict[str, Json]:
        """Return it as reference pages print it."""
        return {
            "name": self.name,
            "parameters": {one.name: one.to_json() for one in self.parameters},
            "changes_structure": self.changes_structure,
            "adds_leaves": self.adds_leaves,
        }


def _seed(values: _Values) -> bytes:
    return bytes.fromhex(values["seed"] or "")


def _dus(values: _Values, sources: Sequence[Model]) -> Transformed:
    said = values["map"]
    layers = said
    if isinstance(said, Mapping):
        layers = overlap_map(sources[0].structure.layers, drop=said["drop"])
    return scale_depth(sources[0], layers=layers)


def _is_layer_map(value: Any) -> bool:
    if isinstance(value, Mapping):
        drop = value.get("drop")
        overlap = set(value) == {"kind", "drop"} and value["kind"] == "overlap"
        return overlap and isinstance(drop, int) and not isinstance(drop, bool) and drop >= 0
    return takes.wholes("map").fits(value) and len(value) > 0


def _prune_neurons(values: _Values, sources: Sequence[Model]) -> Transformed:
    ffn = sources[0].structure.ffn
    keep = values["keep"]
    if values["share"] is not None:
        keep = ffn - round(values["share"] * ffn)
    return prune_neurons(
        sources[0],
        keep=keep,
        criterion=values["criterion"],
        seed=_seed(values),
        kept=values["kept"],
    )


def _prune_mistakes(values: _Values) -> Sequence[tuple[str, str, str]]:
    given = [key for key in ("keep", "share", "kept") if values[key] is not None]
    if len(given) != 1:
        return [("keep", ", ".join(given) or "nothing", "exactly one of keep, share, kept")]
    if values["criterion"] == "random" and values["kept"] is None and not values["seed"]:
        return [("seed", "nothing", "a seed: neurons are drawn")]
    return []


def _is_kept(value: Any) -> bool:
    lists = isinstance(value, Mapping) and len(value) > 0
    return lists and all(takes.wholes("kept").fits(one) for one in value.values())


def _merge(values: _Values, sources: Sequence[Model]) -> Transformed:
    method, base, tuned = values["method"], sources[0], sources[1:]
    if method == "slerp":
        return merge_slerp(sources, share=values["share"])
    if method == "linear":
        weights = values["weights"] or [1.0] * len(sources)
        return merge_linear(sources, weights=weights, normalise=values["normalise"])
    weights = values["weights"] or [1.0 if method == "ties" else 1 / len(tuned)] * len(tuned)
    if method == "ties":
        return merge_ties(
            base, tuned, weights=weights, density=values["density"], scale=values["scale"]
        )
    return merge_dare(base, tuned, weights=weights, density=values["density"], seed=_seed(values))


_MERGE_USES = {
    "linear": {"weights", "normalise"},
    "slerp": {"share"},
    "ties": {"weights", "density", "scale"},
    "dare": {"weights", "density", "seed"},
}
_MERGE_NEEDS = {"slerp": {"share"}, "ties": {"density"}, "dare": {"density", "seed"}}


def _merge_mistakes(values: _Values) -> Sequence[tuple[str, str, str]]:
    method = values["method"]
    keys = ("weights", "share", "density", "seed")
    given = {key for key in keys if values[key] not in (None, "")}
    found = [
        (key, "nothing", f"this key: the method {method} needs it")
        for key in sorted(_MERGE_NEEDS.get(method, set()) - given)
    ]
    found += [
        (key, "a value", f"no such key: the method {method} does not use it")
        for key in sorted(given - _MERGE_USES[method])
    ]
    if values["density"] == 0:
        found.append(("density", "0", "a share above 0: nothing would be left of any parent"))
    return found


def _is_weights(value: Any) -> bool:
    number = takes.Parameter(
        name="weight", expected="", fits=lambda one: isinstance(one, int | float)
    )
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(number.fits, value))


def _merge_adapter(values: _Values, sources: Sequence[Model]) -> Transformed:
    terms = AdapterTerms(
        rank=values["rank"], alpha=values["alpha"], targets=tuple(values["targets"])
    )
    return merge_adapter(sources[0], sources[1].tensors, terms=terms, name=sources[1].name)


def _vocabulary(values: _Values, sources: Sequence[Model]) -> Transformed:
    count, kind = sources[0].structure.vocabulary, values["kind"]
    if kind == "extend":
        rows = extend_rows(count, add=values["add"])
    elif kind == "pad":
        rows = pad_rows(count, multiple=values["multiple"])
    elif kind == "swap":
        rows = swap_rows(count, share=values["share"], seed=_seed(values))
    else:
        rows = values["rows"]
    return change_vocabulary(sources[0], rows=rows, new=values["new"], seed=_seed(values))


_VOCABULARY_NEEDS = {"extend": "add", "pad": "multiple", "swap": "share", "map": "rows"}


def _vocabulary_mistakes(values: _Values) -> Sequence[tuple[str, str, str]]:
    needed = _VOCABULARY_NEEDS[values["kind"]]
    found = [
        (key, "nothing" if values[key] is None else "a value", f"only {needed} beside this kind")
        for key in ("add", "multiple", "share", "rows")
        if (values[key] is None) == (key == needed)
    ]
    if not values["seed"] and (values["kind"] == "swap" or values["new"] == "seed"):
        found.append(("seed", "nothing", "a seed: rows are drawn"))
    return found


def _replace_embeddings(values: _Values, sources: Sequence[Model]) -> Transformed:
    return replace_embeddings(
        sources[0],
        parts=values["parts"],
        donor=sources[1] if len(sources) > 1 else None,
        seed=_seed(values),
    )


def _replace_mistakes(values: _Values) -> Sequence[tuple[str, str, str]]:
    if bool(values["seed"]) == bool(values["with"]):
        return [("seed", "both or neither", "either a seed, or another model in `with`")]
    return []


_OVERLAP = 'a list of old layers, or { kind = "overlap", drop = 1 }'

SPECS = (
    TransformSpec(
        name="dus",
        parameters=(Parameter(name="map", expected=_OVERLAP, fits=_is_layer_map),),
        run=_dus,
        changes_structure=True,
    ),
    TransformSpec(
        name="zero-blocks",
        parameters=(takes.wholes("after"),),
        run=lambda values, sources: insert_zero_blocks(sources[0], after=values["after"]),
        changes_structure=True,
    ),
    TransformSpec(
        name="drop-layers",
        parameters=(takes.wholes("layers"),),
        run=lambda values, sources: drop_layers(sources[0], layers=values["layers"]),
        changes_structure=True,
    ),
    TransformSpec(
        name="prune-neurons",
        parameters=(
            takes.whole("keep", default=None),
            takes.fraction("share", default=None),
            Parameter(
                name="kept",
                expected="for each feed-forward half, a list of neurons that stay",
                fits=_is_kept,
                default=None,
            ),
            takes.choice("criterion", CRITERIA, default="size"),
            takes.seed(default=""),
        ),
        run=_prune_neurons,
        check=_prune_mistakes,
        changes_structure=True,
    ),
    TransformSpec(
        name="prune-heads",
        parameters=(takes.wholes("groups"), takes.wholes("heads", default=None)),
        run=lambda values, sources: prune_heads(
            sources[0], groups=values["groups"], heads=values["heads"]
        ),
        changes_structure=True,
    ),
    TransformSpec(
        name="grow",
        parameters=(
            takes.whole("ffn", default=None),
            takes.whole("width_times", default=1),
            takes.whole("heads_times", default=1),
            takes.seed(default=""),
        ),
        run=lambda values, sources: grow(
            sources[0],
            ffn=values["ffn"],
            width_times=values["width_times"],
            heads_times=values["heads_times"],
            seed=_seed(values),
        ),
        changes_structure=True,
    ),
    TransformSpec(
        name="merge",
        parameters=(
            takes.choice("method", tuple(_MERGE_USES)),
            takes.parents(),
            Parameter(
                name="weights",
                expected="a list of numbers, one for each model that is weighed",
                fits=_is_weights,
                default=None,
            ),
            takes.fraction("share", default=None),
            takes.fraction("density", default=None),
            takes.positive("scale", default=1.0),
            takes.flag("normalise", default=True),
            takes.seed(default=None),
        ),
        run=_merge,
        check=_merge_mistakes,
        adds_leaves=True,
    ),
    TransformSpec(
        name="merge-adapter",
        parameters=(
            takes.parents(),
            takes.whole("rank"),
            takes.positive("alpha"),
            takes.texts("targets", default=()),
        ),
        run=_merge_adapter,
        adds_leaves=True,
    ),
    TransformSpec(
        name="vocabulary",
        parameters=(
            takes.choice("kind", tuple(_VOCABULARY_NEEDS)),
            takes.whole("add", default=None),
            takes.whole("multiple", default=None),
            takes.fraction("share", default=None),
            takes.wholes("rows", least=-1, default=None),
            takes.choice("new", NEW_ROWS, default="mean"),
            takes.seed(default=None),
        ),
        run=_vocabulary,
        check=_vocabulary_mistakes,
    ),
    TransformSpec(
        name="replace-embeddings",
        parameters=(
            takes.texts("parts", default=("embedding", "head")),
            takes.parents(default=None),
            takes.seed(default=None),
        ),
        run=_replace_embeddings,
        check=_replace_mistakes,
        adds_leaves=True,
    ),
    TransformSpec(
        name="transplant",
        parameters=(
            takes.parents(),
            takes.text("prefix"),
            takes.text("donor_prefix", default=None),
        ),
        run=lambda values, sources: transplant(
            sources[0],
            sources[1],
            prefix=values["prefix"],
            donor_prefix=values["donor_prefix"],
        ),
        adds_leaves=True,
    ),
    TransformSpec(
        name="upcycle",
        parameters=(
            takes.whole("experts", least=2),
            takes.whole("experts_per_token"),
            takes.seed(),
            takes.fraction("perturb", default=0.0),
        ),
        run=lambda values, sources: upcycle(
            sources[0],
            experts=values["experts"],
            experts_per_token=values["experts_per_token"],
            seed=_seed(values),
            perturb=values["perturb"],
        ),
        changes_structure=True,
    ),
    TransformSpec(
        name="quantise",
        parameters=(
            takes.choice("scheme", tuple(SCHEMES)),
            takes.choice("form", ("fake", "stored"), default="fake"),
            takes.texts("tensors", default=()),
        ),
        run=lambda values, sources: quantise(
            sources[0],
            scheme=values["scheme"],
            form=values["form"],
            tensors=values["tensors"],
        ),
    ),
    TransformSpec(
        name="noise",
        parameters=(takes.fraction("share"), takes.seed(), takes.texts("tensors", default=("*",))),
        run=lambda values, sources: add_noise(
            sources[0], share=values["share"], seed=_seed(values), tensors=values["tensors"]
        ),
    ),
)
"""Every transform. The next one is an entry here, and a module beside this one."""
