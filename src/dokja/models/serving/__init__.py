"""Something that answers a prompt: a small model run here, or answers that were recorded.

`open_model` runs a Llama-like Hugging Face folder in numpy: greedy, batched, deterministic, and
nothing from the folder is executed. `RecordedModel` replays answers from a file. Both are a
`Responder`, which is all that a benchmark knows. OpenAI-compatible endpoints stand in `endpoints`.

What runs a model is loaded when it is first asked for: whoever asks an endpoint opens no weights.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from dokja.models.serving.responders import Answer, Finish, Responder

if TYPE_CHECKING:
    from dokja.models.serving.embedded import EmbeddedModel
    from dokja.models.serving.opening import open_model
    from dokja.models.serving.recorded import RecordedModel, recording_bytes

__all__ = [
    "Answer",
    "EmbeddedModel",
    "Finish",
    "RecordedModel",
    "Responder",
    "open_model",
    "recording_bytes",
]

_HOME = {
    "EmbeddedModel": "embedded",
    "RecordedModel": "recorded",
    "open_model": "opening",
    "recording_bytes": "recorded",
}


def __getattr__(name: str) -> object:
    """Return a name of this room, having loaded the module that it stands in."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found
