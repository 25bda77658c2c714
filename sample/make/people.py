"""Makes the sample's people: blind ballots and expert sheets, from one seed.

    python3 sample/make/people.py [FOLDER]     writes FOLDER/ballots.jsonl and FOLDER/sheets.jsonl
    python3 sample/make/people.py --check      tells whether the sample holds what this makes

Nobody voted and nobody reviewed. Each team has a hidden worth; voters and reviewers see it through
noise, so that neighbours overlap as they do where people really judge. Only `Random.random` is
asked for chance, which Python promises to keep; all else is computed here.
"""

import json
import sys
from collections.abc import Iterator
from itertools import combinations
from math import exp
from pathlib import Path
from random import Random
from statistics import NormalDist

__all__ = ["FOLDER", "SEED", "ballots", "files", "sheets"]

SEED = "dokja-sample-people-20261101"
FOLDER = Path(__file__).resolve().parents[1] / "programme"

WORTH = {"garam": 0.75, "raon": 0.2, "narae": 0.15, "dasom": 0.1, "maru": -0.7}
"""How good each team's answers are to a reader, in log-odds; known to nobody in the programme."""

VOTERS, VOTES_EACH, PROMPTS = 130, 6, 40
SHARE_OF_TIES = 0.12
VOTER_SPREAD = 0.5
"""Standard deviation of one voter's own taste for a team, in log-odds."""

REVIEWERS = 7
CRITERIA = {"technique": 20, "effect": 15}
STRICTNESS = 0.07
"""Standard deviation of a reviewer's strictness, as a share of a criterion's points."""
DISAGREEMENT = 0.08
"""Standard deviation of what a reviewer thinks of one team beyond that, as such a share."""


def ballots() -> Iterator[dict[str, str]]:
    """Yield every ballot, voter by voter."""
    pairs = list(combinations(sorted(WORTH), 2))
    for number in range(1, VOTERS + 1):
        rng = Random(f"{SEED}/voter/{number}")  # noqa: S311 - a recipe, no secret
        taste = {team: WORTH[team] + VOTER_SPREAD * _normal(rng) for team in sorted(WORTH)}
        prompts = _drawn(rng, list(range(1, PROMPTS + 1)), count=VOTES_EACH)
        for prompt in prompts:
            left, right = pairs[int(rng.random() * len(pairs))]
            if rng.random() < 1 / 2:
                left, right = right, left
            yield {
                "voter": f"voter-{number:03d}",
                "prompt": f"prompt-{prompt:02d}",
                "left": left,
                "right": right,
                "choice": _choice(rng, ahead=taste[left] - taste[right]),
            }


def sheets() -> Iterator[dict[str, object]]:
    """Yield every sheet, reviewer by reviewer; points in halves."""
    for number in range(1, REVIEWERS + 1):
        rng = Random(f"{SEED}/reviewer/{number}")  # noqa: S311 - a recipe, no secret
        strictness = STRICTNESS * _normal(rng)
        for team in sorted(WORTH):
            scores = {}
            for name, most in CRITERIA.items():
                share = 0.68 + 0.12 * WORTH[team] - strictness + DISAGREEMENT * _normal(rng)
                scores[name] = round(min(max(share, 0.0), 1.0) * most * 2) / 2
            yield {"reviewer": f"reviewer-{number}", "team": team, "scores": scores}


def files() -> dict[str, str]:
    """Return the text of each file by its name."""
    made = {"ballots.jsonl": ballots(), "sheets.jsonl": sheets()}
    return {
        name: "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        for name, lines in made.items()
    }


def _normal(rng: Random) -> float:
    # Midpoints of 2**32 cells, so that neither 0 nor 1 is asked of the quantile function.
    return NormalDist().inv_cdf((int(rng.random() * 2**32) + 0.5) / 2**32)


def _drawn(rng: Random, among: list[int], *, count: int) -> list[int]:
    return [among.pop(int(rng.random() * len(among))) for _ in range(count)]


def _choice(rng: Random, *, ahead: float) -> str:
    if rng.random() < SHARE_OF_TIES:
        return "tie"
    return "left" if rng.random() < 1 / (1 + exp(-ahead)) else "right"


def main(words: list[str]) -> int:
    """Write the files, or tell which of them are not what this makes."""
    if words == ["--check"]:
        others = [
            name
            for name, text in files().items()
            if (FOLDER / name).read_text(encoding="utf-8") != text
        ]
        for name in others:
            print(f"{FOLDER / name} is not what this script makes; run it without --check")
        return 1 if others else 0
    folder = Path(words[0]) if words else FOLDER
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{folder / name}: {text.count(chr(10))} lines")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
