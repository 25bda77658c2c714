"""Everything that Dokja raises on purpose.

    DokjaError
    ├── InputError                what was handed in cannot be used; carries every mistake at once
    │   ├── RulebookError         a rulebook is wrong
    │   ├── EntryError            an entry does not fit its kind, or names what is not there
    │   ├── ProgrammeError        a programme folder is half there or does not fit its ledger
    │   ├── WeightsError          a weights file is damaged, hostile or of a refused format
    │   │   └── RemoteError       an address cannot be read, or not within the bounds that were set
    │   ├── LibraryError          an entry of a reference library is damaged, foreign or taken
    │   ├── SuiteError            a benchmark's items or a batch of ballots or sheets is wrong
    │   │   └── SanityError       a scorer or judge that did not pass may give no evidence
    │   ├── TableError            somebody's results, a mapping of them or a stored table is wrong
    │   ├── RecipeError           a recipe or plan of the forge is wrong
    │   ├── CorpusError           packed token data are missing, damaged or of another tokenizer
    │   ├── TransformError        a transform cannot be applied to these tensors
    │   ├── RecordError           a build record or its chain cannot be read
    │   ├── LogError              a training log has gaps, or runs backwards
    │   ├── RunError              a run's folder is damaged, in use, or holds another plan
    │   ├── RecordingError        a store of recorded exchanges cannot be used as asked
    │   │   └── RecordingBrokenError  it was edited after it was written; names the line
    │   └── DecisionFileError     a decision file cannot be read back
    ├── LedgerError               the ledger could not do what was asked
    │   ├── DuplicateEntryError   an entry of that id is there already
    │   ├── LedgerFormatError     written by a newer Dokja, or not a ledger
    │   ├── LedgerWriteError      disk full, read-only, no permission
    │   ├── LedgerBusyError       another writer held the ledger for too long
    │   ├── LedgerBrokenError     verification found an edit; names the first bad entry
    │   └── KeyFileError          a signing or witness key is missing, malformed or re-used
    ├── EngineError               a worker of the forge stopped, and why
    ├── RunWriteError             a run could not be written: disk full, read-only
    ├── ClusterError              a cluster cannot be reached, or lost a piece of work
    ├── ExtraMissingError         an optional package is not installed; names the extra
    ├── NotComparableError        two models have nothing that could be compared
    └── NotServableError          a model cannot be run by the runtime that was asked

A rule that says *no* is not an error: see `decisions.rules`. Each error knows the exit code
that the command line ends with (2 bad input, 3 found something, 4 cannot tell).
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ClusterError",
    "CorpusError",
    "DecisionFileError",
    "DokjaError",
    "DuplicateEntryError",
    "EngineError",
    "EntryError",
    "ExtraMissingError",
    "InputError",
    "KeyFileError",
    "LedgerBrokenError",
    "LedgerBusyError",
    "LedgerError",
    "LedgerFormatError",
    "LedgerWriteError",
    "LibraryError",
    "LogError",
    "Mistake",
    "NotComparableError",
    "NotServableError",
    "ProgrammeError",
    "RecipeError",
    "RecordError",
    "RecordingBrokenError",
    "RecordingError",
    "RemoteError",
    "RulebookError",
    "RunError",
    "RunWriteError",
    "SanityError",
    "SuiteError",
    "TableError",
    "TransformError",
    "WeightsError",
]

UNCHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong with something handed in.

    Attributes:
        file: The file, folder or address it was read from.
        place: Where in it: a key, a line, an entry, a tensor. Empty for the whole file.
        read: What stands there.
        expected: What should stand there.
        remedy: What to do now. Empty where `expected` says it already.
    """

    file: str
    place: str
    read: str
    expected: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{where}: read {self.read}; expected {self.expected}.{remedy}"


class DokjaError(Exception):
    """Anything that Dokja raises on purpose."""

    exit_code = 2


