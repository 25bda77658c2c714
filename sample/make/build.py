"""Builds the sample's models from their recipes, through the forge, and compares or installs them.

    OMP_NUM_THREADS=1 .venvs/torch/bin/python sample/make/build.py [--only ID ...] [--install]

Run from the repository's root, in the environment that `python3 run.py torch` makes; all six take
about ten minutes on one core. Runs, chains and signed records lie in `build/sample-models`; one
that was stopped is begun again. Without `--install` what came out is compared with what is
committed, byte by byte.
"""

import argparse
import filecmp
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from dokja.cli.commands import run as dokja

ROOT = Path(__file__).resolve().parents[2]
RECIPES = Path(__file__).resolve().parent / "recipes"
MODELS = ROOT / "sample/programme/models"
ORDER = ("hanbit-1", "garam-1", "narae-1", "dasom-1", "raon-1", "maru-1")
"""A model that starts from another comes after it."""


def built(name: str, into: Path, bases: Path) -> Path:
    """Plan and run a recipe; return the model's folder."""
    plan, run = into / f"plan-{name}", into / f"run-{name}"
    shutil.rmtree(plan, ignore_errors=True)
    words = ["--bases", str(bases), "-o"]
    recipe = str((RECIPES / f"{name}.toml").relative_to(ROOT))
    if dokja(["forge", "plan", recipe, *words, str(plan)]) != 0:
        raise SystemExit(f"{name}: no plan")
    resume = ["--resume"] if (run / "plan.json").exists() else []
    if dokja(["forge", "run", str(plan), *words, str(run), *resume]) != 0:
        raise SystemExit(f"{name}: no model")
    return run / "model"


def noted(run: Path, model: Path) -> dict[str, Any]:
    """Return what `record.json` says of a run: parameters, bytes, last loss, seconds, torch."""
    events = [
        json.loads(line) for line in (run / "joint/01-train/events.jsonl").read_text().splitlines()
    ]
    plan = json.loads((run / "plan.json").read_text())
    prefixes = {"language-body": "model.", "vision-encoder": "vision_tower."}
    counts = {
        prefixes.get(part["descent"]["component"], "multi_modal_projector."): part["parameters"]
        for part in plan["components"]
        if part["parameters"] is not None
    }
    return {
        "parameters": counts,
        "bytes": (model / "model.safetensors").stat().st_size,
        "last_loss_nats": events[-1]["last_loss"],
        "seconds": round(events[-1]["device_seconds"]),
        "torch": events[0]["environment"]["torch"],
    }


def main() -> int:
    """Build what is asked for; return 1 if anything differs from what is committed."""
    parser = argparse.ArgumentParser(description="Build the sample's models.")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--into", type=Path, default=ROOT / "build/sample-models")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    record = Path(__file__).resolve().parent / "record.json"
    differing = 0
    for name in ORDER:
        if arguments.only and name not in arguments.only:
            continue
        model = built(name, arguments.into, MODELS)
        files = sorted(path.name for path in (MODELS / name).iterdir())
        if arguments.install:
            shutil.rmtree(MODELS / name)
            shutil.copytree(model, MODELS / name)
            said = json.loads(record.read_text(encoding="utf-8"))
            said[name] = noted(arguments.into / f"run-{name}", model)
            record.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            continue
        _, other, missing = filecmp.cmpfiles(model, MODELS / name, files, shallow=False)
        differing += len(other) + len(missing)
        print(f"{name}: {'the same bytes' if not other + missing else f'differs: {other}'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
