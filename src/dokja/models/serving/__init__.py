"""Something that answers a prompt: a small model run here, or answers that were recorded.

`open_model` runs a Llama-like Hugging Face folder in numpy: greedy, batched, deterministic, and
nothing from the folder is executed. `RecordedModel` replays answers from a file. Both are a
`Responder`, which is all that a benchmark knows; an OpenAI-compatible endpoint will be a third.
"""

from dokja.models.serving.embedded import EmbeddedModel
from dokja.models.serving.opening import open_model
from dokja.models.serving.recorded import RecordedModel, recording_bytes
from dokja.models.serving.responders import Answer, Finish, Responder

__all__ = [
    "Answer",
    "EmbeddedModel",
    "Finish",
    "RecordedModel",
    "Responder",
    "open_model",
    "recording_bytes",
]
