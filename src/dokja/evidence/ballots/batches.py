"""A batch of blind votes: read whole, checked whole, and named by its digest.

A batch is a JSON Lines file, one vote a line: who voted, on which prompt, whose answers stood left
and right, and the choice. A voter judges a pair of teams on a prompt once, in whatever order the
two were shown: a second vote would count one opinion twice.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import Mistake, SuiteError
from dokja.evidence.statistics import Vote
from dokja.values import Digest, JsonLine, canonical_bytes, json_lines, shown, text_fault

__all__ = ["Ballot", "Batch", "read_ballots"]

_KEYS = ("voter", "prompt", "left", "right", "choice")
_CHOICES = ("left", "right", "tie")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One vote, and the prompt that it is about.

    Attributes:
        prompt: Id of what both answers answer.
        vote: Who chose what between which teams.
    """

    prompt: str
    vote: Vote

    @property
    def line(self) -> bytes:
        """The ballot as one canonical JSON line, without its end."""
        vote = self.vote
        return canonical_bytes(
            {
                "voter": vote.voter,
                "prompt": self.prompt,
                "left": vote.left,
                "right": vote.right,
                "choice": vote.choice,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Votes in the order in which they were handed in.

    Attributes:
        ballots: At least one.
    """

    ballots: tuple[Ballot, ...]

    @property
    def votes(self) -> tuple[Vote, ...]:
        """The votes without their prompts."""
        return tuple(ballot.vote for ballot in self.ballots)

    @property
    def voters(self) -> int:
        """How many different voters there are."""
        return len({ballot.vote.voter for ballot in self.ballots})

    @property
    def records_bytes(self) -> bytes:
        """The ballots as canonical JSON Lines: the blob of the batch's entry."""
        return b"".join(ballot.line + b"\n" for ballot in self.ballots)

    @property
    def digest(self) -> Digest:
        """Digest of the ballots, whatever the spaces and order of keys in the file."""
        return Digest.of(self.records_bytes)


def read_ballots(path: Path, *, teams: Collection[str]) -> Batch:
    """Return the votes of a file.

    Args:
        path: A JSON Lines file in UTF-8; each line an object of texts with exactly the keys
            `voter`, `prompt`, `left`, `right`, `choice`.
        teams: Who can be voted for.

    Raises:
        SuiteError: It cannot be read, or something is wrong in it; every mistake at once.
    """
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        read = error.strerror or "an error"
        raise SuiteError(
            [Mistake(file=file, place="", read=read, expected="a file that may be read")]
        ) from error
    lines, broken = json_lines(data, file=file, keys=_KEYS)
    mistakes = list(broken)
    ballots: list[Ballot] = []
    first: dict[tuple[str, str, frozenset[str]], str] = {}
    for line in lines:
        found = list(_faults(line, file=file, teams=teams))
        if not found:
            ballot = _ballot(line)
            vote = ballot.vote
            cell = (vote.voter, ballot.prompt, frozenset((vote.left, vote.right)))
            if cell in first:
                found = [_twice(ballot, file=file, place=line.place, first=first[cell])]
            first.setdefault(cell, line.place)
            ballots.append(ballot)
        mistakes += found
    if mistakes:
        raise SuiteError(mistakes)
    return Batch(ballots=tuple(ballots))


def _faults(line: JsonLine, *, file: str, teams: Collection[str]) -> Iterator[Mistake]:
    said = line.said
    for key in _KEYS:
        fault = text_fault(said[key], name=True)
        if fault is None and key in {"left", "right"} and said[key] not in teams:
            known = ", ".join(sorted(teams)) or "none: no model entered the stage"
            fault = shown(repr(said[key])), f"a team of the stage: {known}"
        if fault is None and key == "choice" and said[key] not in _CHOICES:
            fault = shown(repr(said[key])), "one of " + ", ".join(_CHOICES)
        if fault:
            yield Mistake(file=file, place=f"{line.place}, {key}", read=fault[0], expected=fault[1])
    if isinstance(said["left"], str) and said["left"] == said["right"]:
        read = f"{shown(repr(said['left']))} on both sides"
        yield Mistake(file=file, place=line.place, read=read, expected="two different teams")


def _ballot(line: JsonLine) -> Ballot:
    said = line.said
    choice = said["choice"]
    return Ballot(
        prompt=str(said["prompt"]),
        vote=Vote(
            voter=str(said["voter"]),
            left=str(said["left"]),
            right=str(said["right"]),
            choice="left" if choice == "left" else "right" if choice == "right" else "tie",
        ),
    )


def _twice(ballot: Ballot, *, file: str, place: str, first: str) -> Mistake:
    vote = ballot.vote
    pair = " and ".join(sorted((vote.left, vote.right)))
    return Mistake(
        file=file,
        place=place,
        read=f"a second vote of {vote.voter} on {ballot.prompt} between {pair}, after {first}",
        expected="one vote of a voter on a prompt and pair",
    )
