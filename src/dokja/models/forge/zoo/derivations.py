"""What is made of a root: every derivative that the benchmark of lineage asks for.

Each is one line here, in the words of recipes. What an engine or a transform cannot do with a
family is not asked for, and the zoo's manifest names it as left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dokja.models.forge.laundering import kinds_for
from dokja.models.forge.zoo.blueprints import Blueprint, Step, launder, seed_of, train
from dokja.models.forge.zoo.roots import Root
from dokja.models.forge.zoo.tiers import FamilyTier

__all__ = ["Setting", "derivatives", "disguises"]

_LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_GPT2_LINEARS = ("c_attn", "c_proj", "c_fc")
_LATENT_LINEARS = ("q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj")
_ENCODER = "vision_tower."
_SIGHTED_BUT_ENCODER = ("model.*", "lm_head.weight", "multi_modal_projector.*")
_PERMUTATIONS = ("ffn-permutation", "head-permutation", "residual-permutation")

Change = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a root's derivatives are made.

    Attributes:
        family: Of the root.
        share: The family's share of the tier.
        root: The root.
        stranger: A root on the same side that it shares nothing with.
        torch: Whether engines that need torch may be asked for.
    """

    family: str
    share: FamilyTier
    root: Root
    stranger: Root | None
    torch: bool

    @property
    def engine(self) -> str:
        """The engine of the family's trainings."""
        return {"F1": "ref", "F5": "sighted"}.get(self.family, "hf")

    def seed(self, *words: object) -> str:
        """Return the seed of something that is made of this root."""
        return seed_of(self.root.name, *words)

    def training(
        self, share: float, *, lr: float, corpus: str = "language-d", **more: Any
    ) -> dict[str, Any]:
        """Return a training over a share of the root's steps, at a share of its rate."""
        steps = max(1, round(share * self.share.steps))
        more = {"engine": self.engine, "order": self.seed("order", corpus, share, lr), **more}
        return train(steps, lr=lr * self.share.lr, corpus=corpus, **more)

    def made(
        self, suffix: str, *steps: Step, others: tuple[str, ...] = (), teacher: str | None = None
    ) -> Blueprint:
        """Return the blueprint of something that is made of this root."""
        return Blueprint(
            name=f"{self.root.name}.{suffix}",
            family=self.family,
            steps=steps,
            parents=() if teacher else (self.root.name, *others),
            teacher=teacher,
        )


def derivatives(at: Setting) -> Iterator[Blueprint]:
    """Yield everything that is made of a root without hiding it; trained ones come first."""
    if at.family == "F5":
        yield from _sighted(at)
        return
    yield from _trained(at)
    yield from _merged(at)
    for suffix, change in _changes(at).items():
        yield at.made(suffix, change)


def _trained(at: Setting) -> Iterator[Blueprint]:
    yield at.made("sft-slow", at.training(0.5, lr=0.05, corpus="answers"))
    yield at.made("sft-fast", at.training(0.5, lr=0.3, corpus="answers"))
    for percent in (25, 50, 100, 200):
        yield at.made(f"cpt-{percent:03d}", at.training(percent / 100, lr=0.5))
    for suffix, change in _depths(at).items():
        yield at.made(f"{suffix}-trained", change, at.training(0.5, lr=0.5))
    for rank in (4, 16):
        yield at.made(f"lora-{rank:02d}", _adapter(at, rank))
    if at.family == "F1":
        yield from _trained_llama(at)


def _trained_llama(at: Setting) -> Iterator[Blueprint]:
    if at.torch:
        tuned = at.training(0.5, lr=0.5, engine="hf")
        yield at.made("upcycle-trained", _upcycle(at), tuned)
    hidden = launder(at.seed("recovery"))
    yield at.made("recovered", hidden, _recovery(at))
    yield at.made("recovered-embeddings", hidden, _embeddings(at), _recovery(at))
    yield at.made(
        "student",
        {"do": "start", "seed": at.seed("student")},
        at.training(1.0, lr=1.0, corpus=f"taught-by-{at.root.name}"),
        teacher=at.root.name,
    )


def _recovery(at: Setting) -> Step:
    """Return 100 steps, or as many as the root had where that is fewer."""
    share = min(1.0, 100 / at.share.steps)
    return at.training(share, lr=0.3, corpus="language-a", order=at.seed("recovery"))


def _adapter(at: Setting, rank: int) -> Step:
    linears = {"gpt2": _GPT2_LINEARS, "latent-moe": _LATENT_LINEARS}
    targets = linears.get(at.share.structure.family, _LINEARS)
    said = {
        "rank": rank,
        "alpha": 2.0 * rank,
        "targets": list(targets),
        "seed": at.seed("adapter", rank),
    }
    return at.training(
        0.5,
        lr=1.0,
        corpus="answers",
        engine="ref-adapter" if at.family == "F1" else "hf",
        trainable="adapters",
        adapter=said,
    )


def _merged(at: Setting) -> Iterator[Blueprint]:
    """Yield merges with derivatives of the same root, and a mixture with a stranger."""
    tuned, continued = f"{at.root.name}.sft-fast", f"{at.root.name}.cpt-050"
    two = [tuned, continued]
    ways: dict[str, Change] = {
        "linear": {"method": "linear", "weights": [0.2, 0.5, 0.3]},
        "ties": {"method": "ties", "weights": [0.6, 0.4], "density": 0.5},
        "dare": {"method": "dare", "weights": [0.6, 0.4], "density": 0.5, "seed": at.seed("dare")},
    }
    for method, said in ways.items():
        yield at.made(
            f"merge-{method}", {"do": "merge", "with": two, **said}, others=(tuned, continued)
        )
    slerp = {"do": "merge", "with": continued, "method": "slerp", "share": 0.5}
    yield at.made("merge-slerp", slerp, others=(continued,))
    if at.stranger is not None:
        name = at.stranger.name
        mixed = {"do": "merge", "with": name, "method": "linear", "weights": [0.7, 0.3]}
        yield at.made("mixed-with-stranger", mixed, others=(name,))


