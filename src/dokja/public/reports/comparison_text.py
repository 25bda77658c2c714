"""What `dokja compare` says in a terminal: the answer, and everything that stands beside it.

It reads the document alone, so that a document from elsewhere is told in the same words.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dokja.public.reports import figures
from dokja.public.reports.names import language
from dokja.public.reports.terminal import columns, wrapped
from dokja.public.reports.words import Words, visible
from dokja.values import Json

__all__ = ["comparison_text"]

_BOTH = 2
_ORDER = ("clusters", "strata", "items")


def comparison_text(document: Mapping[str, Json], lang: str, *, width: int = 100) -> str:
    """Return a comparison as plain text for people.

    Args:
        document: Of the schema `dokja.compare/1`.
        lang: `ko` or `en`.
        width: Cells of a line of prose.

    Raises:
        ValueError: No such language.
    """
    tell = _Teller(document, Words(language(lang)), width=width)
    return visible("\n".join(tell.lines()))


class _Teller:
    def __init__(self, document: Mapping[str, Any], words: Words, *, width: int) -> None:
        self._said = document
        self._words = words
        self._width = width

    def lines(self) -> Iterator[str]:
        said, words = self._said, self._words
        yield words.text(
            "compare.title", candidate=said["candidate"], references=said["references"]
        )
        if not said["registered"]:
            yield words.text("compare.unregistered")
        yield ""
        yield from self._prose(self._answer(said, said.get("ratio")))
        benchmarks: Sequence[Mapping[str, Any]] = said["benchmarks"]
        if "combined" in said:
            yield from self._combined(said["combined"])
        for one in benchmarks:
            yield ""
            yield from self._benchmark(one, alone=len(benchmarks) == 1)
        yield ""
        yield from self._prose(words.text("measurement.meaning"))

    def _answer(self, said: Mapping[str, Any], ratio: str | None) -> str:
        keys = {"clears": "compare.clears", "does not clear": "compare.fails"}
        key = keys.get(said["verdict"], "compare.undecided")
        reasons = [self._words.label("frontier-reason", one) for one in said["reasons"]]
        return self._words.text(
            key,
            candidate=self._said["candidate"],
            required=self._said["ratio_required"],
            ratio=ratio if ratio is not None else self._words.text("tell.no-ranks"),
            reasons=reasons,
        )

    def _combined(self, said: Mapping[str, Any]) -> Iterator[str]:
        if said["errors"]:
            yield ""
            yield self._words.text("compare.combined")
            yield from (f"  {line}" for line in columns(self._errors(said)))
        if "bounds" in said:
            low, high = said["bounds"]
            yield self._words.text("compare.bounds-only", low=low, high=high)
        without = [
            f"{name}: {self._words.label('compare-verdict', verdict)}"
            for name, verdict in said["without"].items()
        ]
        yield from self._prose(self._words.text("compare.without", verdicts=without))

    def _benchmark(self, one: Mapping[str, Any], *, alone: bool) -> Iterator[str]:
        words = self._words
        yield words.text("compare.benchmark", suite=one["suite"], items=one["items"])
        if not alone:
            estimate = one.get("estimate", {})
            yield from self._prose(self._answer(one, estimate.get("ratio")), indent=2)
        if "estimate" in one:
            yield from (f"  {line}" for line in columns(self._rows(one)))
        yield from (line for told in self._beside(one) for line in self._prose(told, indent=2))

    def _errors(self, said: Mapping[str, Any]) -> list[list[str]]:
        rows = [self._heads()]
        for one in said["errors"]:
            found = one.get("interval95", {})
            ends = f"{found['low']}–{found['high']}" if len(found) == _BOTH else None
            rows.append(
                [
                    self._words.label("generalise", one["generalise_to"]),
                    said.get("ratio", "–"),
                    ends or self._words.text("measurement.no-ends"),
                    f"{_signed(one['delta'])} ± {one['se']}",
                    one["p_ratio_at_least"] + (self._mark() if one["decides"] else ""),
                ]
            )
        return rows

    def _heads(self) -> list[str]:
        keys = ("compare.by", "compare.ratio", "compare.interval", "compare.margin", "compare.p")
        return [self._words.text(key) for key in keys]

    def _mark(self) -> str:
        return "  " + self._words.text("compare.decides")

    def _rows(self, one: Mapping[str, Any]) -> list[list[str]]:
        words, estimate = self._words, one["estimate"]
        rows = [self._heads()]
        decisive = str(estimate.get("decisive", ""))
        for basis in _ORDER:
            if basis not in estimate["se"]:
                continue
            decides = decisive.startswith(basis) or (basis == "clusters" and "wild" in decisive)
            rows.append(
                [
                    words.label("error-by", basis),
                    estimate.get("ratio", "–"),
                    self._interval(estimate["intervals95"].get(basis)),
                    f"{_signed(estimate['delta'])} ± {estimate['se'][basis]}",
                    estimate["p_ratio_at_least"][basis] + (self._mark() if decides else ""),
                ]
            )
        return rows

    def _interval(self, said: Mapping[str, str] | None) -> str:
        if said is None or said["shape"] != "between":
            return self._words.text("measurement.no-ends")
        return f"{said['low']}–{said['high']}"

    def _beside(self, one: Mapping[str, Any]) -> Iterator[str]:
        """Yield what stands beside the verdict, one sentence each."""
        words = self._words
        estimate, opened = one.get("estimate", {}), one["open"]
        if "against" in one and len(self._said["references"]) > 1:
            yield words.text("compare.against", reference=one["against"])
        if "bounds" in estimate:
            low, high = estimate["bounds"]
            yield words.text(
                "compare.bounds",
                candidate=opened["candidate"],
                references=opened["references"],
                low=low,
                high=high,
            )
        if one["not_asked"]:
            yield words.text("compare.not-asked", n=one["not_asked"])
        if float(one["dropped_weight"]) > 0:
            yield words.text("compare.dropped", share=float(one["dropped_weight"]))
        if one.get("conventions"):
            listed = [f"{name} {ratio}" for name, ratio in one["conventions"].items()]
            yield words.text("compare.conventions", ratios=listed)
        if "multiverse" in one:
            counts = one["multiverse"]["verdicts"]
            yield words.text(
                "compare.multiverse",
                n=sum(counts.values()),
                clears=counts.get("clears", 0),
                fails=counts.get("does not clear", 0),
                open=counts.get("undecided", 0),
            )
        if "fragility" in one:
            share = float(one["fragility"]["share"])
            yield words.text("compare.fragility", n=one["fragility"]["items"], share=share)
        yield from self._settles(one)
        if one["flags"]:
            flags = [
                f"{words.label('flag', flag['flag'])} ({figures.count(flag['count'])})"
                for flag in one["flags"]
            ]
            yield words.text("compare.flags", flags=flags)

    def _settles(self, one: Mapping[str, Any]) -> Iterator[str]:
        settles = one.get("settles", {})
        if one["verdict"] != "undecided":
            return
        if "reask" in settles:
            yield self._words.text("compare.reask", n=settles["reask"])
        needed = settles.get("at_estimate", {})
        if "items_in_all" in needed:
            yield self._words.text("compare.items", n=needed["items_in_all"])
        if "clusters_in_all" in needed:
            alike = "items_in_same_clusters" in needed
            key = "compare.clusters" if alike else "compare.only-clusters"
            yield self._words.text(key, n=needed["clusters_in_all"])

    def _prose(self, text: str, *, indent: int = 0) -> Iterator[str]:
        for line in wrapped(text, width=self._width - indent):
            yield " " * indent + line


def _signed(written: str) -> str:
    return written.replace("-", "−") if written.startswith("-") else f"+{written}"
