"""Every table of the dossier as plain rows, for spreadsheets and for whoever counts again.

Column names are the same in every language; words stand twice, in a column ending in `_ko` and
one ending in `_en`. A missing number is an empty cell, and the column beside it that ends in
`_missing` says why.
"""

from collections.abc import Iterable, Sequence

from dokja.evidence.ledger.kinds import Finding
from dokja.public.reports.builds import build_tables
from dokja.public.reports.document import (
    Decision,
    Measure,
    MissingMeasure,
    Reason,
    Ruling,
    Team,
    sources_of,
)
from dokja.public.reports.names import Names
from dokja.public.reports.reaches import reach_tables
from dokja.public.reports.records import Records
from dokja.public.reports.spreadsheets import Cell, Table
from dokja.public.reports.words import Words

__all__ = ["tables_of"]

_NUMBER = ("value", "low", "high", "level", "kind", "standard_error", "rests_on", "missing")


class _Speaker:
    """Words in both languages, side by side."""

    def __init__(self, names: Names) -> None:
        self._editions = (Words("ko", names=names), Words("en", names=names))

    def reasons(self, reasons: Iterable[Reason]) -> tuple[str, str]:
        """Return the reasons as sentences, in Korean and in English."""
        told = list(reasons)
        ko, en = (" ".join(words.reason(one) for one in told) for words in self._editions)
        return ko, en


def tables_of(decision: Decision, records: Records) -> tuple[Table, ...]:
    """Return every table of the dossier, in the order in which the page tells them."""
    say = _Speaker(Names.of(decision, models=records.models.items()))
    return (
        _standing(decision, say),
        _scores(decision),
        _gates(decision, say),
        _components(decision, say),
        _uses(decision),
        _findings(records),
        _controls(records),
        *build_tables(records),
        *(reach_tables(records) if records.reaches else ()),
        _missing(decision, say),
        _sealed(decision),
        _aggregates(decision),
        _disputes(records),
        _claims(records),
        _awards(records),
        _notes(records),
        _parts(decision),
        _sources(decision),
        _entries(decision),
    )


