"""Tables of outcomes that tests write down cell by cell, and the questions asked of them."""

from pathlib import Path

import numpy as np
import pytest

from dokja.evidence.benchmarks.comparing import Question
from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.benchmarks.outcomes import Charge, Outcome, default_charge
from dokja.evidence.benchmarks.tables import OutcomeTable
from dokja.evidence.statistics.contrasts import reach_terms

DATA = Path(__file__).parents[4] / "shared/data/korean-items"

OF_LETTER = {
    "C": Outcome.CORRECT,
    "W": Outcome.WRONG,
    "N": Outcome.NO_ANSWER,
    "F": Outcome.INFRASTRUCTURE_ERROR,
    "X": Outcome.FILTERED,
    "M": Outcome.MISSING,
    "-": Outcome.NOT_RUN,
}


@pytest.fixture(scope="session")
def table():
    """A table of systems, each a string of outcome letters, one an item; epochs by `|`."""

    def made(columns, *, strata=None, unknown=(), **more):
        epochs = {name: text.split("|") for name, text in columns.items()}
        items = len(next(iter(epochs.values()))[0])
        codes = np.array(
            [
                [[OF_LETTER[e[i]].code for e in each] for each in epochs.values()]
                for i in range(items)
            ],
            dtype=np.uint8,
        )
        charges = np.array(
            [
                [
                    [
                        (
                            Charge.UNKNOWN
                            if name in unknown and e[i] == "N"
                            else default_charge(OF_LETTER[e[i]])
                        ).code
                        for e in each
                    ]
                    for name, each in epochs.items()
                ]
                for i in range(items)
            ],
            dtype=np.uint8,
        )
        return OutcomeTable(
            suite=more.pop("suite", "quiz"),
            items=tuple(f"i{n}" for n in range(items)),
            systems=tuple(columns),
            outcomes=codes,
            charges=charges,
            strata=tuple(strata or ["a"] * items),
            **more,
        )

    return made


@pytest.fixture(scope="session")
def question():
    """A question with everything built in, unless told."""

    def asked(candidate="own", references=("best",), *, ratio="0.95", terms=None, **more):
        convention = more.pop("convention", CONVENTIONS["strict"])
        opened = more.pop("open", frozenset())
        return Question(
            candidate=candidate,
            references=tuple(references),
            terms=reach_terms(ratio, seed=1, **(terms or {})),
            convention=convention,
            open=opened,
            **more,
        )

    return asked


@pytest.fixture(scope="session")
def korean():
    """The published runs of a benchmark as a table, read by the importer."""
    if not DATA.is_dir():
        pytest.skip("the Korean item data are not beside this clone")
    from dokja.evidence.benchmarks.importers import built_in_mapping, import_table  # noqa: PLC0415  # only where the data are

    made = {}

    def read(name):
        if name not in made:
            mapping = built_in_mapping(f"hsr87-{name}")
            made[name] = import_table(DATA / f"{name}_rows.csv.gz", mapping).table
        return made[name]

    return read
