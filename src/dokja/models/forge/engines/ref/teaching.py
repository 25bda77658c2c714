"""Following a teacher's probabilities (distillation), in numpy.

What is descended is `(1 - s) · CE + s · T² · KL(p_T || q_T)`, where `p_T` and `q_T` are teacher's
and student's distributions at temperature T (Hinton et al., arXiv 1503.02531, section 2). By a
student's score its derivative is `(1 - s) · (q - y) + s · T · (q_T - p_T)`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.ref.network import Network
from dokja.models.forge.engines.ref.parts import Array
from dokja.models.forge.engines.teachers import teacher_source

__all__ = ["Teaching", "open_teaching"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teaching:
    """A frozen teacher, and how far it is followed.

    Attributes:
        network: What it is.
        weights: Every tensor of it, in the student's dtype.
        share: Share of the loss that follows it.
        temperature: What both networks' scores are divided by.
    """

    network: Network
    weights: Mapping[str, Array]
    share: float
    temperature: float

    def hidden(self, tokens: NDArray[np.int64]) -> Array:
        """Return the teacher's last hidden rows, shape `(sequences * positions, width)`."""
        return self.network.forward(self.weights, tokens).hidden

    def pull(self, scores: Array, hidden: Array) -> Array:
        """Return the teacher's part of the derivative by each score, for one prediction.

        Args:
            scores: Of the student, shape `(rows, vocabulary)`.
            hidden: The teacher's hidden rows of the same positions.
        """
        taught = _softmax(hidden @ self.weights[self.network.head].T, self.temperature)
        pull: Array = _softmax(scores, self.temperature) - taught
        pull *= pull.dtype.type(self.share * self.temperature)
        return pull


def open_teaching(job: Job, *, base: Path) -> Teaching | None:
    """Return a job's teacher; none where it has none.

    Args:
        job: What is done.
        base: The job file's folder.

    Raises:
        WeightsError: The teacher's weights are not there, or damaged.
        RecordError: They are others than the job names.
    """
    if job.teacher is None:
        return None
    source = teacher_source(job.teacher, base=base)
    return Teaching(
        network=Network(job.teacher.structure),
        weights={name: source.read(name).astype(np.float32) for name in source.names},
        share=job.teacher.share,
        temperature=job.teacher.temperature,
    )


def _softmax(scores: Array, temperature: float) -> Array:
    softened: Array = (scores - scores.max(axis=1, keepdims=True)) / scores.dtype.type(temperature)
    np.exp(softened, out=softened)
    softened /= softened.sum(axis=1, keepdims=True)
    return softened
