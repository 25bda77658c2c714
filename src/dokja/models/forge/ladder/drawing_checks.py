"""What V3 says before it replays anything: how segments were drawn, and what was not archived."""

from collections.abc import Iterator

from dokja.models.forge.ladder.challenge import Challenge
from dokja.models.forge.ladder.chances import chance_to_meet
from dokja.models.forge.ladder.findings import Finding, Outcome

__all__ = ["draw_finding", "missed_findings", "nothing_drawn"]

_DRAW = "segments drawn after the seal"
_KEPT = "segments that must be archived"


def nothing_drawn(why: str) -> Finding:
    """Return the finding of a run of which nothing can be drawn.

    Args:
        why: What is missing.
    """
    return Finding(check="V3.1", title=_DRAW, outcome=Outcome.NOT_AVAILABLE, why=why)


def draw_finding(challenge: Challenge) -> Finding:
    """Say how segments were drawn, and what the draw would have met."""
    drawn, asked = challenge.drawn, challenge.asked
    always = len(challenge.chosen) - drawn
    chances = " and ".join(
        f"{share:.0%} with a chance of {chance_to_meet(share, drawn):.0%}" for share in (0.05, 0.10)
    )
    short = f"; {asked} were asked for and no more were archived" if drawn < asked else ""
    why = f"{always} segments that are always replayed and {drawn} drawn by lot{short}. "
    if challenge.is_foreseeable:
        return Finding(
            check="V3.1",
            title=_DRAW,
            outcome=Outcome.UNDECIDED,
            value=drawn,
            threshold=asked,
            power=f"none against a builder who seals until the draw suits; else {chances}",
            why=f"{why}They follow from the seal alone, so that the builder could foresee them.",
            remedy="Let an examiner commit to a nonce before the seal, and give --challenge FILE.",
        )
    examiner = challenge.examiner
    witnessed = examiner is not None and (
        examiner.commitment is None or examiner.commitment.receipt is not None
    )
    dated = "a witness" if witnessed else "the examiner's own word"
    return Finding(
        check="V3.1",
        title=_DRAW,
        outcome=Outcome.PASS,
        value=drawn,
        threshold=asked,
        power=f"a forged share of all segments of {chances}",
        why=f"{why}Seed {challenge.seed}; the nonce's commitment is dated by {dated}.",
    )


def missed_findings(challenge: Challenge) -> Iterator[Finding]:
    """Say which segments should be there and are not."""
    if not challenge.missed:
        yield Finding(
            check="V3.4",
            title=_KEPT,
            outcome=Outcome.PASS,
            value=0,
            threshold=0,
            power="one segment that the plan or the receipts' draw keeps",
            why="every kept probe and every segment at a beginning or an interruption is archived",
        )
    for one in challenge.missed:
        yield Finding(
            check="V3.4",
            title=_KEPT,
            outcome=Outcome.UNDECIDED,
            component=one.component,
            value=one.step,
            why=f"step {one.step}: {one.why}. Not available, so not replayed.",
            remedy="Ask the builder for the states; a run that lost them cannot show the segment.",
        )
