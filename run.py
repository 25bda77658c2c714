#!/usr/bin/env python3
"""Everything that can be done with a clone of Dokja, from Python 3.11 and nothing else.

    python3 run.py            judge the sample programme; ends with the standing and the dossier
    python3 run.py test       run the tests; arguments go to pytest
    python3 run.py torch      run the tests that need torch (installs about 1.2 GB)
    python3 run.py engines    run the tests that need lm-eval and Inspect (installs about 1 GB)
    python3 run.py check      what CI runs: format, lint, types, contracts, docs, all tests
    python3 run.py lock       write requirements/*.txt again
    python3 run.py accept     write again the reference pages that follow from the code
    python3 run.py bench      print every benchmark table again
    python3 run.py clean      remove what run.py made

Environments are made below .venvs from hash-pinned lock files and are made again when a lock
changes. The sample runs on the run lock alone, so that a dependency which only developers have
cannot hide. uv is used when it is there, pip otherwise.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENTS = ROOT / ".venvs"
BUILD = ROOT / "build"
LOCKS = ROOT / "requirements"
OLDEST = (3, 11)
FOUND_SOMETHING = 3  # the exit code of a judgement in which a gate failed
# Matrices here are small: more threads of numpy's BLAS only fight over the cores.
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
WITH_TORCH = {"exports", "hf_overhead", "presets", "replays", "tokenizer"}  # benchmarks
# Markers of tests that have an environment of their own, and where those tests stand.
APART = {"torch": "tests", "engines": "tests/benchmarks_room"}
LOCKS_OF = {
    "run": ["run"],
    "test": ["test"],
    "torch": ["test", "torch", "torch-extra"],
    "engines": ["run", "engines"],
}
ELSEWHERE = {"gpu_engines", "gpu_training", "training_parts"}  # for a GPU, and what they share
DEBIAN = {  # what some tests need: marker, program, Debian's packages
    "postgres": ("initdb", "postgresql"),
    "browser": ("chromium", "chromium fonts-nanum"),
}


def main(words: Sequence[str]) -> int:
    """Do what the first word says; return the exit code."""
    if sys.version_info < OLDEST:
        print(f"Dokja needs Python 3.11 or later; this is {sys.version.split()[0]}.")
        return 2
    commands: dict[str, Callable[[Sequence[str]], int]] = {
        "demo": demo,
        "test": test,
        "torch": torch,
        "engines": engines,
        "check": check,
        "lock": lock,
        "accept": accept,
        "bench": bench,
        "clean": clean,
    }
    if words and words[0] in {"-h", "--help", "help"}:
        print(__doc__)
        return 0
    name = words[0] if words else "demo"
    if name not in commands:
        print(f"run.py knows no {name!r}.\n{__doc__}")
        return 2
    try:
        return commands[name](words[1:])
    except Failed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1


class Failed(Exception):  # noqa: N818  # it is told to people, as a sentence
    """Something that run.py started did not succeed."""


def demo(_: Sequence[str]) -> int:
    """Judge the sample programme with nothing but the run lock."""
    dokja = environment("run") / "dokja"
    folder = BUILD / "sample"
    shutil.rmtree(folder, ignore_errors=True)
    shown = folder.relative_to(ROOT)
    steps = (
        ("new", str(shown), "--from", "sample/programme"),
        ("observe", str(shown), "--stage", "final"),
        ("judge", str(shown), "--stage", "final"),
    )
    for step in steps:
        print(f"\n$ dokja {' '.join(step)}", flush=True)
        code = _run([dokja, *step], settings=ONE_THREAD)
        if code not in {0, FOUND_SOMETHING}:
            raise Failed(f"dokja {step[0]} ended with {code}.")
    return 0


def test(words: Sequence[str]) -> int:
    """Run the tests that this machine can run, and say which it cannot."""
    return _pytest(environment("test"), words)


def torch(words: Sequence[str]) -> int:
    """Run the tests that need torch."""
    return _marked("torch", words)


def engines(words: Sequence[str]) -> int:
    """Run the tests that need the evaluation engines, which are installed unmodified."""
    return _marked("engines", words)


def check(words: Sequence[str]) -> int:
    """Do everything that CI does, the cheapest first, and stop at the first failure."""
    binaries = environment("test")
    python = str(binaries / "python")
    steps: list[tuple[str, Sequence[str]]] = [
        ("format", [str(binaries / "ruff"), "format", "--check", "."]),
        ("lint", [str(binaries / "ruff"), "check", "."]),
        ("contracts", [str(binaries / "lint-imports")]),
        ("types", [python, "-m", "mypy"]),
    ]
    for name, command in steps:
        print(f"\n== {name}", flush=True)
        if _run(command) != 0:
            raise Failed(f"{name} failed; nothing after it was run.")
    print("\n== tests", flush=True)
    if _pytest(binaries, ["--cov", "--cov-report=term:skip-covered", "-q"]) != 0:
        raise Failed("the tests failed.")
    for marker in APART:
        if f"--no-{marker}" not in words:
            print(f"\n== tests with {marker}", flush=True)
            if _marked(marker, ["-q"]) != 0:
                raise Failed(f"the tests with {marker} failed.")
    print("\nEverything passed.")
    return 0


def lock(_: Sequence[str]) -> int:
    """Write the lock files again, without index addresses."""
    uv = environment("test") / "uv"
    common = [
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"),
        *("--no-annotate", "--no-header", "--upgrade"),
    ]
    after = {
        "test": ["--constraint", "requirements/run.txt"],
        "engines": ["--constraint", "requirements/run.txt"],
        "torch-extra": [
            *("--constraint", "requirements/test.txt"),
            *("--override", "requirements/torch-extra.override", "--no-emit-package", "torch"),
        ],
    }
    for name in ("build", "run", "test", "engines", "torch-extra"):
        source, target = f"requirements/{name}.in", f"requirements/{name}.txt"
        if _run([uv, *common, *after.get(name, []), source, "--output-file", target]) != 0:
            raise Failed(f"{target} could not be made; the old one stands.")
    return 0


def accept(_: Sequence[str]) -> int:
    """Write again the reference pages that tests compare; their diff is reviewed like code."""
    if _run([environment("test") / "python", "docs/reference/make.py"]) != 0:
        raise Failed("the reference pages could not be made.")
    return 0


def bench(words: Sequence[str]) -> int:
    """Print every benchmark table, or those that are named."""
    for script in sorted((ROOT / "benchmarks").glob("*.py")):
        if script.stem in words or not (words or script.stem in ELSEWHERE):
            print(f"\n== {script.stem}", flush=True)
            python = environment("torch" if script.stem in WITH_TORCH else "test") / "python"
            if _run([python, script], settings=ONE_THREAD) != 0:
                raise Failed(f"benchmarks/{script.name} failed.")
    return 0


def clean(_: Sequence[str]) -> int:
    """Remove environments and everything below build/."""
    for folder in (ENVIRONMENTS, BUILD):
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def environment(name: str) -> Path:
    """Make the environment of that name if its locks changed; return where its programs are.

    `run` holds the run lock and Dokja as a built wheel, `test` the test lock and Dokja in place,
    `torch` the same with torch besides, `engines` the run lock, the engines and Dokja in place.
    """
    locks = LOCKS_OF[name]
    folder = ENVIRONMENTS / name
    binaries = folder / "bin"
    _made(folder, _digest([LOCKS / f"{lock}.txt" for lock in locks]), lambda: _fill(folder, locks))
    built = [ROOT / "pyproject.toml", ROOT / "README.md", LOCKS / "build.txt"]
    if name == "run":  # a wheel is made again whenever the source changes
        built += [path for path in (ROOT / "src").rglob("*") if path.is_file()]
    built = [path for path in built if "__pycache__" not in path.parts]
    _stamped(
        folder / "dokja.stamp", _digest(built), lambda: _install(folder, editable=name != "run")
    )
    return binaries


def _made(folder: Path, digest: str, make: Callable[[], None]) -> None:
    stamp = folder / "locks.stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    print(f"Making the environment {folder.relative_to(ROOT)} …", flush=True)
    make()
    stamp.write_text(digest)


def _stamped(stamp: Path, digest: str, make: Callable[[], None]) -> None:
    if not stamp.exists() or stamp.read_text() != digest:
        make()
        stamp.write_text(digest)


def _fill(folder: Path, locks: Sequence[str]) -> None:
    """Make an environment and install lock files into it, torch last of all and by itself."""
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError as error:
        raise Failed(
            "This Python cannot make environments: it has no ensurepip.\n"
            "On Debian or Ubuntu: apt-get install python3-venv"
        ) from error
    for lock in locks:
        target = str(LOCKS / f"{lock}.txt")
        if lock == "torch":  # one version has different hashes for CPU and CUDA builds
            _pip(folder, ["-r", target], uv=False)
        else:
            # A lock is whole. Left to resolve it again, older pips stumble over extras
            # (`coverage[toml]`) as soon as a newer release than the pinned one is out.
            _pip(folder, ["--no-deps", "--require-hashes", "-r", target])


def _install(folder: Path, *, editable: bool) -> None:
    """Build Dokja's wheel in an environment of its own and install it without dependencies."""
    builder = ENVIRONMENTS / "build"
    _made(builder, _digest([LOCKS / "build.txt"]), lambda: _fill(builder, ["build"]))
    wheels = BUILD / ("wheel-in-place" if editable else "wheel")
    shutil.rmtree(wheels, ignore_errors=True)
    kind = "wheel:editable" if editable else "wheel:standard"
    _quietly([builder / "bin" / "python", "-m", "hatchling", "build", "-t", kind, "-d", wheels])
    (wheel,) = wheels.glob("*.whl")
    _pip(folder, ["--no-deps", "--no-index", "--force-reinstall", str(wheel)], uv=False)