def _depths(at: Setting) -> dict[str, Change]:
    layers = at.share.structure.layers
    each = sorted([*range(layers), *range(1, layers - 1)])
    return {
        "dus-overlap": {"do": "dus", "map": {"kind": "overlap", "drop": 1}},
        "dus-each": {"do": "dus", "map": each},
    }


def _upcycle(at: Setting) -> Change:
    seed = at.seed("upcycle")
    return {"do": "upcycle", "experts": 4, "experts_per_token": 2, "seed": seed, "perturb": 0.01}


def _embeddings(at: Setting) -> Change:
    return {"do": "replace-embeddings", "seed": at.seed("embeddings")}


def _changes(at: Setting) -> dict[str, Change]:
    """Return every single transform that fits the family, by what its result is called."""
    structure, seed = at.share.structure, at.seed
    found: dict[str, Change] = {
        **_depths(at),
        "drop-layer": {"do": "drop-layers", "layers": [structure.layers // 2]},
        **{
            scheme: {"do": "quantise", "scheme": scheme}
            for scheme in ("int8-row", "int4-group", "fp8-block")
        },
        **{
            f"noise-{percent:02d}": {"do": "noise", "share": percent / 100, "seed": seed("noise")}
            for percent in (1, 3, 10)
        },
    }
    if structure.family == "latent-moe":  # no table says what the axes of its tensors count
        return found
    found |= {
        "zero-blocks": {"do": "zero-blocks", "after": [1]},
        "ffn-25": {"do": "prune-neurons", "share": 0.25},
        "ffn-50": {"do": "prune-neurons", "share": 0.5},
        "ffn-50-random": {
            "do": "prune-neurons",
            "share": 0.5,
            "criterion": "random",
            "seed": seed("prune"),
        },
        "wider": {"do": "grow", "ffn": structure.ffn + structure.ffn // 4, "seed": seed("grow")},
        "embeddings": _embeddings(at),
        **{
            f"vocabulary-{percent:03d}": {
                "do": "vocabulary",
                "kind": "swap",
                "share": percent / 100,
                "new": "seed",
                "seed": seed("vocabulary"),
            }
            for percent in (20, 50, 100)
        },
    }
    if structure.family == "llama":
        found["heads"] = {"do": "prune-heads", "groups": list(range(structure.kv_heads - 1))}
        found["upcycle"] = _upcycle(at)
    return found


def _sighted(at: Setting) -> Iterator[Blueprint]:
    """Yield what is made of a model with an encoder: trained whole, and with another's encoder."""
    yield at.made("sft-fast", at.training(0.5, lr=0.3, corpus="answers"))
    yield at.made("cpt-100", at.training(1.0, lr=0.5))
    if at.stranger is not None:
        donor = at.stranger.name
        taken = {"do": "transplant", "with": donor, "prefix": _ENCODER}
        frozen = at.training(0.5, lr=0.5, trainable=_SIGHTED_BUT_ENCODER)
        yield at.made("encoder-frozen", taken, frozen, others=(donor,))
        yield at.made("encoder-trained", taken, at.training(0.5, lr=0.5), others=(donor,))
        yield at.made("encoder", taken, others=(donor,))
    yield at.made("int8-row", {"do": "quantise", "scheme": "int8-row"})
    for percent in (1, 10):
        said = {"do": "noise", "share": percent / 100, "seed": at.seed("noise")}
        yield at.made(f"noise-{percent:02d}", said)


_HIDDEN = (
    "sft-fast",
    "lora-16",
    "cpt-050",
    "cpt-100",
    "dus-overlap-trained",
    "dus-each",
    "drop-layer",
    "ffn-25",
    "ffn-50-random",
    "heads",
    "upcycle",
    "upcycle-trained",
    "merge-linear",
    "mixed-with-stranger",
    "int8-row",
    "int4-group",
    "vocabulary-050",
    "noise-10",
    "student",
)
"""Derivatives that are disguised besides."""


def disguises(at: Setting, made: Mapping[str, Blueprint]) -> Iterator[Blueprint]:
    """Yield laundered forms: the root by every kind alone, and derivatives by many together.

    Args:
        at: Where.
        made: What was made of the root, by name.
    """
    if at.family == "F5":
        return
    kinds = kinds_for(at.share.structure)
    for kind in kinds:
        yield at.made(f"by-{kind}", launder(at.seed(kind), kind))
    if not kinds:
        return
    wanted = ("", *(f".{suffix}" for suffix in _HIDDEN))
    for suffix in wanted:
        name = at.root.name + suffix
        if suffix and name not in made:
            continue
        everything = launder(at.seed("all", suffix))
        moved = launder(
            at.seed("moved", suffix), *(kind for kind in _PERMUTATIONS if kind in kinds)
        )
        for word, steps in {
            "moved": (moved,),
            "laundered": (everything,),
            "laundered-embeddings": (everything, _embeddings(at)),
        }.items():
            yield Blueprint(name=f"{name}.{word}", family=at.family, steps=steps, parents=(name,))