class InputError(DokjaError):
    """What was handed in cannot be used.

    Example:
        >>> wrong = Mistake(file="a.toml", place="parts", read="95", expected="a sum of 100")
        >>> print(InputError([wrong]))
        a.toml, parts: read 95; expected a sum of 100.
        Nothing was changed.
    """

    def __init__(self, mistakes: Sequence[Mistake], *, changed: str = UNCHANGED) -> None:
        if not mistakes:
            message = "an InputError needs at least one mistake"
            raise ValueError(message)
        self.mistakes = tuple(mistakes)
        self.changed = changed
        super().__init__("\n".join([*(str(mistake) for mistake in self.mistakes), changed]))

    def __reduce__(self) -> tuple[object, ...]:
        """Come back whole from another process: `args` alone holds the sentences."""
        return _again, (type(self), self.mistakes, self.changed)


def _again(kind: type[InputError], mistakes: Sequence[Mistake], changed: str) -> InputError:
    return kind(mistakes, changed=changed)


class RulebookError(InputError):
    """A rulebook is wrong."""


class EntryError(InputError):
    """An entry does not fit its kind, or names what is not there."""


class ProgrammeError(InputError):
    """A programme folder is half there, or does not fit its ledger."""


class WeightsError(InputError):
    """A weights file is damaged, hostile or of a refused format."""


class LibraryError(InputError):
    """An entry of a reference library is damaged, of a foreign version, or taken already."""


class RemoteError(WeightsError):
    """An address cannot be read, or not within the bounds that were set.

    Attributes:
        wait_s: After how many seconds asking once more may help; None when it will not.
    """

    def __init__(
        self,
        mistakes: Sequence[Mistake],
        *,
        changed: str = UNCHANGED,
        wait_s: float | None = None,
    ) -> None:
        super().__init__(mistakes, changed=changed)
        self.wait_s = wait_s


class SuiteError(InputError):
    """A benchmark's items, or a batch of ballots or sheets, is wrong."""


class TableError(InputError):
    """Somebody's results, a mapping of them, or a stored table of outcomes cannot be used."""


class SanityError(SuiteError):
    """Records were scored by a scorer or judge that did not pass the sanity suite."""

    exit_code = 3


class RecipeError(InputError):
    """A recipe or a plan of the forge is wrong."""


class CorpusError(InputError):
    """Packed token data are missing, damaged, or made by another tokenizer."""


class TransformError(InputError):
    """A transform cannot be applied to these tensors."""


class RecordError(InputError):
    """A build record or its chain cannot be read."""


class LogError(InputError):
    """A training log has gaps, runs backwards, or is of another kind."""


class RunError(InputError):
    """A run's folder is damaged, in use by another runner, or holds a run of another plan."""


class RecordingError(InputError):
    """A store of recorded exchanges is not there, in use, or of another profile or upstream."""


class RecordingBrokenError(RecordingError):
    """A store of recorded exchanges was edited after it was written; the line is named."""

    exit_code = 3


class DecisionFileError(InputError):
    """A decision file cannot be read back."""


class LedgerError(DokjaError):
    """The ledger could not do what was asked."""


class DuplicateEntryError(LedgerError):
    """An entry of that id is there already."""


class LedgerFormatError(LedgerError):
    """The file was written by a newer Dokja, or is not a ledger."""


class LedgerWriteError(LedgerError):
    """The disk is full, the folder is read-only, or permission is missing."""


class LedgerBusyError(LedgerError):
    """Another writer held the ledger for too long."""


class LedgerBrokenError(LedgerError):
    """Verification found that the ledger was edited after it was written."""

    exit_code = 3


class KeyFileError(LedgerError):
    """A signing or witness key is missing, malformed or re-used."""


class EngineError(DokjaError):
    """A worker of the forge stopped before its work was done; what it had written stands."""


class RunWriteError(DokjaError):
    """A run could not be written: the disk is full or read-only; what was written stands."""


class ClusterError(DokjaError):
    """A cluster cannot be reached in time, or a worker was lost or cannot do the work."""


class ExtraMissingError(DokjaError):
    """An optional package is not installed; the message names the extra that brings it."""


class NotComparableError(DokjaError):
    """Two models have nothing that could be compared."""

    exit_code = 4


class NotServableError(DokjaError):
    """A model cannot be run by the runtime that was asked."""
