"""Headers without files: what the descriptions in this folder say, written out in full.

A description names its parts (`parts.toml`) and sizes; a part is lines of `NAME AXIS AXIS ...`.
`{a,b}` stands for each of several words, `{0..L}` for each number below L, `{3..L:4}` for every
fourth from 3, `{0..L-3..L:4}` for all others, `<word>` for a word that a description may
replace. Axes are sums and products of sizes and numbers; `h`, `q` and `kv` (width of a head, rows
of queries and of keys) follow from the others where they are not given.
"""

import itertools
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dokja.models.weights import TensorInfo

HERE = Path(__file__).parent
BRACES = re.compile(r"\{([^}]*)\}")
WORD = re.compile(r"<(\w+)>")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A model as its headers show it.

    Attributes:
        name: Of the description.
        of: The model, as people call it.
        published: Whether its sizes are the published ones; otherwise only their form is.
        shapes: By tensor name.
        config: Its configuration.
        bodies: What is expected of each component.
    """

    name: str
    of: str
    published: bool
    shapes: dict[str, tuple[int, ...]]
    config: dict[str, Any]
    bodies: dict[str, dict[str, Any]]

    @property
    def names(self):
        return tuple(self.shapes)

    @property
    def parameters(self):
        return sum(self.info(name).parameters for name in self.names)

    def info(self, name):
        return TensorInfo(name=name, dtype="BF16", shape=self.shapes[name], start=0, stop=0)


def size(text, sizes):
    """Return what a product or sum of sizes comes to."""
    total = 0
    for addend in str(text).split("+"):
        product = 1
        for factor in addend.split("*"):
            product *= int(factor) if factor.isdigit() else sizes[factor]
        total += product
    return total


def choices(text, sizes):
    """Return what a pair of braces stands for."""
    if ".." not in text:
        return text.split(",")
    numbers, *left_out = (run(part, sizes) for part in text.split("-"))
    return [str(number) for number in numbers if all(number not in out for out in left_out)]


def run(text, sizes):
    """Return the numbers of `first..end` or `first..end:step`."""
    ends, _, step = text.partition(":")
    first, end = (size(one, sizes) for one in ends.split(".."))
    return range(first, end, int(step or 1))


def tensors(text, *, sizes, words):
    """Return every tensor of a part with its shape."""
    shapes = {}
    for line in text.strip().splitlines():
        name, *axes = WORD.sub(lambda match: words.get(match[1], ""), line).split()
        shape = tuple(size(axis, sizes) for axis in axes)
        pieces = BRACES.split(name)
        ranges = [choices(piece, sizes) for piece in pieces[1::2]]
        for chosen in itertools.product(*ranges):
            inner = itertools.zip_longest(pieces[::2], chosen, fillvalue="")
            shapes["".join(itertools.chain.from_iterable(inner))] = shape
    return shapes


def filled(value, sizes):
    """Return a table of a configuration with its sizes written in; what is unknown is left out."""
    if isinstance(value, dict):
        found = {key: filled(inner, sizes) for key, inner in value.items()}
        return {key: inner for key, inner in found.items() if inner is not None}
    if isinstance(value, str) and value.startswith("="):
        names = set(re.split(r"[+*]", value[1:])) - {n for n in value if n.isdigit()}
        known = all(name in sizes or name.isdigit() for name in names)
        return size(value[1:], sizes) if known else None
    return value


def merged(first, second):
    """Return two tables as one; of what both say the second counts."""
    both = {**first, **second}
    for key in first.keys() & second.keys():
        if isinstance(first[key], dict) and isinstance(second[key], dict):
            both[key] = merged(first[key], second[key])
    return both


def expanded(name, said):
    """Return an architecture from its description."""
    sizes = {"m": 1, **said["sizes"]}
    if "n" in sizes:
        sizes.setdefault("g", sizes["n"])
        sizes.setdefault("h", sizes["d"] // sizes["n"])
        sizes.setdefault("q", sizes["n"] * sizes["h"])
        sizes.setdefault("kv", sizes["g"] * sizes["h"])
    sizes.setdefault("D", sizes.get("L", 0))
    words = {"p": "model.", "layers": "layers", **said.get("words", {})}
    shapes, config, bodies = {}, {}, {}
    for part in said["parts"]:
        held = parts()[part]
        shapes |= tensors(held.get("tensors", ""), sizes=sizes, words=words)
        claims = filled(held.get("config", {}), sizes)
        if held.get("text") and "under" in said:
            claims = {said["under"]: claims}
        config = merged(config, claims)
        bodies = merged(bodies, filled(held.get("bodies", {}), sizes))
    return Architecture(
        name=name,
        of=said["of"],
        published=said.get("published", True),
        shapes=shapes | tensors(said.get("tensors", ""), sizes=sizes, words=words),
        config=merged(config, filled(said.get("config", {}), sizes)),
        bodies=merged(bodies, filled(said.get("bodies", {}), sizes)),
    )


@cache
def descriptions():
    """Return what is said of every architecture, by its name."""
    return {
        name: said
        for path in sorted(HERE.glob("*.toml"))
        if path.name != "parts.toml"
        for name, said in tomllib.loads(path.read_text()).items()
    }


@cache
def parts():
    """Return every part by its name."""
    return tomllib.loads((HERE / "parts.toml").read_text())


@cache
def architecture(name):
    """Return an architecture with all of its headers."""
    return expanded(name, descriptions()[name])
