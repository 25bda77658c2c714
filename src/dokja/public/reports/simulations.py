"""A simulated stage as one HTML page: both languages, pictures and style in the one file.

Built as the dossier's page is: nothing is fetched, no script runs but the page's own, and all
that comes from files or people is escaped. Every picture is followed by a table that says the
same.
"""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from dokja import __version__
from dokja.errors import InputError, Mistake
from dokja.public.reports.dossier import put_file
from dokja.public.reports.names import Language
from dokja.public.reports.page import LANGUAGES, environment, policy, source
from dokja.public.reports.simulations_pictures import curve_picture, lever_bars
from dokja.public.reports.simulations_telling import SimulationReport, SimulationTeller
from dokja.public.reports.words import Words

__all__ = ["simulation_page", "write_simulation_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What the templates need to speak one language.

    Attributes:
        lang: The language.
        words: Its wording tables.
        tell: The simulation in sentences and rows.
    """

    lang: Language
    words: Words
    tell: SimulationTeller

    def ref(self, name: str) -> str:
        """Return the name of an element, apart from its twin in the other language."""
        return f"{name}-{self.lang}"


def simulation_page(report: SimulationReport) -> str:
    """Return the page of a simulated stage."""
    style, script = source("dossier.css") + source("simulation.css"), source("choice.js")
    editions = {lang: _edition(lang, report) for lang in LANGUAGES}
    return (
        environment()
        .get_template("simulation.html")
        .render(
            r=report,
            curve=curve_picture(report.simulation.curve),
            bars=lever_bars(report.simulation),
            editions=editions,
            software=f"Dokja {__version__}",
            policy=policy(style=style, script=script),
            style=Markup(style),  # noqa: S704  # our own files, which a test holds free of "</"
            script=Markup(script),  # noqa: S704  # likewise
        )
    )


def write_simulation_page(report: SimulationReport, *, out: Path) -> None:
    """Write the page of a simulated stage, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    page = simulation_page(report)
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


def _edition(lang: Language, report: SimulationReport) -> Edition:
    words = Words(lang, names=report.names)
    return Edition(lang=lang, words=words, tell=SimulationTeller(report, words))
