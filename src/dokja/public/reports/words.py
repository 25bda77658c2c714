"""The wording tables, and how a template of theirs becomes a sentence.

A template names what it is filled with in braces. `{team}` is the thing itself; a form after a
colon says how it is shown: `{p:%}` a share, `{score:.1}` one decimal, `{n:#}` a count, and a pair
picks a word that depends on it: in Korean the particle that fits (`{team}{team:은/는}`), in
English singular or plural (`{n} {n:team/teams}`). No template knows HTML: what it is filled with
is escaped, and isolated, so that a name written from right to left stays within its place.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from dokja.public.reports import figures
from dokja.public.reports.document import Measure, Reason, Text
from dokja.public.reports.merging import EACH
from dokja.public.reports.names import Language, Names, local
from dokja.public.reports.particles import particle

__all__ = ["Words", "tables", "visible"]

_SLOT = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
_INVISIBLE = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
_TABLES = ("", "page", "lineage", "simulation", "compare")
"""The wording files of a language, by the word in their names."""
_SURELY_SMALL = 0.0005
"""A share that is written as nearly none."""

_LABELLED = {
    "verdict": "ruled",
    "ground": "ground",
    "reason": "missing",
    "role": "role",
    "relation": "relation",
    "relations": "relation",
    "difference": "difference",
    "basis": "basis",
    "origin": "origin",
    "status": "status",
    "field": "withheld",
    "withheld": "withheld",
    "roles": "role",
    "component": "role",
    "controls": "control",
    "measure": "measure",
    "authority": "authority",
    "expected": "authority",
    "question": "question",
    "level": "level",
    "asked": "level",
    "check": "check",
    "checks": "check",
    "place": "place",
    "ruling": "ruled",
    "findings": "ruled",
    "published": "published",
    "computed": "published",
    "frontier_reasons": "frontier-reason",
}
_NAMED = {
    **{sort: sort for sort in ("team", "part", "gate", "stage", "model", "use")},
    **{f"{sort}s": sort for sort in ("team", "part", "gate", "stage", "model", "use")},
    "reference": "model",
    "references": "model",
    "base": "model",
    "builder": "team",
}


@cache
def tables(lang: Language) -> Mapping[str, Mapping[str, Any]]:
    """Return the wording tables of the language: `reasons`, `labels` and the page's own prose."""
    folder = files("dokja.public.reports") / "wording"
    found: dict[str, dict[str, Any]] = {}
    for kind in _TABLES:
        name = f"{lang}.{kind}.toml" if kind else f"{lang}.toml"
        for table, said in tomllib.loads((folder / name).read_text(encoding="utf-8")).items():
            found.setdefault(table, {}).update(said)
    return found


