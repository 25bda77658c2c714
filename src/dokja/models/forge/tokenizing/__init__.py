"""Tokenizers: trained so that anyone can train them again, looked through, and measured.

`train` makes a byte-level BPE and writes it so that three encoders agree; `tokenizer` holds what
one is and encodes without any extra; `lint` and `report` look into anybody's `tokenizer.json`.
"""

from dokja.models.forge.tokenizing.agreement import (
    check_agreement,
    disagreement,
    fast_encoder,
    file_encoder,
)
from dokja.models.forge.tokenizing.folders import (
    read_json_file,
    read_tokenizer,
    tokenizer_config,
    tokenizer_json,
    write_tokenizer,
)
from dokja.models.forge.tokenizing.lint import LintFinding, LintOutcome, lint
from dokja.models.forge.tokenizing.measures import bits_per_byte
from dokja.models.forge.tokenizing.opened import Subject, open_subject, subject
from dokja.models.forge.tokenizing.overlap import Overlap, overlap, shared_rows
from dokja.models.forge.tokenizing.patterns import SPLITS, SplitPattern
from dokja.models.forge.tokenizing.probes import Probe, probe
from dokja.models.forge.tokenizing.report import Report, TextReport, report
from dokja.models.forge.tokenizing.tokenizer import (
    Tokenizer,
    byte_tokenizer,
    first_difference,
    fit_mistakes,
    fits,
    padded,
    same_merges,
)
from dokja.models.forge.tokenizing.train import Trained, build_tokenizer, train_tokenizer

__all__ = [
    "SPLITS",
    "LintFinding",
    "LintOutcome",
    "Overlap",
    "Probe",
    "Report",
    "SplitPattern",
    "Subject",
    "TextReport",
    "Tokenizer",
    "Trained",
    "bits_per_byte",
    "build_tokenizer",
    "byte_tokenizer",
    "check_agreement",
    "disagreement",
    "fast_encoder",
    "file_encoder",
    "first_difference",
    "fit_mistakes",
    "fits",
    "lint",
    "open_subject",
    "overlap",
    "padded",
    "probe",
    "read_json_file",
    "read_tokenizer",
    "report",
    "same_merges",
    "shared_rows",
    "subject",
    "tokenizer_config",
    "tokenizer_json",
    "train_tokenizer",
    "write_tokenizer",
]
