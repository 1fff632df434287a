"""Hand-written C for every row: an extension module, compiled where it is asked for.

A call costs what a call of a built-in function costs.  Small results are new arrays, as those of all others are; large
ones are written into arrays made once.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wengert.tools.bench.entry import Absent, Entry
from wengert.tools.bench.rows import Row
from wengert.tools.bench.rows.loops import STEPS
from wengert.tools.bench.rows.mixture import GAMMA, M, constant

__all__ = ["FLAGS", "entry", "library"]

HERE = Path(__file__).resolve().parent
FLAGS = (
    "-O3 -march=native -fopenmp -fopenmp-simd -fno-math-errno -fno-trapping-math -ffp-contract=off -std=gnu11 "
    "-fPIC -shared -w"
).split()


def folder() -> Path:
    """Where what the benchmark compiles is kept."""
    base = os.environ.get("WENGERT_CACHE") or Path.home() / ".cache" / "wengert"
    return Path(base) / "bench"


@functools.cache
def library() -> Any:
    """The extension; Absent where it cannot be built."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or importlib.util.find_spec("scipy") is None:
        raise Absent("needs a C compiler, and SciPy for its BLAS")
    vectors = platform.system() == "Linux" and platform.machine() == "x86_64"  # glibc's libmvec
    flags = [*FLAGS, *(["-DHAND_SIMD"] if vectors else [])]
    includes = [f"-I{sysconfig.get_path('include')}", f"-I{np.get_include()}"]
    command = [compiler, *flags, *includes, "module.c"]
    digest = hashlib.sha256(" ".join(command).encode())
    for path in sorted(HERE.glob("*.[ch]")):
        digest.update(path.read_bytes())
    target = folder() / f"hand-{digest.hexdigest()[:16]}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            made = Path(name) / "hand.so"
            words = [*command, "-o", str(made), *(["-lmvec"] if vectors else []), "-lm"]
            done = subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Absent(f"was not compiled: {done.stderr.strip().splitlines()[0]}")
            made.replace(target)
    spec = importlib.util.spec_from_file_location("hand", target)
    if spec is None or spec.loader is None:
        raise Absent(f"{target} is no extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry(row: Row, given: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
    """The row in C: the arguments, then arrays for the results, then room to work in."""
    if row.name == "xor" and given[1].shape != (2,):
        raise Absent("written for two hidden units")
    function, room = _PROGRAMS[row.function.__name__ if row.asked != "product" else "hvp"]
    call = getattr(library(), function)
    more = room(*given)
    if row.function.__name__ == "product":
        return Entry(call, given, read=lambda out: (out[0], out[1:]))
    if row.name in _NEW:
        return Entry(getattr(library(), f"{function}_new"), given, read=lambda out: (out[0], out[1:]))
    if row.asked in ("gradient", "product"):
        slopes = tuple(np.empty(np.shape(given[i])) for i in row.argnums)
        return Entry(call, (*given, *slopes, *more), read=lambda value: (value, slopes))
    matrix = np.empty_like(row.by_hand(*given))
    return Entry(call, (*given, matrix, *more), read=lambda _: matrix)


def _hidden(*args: Any) -> tuple[Any, ...]:
    """Of a perceptron: room for what is in each layer, twice."""
    rows = len(args[6])
    return (np.empty(rows * (2 * sum(len(b) for b in args[1:5:2]) + len(args[5]))),)


def _kept(main: Any, extra: Any, state: Any, sequence: Any) -> tuple[Any, ...]:
    """Of the recurrent network: for each step ten gates' widths in every layer, and two at its end."""
    if sequence.shape[1] > 16:
        raise Absent("written for at most 16 units")
    return (np.empty((len(sequence) - 1) * 16 * (10 * (len(state) // 2) + 2)),)


#: Rows so small that making the results counts.
_NEW = ("rosenbrock10", "rosenbrock1000", "hvp1000", "xor")

#: By the name of the NumPy function: that of the C function, and what it takes beyond arguments and results.
_PROGRAMS: dict[str, tuple[str, Callable[..., tuple[Any, ...]]]] = {
    "product": ("product", lambda *_: ()),
    "rosenbrock": ("rosenbrock", lambda *_: ()),
    "hvp": ("hvp", lambda *_: ()),
    "xor": ("xor", lambda *_: ()),
    "logistic": ("logistic", lambda *_: ()),
    "mlp": ("mlp", _hidden),
    "gmm": ("gmm", lambda a, m, icf, x: (float(GAMMA), float(M), constant(len(x), m.shape[1], len(m)))),
    "lstm": ("lstm", _kept),
    "lotka": ("lotka", lambda *_: (np.empty(8 * STEPS),)),
    "elementwise": ("elementwise", lambda *_: ()),
    "reprojection": ("reprojection", lambda *_: ()),
    "layered": ("layered", lambda x, W1, W2: (np.empty_like(W1),)),
    "penalised": ("penalised", lambda w, X: (np.empty_like(X),)),
}
