"""V2, weights, with one forward pass at most: could these weights have come about as told.

| check | asks | fails | holds |
|---|---|---|---|
| V2.1 | start drawn from the seed, or made of the declared base | another root | equal roots |
| V2.2 | trace of the start, from scratch | z below 5 | z from 50 |
| V2.3 | AdamW's bound between states | beyond it by 1e-3 | within |
| V2.4 | logged losses | off by 1e-5 nats (bf16 5e-3) | else |
| V2.5 | moved share, bases; licences apart | frozen tensors moved, moved too little | else |
| V2.6 | tokenizer made again | other merges | equal |

It does not show an honest beginning with a splice where no states lie close to each other; for
that the probes' draw and V3 are there.
"""

from collections.abc import Iterator

from dokja.models.forge.ladder.artefacts import Artefacts
from dokja.models.forge.ladder.component_checks import component_findings, tokenizer_finding
from dokja.models.forge.ladder.course_checks import bound_finding, loss_finding
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.start_checks import start_findings, trace_finding

__all__ = ["weight_level"]


def weight_level(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield every finding of V2."""
    if artefacts.joint:
        yield from _joint(artefacts)
        return
    bodies = artefacts.bodies()
    if not bodies:
        yield Finding(
            check="V2.1",
            title="start of the weights",
            outcome=Outcome.NOT_AVAILABLE,
            why=f"no plan tells of weights: {artefacts.absent.get('plan', 'it has no body')}",
            remedy="Give the folder with plan.json and the archived states by --artefacts.",
        )
    for component in bodies:
        yield from start_findings(artefacts, settings, component)
        for training in artefacts.trainings:
            if training.component.id != component.id:
                continue
            trace = trace_finding(artefacts, settings, training)
            if trace is not None:
                yield trace
            yield bound_finding(artefacts, settings, training)
            yield loss_finding(artefacts, settings, training)
        yield from component_findings(artefacts, settings, component)
    tokenizer = tokenizer_finding(artefacts)
    if tokenizer is not None:
        yield tokenizer


def _joint(artefacts: Artefacts) -> Iterator[Finding]:
    """Yield what cannot be told of weights that a program of the builder's own made."""
    asked = {
        "V2.1": "start of the weights",
        "V2.2": "trace of the start",
        "V2.3": "updates within AdamW's bound",
        "V2.4": "logged losses are those of the weights",
        "V2.5": "share that training moved",
    }
    for component in artefacts.weighted():
        for check, title in asked.items():
            yield Finding(
                check=check,
                title=title,
                outcome=Outcome.UNDECIDED,
                component=component.id,
                why="a program of the builder's own made the weights, and left no states of them",
                remedy="Train with an engine of the forge, or replay with that program.",
            )
