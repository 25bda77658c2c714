"""`dokja forge verify`: check a build against its record, level by level."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from dokja.cli.forge_replaying import replayed
from dokja.cli.printing import as_json, emit, say, table
from dokja.errors import InputError, Mistake
from dokja.models.forge.importers import read_log
from dokja.models.forge.ladder import Finding, Level, Outcome, highest_level, outcome_of
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.verify import live_share, verified_claim
from dokja.models.forge.ladder.verify import verify as verify_levels
from dokja.models.forge.records import read_keys

__all__ = ["verify"]

SCHEMA = "dokja.forge.verify/1"
EXIT_CODES = {
    Outcome.PASS: 0,
    Outcome.FAIL: 3,
    Outcome.UNDECIDED: 4,
    Outcome.NOT_AVAILABLE: 4,
}
_GIGABYTE = 1e9


@click.command
@click.argument("build", metavar="RUN|RECORD", type=click.Path(path_type=Path))
@click.option(
    "--level",
    default="V2",
    show_default=True,
    type=click.Choice(["V0", "V1", "V2", "V3", "V4"], case_sensitive=False),
    help="The last level to check.",
)
@click.option("--artefacts", type=click.Path(path_type=Path), help="The run's folder, for RECORD.")
@click.option("--keys", type=click.Path(path_type=Path), help="Register of known keys (TOML).")
@click.option(
    "--bases", multiple=True, type=click.Path(path_type=Path), help="Where others' weights lie."
)
@click.option("--log", "logs", multiple=True, metavar="BODY/1=FILE", help="Another tool's log.")
@click.option("--accounting", type=click.Path(path_type=Path), help="Device-hours by job (JSON).")
@click.option("--sample", type=click.IntRange(1), help="Look at so many tensors only.")
@click.option("--losses", type=click.IntRange(1), help="Compute so many logged losses only.")
@click.option("--corpora", is_flag=True, help="Read the corpora whole, by their digests.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1))
@click.option("--challenge", type=click.Path(path_type=Path), help="Which segments V3 replays.")
@click.option(
    "--segments",
    default=30,
    show_default=True,
    type=click.IntRange(0),
    help="How many V3 draws without a challenge.",
)
@click.option("--engine", type=click.Choice(["ref", "hf"]), help="Who replays, if not the run's.")
@click.option(
    "--place",
    default="examiner",
    show_default=True,
    type=click.Choice(["examiner", "builder"]),
    help="Where this is done; stands in the result.",
)
@as_json
def verify(build: Path, *, level: str, place: str, as_json: bool, **given: Any) -> int:
    """Check RUN, or a signed RECORD with --artefacts, against everything that it says.

    Every check says what it found, what it would have seen, and what to do now. A check whose
    evidence is not at hand is never counted as passed. The exit code is 0 if all hold, 3 if one
    fails, 4 if none fails and one could not be decided.

    \b
    Examples:
      dokja forge verify build/run-t4 --level V2 --keys keys.toml
      dokja forge verify record.json --artefacts build/run-t4 --sample 64 --threads 8
      dokja forge verify build/run-t4 --level V3 --challenge challenge.json --engine ref
    """
    upto = Level.parse(level)
    artefacts = open_artefacts(
        build, artefacts=given["artefacts"], bases=given["bases"], imported=_logs(given["logs"])
    )
    keys = None if given["keys"] is None else read_keys(given["keys"])
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("opening", total=None)
        read = 0

        def progress(check: str, size: int) -> None:
            nonlocal read
            read += size
            bar.update(task, description=f"{check}: {read / _GIGABYTE:.2f} GB read")

        settings = Settings(
            keys=keys,
            threads=given["threads"],
            sample=given["sample"],
            losses=given["losses"],
            corpora=given["corpora"],
            accounted=_accounted(given["accounting"]),
            progress=progress,
        )
        findings = verify_levels(artefacts, upto=upto, settings=settings)
        findings += replayed(
            artefacts,
            upto=upto,
            place=place,
            given=given,
            progress=lambda segment: bar.update(task, description=f"V3: replaying {segment}"),
        )
    claim = verified_claim(artefacts, findings, upto=upto)
    if as_json:
        emit({**_document(findings, claim), "asked": str(upto), "place": place})
    else:
        _print(findings, claim)
    return EXIT_CODES[outcome_of(findings)]


def _document(findings: tuple[Finding, ...], claim: str) -> dict[str, Any]:
    """Return what `--json` prints of the findings."""
    highest = highest_level(findings)
    return {
        "schema": SCHEMA,
        "outcome": outcome_of(findings).value,
        "level": None if highest is None else str(highest),
        "claim": claim,
        "live_share": live_share(findings),
        "findings": [one.to_json() for one in findings],
    }


def _print(findings: tuple[Finding, ...], claim: str) -> None:
    rows = [
        [one.check, one.outcome.value, one.component or "–", one.title, _value(one)]
        for one in findings
    ]
    say(table(["check", "outcome", "component", "asks", "found"], rows))
    open_ones = [one for one in findings if one.outcome is not Outcome.PASS]
    if open_ones:
        say()
    for one in open_ones:
        where = f" ({one.component})" if one.component else ""
        say(f"{one.check} {one.title}{where}: {one.outcome.value}")
        say(f"  why: {one.why}")
        if one.remedy:
            say(f"  now: {one.remedy}")
    seen = [one for one in findings if one.check == "V2.3" and one.power]
    for one in seen:
        say(f"V2.3 would have seen: {one.power}")
    say(claim)


def _value(finding: Finding) -> str:
    if finding.outcome is not Outcome.PASS:
        return finding.why if len(finding.why) <= 60 else f"{finding.why[:59]}…"  # noqa: PLR2004  # a line
    if isinstance(finding.value, float):
        limit = finding.threshold
        of = f" (limit {limit:g})" if isinstance(limit, int | float) else ""
        return f"{finding.value:.6g}{of}"
    return finding.why if len(finding.why) <= 60 else f"{finding.why[:59]}…"  # noqa: PLR2004  # a line


def _logs(given: tuple[str, ...]) -> dict[str, Any]:
    """Return imported logs by training."""
    found: dict[str, Any] = {}
    for one in given:
        training, _, path = one.partition("=")
        if not path:
            expected = "a training and a log, such as body/1=trainer_state.json"
            raise InputError([Mistake(file="--log", place="", read=one, expected=expected)])
        found[training] = read_log(Path(path))
    return found


def _accounted(path: Path | None) -> dict[str, float] | None:
    """Return device-hours by job."""
    if path is None:
        return None
    try:
        said = json.loads(path.read_bytes())
        return {str(job): float(hours) for job, hours in said.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        expected = 'device-hours by job, such as {"4711": 12.5}'
        wrong = Mistake(file=path.name, place="", read=str(error), expected=expected)
        raise InputError([wrong]) from error
