"""What foreign logs call the four metrics that the room knows.

Names are compared whole: `eval/loss` is another thing than `loss`, and the `train_loss` with
which the Hugging Face Trainer ends is a mean over the whole run.
"""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["renamed"]

# In order of preference: where a log has two of them, the first one is taken.
_ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "loss": (
            "loss",
            "train/loss",
            "loss_metrics/global_avg_loss",  # torchtitan
            "lm loss",  # Megatron
            "train/cross_entropy",
            "train/CE loss",  # OLMo-core
            "training_loss",
        ),
        "lr": (
            "lr",
            "learning_rate",
            "train/learning_rate",
            "train/lr",
            "lr/AdamW",  # torchtitan, one parameter group
            "lr/AdamW/0",  # torchtitan, the first of several
            "learning-rate",  # Megatron, TensorBoard
            "learning rate",  # Megatron, text
            "optim/LR (group 0)",  # OLMo-core
        ),
        "grad_norm": (
            "grad_norm",
            "train/grad_norm",
            "grad-norm",
            "grad norm",
            "optim/total grad norm",  # OLMo-core
        ),
        "tokens": (
            "tokens",
            "n_tokens_seen",  # torchtitan
            "num_input_tokens_seen",
            "train/num_input_tokens_seen",
            "throughput/total tokens",  # OLMo-core
        ),
    }
)


def renamed(names: set[str]) -> Mapping[str, str]:
    """Return what each of a log's names becomes, no two of them the same.

    Args:
        names: All the names of one log.

    Example:
        >>> sorted(renamed({"train/loss", "lm loss", "mfu"}).items())
        [('lm loss', 'lm loss'), ('mfu', 'mfu'), ('train/loss', 'loss')]
    """
    taken = {name: name for name in names}
    for name, aliases in _ALIASES.items():
        chosen = next((alias for alias in aliases if alias in names), None)
        if chosen is not None:
            taken[chosen] = name
    return MappingProxyType(taken)
