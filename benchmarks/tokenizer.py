"""What our tokenizers do to real Korean, how fast they are, and where engines disagree.

Run it from the root of the repository, with the extra `tokenizer`:

    python benchmarks/tokenizer.py [--text FILE] [--other FOLDER] [--unicode]

`--text` is a Korean text on which vocabularies are trained and measured (which flatters them);
by default the news sample that lies beside the repository. `--other` is a folder of texts without
Korean, by default this Python's own standard library: with it, vocabularies of 16,000 are trained
on the mixture and on the others alone. `--unicode` counts the code points at which Python's `re`
and Oniguruma cut differently; it takes a minute or two.

The rows named `note` are those of the design note (section 4), measured elsewhere. Times are of
one processor and this moment; set RAYON_NUM_THREADS=1 and OMP_NUM_THREADS=1 to repeat them.
"""

import argparse
import importlib
import sys
import sysconfig
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dokja.models.forge.tokenizing import (
    SPLITS,
    Tokenizer,
    fast_encoder,
    same_merges,
    subject,
    train_tokenizer,
)
from dokja.models.forge.tokenizing.measures import measure
from dokja.models.forge.tokenizing.patterns import pieces
from dokja.values import Missing

NEWS = Path(__file__).parents[2] / "shared/data/news/zdnet-korea-national-ai.txt"
SIZES = (512, 2000, 4096, 8000)
LARGE = 16_000
OTHER_BYTES = 22_780_000
COLUMNS = (
    ("tokens_per_eojeol", 1),
    ("characters_per_token", 1),
    ("syllables_cut", 100),
    ("partial_tokens", 100),
)
NOTE: dict[object, tuple[float, ...]] = {
    512: (4.64, 0.94, 40.5, 55.5),
    2000: (2.37, 1.85, 4.8, 12.1),
    4096: (1.85, 2.37, 1.6, 5.1),
    8000: (1.48, 2.95, 0.4, 1.5),
    "mixed": (3.14, 1.40, 13.8, 26.6),
    "other": (9.10, 0.48, 100.0, 90.0),
}


def row(name: str, figures: Sequence[float], more: str = "") -> None:
    """Print one row."""
    print(f"{name:<34}" + "".join(f"{figure:>11.2f}" for figure in figures) + f"  {more}")


def figures(tokenizer: Tokenizer, text: str) -> list[float]:
    """Return the note's four figures of one text."""
    found = measure(subject(tokenizer, name="", encode=fast_encoder(tokenizer)), text)
    shown = []
    for name, scale in COLUMNS:
        value = found[name]
        shown.append(float("nan") if isinstance(value, Missing) else scale * value.value)
    return shown


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what work returns, and the processor seconds that it took."""
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def own_text(text: str) -> None:
    """Train on the text itself, at each size and split."""
    for split in SPLITS.values():
        list(pieces(split.pattern, ""))  # so that no row pays for writing out its classes
    for size in SIZES:
        row(f"{size}, note", NOTE[size])
        for name in SPLITS:
            trained, seconds = timed(
                lambda size=size, name=name: train_tokenizer(
                    [text], size=size, split=name, specials=()
                )
            )
            shown = figures(trained.tokenizer, text)
            row(f"{size}, {name}", shown, f"trained in {seconds:.2f} CPU-s")


def others(folder: Path) -> Iterator[str]:
    """Return texts without Hangul, in the order of their names, up to the note's size."""
    held = 0
    for path in sorted(folder.rglob("*.py")):
        if held >= OTHER_BYTES or not path.is_file():
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        if not any("HANGUL" in unicodedata.name(sign, "") for sign in text if sign > "\u10ff"):
            held += len(text.encode())
            yield text


def mixed(text: str, folder: Path) -> None:
    """Train large vocabularies on texts with a little Korean and with none; take times."""
    without = [*others(folder)]
    megabytes = sum(len(each.encode()) for each in without) / 1e6
    print(f"\n{len(without)} texts without Hangul, {megabytes:.1f} MB; vocabulary of {LARGE}")
    kept: Tokenizer | None = None
    for key, texts in (("mixed", [*without, text]), ("other", without)):
        trained, seconds = timed(
            lambda texts=texts: train_tokenizer(
                texts, size=LARGE, split="llama3-threes", specials=()
            )
        )
        row(f"{key}, note", NOTE[key])
        row(f"{key}, ours", figures(trained.tokenizer, text), f"trained in {seconds:.1f} CPU-s")
        kept = kept or trained.tokenizer
    if kept is not None:
        again = train_tokenizer(
            [text, *reversed(without)], size=LARGE, split="llama3-threes", specials=()
        )
        print(f"reversed order of documents, equal merges: {same_merges(kept, again.tokenizer)}")
        speeds(kept, without, text)


def speeds(tokenizer: Tokenizer, without: Sequence[str], text: str) -> None:
    """Print how fast each encoder is, and that they agree."""
    texts = [*without, text]
    megabytes = sum(len(each.encode()) for each in texts) / 1e6
    quick = fast_encoder(tokenizer)
    ids, seconds = timed(lambda: [quick(each) for each in texts])
    print(f"tiktoken {megabytes / seconds:.1f} MB/CPU-s, {sum(map(len, ids))} tokens")
    slow, seconds = timed(lambda: [tokenizer.encode(each) for each in texts])
    print(f"plain Python {megabytes / seconds:.2f} MB/CPU-s, equal ids: {slow == ids}")


def unicode_differences() -> None:
    """Count the code points around which Oniguruma and Python's re cut differently."""
    library = importlib.import_module("tokenizers")
    for name, split in SPLITS.items():
        regex = library.Regex(split.pattern)
        step = library.pre_tokenizers.Split(regex, "isolated")

        def theirs(text: str, step: Any = step) -> list[str]:
            return [piece for piece, _ in step.pre_tokenize_str(text)]

        found = [
            code
            for start in range(0, sys.maxunicode + 1, 256)
            for code in _differing(start, split.pattern, theirs)
        ]
        assigned = [code for code in found if unicodedata.category(chr(code)) != "Cn"]
        print(
            f"{name}: {len(found)} code points are cut differently, {len(assigned)} of them "
            f"assigned in Unicode {unicodedata.unidata_version}, which this Python has"
        )


def _differing(start: int, pattern: str, theirs: Callable[[str], list[str]]) -> Iterator[int]:
    codes = [code for code in range(start, start + 256) if not 0xD800 <= code < 0xE000]
    tried = {code: f"a{chr(code) * 2}b 1{chr(code)}가 {chr(code)}" for code in codes}
    whole = "\n".join(tried.values())
    if theirs(whole) != list(pieces(pattern, whole)):
        yield from (
            code for code, text in tried.items() if theirs(text) != list(pieces(pattern, text))
        )


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    words.add_argument("--text", type=Path, default=NEWS)
    words.add_argument("--other", type=Path, default=Path(sysconfig.get_path("stdlib")))
    words.add_argument("--unicode", action="store_true")
    said = words.parse_args()
    if not said.text.exists():
        words.error(f"{said.text} is not here; name a Korean text with --text")
    text = said.text.read_bytes().decode()
    print(f"{'':<34}{'tok/eojeol':>11}{'char/tok':>11}{'cut %':>11}{'partial %':>11}")
    own_text(text)
    mixed(text, said.other)
    if said.unicode:
        unicode_differences()


if __name__ == "__main__":
    main()
