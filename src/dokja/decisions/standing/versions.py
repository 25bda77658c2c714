"""Which of several scores of one thing counts, when versions of the rulebook have come and gone.

A score counts under the version that judges and under those that the stage accepts, which it lists
oldest first. What was scored under several of them counts as it was scored under the version that
judges, else under the accepted one that is listed last; the other scores stay in the ledger and
stand in no sheet. A figure of a whole is out of date as soon as something below it was scored
under a preferred version: then the sum takes its place, and is missing where a part is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dokja.decisions.rules import Record, Rulebook, Said, Stage
from dokja.evidence.ledger.kinds import Score

__all__ = ["CountedScores", "counted_scores", "versions_that_count"]


def versions_that_count(rulebook: Rulebook, rules: Stage) -> dict[str, int]:
    """Return the versions whose scores count in a stage; of two, the greater number is preferred.

    Args:
        rulebook: The version that judges.
        rules: The stage.
    """
    return {version: place for place, version in enumerate([*rules.accepts, rulebook.version])}


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedScores:
    """The scores of a stage that count, at most one of each thing.

    Attributes:
        given: By team and part.
        preference: The versions that count; the greater number is preferred.
    """

    given: Mapping[tuple[str, str], Said[Score]]
    preference: Mapping[str, int]

    def of(self, team: str, part: str, *, below: Iterable[str]) -> Said[Score] | None:
        """Return a team's score in a part, unless it is out of date or there is none.

        Args:
            team: The team.
            part: The part, or `total`.
            below: Every part below it.
        """
        own = self.given.get((team, part))
        if own is None:
            return None
        newest = max(self._below(team, below), default=-1)
        return None if newest > self.preference[own.body.rulebook] else own

    def of_one_version(self, team: str, own: Said[Score], *, below: Iterable[str]) -> bool:
        """Tell whether a score and all that was scored below it are of one version.

        Only then do they have to agree.
        """
        return set(self._below(team, below)) <= {self.preference[own.body.rulebook]}

    def _below(self, team: str, below: Iterable[str]) -> list[int]:
        scored = [self.given.get((team, part)) for part in below]
        return [self.preference[said.body.rulebook] for said in scored if said is not None]


def counted_scores(rulebook: Rulebook, record: Record, *, stage: str) -> CountedScores:
    """Return the scores of a stage that count."""
    preference = versions_that_count(rulebook, rulebook.stages[stage])
    given: dict[tuple[str, str], Said[Score]] = {}
    for said in record.every(Score):
        body = said.body
        if body.stage != stage or body.rulebook not in preference:
            continue
        known = given.get((body.team, body.part))
        if known is None or preference[body.rulebook] > preference[known.body.rulebook]:
            given[body.team, body.part] = said
    return CountedScores(given=given, preference=preference)
