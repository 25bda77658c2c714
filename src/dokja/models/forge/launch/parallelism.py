"""How a foreign engine spreads one training over many GPUs, and whether the batch fits it.

The degrees are those that torchtitan and Megatron share. A batch is the same whatever the
degrees are; what must divide what is checked here, before a cluster is asked for anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dokja.errors import Mistake
from dokja.models.forge.engines import Job

__all__ = ["Parallelism"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """Degrees of parallelism; their product is the number of GPUs.

    Attributes:
        data: Replicas that see other sequences; their weights are whole, or sharded.
        sharded: Whether the replicas share out weights and state (FSDP, distributed optimizer).
        tensor: GPUs over which each matrix is cut.
        pipeline: GPUs over which the layers are laid.
        context: GPUs over which each sequence is cut.
    """

    data: int = 1
    sharded: bool = True
    tensor: int = 1
    pipeline: int = 1
    context: int = 1

    @property
    def gpus(self) -> int:
        """How many GPUs it takes."""
        return self.data * self.tensor * self.pipeline * self.context

    def mistakes(self, job: Job, *, gpus: int) -> Iterator[Mistake]:
        """Yield everything that does not fit the job or the GPUs.

        Args:
            job: What is trained.
            gpus: How many there are.
        """
        degrees = {
            "data": self.data,
            "tensor": self.tensor,
            "pipeline": self.pipeline,
            "context": self.context,
        }
        for place, degree in degrees.items():
            if degree < 1:
                yield _mistake(place, degree, "a whole number from 1")
        if min(degrees.values()) < 1:
            return
        if self.gpus != gpus:
            yield _mistake("", f"{self.gpus} GPUs in all", f"the {gpus} of the launch request")
        batch, structure = job.batch, job.structure
        if batch.sequences % (batch.micro * self.data):
            read = f"{batch.sequences} sequences in {self.data} replicas of {batch.micro} at a time"
            yield _mistake("data", read, "a batch that they share out evenly")
        if structure.heads % self.tensor or structure.kv_heads % self.tensor:
            read = f"{self.tensor}, with {structure.heads} and {structure.kv_heads} heads"
            yield _mistake("tensor", read, "a divisor of both numbers of heads")
        if self.pipeline > structure.layers:
            yield _mistake("pipeline", self.pipeline, f"at most the {structure.layers} layers")
        if batch.length % (2 * self.context if self.context > 1 else 1):
            # Both engines balance causal attention by giving each GPU two pieces.
            yield _mistake("context", self.context, f"a divisor of half of {batch.length} tokens")


def _mistake(place: str, read: object, expected: str) -> Mistake:
    return Mistake(file="parallelism", place=place, read=str(read), expected=expected)
