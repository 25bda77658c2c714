"""Fill in what follows from the code in the reference pages of the forge.

A page is written by hand; between `<!-- made: NAME -->` and `<!-- end -->` stands a table that is
made here, so that no key, entry kind, transform, check or engine can be missing from it.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dokja.models.forge.engines import Capability, Job
from dokja.models.forge.engines.catalogue import WORKERS
from dokja.models.forge.importers import FaultKind, LogKind
from dokja.models.forge.ladder import v0, v1, v2
from dokja.models.forge.laundering.kinds import KINDS as LAUNDERINGS
from dokja.models.forge.recipes import read_table, schema
from dokja.models.forge.records.bodies import KINDS
from dokja.models.forge.records.checking import ProblemKind
from dokja.models.forge.records.witness import Receipt
from dokja.models.forge.structures import FAMILIES
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import Sizes
from dokja.models.forge.tokenizing import SPLITS
from dokja.models.forge.tokenizing.lint import LINT_CHECKS
from dokja.models.forge.transforms import TRANSFORMS
from dokja.models.forge.zoo import FAMILIES as ZOO_FAMILIES
from dokja.models.forge.zoo import WORDS, tiers

HERE = Path(__file__).parent
LEVELS = (v0, v1, v2)
PART = re.compile(r"(<!-- made: ([a-z-]+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)
Written = Callable[[object], str]

# Where each table of a recipe stands; the order is that of the page.
PLACES: Mapping[type[BaseModel], str] = {
    schema.RecipeFile: "top level",
    schema.ComponentTerms: "[[component]]",
    schema.Origin: "component, from",
    schema.TokenizerTerms: "component, from.train",
    schema.StepTerms: "[[component.step]]",
    schema.Batch: "step, batch",
    schema.Optimizer: "step, optimizer",
    schema.Schedule: "step, schedule",
    schema.AdapterTerms: "step, adapter",
    schema.Teacher: "step, teacher",
    schema.DataTerms: "[data.*]",
    schema.SourceTerms: "data, sources[]",
    schema.EngineTerms: "[engine]",
    schema.Seed: "[seed]",
    schema.SizeTerms: "[size.*]",
    schema.Overlay: "[size.*.component.*]",
}

# What the names of keys leave open and the schema does not say; a key with neither is a mistake.
MEANINGS: Mapping[str, str] = {
    "RecipeFile.schema": "The format of the file.",
    "RecipeFile.name": "What plans and records call the model.",
    "RecipeFile.title": "The same for people.",
    "RecipeFile.component": "The parts of the model.",
    "RecipeFile.data": "Mixtures to train on, by name.",
    "RecipeFile.engine": "What trains, unless a size says otherwise.",
    "RecipeFile.seed": "Where the run's seed comes from.",
    "RecipeFile.size": "How large the same recipe is built, by name.",
    "ComponentTerms.id": "Its name in plan, record and findings.",
    "ComponentTerms.role": "What it does in the model.",
    "ComponentTerms.from": "Where its weights come from.",
    "ComponentTerms.step": "What is done to it, in order.",
    "TokenizerTerms.specials": "Special tokens; the first ends a document.",
    "Batch.sequences": "Windows in a step, over all processes.",
    "Batch.length": "Tokens in a window.",
    "Optimizer.kind": "The engines of this version train by `adamw`.",
    "Optimizer.lr": "The highest learning rate.",
    "Optimizer.betas": "Decay of the first and the second moment.",
    "Optimizer.eps": "Added to the root of the second moment.",
    "Optimizer.weight_decay": "Decoupled; of tensors with two or more dimensions.",
    "Optimizer.clip": "Largest norm of the gradient over all trained tensors.",
    "Schedule.kind": "Its form after the warm-up.",
    "Schedule.warmup_steps": "Steps until the highest rate is reached.",
    "AdapterTerms.rank": "Of the update.",
    "AdapterTerms.alpha": "The update is scaled by alpha over rank.",
    "Teacher.base": "Whose answers; a name in the base store, or a folder.",
    "Teacher.licence": "Under which they may be used.",
    "Teacher.root": "Tensor root of the teacher.",
    "Teacher.temperature": "What both networks' scores are divided by.",
    "StepTerms.data": "Name of a mixture.",
    "StepTerms.batch": "How much one step reads.",
    "StepTerms.optimizer": "How weights move.",
    "StepTerms.schedule": "How the learning rate changes.",
    "StepTerms.adapter": 'The adapter that `trainable = "adapters"` trains.',
    "StepTerms.teacher": "A model whose probabilities training follows beside the data.",
    "DataTerms.sources": "At least one.",
    "SourceTerms.documents": "For `made`: how many.",
    "SourceTerms.seed": "For `made`: another seed, other documents.",
    "SourceTerms.licence": "SPDX identifier; required for `text`.",
    "SourceTerms.origin": "Where it comes from.",
    "SourceTerms.filters": "What was taken out, in order.",
    "SourceTerms.personal_data": "What is known of personal data in it.",
    "SourceTerms.weight": "Its share of the mixture, in proportion to the others.",
    "SourceTerms.max_repeats": "How often a window may be read in one run, at most.",
    "EngineTerms.name": "Which engine.",
    "EngineTerms.determinism": "`strict` asks for kernels that repeat themselves, at a price.",
    "EngineTerms.precision": "`bf16` keeps float32 masters.",
    "EngineTerms.attention": "Which kernel; `sdpa` leaves the choice to torch.",
    "SizeTerms.device": "Where it trains.",
    "SizeTerms.engine": "In place of the recipe's.",
    "SizeTerms.nodes": "Machines.",
    "SizeTerms.gpus_per_node": "GPUs of each.",
    "SizeTerms.hours": "Time limit for the scheduler.",
    "Overlay.shape": "Sizes that overlay the component's.",
    "Overlay.base": "Another base, for a component that starts from one.",
    "Overlay.root": "Its tensor root.",
    "Overlay.licence": "Its licence.",
}  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    written = ["| " + " | ".join(line) + " |" for line in (head, *rows)]
    return [written[0], "|" + "---|" * len(head), *written[1:]]


def attributes(thing: type) -> dict[str, str]:
    """Return what a docstring says of each attribute."""
    text = inspect.cleandoc(thing.__doc__ or "")
    section = re.search(r"^Attributes:\n((?:    .*\n?|\n)*)", text, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for line in (section.group(1) if section else "").splitlines():
        key = re.match(r"    ([\w/ ]+): (.*)", line)
        if key:
            name = key.group(1)
            found[name] = key.group(2)
        elif line.strip() and found:
            found[name] += f" {line.strip()}"
    return found


def first_line(thing: Any) -> str:
    """Return the first line of a docstring."""
    return inspect.cleandoc(thing.__doc__ or "").splitlines()[0]


def recipe_keys(written: Written) -> Iterator[str]:
    """Yield a table for each table of a recipe."""
    for model, place in PLACES.items():
        said = inspect.cleandoc(model.__doc__ or "").split("\n\n", maxsplit=1)[0]
        yield from (f"### {place}", "", said.replace("\n", " "), "")
        rows = []
        for key, field in model.model_fields.items():
            name = field.alias or key
            spoken = " ".join((field.description or "").split())
            meaning = spoken or MEANINGS[f"{model.__name__}.{name}"]
            default = "required" if field.is_required() else default_of(default_value(field))
            value = named(written(field.annotation))
            rows.append((f"`{name}`", value, default, meaning))
        yield from table(("key", "value", "without it", "meaning"), rows)
        yield ""


def named(value: str) -> str:
    """Return the type of a key in words, tables by the place at which they are told."""
    value = value.removesuffix(" or null").replace("object of ", "table of ")
    value = value.replace("whole number or number or true or false", "number, or true or false")
    value = value.replace("table of table of Any", "table of tables")
    for model, place in PLACES.items():
        anchor = re.sub(r"[^a-z0-9 .-]", "", place.lower()).replace(".", "").replace(" ", "-")
        value = re.sub(rf"\b{model.__name__}\b", f"[table](#{anchor})", value)
    return value.replace("table of [table]", "table of [tables]").replace(
        "list of [table]", "list of [tables]"
    )


def default_value(field: FieldInfo) -> Any:
    """Return what holds without a key that may be left out."""
    return field.get_default(call_default_factory=True, validated_data={})


def default_of(value: Any) -> str:
    """Return a default as a recipe would write it."""
    if value is None:
        return "–"
    if isinstance(value, BaseModel):
        return "its defaults"
    if value in ((), {}):
        return "none"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def shape_keys(_: Written) -> Iterator[str]:
    """Yield the sizes that a shape may hold."""
    rows = [
        (f"`{one}`", said)
        for names, said in attributes(Sizes).items()
        for one in names.split(", ")
        if one not in {"family", "vocabulary"}
    ]
    yield from table(("key", "meaning"), rows)


def families(_: Written) -> Iterator[str]:
    """Yield the families with their blocks."""
    features = [field.name for field in fields(BlockSignature)]
    rows = [
        (f"`{family.name}`", *(getattr(family.signature, one) for one in features))
        for family in FAMILIES.values()
    ]
    yield from table(("family", *(one.replace("_", " ") for one in features)), rows)


def transforms(_: Written) -> Iterator[str]:
    """Yield every transform with its parameters."""
    for name in sorted(TRANSFORMS):
        said: Any = TRANSFORMS[name].to_json()
        structure = "Changes the structure." if said["changes_structure"] else ""
        leaves = "Other parents' leaves become the result's." if said["adds_leaves"] else ""
        effect = " ".join(filter(None, (structure, leaves))) or "Leaves ancestry as it is."
        yield from (f"### `{name}`", "", effect, "")
        rows = [
            (
                f"`{key}`",
                one["expected"],
                "required" if one["required"] else default_of(one["default"]),
            )
            for key, one in said["parameters"].items()
        ]
        yield from table(("parameter", "value", "without it"), rows)
        yield ""


def launderings(_: Written) -> Iterator[str]:
    """Yield every way to change weights and not the network."""
    rows = [
        (f"`{kind.name}`", ", ".join(f"`{one}`" for one in kind.families), yes(kind.exact))
        for kind in LAUNDERINGS.values()
    ]
    yield from table(("kind", "families", "only moves, flips or doubles values"), rows)


def yes(said: object) -> str:
    """Return yes or no."""
    return "yes" if said else "no"


def entry_bodies(_: Written) -> Iterator[str]:
    """Yield what the entries of a chain say."""
    for kind, body in KINDS.items():
        yield from (f"### `{kind}`", "", first_line(body), "")
        rows = [(f"`{key}`", said) for key, said in attributes(body).items()]
        yield from table(("key", "meaning"), rows)
        yield ""


def receipt_keys(_: Written) -> Iterator[str]:
    """Yield what a receipt says."""
    rows = [(f"`{key}`", said) for key, said in attributes(Receipt).items()]
    yield from table(("key", "meaning"), rows)


def problems(_: Written) -> Iterator[str]:
    """Yield what can be wrong with a chain."""
    comments = dict(re.findall(r'= "([a-z-]+)"  # (.*)', inspect.getsource(ProblemKind)))
    rows = [
        (
            f"`{kind.value}`",
            comments.get(kind.value, ""),
            "contradicts the chain" if kind.contradicts else "leaves it unsettled",
        )
        for kind in ProblemKind
    ]
    yield from table(("problem", "meaning", "what it does"), rows)


def claim_lines(_: Written) -> Iterator[str]:
    """Yield the lines of the claim table in force."""
    found = read_table()
    rows = [
        (str(place), f"**{claim}**", ", ".join(f"`{one}`" for one in when))
        for place, (claim, when) in enumerate(found.lines, start=1)
    ]
    yield from table(("line", "claim", "when all of these hold"), rows)


def catalogue(_: Written) -> Iterator[str]:
    """Yield the catalogue of structures that are somebody's."""
    features = [field.name for field in fields(BlockSignature)]
    rows = [
        (entry.name, entry.owner, *(getattr(entry.signature, one) for one in features))
        for entry in read_table().catalogue
    ]
    yield from table(("name", "owner", *(one.replace("_", " ") for one in features)), rows)


