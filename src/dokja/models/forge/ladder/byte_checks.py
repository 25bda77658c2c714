"""V0, what lies on the disk: tensor roots, digest lists, file manifests, corpora, hygiene.

Roots are recomputed from the values, streamed, whatever the model's size. With a sample, the
digest list of a state must have the state's root, and the drawn tensors the list's digests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dokja.documents.packing import open_corpus
from dokja.errors import CorpusError, InputError, Mistake, RecordError, WeightsError
from dokja.models.forge.ladder.artefacts import Artefacts, reason_of
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.settings import Settings, sampled
from dokja.models.forge.manifests import file_manifest
from dokja.models.forge.plans import PlannedComponent
from dokja.models.forge.running.places import RunPlaces
from dokja.models.weights.roots import TensorDigest, root, root_text
from dokja.values import Digest, parse_json

__all__ = ["corpus_findings", "digest_list", "root_findings"]

_FETCH = "Fetch the weights that the record names, and compare again."


@dataclass(slots=True)
class _Roots:
    """What was found while roots of one component were recomputed."""

    wrong: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    unclean: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    held: int = 0
    held_lists: int = 0
    bytes: int = 0


def digest_list(
    artefacts: Artefacts, stage: str, step: int, *, expected: Digest | None
) -> tuple[TensorDigest, ...] | None:
    """Return the list of tensor digests of a state; None where it is not at hand.

    Raises:
        RecordError: It is not the list that the chain names.
        WeightsError: It is no list of digests.
    """
    if artefacts.folder is None:
        return None
    path = RunPlaces(artefacts.folder).digests(stage, step)
    if not path.is_file():
        return None
    data = path.read_bytes()
    if expected is not None and Digest.of(data) != expected:
        raise RecordError([_other(path, read=str(Digest.of(data)), expected=str(expected))])
    try:
        said: Any = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise RecordError([_other(path, read=str(error)[:100], expected="JSON")]) from error
    if not isinstance(said, list):
        raise RecordError([_other(path, read=type(said).__name__, expected="a list")])
    return tuple(TensorDigest.from_json(one, file=path.name) for one in said)


def _other(path: Path, *, read: str, expected: str) -> Mistake:
    return Mistake(file=f"digests/{path.name}", place="", read=read, expected=expected)


def root_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.4 roots, V0.5 digest lists and V0.6 hygiene, for each component with weights."""
    seal = artefacts.seal
    bodies = artefacts.weighted()
    if seal is None or not bodies:
        missing = "the chain has no seal" if artefacts.plan is not None else "there is no plan"
        for check, title in (
            ("V0.4", "tensor roots"),
            ("V0.5", "digest lists"),
            ("V0.6", "hygiene of weights files"),
        ):
            yield Finding(
                check=check,
                title=title,
                outcome=Outcome.NOT_AVAILABLE,
                why=f"nothing to compare weights with: {missing}",
                remedy="Give the folder with chain.jsonl, plan.json and weights by --artefacts.",
            )
        return
    for component in bodies:
        found = _Roots()
        _states(artefacts, settings, component, found)
        _result(artefacts, settings, component, found)
        yield from _told(component.id, found)


def _states(
    artefacts: Artefacts, settings: Settings, component: PlannedComponent, found: _Roots
) -> None:
    """Recompute the roots of every state that lies archived."""
    for training in artefacts.trainings:
        if training.component.id != component.id or artefacts.folder is None:
            continue
        for said in artefacts.checkpoints(training):
            listed = _list_of(artefacts, said, found)
            folder = artefacts.folder / said.folder
            if not folder.is_dir():
                found.absent.append(said.folder)
                continue
            _compare(
                artefacts,
                settings,
                folder / "weights",
                stated=said.state.weights,
                listed=listed,
                found=found,
            )
            if said.state.optimizer is not None:
                _compare(
                    artefacts,
                    settings,
                    folder / "state/optimizer.safetensors",
                    stated=said.state.optimizer,
                    listed=None,
                    found=found,
                )


