"""A judge that scorers can ask: they find its replies, and what they do not find is asked for.

Scoring is made once to find out what the judge is to be asked, then the judge is asked, many
questions at once, and then scoring is made again from what was kept. So a score follows from the
file of replies alone, and the same words are never paid for twice.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple, TypeVar

from dokja.errors import NotServableError
from dokja.evidence.benchmarks.judges.asking import Asks
from dokja.evidence.benchmarks.judges.kept import JudgeFile
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.opened import OpenRun
from dokja.evidence.benchmarks.running.records import records_of
from dokja.evidence.benchmarks.scorers import Aids, Judge

__all__ = ["ConnectedJudge", "Counts"]

_AT_ONCE = 1024
_AGAIN = b"\nonce more"
_Made = TypeVar("_Made")


class Counts(NamedTuple):
    """How a judge was used.

    Attributes:
        asked: Questions that were asked of it now and got a reply.
        kept: Questions whose reply was there already.
        without: Questions that got none.
    """

    asked: int
    kept: int
    without: int


class ConnectedJudge:
    """A judge with the file of its replies.

    Args:
        file: The file, open.
        asks: Who asks it.
        family: Its maker's family.
        progress: Told how many of how many questions were asked.
    """

    def __init__(
        self,
        file: JudgeFile,
        *,
        asks: Asks,
        family: str,
        progress: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> None:
        self.file = file
        self._asks = asks
        self._family = family
        self._progress = progress
        self._body = file.judge.bodies()
        self._wanted: dict[str, str] = {}
        self._asked: set[str] = set()
        self._found: set[str] = set()

    @property
    def broken(self) -> str:
        """Why nothing more is asked; empty while it is."""
        return self._asks.broken

    @property
    def counts(self) -> Counts:
        """How the judge was used so far."""
        got = sum(1 for key in self._asked if key in self.file)
        return Counts(got, len(self._found), len(self._asked) - got)

    def beside(self, aids: Aids) -> Aids:
        """Return the aids with this judge among them."""
        return replace(
            aids,
            judge=Judge(
                name=self.file.judge.model,
                family=self._family,
                ask=self._reply,
                again=lambda question: self._reply(question, again=True),
            ),
        )

    def judged(self, work: Callable[[Aids], _Made], *, aids: Aids) -> _Made:
        """Return what some work comes to once the judge has replied to all that it asks.

        Args:
            work: Asks the judge among its aids, as often as it likes; is done more than once.
            aids: What it needs besides.

        Raises:
            RunWriteError: The file cannot be written.
        """
        with_judge = self.beside(aids)
        while True:
            made = work(with_judge)
            if not self._wanted:
                return made
            self._ask()

    def ask_for(self, run: OpenRun, form: Form, *, aids: Aids) -> None:
        """Ask the judge about everything that a run answered, so that records can be made.

        Args:
            run: The run, open for reading.
            form: Its items and scorer.
            aids: What the scorer needs, this judge among it.

        Raises:
            RunError: A body of the run is not what was written.
            RunWriteError: The file cannot be written.
        """
        for _ in records_of(run, form=form, aids=aids, engine=""):
            if len(self._wanted) >= _AT_ONCE:
                self._ask()
        if self._wanted:
            self._ask()

    def _reply(self, question: str, *, again: bool = False) -> str:
        key = sha256(self._body(question) + (_AGAIN if again else b"")).hexdigest()
        found = self.file.reply(key)
        if found is not None:
            if key not in self._asked:
                self._found.add(key)
            return found
        if key not in self._asked:
            self._wanted[key] = question
        raise NotServableError("the judge has not replied to this")

    def _ask(self) -> None:
        wanted, self._wanted = self._wanted, {}
        self._asked.update(wanted)
        done = 0

        def one_more() -> None:
            nonlocal done
            done += 1
            self._progress(done, len(wanted))

        if not self._asks.broken:
            self._asks.ask(wanted, self.file, progress=one_more)
