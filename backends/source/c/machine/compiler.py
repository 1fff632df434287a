"""Finding a C compiler, and running it with a deadline."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from attrs import frozen

from wengert.backends.source.c.machine.folders import folder
from wengert.ir.errors import BackendError

__all__ = ["FLAGS", "Compiler", "abandon", "find", "missing"]

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
#: Programs that run the compiler which is named after them, or by a setting.
LAUNCHERS = {"ccache", "distcc", "sccache", "icecc", "env", "busybox"}
TAIL = 50


@frozen
class Compiler:
    """A command as an argument vector (never a shell's line), and the version it states."""

    command: tuple[str, ...]
    version: str

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags this compiler understands."""
        return (*FLAGS, NATIVE) if _asked(self.command, "native") else FLAGS

    @property
    def identity(self) -> tuple[str, ...]:
        """All that a program's machine code depends on, beside its source."""
        machine = (platform.platform(), platform.machine(), _processor())
        return (*self.command, self.version, *self.flags, *machine)

    def compile(self, source: Path, target: Path) -> None:
        """Source to shared library; BackendError with the compiler's last words."""
        shared = THREADS if PRAGMA in source.read_text() and _asked(self.command, "threads") else ()
        code, output = _run([*self.command, *self.flags, *shared, "-o", str(target), str(source), "-lm"], SECONDS)
        if code == 0 and target.is_file():
            return
        if _leaving.is_set():
            raise BackendError("Python ends, and so does its compiler.")
        kept = _keep(source)
        why = f"took more than {SECONDS} s" if code is None else f"ended with code {code}"
        tail = "\n".join(output.splitlines()[-TAIL:])[-8000:]
        message = (
            f"The C compiler {shlex.join(self.command)} {why}. The source is kept in {kept}. "
            f"Its last words were:\n{tail or '(none)'}"
        )
        raise BackendError(message)


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
            env=_environment(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _running.add(process)
        try:
            code: int | None = process.wait(0 if _leaving.is_set() else seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _running.discard(process)
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


_running: set[subprocess.Popen[bytes]] = set()
_leaving = threading.Event()
if hasattr(os, "register_at_fork"):  # a parent's compilers are not its child's to end
    os.register_at_fork(after_in_child=_running.clear)


def abandon() -> None:
    """End the compilers that run, for good; who waits for one gets a BackendError, and leaves nothing behind."""
    _leaving.set()
    for process in list(_running):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()


def _environment(command: list[str]) -> dict[str, str] | None:
    """That of this process; zig, which keeps what it makes, needs a place for it even where there is no home."""
    if Path(command[0]).stem != "zig" or "ZIG_GLOBAL_CACHE_DIR" in os.environ:
        return None
    return {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(folder() / "zig")}


def _candidates() -> list[tuple[str, ...]]:
    given = os.environ.get("CC")
    if given and given.strip():
        try:
            return [tuple(shlex.split(given))]  # chosen by the user: no other is taken in its place
        except ValueError:
            return [(given,)]
    return [("cc",), ("gcc",), ("clang",), *_zig()]


def _zig() -> list[tuple[str, ...]]:
    """The compiler in the ziglang wheel: `python -m ziglang` would start this same program."""
    spec = importlib.util.find_spec("ziglang")
    places = spec.submodule_search_locations if spec is not None else None
    name = "zig.exe" if sys.platform == "win32" else "zig"
    return [(str(Path(place) / name), "cc") for place in places or ()]


@functools.lru_cache(maxsize=16)
def _search(candidates: tuple[tuple[str, ...], ...], path: str) -> Compiler | str:
    tried = []
    for command in candidates:
        program = shutil.which(command[0], path=path)
        if program is None:
            tried.append(f"{command[0]!r} is not an executable program on the PATH")
            continue
        try:
            found = (program, *command[1:])
            return Compiler(found, str(_asked(found, "version")))
        except OSError as error:
            tried.append(f"{command[0]!r} cannot be run ({error.strerror})")
        except BackendError as error:
            tried.append(str(error))
    return (
        f"no C compiler was found: {'; '.join(tried)}. "
        "Install one (gcc, clang, or `pip install ziglang`), or name one in $CC."
    )


def _version(command: tuple[str, ...]) -> str:
    code, output = _run([*command, "--version"], 20)
    if code != 0:
        raise BackendError(f"{shlex.join(command)} --version failed ({code})")
    return output[:2000]


def _takes_native(command: tuple[str, ...]) -> bool:
    return _run([*command, *FLAGS, NATIVE, "-E", "-x", "c", os.devnull], min(SECONDS, 20))[0] == 0


def _takes_threads(command: tuple[str, ...]) -> bool:
    """Whether there is a library of threads to link with, too."""
    with tempfile.TemporaryDirectory(prefix="wengert-") as name:
        source, target = Path(name, "empty.c"), Path(name, "empty.so")
        source.write_text("int empty;\n")
        return _run([*command, *FLAGS, *THREADS, str(source), "-o", str(target)], 20)[0] == 0


_QUESTIONS = {"version": _version, "native": _takes_native, "threads": _takes_threads}


@functools.lru_cache(maxsize=64)
def _asked(command: tuple[str, ...], question: str) -> str | bool:
    """What a compiler says of itself; once, as long as its program is the same: each question is a process."""
    note, answers = _note(command), {}
    if note is not None:
        with contextlib.suppress(OSError, ValueError):
            answers = json.loads(note.read_text(encoding="utf-8"))
    if question in answers:
        return answers[question]
    answers[question] = _QUESTIONS[question](command)
    if note is not None:
        with contextlib.suppress(OSError):
            fresh = note.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps(answers), encoding="utf-8")
            fresh.replace(note)
    return answers[question]


def _note(command: tuple[str, ...]) -> Path | None:
    """Where its answers are kept; not those of a script, or of a program that runs another, which may change."""
    try:
        program = Path(command[0]).resolve(strict=True)
        with program.open("rb") as file:
            if file.read(2) == b"#!" or program.stem in LAUNCHERS:
                return None
        state = program.stat()
    except (OSError, RuntimeError):
        return None
    key = (*command, str(program), str(state.st_mtime_ns), str(state.st_size), *FLAGS, NATIVE, *THREADS, _processor())
    return folder() / f"{hashlib.sha256(chr(0).join(key).encode()).hexdigest()}.json"


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
