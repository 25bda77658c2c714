"""The page of flags lists every flag with what it forbids, and none besides."""

import re
from pathlib import Path

from dokja.evidence.benchmarks.quality import BLOCKS, FLAGS

PAGE = Path(__file__).parents[3] / "docs/reference/flags.md"
LINE = re.compile(r"^\| `(\w[\w-]*)` \| (.+) \|$", flags=re.MULTILINE)


def test_the_page_says_of_every_flag_what_the_code_says():
    told = dict(LINE.findall(PAGE.read_text(encoding="utf-8")))

    flags = {
        name: " | ".join(
            (kind.test, kind.counts, ", ".join(f"`{each}`" for each in sorted(kind.blocks)) or "–")
        )
        for name, kind in FLAGS.items()
    }
    assert told == {**flags, **BLOCKS}
