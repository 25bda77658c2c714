"""Whether a program does what its item asks: run in a sandbox, or not at all.

The program is the last fenced block of the reply, or all of it. It is given each test's input and
must print each test's output; what it must print never enters the sandbox.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.scorers.settling import digest_of, settle
from dokja.evidence.benchmarks.scorers.tasks import (
    ALONE,
    Aids,
    Executor,
    Found,
    Reply,
    Scoring,
    Task,
    scoring_of,
    settled,
)
from dokja.evidence.benchmarks.scorers.texts import Plain, visible
from dokja.values import Digest, Json

__all__ = ["CodeScorer"]

_VERSION = 1
_FENCE = re.compile(
    r"^[ \t]*```[ \t]*(?P<language>[\w+-]*)[^\n]*\n(?P<program>.*?)(?:^[ \t]*```|\Z)",
    re.MULTILINE | re.DOTALL,
)
_PYTHON = frozenset({"", "python", "py", "python3"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeScorer:
    """Runs a program on every test of its item; it is right if all of them come out.

    Attributes:
        whole: Whether a reply without a fence is a program, too.
        refusals: Patterns that mark a refusal, looked for where no program was found.
    """

    whole: bool = True
    refusals: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`code`."""
        return "code"

    @property
    def declaration(self) -> Mapping[str, Json]:
        """All that decides how it scores."""
        return {"scorer": self.kind, "v": _VERSION, "options": self._options}

    @property
    def digest(self) -> Digest:
        """Names these rules with these options."""
        return digest_of(self.kind, _VERSION, self._options)

    def score(self, task: Task, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of the reply.

        Without a sandbox nothing is run: the outcome is `infrastructure_error`, `sandbox`, and
        charged to the operator.
        """
        original = visible(reply.text)

        def read(_: Task, text: Plain) -> Found | Cause:
            if not text.text.strip():
                return Cause.NOT_EXTRACTED  # a repeated prompt, and nothing else
            found = self._read(original.text)
            if isinstance(found, Found) and aids.executor is None:
                return Cause.SANDBOX
            return found

        return settle(
            task,
            reply,
            aids=aids,
            refusals=self.refusals,
            read=read,
            mark=lambda found: _ran(found, task, aids.executor),
        )

    @property
    def _options(self) -> Mapping[str, Json]:
        return {"whole": self.whole, "refusals": list(self.refusals)}

    def _read(self, text: str) -> Found | Cause:
        fenced = [
            match
            for match in _FENCE.finditer(text)
            if match.group("language").lower() in _PYTHON and match.group("program").strip()
        ]
        if fenced:
            match = fenced[-1]
            start, stop = match.span("program")
            return Found(answer=match.group("program"), rule="fence", start=start, stop=stop)
        if self.whole and "```" not in text and _is_program(text):
            return Found(answer=text, rule="whole", start=0, stop=len(text))
        return Cause.NOT_EXTRACTED


def _is_program(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a program is warned of is not our concern
            compile(text, "reply", "exec", dont_inherit=True)  # read, and never run here
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _ran(found: Found, task: Task, executor: Executor | None) -> Scoring:
    if executor is None:
        return scoring_of(Outcome.INFRASTRUCTURE_ERROR, Cause.SANDBOX)
    for test in task.tests:
        ran = executor.run(found.answer, stdin=test.stdin)
        if ran.fault:
            return scoring_of(Outcome.INFRASTRUCTURE_ERROR, Cause.SANDBOX)
        if not ran.ended or _lines(ran.stdout) != _lines(test.stdout):
            return settled(found, 0.0)
    return settled(found, 1.0)


def _lines(text: str) -> list[str]:
    """Return the lines as they are compared: without spaces at their ends, and empty last ones."""
    return [line.rstrip() for line in text.rstrip().split("\n")]
