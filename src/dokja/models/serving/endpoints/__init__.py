"""Asks OpenAI-compatible endpoints, and tells what came back: an answer, or which fault.

`Endpoint.exchange` is one try over the wire; `classify` reads it. What to do about a fault stands
in `REACTIONS`; doing it is the runner's (`evidence.benchmarks.running`). Needs the extra
`measure` only when an endpoint is opened.
"""

from dokja.models.serving.endpoints.classifying import Verdict, classify
from dokja.models.serving.endpoints.client import Endpoint, Exchange, Patience
from dokja.models.serving.endpoints.faults import REACTIONS, FaultClass, Reaction
from dokja.models.serving.endpoints.replies import Said, UnreadableReplyError, Usage, read_reply
from dokja.models.serving.endpoints.requests import Family, RequestForm, request_form

__all__ = [
    "REACTIONS",
    "Endpoint",
    "Exchange",
    "Family",
    "FaultClass",
    "Patience",
    "Reaction",
    "RequestForm",
    "Said",
    "UnreadableReplyError",
    "Usage",
    "Verdict",
    "classify",
    "read_reply",
    "request_form",
]