def capabilities(_: Written) -> Iterator[str]:
    """Yield what each engine of ours offers."""
    rows = [("trains", *(", ".join(sorted(one.capabilities.families)) for one in WORKERS.values()))]
    rows += [
        (item.value, *(one.capabilities.why_not(item) or "yes" for one in WORKERS.values()))
        for item in Capability
    ]
    yield from table(("", *(f"`{name}`" for name in WORKERS)), rows)


def job_keys(_: Written) -> Iterator[str]:
    """Yield the keys of a job."""
    rows = [(f"`{key}`", said) for key, said in attributes(Job).items()]
    yield from table(("key", "meaning"), rows)


def log_kinds(_: Written) -> Iterator[str]:
    """Yield what the importers read."""
    rows = [(f"`{LogKind[key].value}`", said) for key, said in attributes(LogKind).items()]
    yield from table(("kind", "read from"), rows)


def log_faults(_: Written) -> Iterator[str]:
    """Yield what can be wrong with a log."""
    rows = [(f"`{FaultKind[key].value}`", said) for key, said in attributes(FaultKind).items()]
    yield from table(("fault", "meaning"), rows)


def lint_checks(_: Written) -> Iterator[str]:
    """Yield what the tokenizer's linter looks for."""
    rows = [
        (f"`{check.__name__.replace('_', '-')}`", first_line(check).removeprefix("Find "))
        for check in LINT_CHECKS
    ]
    yield from table(("check", "finds"), rows)