def _pip(folder: Path, words: Sequence[str], *, uv: bool = True) -> None:
    python = folder / "bin" / "python"
    fast = shutil.which("uv") if uv else None
    if fast:
        _quietly([fast, "pip", "install", "--quiet", "--python", python, *words])
    else:
        quiet = ["--quiet", "--disable-pip-version-check"]
        _quietly([python, "-m", "pip", "install", *quiet, *words])


def _marked(marker: str, words: Sequence[str]) -> int:
    """Run the tests of one marker in the environment of the same name."""
    python = environment(marker) / "python"
    tests = ["--override-ini", f"testpaths={APART[marker]}"]
    chosen = ["-m", "pytest", "-m", marker, *tests, *_side_by_side(words), *words]
    return _run([python, *chosen], settings=ONE_THREAD)


def _pytest(binaries: Path, words: Sequence[str]) -> int:
    left_out = [*APART]
    for marker in APART:
        print(f"Left out: the tests with {marker}. Run them with: python3 run.py {marker}")
    for marker, (program, packages) in DEBIAN.items():
        if not _there(program):
            left_out.append(marker)
            print(f"Left out: the tests marked {marker}, since {program} is not on this machine.")
            print(f"  On Debian or Ubuntu: apt-get install {packages}")
    chosen = " and ".join(f"not {marker}" for marker in left_out)
    command: list[str | Path] = [
        binaries / "python",
        "-m",
        "pytest",
        "-m",
        chosen,
        *_side_by_side(words),
        *words,
    ]
    return _run(command, settings=ONE_THREAD)


def _side_by_side(words: Sequence[str]) -> list[str]:
    """Return what makes pytest use every core, unless the caller says how many, or debugs."""
    if any(word.startswith(("-n", "--numprocesses", "--pdb", "--trace", "-s")) for word in words):
        return []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # Whoever is done takes tests from the others, so that one slow file does not keep them waiting.
    return ["-n", str(cores or 1), "--dist", "worksteal"] if (cores or 1) > 1 else []


def _there(program: str) -> bool:
    if shutil.which(program):
        return True
    return any(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))


def _digest(files: Sequence[Path]) -> str:
    total = hashlib.sha256(sys.version.encode())
    for file in sorted(files):
        total.update(f"{file.relative_to(ROOT)}\0".encode())
        total.update(file.read_bytes())
    return total.hexdigest()


def _run(command: Sequence[str | Path], *, settings: dict[str, str] | None = None) -> int:
    return subprocess.run([*map(str, command)], cwd=ROOT, env=settings, check=False).returncode


def _quietly(command: Sequence[str | Path]) -> None:
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, check=False, text=True, capture_output=True
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise Failed(f"This failed: {' '.join(map(str, command))}\n{said}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
