"""What every engine reads and writes: jobs, events, checkpoints; and the engines themselves.

Core and engine speak through files alone, so that a worker that crashes cannot harm the record
and an examiner needs none of the builder's software. Nothing here knows torch.
"""

from dokja.models.forge.engines.checkpoints import (
    Checkpoint,
    CheckpointState,
    find_checkpoints,
    open_checkpoint,
    write_checkpoint,
    write_weights,
)
from dokja.models.forge.engines.contract import Capabilities, Capability, Engine
from dokja.models.forge.engines.events import (
    Checkpointed,
    End,
    Event,
    Events,
    EventWriter,
    Interruption,
    Resume,
    Start,
    Steps,
    read_events,
)
from dokja.models.forge.engines.job_files import parse_job, read_job, write_job
from dokja.models.forge.engines.jobs import Job

__all__ = [
    "Capabilities",
    "Capability",
    "Checkpoint",
    "CheckpointState",
    "Checkpointed",
    "End",
    "Engine",
    "Event",
    "EventWriter",
    "Events",
    "Interruption",
    "Job",
    "Resume",
    "Start",
    "Steps",
    "find_checkpoints",
    "open_checkpoint",
    "parse_job",
    "read_events",
    "read_job",
    "write_checkpoint",
    "write_job",
    "write_weights",
]
