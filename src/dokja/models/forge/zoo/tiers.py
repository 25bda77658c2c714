"""How large the zoo is grown: what each tier has, and what it costs.

| tier | family | parameters | roots | of which derived | steps by tokens | for |
|---|---|---|---|---|---|---|
| smoke | F1 | 99k | 12 | 2 | 100 by 512 | tests, without torch |
| small | F1 | 99k | 12 | 4 | 300 by 512 | lineage's benchmark |
| | F2, F3 | 116k, 144k | 6, 4 | 2 | 100 by 512 | |
| | F5 | 99k and 24k | 4 | 2 | 200 by 512 | |
| night | F1 | 0.8M | 12 | 6 | 600 by 2,048 | one night |
| | F2, F3 | 0.8M, 1.0M | 10 | 4 | 400 by 1,024 and 2,048 | |
| | F5 | 0.8M and 40k | 8 | 4 | 600 by 512 | |
| null | F1 | 99k | 128 | 0 | 300 by 512 | what strangers on the same data reach |
| long | F1 | 2.5M | 3 | 0 | 6,000 by 512 | whether well-trained strangers converge |

| tier | models, of which stored | processor seconds | disk |
|---|---|---|---|
| smoke | 220, 38 | 56, two at a time | 17 MB |
| small | 698, 130 | 429; 221 s by the clock, two at a time | 70 MB |
| night | 1,168, 220 | about 17,000 (computed from each engine's tokens a second) | 0.8 GB |

Measured by `benchmarks/zoo.py` with one thread an engine, unless it says computed; the clock of
`small` by `benchmarks/lineage`, which grows it, on two cores that did nothing else. The GPU tier
is not grown here: 60 to 124 million parameters come from recipes, see `GPU_PLANS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.structures import Structure
from dokja.models.forge.zoo.texts import VOCABULARY

__all__ = ["FAMILIES", "GPU_PLANS", "TIERS", "FamilyTier", "Tier", "tier_named"]

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "F1": "Llama with grouped queries and SwiGLU, head not tied",
        "F2": "GPT-2",
        "F3": "mixture of experts with latent attention",
        "F5": "picture encoder, projector and Llama",
    }
)
"""Every family, and what it is."""

GPU_PLANS = (
    "dokja forge plan t4 --size gpu1 -o plans/root-NN        # 124M, once for each of 10 seeds",
    "dokja forge plan t2 --size gpu1 --bases runs -o plans/cpt-NN",
    "dokja forge plan t3 --size gpu1 --bases runs -o plans/dus-NN",
)
"""How roots and derivatives of 60 to 124 million parameters are planned for one GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTier:
    """A family's share of a tier.

    Attributes:
        structure: Of every root; of the body, where there is an encoder beside it.
        same: Roots on the same data in the same order, each from a seed of its own.
        other: Roots on other data.
        twins: Roots that share the seed of one of the first, on other data.
        derived: How many roots have trained derivatives.
        steps: Training steps of a root.
        lr: Peak learning rate of a root.
        sequences: Windows in a step.
        length: Tokens in a window.
    """

    structure: Structure
    same: int
    other: int
    twins: int
    derived: int
    steps: int
    lr: float
    sequences: int = 8
    length: int = 64

    @property
    def roots(self) -> int:
        """How many roots there are."""
        return self.same + self.other + self.twins

    @property
    def root_tokens(self) -> int:
        """Tokens that a root is trained on."""
        return self.steps * self.sequences * self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A size of the zoo.

    Attributes:
        name: One of `TIERS`.
        corpus_tokens: Tokens of each corpus.
        families: Each family's share.
        torch: Whether engines that need torch are used.
    """

    name: str
    corpus_tokens: int
    families: Mapping[str, FamilyTier] = field(default_factory=dict)
    torch: bool = True


def _llama(width: int, *, layers: int, heads: int, kv_heads: int, ffn: int) -> Structure:
    return Structure(
        family="llama",
        vocabulary=VOCABULARY,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_width=width // heads,
        ffn=ffn,
        positions=256,
    )


def _gpt2(width: int, *, layers: int, heads: int, ffn: int) -> Structure:
    return Structure(
        family="gpt2",
        vocabulary=VOCABULARY,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        head_width=width // heads,
        ffn=ffn,
        positions=64,
        tied=True,
    )


def _latent(width: int, *, layers: int, heads: int, ffn: int) -> Structure:
    return Structure(
        family="latent-moe",
        vocabulary=VOCABULARY,
        width=width,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        head_width=width // heads,
        ffn=2 * ffn,
        positions=256,
        experts=4,
        experts_per_token=2,
        shared_experts=1,
        expert_ffn=ffn,
        dense_layers=1,
        latent=width // 2,
        rope_width=8,
        routed_scale=1.0,
    )


def _share(
    structure: Structure,
    *,
    roots: tuple[int, int, int],
    derived: int,
    steps: int,
    lr: float,
    batch: tuple[int, int] = (8, 64),
) -> FamilyTier:
    same, other, twins = roots
    return FamilyTier(
        structure=structure,
        same=same,
        other=other,
        twins=twins,
        derived=derived,
        steps=steps,
        lr=lr,
        sequences=batch[0],
        length=batch[1],
    )


_SMALL_LLAMA = _llama(48, layers=4, heads=4, kv_heads=2, ffn=80)
_SMALL_GPT2 = _gpt2(48, layers=4, heads=4, ffn=160)
_SMALL_LATENT = _latent(48, layers=4, heads=4, ffn=32)
_NIGHT_LLAMA = _llama(128, layers=4, heads=8, kv_heads=4, ffn=352)
_NIGHT_GPT2 = _gpt2(128, layers=4, heads=8, ffn=512)
_NIGHT_LATENT = _latent(128, layers=4, heads=8, ffn=96)
_WIDE_LLAMA = _llama(256, layers=4, heads=4, kv_heads=2, ffn=512)
_BENCH, _SHORT, _SEEN = (16, 128), (16, 64), (16, 32)

TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "smoke": Tier(
            name="smoke",
            corpus_tokens=60_000,
            torch=False,
            families={
                "F1": _share(_SMALL_LLAMA, roots=(8, 2, 2), derived=2, steps=100, lr=1e-2),
            },
        ),
        "small": Tier(
            name="small",
            corpus_tokens=160_000,
            families={
                "F1": _share(_SMALL_LLAMA, roots=(8, 2, 2), derived=4, steps=300, lr=6e-3),
                "F2": _share(_SMALL_GPT2, roots=(4, 0, 2), derived=2, steps=100, lr=1e-2),
                "F3": _share(_SMALL_LATENT, roots=(4, 0, 0), derived=2, steps=100, lr=1e-2),
                "F5": _share(
                    _SMALL_LLAMA, roots=(4, 0, 0), derived=2, steps=200, lr=5e-3, batch=_SEEN
                ),
            },
        ),
        "night": Tier(
            name="night",
            corpus_tokens=1_000_000,
            families={
                "F1": _share(
                    _NIGHT_LLAMA, roots=(8, 2, 2), derived=6, steps=600, lr=3e-3, batch=_BENCH
                ),
                "F2": _share(
                    _NIGHT_GPT2, roots=(6, 2, 2), derived=4, steps=400, lr=3e-3, batch=_SHORT
                ),
                "F3": _share(
                    _NIGHT_LATENT, roots=(6, 2, 2), derived=4, steps=400, lr=3e-3, batch=_BENCH
                ),
                "F5": _share(
                    _NIGHT_LLAMA, roots=(4, 2, 2), derived=4, steps=600, lr=3e-3, batch=_SEEN
                ),
            },
        ),
        "null": Tier(
            name="null",
            corpus_tokens=160_000,
            torch=False,
            families={
                "F1": _share(_SMALL_LLAMA, roots=(96, 0, 32), derived=0, steps=300, lr=6e-3),
            },
        ),
        "long": Tier(
            name="long",
            corpus_tokens=3_000_000,
            torch=False,
            families={"F1": _share(_WIDE_LLAMA, roots=(2, 0, 1), derived=0, steps=6000, lr=2e-3)},
        ),
    }
)
"""Every tier by its name."""


def tier_named(name: str) -> Tier:
    """Return a tier.

    Raises:
        RecipeError: There is none of this name that is grown here.
    """
    if name not in TIERS:
        wrong = Mistake(
            file="zoo",
            place="tier",
            read=repr(name),
            expected="one of " + ", ".join(TIERS),
            remedy="Larger networks are planned, not grown here: " + GPU_PLANS[0]
            if name == "gpu"
            else "",
        )
        raise RecipeError([wrong])
    return TIERS[name]