def splits(_: Written) -> Iterator[str]:
    """Yield the split patterns."""
    rows = [(f"`{one.name}`", f"`{one.ggml}`" if one.ggml else "none") for one in SPLITS.values()]
    yield from table(("pattern", "`tokenizer.ggml.pre` of llama.cpp"), rows)


def ladder_checks(_: Written) -> Iterator[str]:
    """Yield every check, as the modules of the levels list them."""
    for level in LEVELS:
        said = inspect.cleandoc(level.__doc__ or "")
        title, *_ = said.splitlines()
        rows = [
            tuple(line.strip("| ").split(" | "))
            for line in said.splitlines()
            if line.startswith("| ")
        ]
        yield from (f"### {title.rstrip('.')}", "")
        yield from table(rows[0], rows[1:])
        yield from ("", said.split("\n\n")[-1].replace("\n", " "), "")


def zoo_tiers(_: Written) -> Iterator[str]:
    """Yield the tiers of the zoo, as their module lists them."""
    said = inspect.cleandoc(tiers.__doc__ or "")
    rows = [tuple(line.strip("| ").split(" | ")) for line in said.splitlines() if line[:2] == "| "]
    yield from table(rows[0], rows[1:])


def zoo_families(_: Written) -> Iterator[str]:
    """Yield the families of the zoo."""
    yield from table(("family", "is"), ((f"`{name}`", said) for name, said in ZOO_FAMILIES.items()))


