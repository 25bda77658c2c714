"""Records what an endpoint answers to an unmodified engine, and gives it again without it.

An exchange is what went over the wire, byte by byte, and is never interpreted here. What a store
proves is what the endpoint answered, and that a score follows from it; not which weights
answered. `proxy` and `replay_server` need the extra `measure`; reading a store needs nothing.
"""

from dokja.evidence.benchmarks.exchanges.entries import Body, Exchange, Fault, Head
from dokja.evidence.benchmarks.exchanges.journals import Recording, read_recording
from dokja.evidence.benchmarks.exchanges.profiles import (
    PLAIN,
    Mask,
    Profile,
    exchange_key,
    read_profile,
)
from dokja.evidence.benchmarks.exchanges.recorders import Recorder
from dokja.evidence.benchmarks.exchanges.replays import Miss, Repeats, Replay, repeats
from dokja.evidence.benchmarks.exchanges.sides import Answer, Request, Terms

__all__ = [
    "PLAIN",
    "Answer",
    "Body",
    "Exchange",
    "Fault",
    "Head",
    "Mask",
    "Miss",
    "Profile",
    "Recorder",
    "Recording",
    "Repeats",
    "Replay",
    "Request",
    "Terms",
    "exchange_key",
    "read_profile",
    "read_recording",
    "repeats",
]
