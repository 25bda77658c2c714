"""Following a teacher's probabilities (distillation, Hinton et al., arXiv 1503.02531), in torch.

The teacher is frozen and only ever goes forward. What is descended is `(1 - s) · CE + s · T² ·
KL(p_T || q_T)`, where `p_T` and `q_T` are teacher's and student's distributions at temperature T,
averaged over the positions that predict a token. What is told as loss stays the cross-entropy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.teachers import teacher_source
from dokja.models.forge.workers.networks import Made, Parts, load

__all__ = ["Teaching", "divergence", "open_teaching"]


def divergence(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Return `T² · KL(teacher || student)` of softened scores, nats, averaged over positions.

    Args:
        student: Scores, shape `(sequences, positions, vocabulary)`.
        teacher: Scores of the same shape; no gradient goes back into them.
        temperature: What both are divided by.
    """
    # Logarithms of bf16 sums lose what a teacher has to say of unlikely tokens.
    softened = functional.log_softmax(student.float().flatten(0, 1) / temperature, dim=-1)
    taught = functional.log_softmax(teacher.float().flatten(0, 1) / temperature, dim=-1)
    mean = functional.kl_div(softened, taught, reduction="batchmean", log_target=True)
    return mean * temperature**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """A frozen teacher, and how far it is followed.

    Attributes:
        network: On the student's device.
        scores: Computes a network's scores of some ids, as the engine calls it.
        share: Share of the loss that follows it.
        temperature: What both networks' scores are divided by.
    """

    network: nn.Module
    scores: Callable[[nn.Module, Tensor], Tensor]
    share: float
    temperature: float

    def loss(self, data: Tensor, student: Tensor, ids: Tensor) -> Tensor:
        """Return what is descended; call it under the student's own autocast.

        Args:
            data: Mean cross-entropy of the data.
            student: The student's scores of the same ids.
            ids: What both read, shape `(sequences, length)`.
        """
        with torch.no_grad():
            teacher = self.scores(self.network, ids)
        # The last position predicts nothing.
        apart = divergence(student[:, :-1], teacher[:, :-1], temperature=self.temperature)
        return (1.0 - self.share) * data + self.share * apart


def open_teaching(
    job: Job,
    *,
    make: Callable[[Job], Made],
    scores: Callable[[nn.Module, Tensor], Tensor],
    base: Path,
    device: torch.device,
) -> Teaching | None:
    """Return a job's teacher; none where it has none.

    Args:
        job: What is trained.
        make: Makes a network of a job's structure.
        scores: See `Teaching`.
        base: The job file's folder.
        device: Where to.

    Raises:
        EngineError: The engine has no such network.
        WeightsError: The teacher's weights are not there, or damaged.
        RecordError: They are others than the job names.
    """
    teacher = job.teacher
    if teacher is None:
        return None
    source = teacher_source(teacher, base=base)
    made = make(replace(job, structure=teacher.structure, adapter=None, teacher=None))
    load(Parts(made.network, teacher.structure, plain=made.plain), source)
    network = made.network.eval().requires_grad_(False).to(device)  # noqa: FBT003  # torch's own word
    return Teaching(
        network=network, scores=scores, share=teacher.share, temperature=teacher.temperature
    )