def _list_of(artefacts: Artefacts, said: Any, found: _Roots) -> tuple[TensorDigest, ...] | None:
    stage = "/".join(said.folder.split("/")[:2])
    place = f"digests/{stage}/step-{said.state.step:08d}.json"
    try:
        listed = digest_list(artefacts, stage, said.state.step, expected=said.digests)
    except InputError as error:
        found.lists.append(reason_of(error))
        return None
    if listed is None:
        if said.digests is not None:
            found.unlisted.append(place)
        return None
    if root_text(root(listed)) != said.state.weights:
        found.lists.append(f"{place}: its root is not the one of step {said.state.step}")
        return None
    found.held_lists += 1
    return listed


def _compare(
    artefacts: Artefacts,
    settings: Settings,
    folder: Path,
    *,
    stated: str,
    listed: Sequence[TensorDigest] | None,
    found: _Roots,
    component: PlannedComponent | None = None,
) -> None:
    """Recompute a root, or in a sample the digests that the list gives."""
    shown = folder.relative_to(artefacts.folder).as_posix() if artefacts.folder else folder.name
    if not folder.exists():
        found.absent.append(shown)
        return
    try:
        source = artefacts.source(folder)
    except WeightsError as error:
        found.unclean.append(f"{shown}: {reason_of(error)}")
        return
    before = source.bytes_read
    try:
        if settings.sample is None:
            wrong: str | None = _whole(
                artefacts, settings, folder, stated=stated, component=component
            )
        else:
            wrong = _sample(artefacts, settings, folder, listed=listed)
    except WeightsError as error:
        found.unclean.append(f"{shown}: {reason_of(error)}")
        return
    read = source.bytes_read - before
    found.bytes += read
    settings.progress("V0.4", read)
    if wrong is None:
        found.absent.append(f"{shown}: a sample needs the state's digest list")
    elif wrong:
        found.wrong.append(f"{shown}: {wrong}")
    else:
        found.held += 1


def _whole(
    artefacts: Artefacts,
    settings: Settings,
    folder: Path,
    *,
    stated: str,
    component: PlannedComponent | None,
) -> str:
    digests = artefacts.digests(folder, threads=settings.threads)
    if component is not None:
        names = artefacts.own_names(component, [one.name for one in digests])
        digests = tuple(one for one in digests if one.name in set(names))
    if not digests:
        return "it holds none of the component's tensors"
    made = root_text(root(digests))
    return "" if made == stated else f"the root is {made}, stated is {stated}"


def _sample(
    artefacts: Artefacts,
    settings: Settings,
    folder: Path,
    *,
    listed: Sequence[TensorDigest] | None,
) -> str | None:
    if listed is None:
        return "" if "state/" in folder.as_posix() else None
    known = {one.name: one for one in listed}
    source = artefacts.source(folder)
    if tuple(sorted(known)) != source.names:
        return "other tensors than the digest list names"
    names = sampled(source.names, settings=settings, head=_head(artefacts))
    made = artefacts.digests(folder, names=names, threads=settings.threads)
    return ", ".join(f"{one.name} differs" for one in made if one != known[one.name])


def _head(artefacts: Artefacts) -> bytes:
    return b"" if artefacts.chain is None else artefacts.chain.head.raw


def _result(
    artefacts: Artefacts, settings: Settings, component: PlannedComponent, found: _Roots
) -> None:
    """Recompute what came out: the root of its weights, and the manifest of its files."""
    seal = artefacts.seal
    folder = artefacts.result(component)
    if seal is None:
        return
    stated = seal.roots.get(component.id)
    if stated is None:
        found.absent.append("a root of the result in the seal")
        return
    if folder is None:
        found.absent.append("model")
        return
    last = [one for one in artefacts.trainings if one.component.id == component.id]
    listed = None
    if settings.sample is not None and last:
        step = last[-1].steps
        try:
            listed = digest_list(artefacts, last[-1].folder, step, expected=None)
        except InputError:
            listed = None
        if listed is not None and root_text(root(listed)) != stated:
            listed = None
    _compare(
        artefacts,
        settings,
        folder,
        stated=stated,
        listed=listed,
        found=found,
        component=component,
    )
    if settings.sample is None:
        _files(seal.files.get(component.id), folder, found)


