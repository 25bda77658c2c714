"""A comparison of weights as one HTML page: both languages, pictures and style in the one file.

Built as the dossier's page is: nothing is fetched, no script runs but the page's own, and all
that comes from files or people is escaped. A finding never stands without its controls, and the
page has no single number that could be shared without them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from dokja import __version__
from dokja.errors import InputError, Mistake
from dokja.evidence.lineage import ComponentFinding, Named, Tracing
from dokja.public.reports import lineage_maps
from dokja.public.reports.dossier import put_file
from dokja.public.reports.lineage_telling import LineageTeller
from dokja.public.reports.names import Language
from dokja.public.reports.page import LANGUAGES, environment, policy, source
from dokja.public.reports.words import Words

__all__ = ["lineage_page", "write_lineage_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What the templates need to speak one language.

    Attributes:
        lang: The language.
        words: Its wording tables.
        tell: The run in sentences, as HTML.
        plain: The same as plain text.
    """

    lang: Language
    words: Words
    tell: LineageTeller
    plain: LineageTeller

    def ref(self, name: str) -> str:
        """Return the name of an element, apart from its twin in the other language."""
        return f"{name}-{self.lang}"

    def part(self, finding: ComponentFinding) -> str:
        """Return what a finding's component is called."""
        return self.words.label("role", finding.component)


def lineage_page(tracing: Tracing, *, names: Sequence[Named]) -> str:
    """Return the page of a run.

    Args:
        tracing: What was found.
        names: The suspect and then every reference, with their digests.
    """
    style, script = source("dossier.css") + source("lineage.css"), source("choice.js")
    editions = {lang: _edition(lang, tracing) for lang in LANGUAGES}
    return (
        environment()
        .get_template("lineage.html")
        .render(
            t=tracing,
            model=tracing.suspect,
            names=names,
            editions=editions,
            maps=lineage_maps,
            software=f"Dokja {__version__}",
            policy=policy(style=style, script=script),
            style=Markup(style),  # noqa: S704  # our own files, which a test holds free of "</"
            script=Markup(script),  # noqa: S704  # likewise
        )
    )


def write_lineage_page(tracing: Tracing, *, names: Sequence[Named], out: Path) -> None:
    """Write the page of a run, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    page = lineage_page(tracing, names=names)
    try:
        put_file(out, page.encode())
    except OSError as error:
        mistake = Mistake(
            file=str(out),
            place="",
            read=error.strerror or str(error),
            expected="a file that can be written, with room for the page",
            remedy="Free space or give another file with --html.",
        )
        raise InputError([mistake], changed="The page was not written.") from error


def _edition(lang: Language, tracing: Tracing) -> Edition:
    words = Words(lang)
    return Edition(
        lang=lang,
        words=words,
        tell=LineageTeller(tracing, words, markup=True),
        plain=LineageTeller(tracing, words, markup=False),
    )