def zoo_words(_: Written) -> Iterator[str]:
    """Yield the words of the zoo's labels."""
    yield ", ".join(f"`{word}`" for word in WORDS)


PARTS: Mapping[str, Callable[[Written], Iterator[str]]] = {
    "recipe-keys": recipe_keys,
    "shape-keys": shape_keys,
    "families": families,
    "transforms": transforms,
    "launderings": launderings,
    "entry-bodies": entry_bodies,
    "receipt-keys": receipt_keys,
    "problems": problems,
    "claim-lines": claim_lines,
    "catalogue": catalogue,
    "capabilities": capabilities,
    "job-keys": job_keys,
    "log-kinds": log_kinds,
    "log-faults": log_faults,
    "lint-checks": lint_checks,
    "splits": splits,
    "ladder-checks": ladder_checks,
    "zoo-tiers": zoo_tiers,
    "zoo-families": zoo_families,
    "zoo-words": zoo_words,
}


def filled(page: Path, *, written: Written) -> str:
    """Return a page with its tables made again."""

    def made(part: re.Match[str]) -> str:
        lines = "\n".join(PARTS[part.group(2)](written)).strip()
        return f"{part.group(1)}{lines}\n{part.group(3)}"

    return PART.sub(made, page.read_text())


def pages(written: Written) -> dict[str, Callable[[], str]]:
    """Return the pages that hold such tables, each with what makes it."""
    found = {}
    for page in sorted(HERE.glob("*.md")):
        if PART.search(page.read_text()):
            found[page.name] = lambda page=page: filled(page, written=written)
    return found
