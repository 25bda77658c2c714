"""Runs programs that came from outside, in a bubblewrap sandbox or not at all.

No network, no files but the system's own read-only ones, no environment, no other processes to
see, nobody's rights; limits on time, memory and output. Whether the sandbox ran the program is
told by bubblewrap itself over a channel that the program cannot reach, so that no program can
pretend that it was never run.
"""

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dokja.errors import ExtraMissingError
from dokja.evidence.benchmarks.scorers.tasks import Ran

__all__ = ["Sandbox", "open_sandbox"]

_INTERPRETERS = ("/usr/bin/python3", "/usr/local/bin/python3")
_MEGABYTE = 1 << 20
_PROGRAM = "/box/program.py"
_START = """
import resource, sys
memory, cpu, size, source = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
for what, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu),
                   (resource.RLIMIT_FSIZE, size), (resource.RLIMIT_CORE, 0),
                   (resource.RLIMIT_NPROC, 64)):
    resource.setrlimit(what, (most, most))
sys.argv = [source]
with open(source, encoding="utf-8") as file:
    code = file.read()
exec(compile(code, source, "exec"), {"__name__": "__main__"})
"""
_WALLS = (
    *("--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox"),
    *("--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8"),
    *("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin"),
    *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
    *("--proc", "/proc", "--dev", "/dev"),
    *("--size", str(16 * _MEGABYTE), "--tmpfs", "/tmp", "--chdir", "/tmp"),  # noqa: S108  # the sandbox's own
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Where programs run.

    Attributes:
        bwrap: Path of bubblewrap.
        interpreter: Path of Python, below /usr.
        wall_s: The longest that a program may take.
        cpu_s: The longest that it may compute.
        memory_mb: The most memory that it may ask for.
        output_bytes: The most that it may print.
    """

    bwrap: str
    interpreter: str
    wall_s: float = 10.0
    cpu_s: int = 5
    memory_mb: int = 512
    output_bytes: int = _MEGABYTE

    def run(self, program: str, *, stdin: str) -> Ran:
        """Return what the program did; a fault says that the sandbox itself failed."""
        with (
            tempfile.TemporaryFile() as source,
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as printed,
            tempfile.TemporaryFile() as status,
        ):
            source.write(program.encode(errors="replace"))
            given.write(stdin.encode(errors="replace"))
            for file in (source, given):
                file.flush()
                file.seek(0)
            try:
                self._start(source, given, printed, status)
            except subprocess.TimeoutExpired:
                return Ran(stdout=self._read(printed), ended=False)
            except OSError as error:
                return Ran(stdout="", ended=False, fault=f"{self.bwrap} cannot be started: {error}")
            code = _exit_code(status)
            if code is None:
                fault = f"{self.bwrap} built no sandbox here; user namespaces may be forbidden"
                return Ran(stdout="", ended=False, fault=fault)
            return Ran(stdout=self._read(printed), ended=code == 0)

    def _start(
        self, source: IO[bytes], given: IO[bytes], printed: IO[bytes], status: IO[bytes]
    ) -> None:
        limits = (self.memory_mb * _MEGABYTE, self.cpu_s, self.output_bytes)
        subprocess.run(  # noqa: S603  # bubblewrap itself; what came from outside is data to it
            [
                self.bwrap,
                *_WALLS,
                *("--ro-bind-data", str(source.fileno()), _PROGRAM),
                *("--json-status-fd", str(status.fileno())),
                *(self.interpreter, "-I", "-S", "-c", _START),
                *(str(limit) for limit in limits),
                _PROGRAM,
            ],
            stdin=given,
            stdout=printed,
            stderr=subprocess.DEVNULL,
            pass_fds=(source.fileno(), status.fileno()),
            env={},
            timeout=self.wall_s,
            check=False,
        )

    def _read(self, printed: IO[bytes]) -> str:
        printed.seek(0)
        return printed.read(self.output_bytes).decode(errors="replace")


def open_sandbox(*, bwrap: str = "", wall_s: float = 10.0) -> Sandbox:
    """Return a sandbox that was seen to work.

    Args:
        bwrap: Path of bubblewrap; found on the path of programs by default.
        wall_s: The longest that a program may take.

    Raises:
        ExtraMissingError: There is no bubblewrap or no Python below /usr, or it may not build a
            sandbox here.
    """
    found = bwrap or shutil.which("bwrap", path=os.defpath + ":/usr/local/bin") or ""
    python = next((each for each in _INTERPRETERS if Path(each).exists()), "")
    if not found or not python:
        lacks = "bubblewrap (Debian: bubblewrap)" if not found else "Python below /usr"
        raise ExtraMissingError(f"Programs are run only in a sandbox; this machine lacks {lacks}.")
    sandbox = Sandbox(bwrap=found, interpreter=python, wall_s=wall_s)
    ran = sandbox.run("print(sum(map(int, input().split())))", stdin="2 3\n")
    if ran.stdout.strip() != "5":
        why = ran.fault or "a first program did not run in it"
        raise ExtraMissingError(f"Programs are run only in a sandbox; none works here: {why}.")
    return sandbox


def _exit_code(status: IO[bytes]) -> int | None:
    """Return how the program ended, as bubblewrap reports it; None if it never began."""
    status.seek(0)
    for line in status.read().splitlines():
        said = json.loads(line)
        if "exit-code" in said:
            return int(said["exit-code"])
    return None