def _table(name: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    return Table(name=name, columns=tuple(columns), rows=tuple(tuple(row) for row in rows))


def _number(prefix: str) -> tuple[str, ...]:
    return (prefix, *(f"{prefix}_{column}" for column in _NUMBER[1:]))


def _ranks(team: Team) -> tuple[Cell, Cell, Cell]:
    ranks = team.rank_set
    if ranks is None or ranks.basis == "none":
        return None, None, None if ranks is None else ranks.basis
    return ranks.best, ranks.worst, ranks.basis


def _measured(score: Measure | MissingMeasure | None) -> tuple[Cell, ...]:
    if score is None:  # a vote, which has no points
        return (None,) * len(_NUMBER)
    if isinstance(score, MissingMeasure):
        return (*(None for _ in _NUMBER[1:]), score.missing)
    rests = "; ".join(f"{n} {what}" for what, n in score.rests_on)
    numbers = (score.value, score.low, score.high, score.level, score.kind)
    return (*numbers, score.standard_error, rests, None)


def _seqs(entries: Iterable[int]) -> str:
    return " ".join(str(seq) for seq in entries)


def _names(team: Team) -> tuple[str, str, str]:
    return team.team, team.name.ko, team.name.en


def _standing(decision: Decision, say: _Speaker) -> Table:
    columns = ["team", "name_ko", "name_en", "advances", *_number("total"), "best_rank"]
    columns += ["worst_rank", "ranks_basis", "p_advance_low", "p_advance_high", "p_lowest_low"]
    columns += ["p_lowest_high", "p_error", "p_basis", "p_missing_ko", "p_missing_en"]
    rows = []
    for team in decision.teams:
        p = team.probability
        chances: tuple[Cell, ...] = (None,) * 6
        if p is not None:
            lowest = (None, None) if p.lowest is None else (p.lowest.low, p.lowest.high)
            chances = (p.advance.low, p.advance.high, *lowest, p.monte_carlo_error, p.basis)
        why = team.probability_missing
        rows.append(
            (
                *_names(team),
                team.advances.verdict,
                *_measured(team.total),
                *_ranks(team),
                *chances,
                *(say.reasons([why]) if why is not None else (None, None)),
            )
        )
    return _table("standing", columns, rows)


def _scores(decision: Decision) -> Table:
    columns = ["team", "part", "points", *_number("score"), "rulebook", "method", "invented"]
    rows = [
        (
            team.team,
            line.part,
            line.points,
            *_measured(line.score),
            line.rulebook,
            line.method,
            line.invented,
            _seqs(line.entries),
        )
        for team in decision.teams
        for line in team.scores
    ]
    return _table("scores", [*columns, "entries"], rows)


def _gates(decision: Decision, say: _Speaker) -> Table:
    columns = ["team", "gate", "subject", "verdict", "reasons_ko", "reasons_en", "entries"]
    rows = []

    def add(team: str, gate: str, ruling: Ruling) -> None:
        entries = sorted({seq for reason in ruling.reasons for seq in reason.entries})
        words = say.reasons(ruling.reasons)
        rows.append((team, gate, ruling.subject, ruling.verdict, *words, _seqs(entries)))
        for part in ruling.parts:
            add(team, gate, part)

    for team in decision.teams:
        for ruling in team.gates:
            add(team.team, ruling.rule, ruling)
    return _table("gates", columns, rows)


def _components(decision: Decision, say: _Speaker) -> Table:
    columns = ["team", "model", "component", "role", "parameter_share", "weight_bearing"]
    columns += ["declared", "origin", "base", "found_low", "found_high", "status"]
    rows = [
        (
            team.team,
            grade.model,
            part.component,
            part.role,
            part.parameter_share,
            part.weight_bearing,
            part.declared,
            part.origin,
            part.base,
            part.found.low if part.found else None,
            part.found.high if part.found else None,
            part.status,
            *say.reasons(part.reasons),
            _seqs(part.findings),
        )
        for team in decision.teams
        for grade in team.grades
        for part in grade.components
    ]
    return _table("components", [*columns, "reasons_ko", "reasons_en", "findings"], rows)


def _uses(decision: Decision) -> Table:
    columns = ("team", "model", "use", "title_ko", "title_en", "minimum", "verdict")
    rows = [
        (team.team, grade.model, use.use, use.title.ko, use.title.en, use.minimum, use.verdict)
        for team in decision.teams
        for grade in team.grades
        for use in grade.uses
    ]
    return _table("uses", columns, rows)


def _each_finding(records: Records) -> list[tuple[int, Finding]]:
    unique = {said.seqs: finding for finding, said in records.findings.values()}
    return [(seqs[0], unique[seqs]) for seqs in sorted(unique)]


def _findings(records: Records) -> Table:
    columns = ["entry", "model", "component", "reference", "relations", "derivation", "direction"]
    columns += ["measure", "effect", "effect_low", "effect_high", "effect_level", "effect_kind"]
    columns += ["effect_missing", "minimum_detectable", "layers_compared", "layer_map"]
    columns += ["read_share", "bytes_read", "method", "basis", "by"]
    rows = []
    for seq, one in _each_finding(records):
        e = one.effect
        effect = (None,) * 5 if e is None else (e.value, e.low, e.high, e.level, e.kind)
        layers = " ".join(f"{first}:{second}" for first, second in one.layer_map or ())
        rows.append(
            (
                *(seq, one.model, one.component, one.reference, " ".join(one.relations)),
                *(one.derivation, one.direction, one.measure, *effect),
                *("not-comparable" if e is None else None, one.minimum_detectable),
                *(one.layers_compared, layers or None, one.read_share, one.bytes_read),
                *(one.method, one.basis, one.by),
            )
        )
    return _table("findings", columns, rows)


def _controls(records: Records) -> Table:
    columns = ("finding", "kind", "name", "value", "found")
    rows = [
        (seq, control.kind, control.name, control.value, control.found)
        for seq, finding in _each_finding(records)
        for control in finding.controls
    ]
    return _table("controls", columns, rows)


def _missing(decision: Decision, say: _Speaker) -> Table:
    columns = ("team", "part", "reason", "settles_ko", "settles_en", "entries")
    rows = [
        (
            gap.team,
            gap.part,
            gap.reason,
            *(say.reasons([gap.settles]) if gap.settles else (None, None)),
            _seqs(gap.entries),
        )
        for gap in decision.missing
    ]
    return _table("missing", columns, rows)


def _sealed(decision: Decision) -> Table:
    rows = [(one.entry, one.field, one.commitment) for one in decision.sealed]
    return _table("sealed", ("entry", "field", "commitment"), rows)


def _aggregates(decision: Decision) -> Table:
    columns = ("part", "statistic", *_number("score"), "teams", "held_by", "agrees", "entries")
    rows = [
        (
            one.part,
            one.statistic,
            *_measured(one.score),
            one.teams,
            " ".join(one.held_by),
            one.agrees,
            _seqs(one.entries),
        )
        for one in decision.aggregates
    ]
    return _table("aggregates", columns, rows)


def _disputes(records: Records) -> Table:
    columns = ["dispute", "on", "step", "team", "model", "component", "reference", "by"]
    columns += ["statement_ko", "statement_en", "figures", "sources", "entries"]
    rows = [
        (
            *(name, step.on.isoformat(), step.step, step.team, step.model, step.component),
            *(step.reference, step.by, step.statement.ko, step.statement.en),
            "; ".join(f"{one.name} {one.value!r} {one.unit or ''}".strip() for one in step.figures),
            " ; ".join(step.sources),
            _seqs(said.seqs),
        )
        for name, steps in records.disputes.items()
        for step, said in steps
    ]
    return _table("disputes", columns, rows)


def _claims(records: Records) -> Table:
    columns = ("on", "team", "name", "value", "unit", "reference", "reference_value", "sources")
    rows = [
        (
            *(claim.on.isoformat(), claim.team, claim.name, claim.value, claim.unit),
            *(claim.reference, claim.reference_value, " ; ".join(claim.sources), _seqs(said.seqs)),
        )
        for claim, said in records.claims
    ]
    return _table("claims", [*columns, "entries"], rows)


def _notes(records: Records) -> Table:
    rows = [
        (
            *(note.on.isoformat(), note.text.ko, note.text.en),
            *(" ; ".join(note.sources), _seqs(said.seqs)),
        )
        for note, said in records.notes
    ]
    return _table("notes", ("on", "text_ko", "text_en", "sources", "entries"), rows)


def _sources(decision: Decision) -> Table:
    rows = [(source.tag, source.title, source.address) for source in sources_of(decision)]
    return _table("sources", ("tag", "title", "address"), rows)


def _awards(records: Records) -> Table:
    columns = ("on", "to", "resource", "amount", "unit", "period", "sources", "entries")
    rows = [
        (
            *(award.on.isoformat(), " ".join(award.to), award.resource, award.amount, award.unit),
            *(award.period, " ; ".join(award.sources), _seqs(said.seqs)),
        )
        for award, said in records.awards
    ]
    return _table("awards", columns, rows)


def _parts(decision: Decision) -> Table:
    columns = ("part", "parent", "title_ko", "title_en", "points", "scale", "sources")
    rows = [
        (
            *(part.id, part.parent, part.title.ko, part.title.en, part.points, part.scale),
            " ; ".join(f"{source.tag}: {source.address}" for source in part.sources),
        )
        for part in decision.parts
    ]
    return _table("parts", columns, rows)


def _entries(decision: Decision) -> Table:
    rows = [(line.seq, line.id, line.kind, line.digest) for line in decision.entries]
    return _table("entries", ("seq", "id", "kind", "digest"), rows)
