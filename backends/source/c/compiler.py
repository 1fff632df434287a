"""Finding a C compiler, and running it with a deadline."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import frozen

from wengert.ir.errors import BackendError

__all__ = ["FLAGS", "Compiler", "find", "missing"]

#: Never fast-math: the answers are IEEE's.  Contraction would round once what is rounded twice.
#: -O3 rather than -O2: sum(x * x) takes a third of the time, and compiling takes no longer.
#: Not SLP: of a loop unrolled whole, GCC 12's takes (double)(float)x for x, and so does not round.
FLAGS = (
    "-std=c99", "-O3", "-fPIC", "-shared", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-fno-tree-slp-vectorize",
)  # fmt: skip
#: Wider vectors, the same bits: a matrix product takes a third of the time.
NATIVE = "-march=native"
#: For programs that ask for threads; without it they run in one.
THREADS = ("-fopenmp",)
PRAGMA = "#pragma omp"
SECONDS = 120
TAIL = 50


@frozen
class Compiler:
    """A command as an argument vector (never a shell's line), and the version it states."""

    command: tuple[str, ...]
    version: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags this compiler understands."""
        return (*FLAGS, NATIVE) if _takes_native(self.command, min(SECONDS, 20)) else FLAGS

    @property
    def identity(self) -> tuple[str, ...]:
        """All that a program's machine code depends on, beside its source."""
        machine = (platform.platform(), platform.machine(), _processor())
        return (*self.command, self.version, *self.flags, *machine)

    def compile(self, source: Path, target: Path) -> None:
        """Source to shared library; BackendError with the compiler's last words."""
        shared = THREADS if PRAGMA in source.read_text() and _takes_threads(self.command) else ()
        code, output = _run([*self.command, *self.flags, *shared, "-o", str(target), str(source), "-lm"], SECONDS)
        if code == 0 and target.is_file():
            return
        kept = _keep(source)
        why = f"took more than {SECONDS} s" if code is None else f"ended with code {code}"
        tail = "\n".join(output.splitlines()[-TAIL:])[-8000:]
        message = (
            f"The C compiler {shlex.join(self.command)} {why}. The source is kept in {kept}. "
            f"Its last words were:\n{tail or '(none)'}"
        )
        raise BackendError(message)


@functools.lru_cache(maxsize=16)
def _takes_native(command: tuple[str, ...], seconds: float) -> bool:
    return _run([*command, *FLAGS, NATIVE, "-fsyntax-only", "-x", "c", os.devnull], seconds)[0] == 0


@functools.lru_cache(maxsize=16)
def _takes_threads(command: tuple[str, ...]) -> bool:
    """Whether there is a library of threads to link with, too."""
    with tempfile.TemporaryDirectory(prefix="wengert-") as name:
        target = str(Path(name, "empty.so"))
        return _run([*command, *FLAGS, *THREADS, "-x", "c", os.devnull, "-o", target], 20)[0] == 0


@functools.cache
def _processor() -> str:
    """What the vector instructions depend on: a home folder may be shared by different machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({x for x in lines if x.startswith(("flags", "Features", "model name", "CPU part"))}))


def _keep(source: Path) -> Path:
    with tempfile.NamedTemporaryFile(prefix="wengert-", suffix=".c", delete=False) as file:
        file.write(source.read_bytes())
    return Path(file.name)


def _run(command: list[str], seconds: float) -> tuple[int | None, str]:
    """The exit code (None after the deadline) and the end of the output.

    At the deadline the whole process group is ended.
    """
    with tempfile.TemporaryFile() as output:  # a pipe would hold a compiler's children, and 10 MB of warnings
        process = subprocess.Popen(  # noqa: S603 (an argument vector, of the user's own compiler)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.returncode is None:
                _end(process)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - 20000))
        return code, output.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _candidates() -> list[tuple[str, ...]]:
    given = os.environ.get("CC")
    if given and given.strip():
        try:
            return [tuple(shlex.split(given))]  # chosen by the user: no other is taken in its place
        except ValueError:
            return [(given,)]
    found: list[tuple[str, ...]] = [("cc",), ("gcc",), ("clang",)]
    if importlib.util.find_spec("ziglang") is not None:
        found.append((sys.executable, "-m", "ziglang", "cc"))
    return found


@functools.lru_cache(maxsize=16)
def _search(candidates: tuple[tuple[str, ...], ...], path: str) -> Compiler | str:
    tried = []
    for command in candidates:
        program = shutil.which(command[0])
        if program is None:
            tried.append(f"{command[0]!r} is not an executable program on the PATH")
            continue
        try:
            code, output = _run([program, *command[1:], "--version"], 20)
        except OSError as error:
            tried.append(f"{command[0]!r} cannot be run ({error.strerror})")
            continue
        if code == 0:
            return Compiler((program, *command[1:]), output[:2000])
        tried.append(f"{shlex.join(command)} --version failed ({code})")
    return (
        f"no C compiler was found: {'; '.join(tried)}. "
        "Install one (gcc, clang, or `pip install ziglang`), or name one in $CC."
    )


def _look() -> Compiler | str:
    return _search(tuple(_candidates()), os.environ.get("PATH", ""))


def missing() -> str | None:
    """Why no program can be compiled here, in a sentence; None where one can."""
    found = _look()
    return found if isinstance(found, str) else None


def find() -> Compiler:
    """The compiler: $CC, else cc, gcc, clang, or the one in the ziglang wheel."""
    found = _look()
    if isinstance(found, str):
        raise BackendError(f"Backend 'c' cannot compile: {found}")
    return found