def _files(stated: Digest | None, folder: Path, found: _Roots) -> None:
    if stated is None:
        return
    try:
        manifest = file_manifest(folder)
    except RecordError as error:
        found.unclean.append(reason_of(error))
        return
    found.bytes += manifest.bytes
    if manifest.digest != stated:
        found.wrong.append(f"{folder.name}: its list of files is {manifest.digest}, not {stated}")


def _told(component: str, found: _Roots) -> Iterator[Finding]:
    roots = Finding(
        check="V0.4",
        title="tensor roots",
        outcome=Outcome.PASS,
        component=component,
        power="one changed bit of a tensor",
        read_bytes=found.bytes,
        why=f"{found.held} sets of tensors have the roots that the chain states",
        remedy=_FETCH,
    )
    yield _judged(roots, wrong=found.wrong, absent=found.absent, held=found.held)
    lists = Finding(
        check="V0.5",
        title="digest lists",
        outcome=Outcome.PASS,
        component=component,
        power="one changed digest",
        why=f"{found.held_lists} lists have the roots of their states",
        remedy="Make the lists again from the weights.",
    )
    if found.lists or found.unlisted or found.held_lists:  # else the chain names no list
        yield _judged(lists, wrong=found.lists, absent=found.unlisted, held=found.held_lists)
    clean = Finding(
        check="V0.6",
        title="hygiene of weights files",
        outcome=Outcome.PASS,
        component=component,
        power="any file that is damaged, hostile, of a refused format, or named and not there",
        why="every header was checked: no holes, no doubles, nothing that runs",
        remedy=_FETCH,
    )
    yield _judged(clean, wrong=found.unclean, absent=[], held=found.held)


def _judged(finding: Finding, *, wrong: Sequence[str], absent: Sequence[str], held: int) -> Finding:
    """Return a finding with its outcome: what is wrong fails, what is not at hand is undecided."""
    outcome, why = Outcome.PASS, finding.why
    if wrong:
        outcome, why = Outcome.FAIL, "; ".join(wrong[:5])
    elif absent or not held:
        outcome = Outcome.UNDECIDED if held else Outcome.NOT_AVAILABLE
        why = f"not at hand: {', '.join(absent[:5]) or 'all of it'}"
    remedy = "" if outcome is Outcome.PASS else finding.remedy
    return replace(finding, outcome=outcome, value=len(wrong), threshold=0, why=why, remedy=remedy)


def corpus_findings(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield V0.7 for each source of data: its manifest is the committed one, and complete."""
    commit = artefacts.commit
    plan = artefacts.plan
    for name, stated in sorted({} if commit is None else commit.data.items()):
        folder = None
        mixture, _, source = name.partition("/")
        said: Any = {} if plan is None else plan.data.get(mixture, {})
        for one in said.get("sources", ()):
            if one["name"] == source and artefacts.plan_folder is not None and "corpus" in one:
                folder = artefacts.plan_folder / one["corpus"]
        yield _corpus(name, folder, stated=stated, settings=settings)


def _corpus(name: str, folder: Path | None, *, stated: Digest, settings: Settings) -> Finding:
    base = Finding(
        check="V0.7",
        title=f"corpus {name}",
        outcome=Outcome.NOT_AVAILABLE,
        threshold=str(stated),
        power="one changed token, if digests are verified; else files of another length",
        why="its manifest is not at hand",
        remedy="Ask the builder for the packed corpus; its digests must be those of the commit.",
    )
    if folder is None or not (folder / "manifest.json").is_file():
        return base
    try:
        corpus = open_corpus(folder)
        if settings.corpora:
            corpus.verify(lambda size: settings.progress("V0.7", size))
    except CorpusError as error:
        return _with(base, Outcome.FAIL, why=reason_of(error))
    found = corpus.manifest.digest
    if found != stated:
        return _with(base, Outcome.FAIL, why=f"the manifest is {found}, committed was {stated}")
    read = "all digests verified" if settings.corpora else "present and of their lengths"
    why = f"{len(corpus.manifest.shards)} shards, {corpus.tokens:,} tokens: {read}"
    return _with(base, Outcome.PASS, why=why)


def _with(finding: Finding, outcome: Outcome, *, why: str) -> Finding:
    remedy = "" if outcome is Outcome.PASS else finding.remedy
    return replace(finding, outcome=outcome, why=why, remedy=remedy)