def visible(text: str) -> str:
    r"""Return the text with every character that hides or turns others written out.

    Example:
        >>> visible("a\u202eb\x1b[31m")
        'a⟨U+202E⟩b⟨U+001B⟩[31m'
    """
    return "".join(
        f"⟨U+{ord(sign):04X}⟩"
        if sign in _INVISIBLE or (unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t")
        else sign
        for sign in text
    )


class Words:
    """Everything that is said, in one language.

    Example:
        >>> words = Words("en")
        >>> words.text("verdicts.count", n=2)
        '2 verdicts'
    """

    def __init__(self, lang: Language, *, names: Names | None = None) -> None:
        self.lang = lang
        self.names = names or Names()
        self._tables = tables(lang)

    def text(self, key: str, /, **params: object) -> str:
        """Return the page's sentence of that key as plain text.

        Args:
            key: Table and key, such as `standing.caption`.
            params: What it is filled with.

        Raises:
            KeyError: No such sentence, or it asks for something that was not given.
        """
        return _fill(self._template(key), params, show=self._shown, choose=self._choose)

    def markup(self, key: str, /, **params: object) -> Markup:
        """Return the page's sentence of that key as HTML, with what it is filled with escaped."""
        return self._marked(self._template(key), params)

    def label(self, group: str, key: str | None) -> str:
        """Return the words for a value of a closed set; the value itself where there are none."""
        if key is None:
            return self.text("label.none")
        label: str = self._tables["labels"].get(group, {}).get(key, key)
        return label

    def reason(self, reason: Reason) -> str:
        """Return a reason as a plain sentence; one that is unknown here is named by its code."""
        params = _reason_params(reason)
        template = self._reason_template(params, code=reason.code)
        return _fill(template, params, show=self._shown, choose=self._choose)

    def reason_markup(self, reason: Reason) -> Markup:
        """Return a reason as a sentence of HTML."""
        params = _reason_params(reason)
        return self._marked(self._reason_template(params, code=reason.code), params)

    def name(self, sort: str, identifier: str) -> str:
        """Return what the thing is called."""
        return self.names.of_one(sort, identifier, lang=self.lang)

    def local(self, text: Text) -> str:
        """Return a bilingual text in this language."""
        return local(text, self.lang)

    def share(self, number: float) -> str:
        """Return a share as a percentage; nearly none and nearly all in words."""
        shown = figures.share(number)
        if shown.startswith("<"):
            return self.text("number.under", share=shown[1:])
        return self.text("number.over", share=shown[1:]) if shown.startswith(">") else shown

    def shares(self, low: float, high: float, *, drawn: bool = False) -> str:
        """Return a range of shares; one share where both ends are written alike.

        Args:
            low: The least that the share can be.
            high: The most that it can be.
            drawn: Whether it was counted in draws, of which none or all is no certainty.

        Example:
            >>> words = Words("en")
            >>> words.shares(0, 1), words.shares(0.25, 0.25), words.shares(0, 0, drawn=True)
            ('0–100%', '25%', 'under 0.1%')
        """
        if drawn:
            low, high = (min(max(end, _SURELY_SMALL), 1 - _SURELY_SMALL) for end in (low, high))
        first, last = self.share(low), self.share(high)
        if first == last:
            return first
        if first[0].isdigit() and last[0].isdigit() and first[-1] == last[-1] == "%":
            return f"{first.removesuffix('%')}–{last}"
        return self.text("number.between", low=first, high=last)

    def listing(self, items: Sequence[str]) -> str:
        """Return the items as a list within a sentence."""
        if self.lang == "en" and len(items) > 1:
            return f"{', '.join(items[:-1])} and {items[-1]}"
        return ", ".join(items)

    def _template(self, key: str) -> str:
        table, _, rest = key.partition(".")
        template: str = self._tables[table][rest]
        return template

    def _reason_template(self, params: Mapping[str, object], *, code: str) -> str:
        """Return the sentence of a code: that for what is null among its parameters, if any."""
        reasons: Mapping[str, str] = self._tables["reasons"]
        nulls = "|".join(sorted(name for name, value in params.items() if value is None))
        variant = "*" if params.get(EACH) else f"|{nulls}"
        template = reasons.get(f"{code}{variant}") or reasons.get(code)
        if template is None or any(slot not in params for slot, _ in _SLOT.findall(template)):
            return self._template("reason.unknown")
        return template

    def _marked(self, template: str, params: Mapping[str, object]) -> Markup:
        def isolated(name: str, value: object, form: str) -> str:
            if isinstance(value, list | tuple):
                return self.listing([isolated(name, item, form) for item in value])
            if isinstance(value, Markup):
                return value
            shown = escape(visible(self._shown(name, value, form)))
            return Markup("<bdi>{}</bdi>").format(shown) if isinstance(value, str) else shown

        filled = _fill(str(escape(template)), params, show=isolated, choose=self._choose)
        return Markup(filled)  # noqa: S704  # the template and all it is filled with are escaped

    def _choose(self, name: str, value: object, form: str) -> str:
        if self.lang == "ko":
            return particle(self._shown(name, value, ""), form)
        one, many = form.split("/")
        if isinstance(value, list | tuple):
            return one if len(value) == 1 else many
        return one if isinstance(value, str) or value == 1 else many

    def _shown(self, name: str, value: object, form: str) -> str:
        if isinstance(value, list | tuple):
            return self.listing([self._shown(name, item, form) for item in value])
        if isinstance(value, Measure):
            return figures.value(value)
        if isinstance(value, bool) or value is None:
            return self.label("value", str(value).lower())
        if isinstance(value, int | float):
            return self.share(value) if form == "%" else _number(value, form)
        written = str(value)
        if name in _NAMED:
            return self.name(_NAMED[name], written)
        return self.label(_LABELLED[name], written) if name in _LABELLED else written


def _reason_params(reason: Reason) -> dict[str, object]:
    """Return what a reason's words are filled with; ranges are put together from their ends."""
    given = reason.params
    joined = {
        name: given[low] if given[low] == given[high] else f"{given[low]}–{given[high]}"
        for name, low, high in (("grades", "low", "high"), ("ranks", "best", "worst"))
        if given.get(low) is not None and given.get(high) is not None
    }
    return {"code": reason.code, "given": _written(given), **joined, **given}


def _written(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in params.items()) or "—"


def _number(number: float, form: str) -> str:
    if form.startswith("."):
        return figures.plain(number, int(form[1:]))
    return figures.count(number)


def _fill(
    template: str,
    params: Mapping[str, object],
    *,
    show: Callable[[str, object, str], str],
    choose: Callable[[str, object, str], str],
) -> str:
    def filled(match: re.Match[str]) -> str:
        name, form = match.group(1), match.group(2) or ""
        put = choose if "/" in form else show
        return put(name, params[name], form)

    return _SLOT.sub(filled, template)
