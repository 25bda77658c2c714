"""V4: the whole run again, or evidence from hardware that saw it; described here, not made.

No level below shows what a full repetition would, and none shows more than it: whether what ran
was worth running, whether data were lawful, and whose ideas an architecture holds stay open.
"""

from dokja.models.forge.ladder.artefacts import Artefacts
from dokja.models.forge.ladder.findings import Finding, Outcome

__all__ = ["check"]


def check(artefacts: Artefacts) -> tuple[Finding, ...]:
    """Return what the two ways of this level would show, and what they would cost.

    Args:
        artefacts: The run; only its plan is read.
    """
    plan = artefacts.plan
    cost = "the plan is not at hand, so that nobody can say what it would cost"
    if plan is not None:
        flop = sum(
            float(one["flop"])
            for one in plan.budget.values()
            if isinstance(one, dict) and isinstance(one.get("flop"), int | float)
        )
        cost = f"it costs what the run did: {flop:.1e} FLOP"
    return (
        Finding(
            check="V4.1",
            title="the whole run again",
            outcome=Outcome.NOT_AVAILABLE,
            power="every step: a run from the same seed, data and settings ends with the same "
            "weights, within noise that grows with the steps",
            why=f"not made by this command; {cost}. V3 shows a share of it for a share of the cost",
            remedy="Run the plan again elsewhere, from the revealed seed, and compare the roots.",
        ),
        Finding(
            check="V4.2",
            title="evidence from trusted hardware",
            outcome=Outcome.NOT_AVAILABLE,
            power="that this code read these data and wrote this chain on a sealed machine, as far "
            "as the maker of the hardware is believed",
            why="the record has no place for such evidence yet: a quote of the machine over code, "
            "data and the head of the chain",
        ),
    )
