"""The dossier as one HTML page: both languages, pictures and style in the one file.

The page asks for nothing from anywhere: its content security policy allows its own style sheet
and its own script by their hashes and refuses everything else, so that even a mistake in a
template could neither run a script nor fetch a picture. Every template variable is escaped.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from dokja.public.reports import figures, pictures
from dokja.public.reports.document import Decision, Measure
from dokja.public.reports.names import Language, Names
from dokja.public.reports.reaches import reach_axis
from dokja.public.reports.records import Records
from dokja.public.reports.story import Story
from dokja.public.reports.telling import Teller
from dokja.public.reports.words import Words, visible

__all__ = ["LANGUAGES", "environment", "policy", "render", "source"]

LANGUAGES: tuple[Language, ...] = ("ko", "en")
_FOLDER = "templates"


def render(decision: Decision, *, records: Records, digest: str) -> str:
    """Return the page.

    Args:
        decision: The decision.
        records: What the ledger adds to it.
        digest: SHA-256 digest of the decision's canonical bytes, as it is written.
    """
    style, script = source("dossier.css"), source("choice.js")
    names = Names.of(decision, models=records.models.items())
    editions = {lang: _edition(lang, decision, records=records, names=names) for lang in LANGUAGES}
    return (
        environment()
        .get_template("dossier.html")
        .render(
            d=decision,
            digest=digest,
            records=records,
            editions=editions,
            policy=policy(style=style, script=script),
            style=Markup(style),  # noqa: S704  # our own file, which a test holds free of "</"
            script=Markup(script),  # noqa: S704  # likewise
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What a template needs to speak one language.

    Attributes:
        lang: The language.
        words: Its wording tables.
        story: The decision, put in the order in which it is told.
        tell: What pictures and findings show, in sentences.
    """

    lang: Language
    words: Words
    story: Story
    tell: Teller

    def ref(self, name: str) -> str:
        """Return the name of an element, apart from its twin in the other language."""
        return f"{name}-{self.lang}"


def _edition(lang: Language, decision: Decision, *, records: Records, names: Names) -> Edition:
    words = Words(lang, names=names)
    return Edition(
        lang=lang,
        words=words,
        story=Story(decision, records=records, words=words),
        tell=Teller(decision, words),
    )


@cache
def environment() -> Environment:
    """Return what templates of this room are rendered in: everything is escaped."""
    environment = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
        extensions=["jinja2.ext.do"],
    )
    environment.filters["address"] = web_address
    environment.filters["host"] = lambda written: urlsplit(written).netloc.removeprefix("www.")
    environment.tests["measured"] = lambda score: isinstance(score, Measure)
    environment.globals.update(figures=figures, pictures=pictures, reach_axis=reach_axis)
    return environment


def _finalized(value: object) -> object:
    """Write out what would hide or turn text, wherever it is put."""
    if isinstance(value, Markup):
        return Markup(visible(value))  # noqa: S704  # only signs that are no HTML were replaced
    return visible(value) if isinstance(value, str) else value


def web_address(written: str) -> str | None:
    """Return the address if a browser may be sent there, else nothing: it is shown as text.

    Example:
        >>> web_address("https://example.org/1"), web_address("javascript:alert(1)")
        ('https://example.org/1', None)
    """
    if any(sign.isspace() for sign in written):
        return None
    try:
        parts = urlsplit(written)
    except ValueError:
        return None
    return written if parts.scheme in {"http", "https"} and parts.netloc else None


def policy(*, style: str, script: str) -> str:
    """Return a content security policy that allows this style and this script alone."""
    rules: Mapping[str, str] = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{key} {allowed}" for key, allowed in rules.items())


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def source(name: str) -> str:
    """Return a file of the templates' folder."""
    return (files("dokja.public.reports") / _FOLDER / name).read_text(encoding="utf-8")
