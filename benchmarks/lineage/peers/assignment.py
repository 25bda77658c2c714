"""The best one-to-one assignment, exactly: the linear assignment problem that peers solve.

Shortest augmenting paths with potentials, one row at a time, after a greedy start. It takes
cubic time at worst; for the toys of the benchmark that is milliseconds.
"""

import numpy as np
from numpy.typing import NDArray


def assign(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the assignment of rows to columns whose scores add up to most.

    Args:
        scores: Shape `(rows, columns)`, finite, neither of them 0.

    Returns:
        For each row its column; -1 where rows outnumber columns and it has none.

    Raises:
        ValueError: A score is not finite.

    Example:
        >>> assign(np.array([[0.9, 0.8], [0.8, 0.1]]))
        array([1, 0])
    """
    if not np.isfinite(scores).all():
        raise ValueError("a score is not finite")
    costs = -scores.astype(np.float64)
    if costs.shape[0] <= costs.shape[1]:
        return _Assignment(costs).columns
    rows = _Assignment(costs.T).columns
    found = np.full(costs.shape[0], -1, dtype=np.int64)
    found[rows] = np.arange(len(rows))
    return found


class _Assignment:
    """The cheapest assignment of rows to at least as many columns.

    No cost is less than its row's and its column's potential together, and where a row has its
    column they are equal: that is what makes the assignment the cheapest.

    Attributes:
        columns: For each row its column.
    """

    def __init__(self, costs: NDArray[np.float64]) -> None:
        self.columns = np.full(costs.shape[0], -1, dtype=np.int64)
        self._rows = np.full(costs.shape[1], -1, dtype=np.int64)
        self._costs = costs
        self._row_potential = costs.min(axis=1)
        self._column_potential = np.zeros(costs.shape[1])
        for row, column in enumerate(costs.argmin(axis=1)):
            if self._rows[column] < 0:
                self.columns[row], self._rows[column] = column, row
        for start in np.flatnonzero(self.columns < 0):
            self._add(int(start))

    def _add(self, start: int) -> None:
        """Give one more row a column, along the cheapest path of changes."""
        far = np.full(len(self._rows), np.inf)
        before = np.full(len(self._rows), start, dtype=np.int64)
        settled = np.zeros(len(self._rows), dtype=np.bool_)
        row, reached = start, 0.0
        while True:
            steps = self._costs[row] - self._row_potential[row] - self._column_potential
            nearer = ~settled & (reached + steps < far)
            far[nearer], before[nearer] = reached + steps[nearer], row
            column = int(np.where(settled, np.inf, far).argmin())
            reached = float(far[column])
            if self._rows[column] < 0:
                break
            settled[column] = True
            row = int(self._rows[column])
        self._row_potential[start] += reached
        self._row_potential[self._rows[settled]] += reached - far[settled]
        self._column_potential[settled] -= reached - far[settled]
        self._change(before, start=start, column=column)

    def _change(self, before: NDArray[np.int64], *, start: int, column: int) -> None:
        """Pass columns on along the path, from its free end back to its start."""
        row = -1
        while row != start:
            row = int(before[column])
            self._rows[column] = row
            column, self.columns[row] = int(self.columns[row]), column
