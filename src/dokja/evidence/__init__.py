"""Floor of observations: each room observes one thing and appends it to the ledger.

`ledger` stands below `statistics`, and both below the observers, which do not know each other.
"""

__all__ = ["ballots", "benchmarks", "ledger", "lineage", "reviews", "statistics"]
