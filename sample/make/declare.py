"""Writes what the sample's teams declare about their models into `entries.jsonl`.

    python sample/make/declare.py [--check]

Prefixes and counts are read from the headers of the files in `programme/models`. Where the weights
come from is what each team *says*; two of them do not say how it was. All other lines stay as they
are, and the models come last. Run it again whenever the models were made anew.
"""

import json
import sys
from pathlib import Path

from dokja.models.weights import Source, open_source

__all__ = ["FOLDER", "declared", "entries"]

FOLDER = Path(__file__).resolve().parents[1] / "programme"
DAY = "2026-11-02"

CANDIDATES = ("garam", "narae", "dasom", "raon", "maru")
REFERENCES = ("hanbit",)
COMPONENTS = {
    "language-body": ("model.", "lm_head."),
    "vision-encoder": ("vision_tower.",),
    "projector": ("multi_modal_projector.",),
}
REFERENCE_NOTE = {
    "ko": "견본에서 쓰는 외국 기준 모델. 후보 모델을 이 모델과 비교한다.",
    "en": "The sample's foreign reference, with which the candidates are compared.",
}


def entries() -> str:
    """Return the lines of `entries.jsonl` with the models as their files are now."""
    lines = [
        line
        for line in (FOLDER / "entries.jsonl").read_text(encoding="utf-8").splitlines()
        if json.loads(line)["kind"] != "model"
    ]
    lines += [json.dumps(declared(team), ensure_ascii=False) for team in CANDIDATES + REFERENCES]
    return "\n".join(lines) + "\n"


def declared(team: str) -> dict[str, object]:
    """Return the entry of a team's model."""
    model = f"{team}-1"
    source = open_source(FOLDER / "models" / model)
    body: dict[str, object] = {
        "on": DAY,
        "model": model,
        "team": team,
        "name": f"{team.capitalize()} 1",
        "declared_grade": "T4",
        "parameters": source.parameters,
        "folder": model,
    }
    if team in CANDIDATES:
        body |= {"role": "candidate", "stages": ["final"]}
    else:
        body |= {"role": "reference", "note": REFERENCE_NOTE}
    components = [_component(name, source) for name in COMPONENTS]
    tokenizer = {"component": "tokenizer", "role": "tokenizer", "origin": "own-initialisation"}
    body["components"] = [*filter(None, components), tokenizer]
    actor = team if team in CANDIDATES else "office"
    return {"kind": "model", "actor": actor, "id": f"model/{model}", "body": body}


def _component(name: str, source: Source) -> dict[str, object] | None:
    """Return a component as its team declares it; nothing where the files have no such tensors."""
    held = [tensor for tensor in source.names if tensor.startswith(COMPONENTS[name])]
    if not held:
        return None
    return {
        "component": name,
        "role": name,
        "origin": "own-initialisation",
        "structure": "known",
        "parameters": sum(source.info(tensor).parameters for tensor in held),
        "tensors": [
            prefix for prefix in COMPONENTS[name] if any(t.startswith(prefix) for t in held)
        ],
    }


def main(words: list[str]) -> int:
    """Write the file, or tell whether it is what this would write."""
    path = FOLDER / "entries.jsonl"
    text = entries()
    if words == ["--check"]:
        same = path.read_text(encoding="utf-8") == text
        if not same:
            print(f"{path} is not what this script writes; run it without --check")
        return 0 if same else 1
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {text.count(chr(10))} lines")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
