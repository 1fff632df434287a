"""Where the extension for cheap calls comes from: built once per machine, Python and NumPy, and kept like any program.

Programs work without it, through ctypes; it is looked for where Python's headers are.  If it is not in the cache yet,
it is built while calls go the other way.  ``$WENGERT_ENTRANCE`` is ``off`` (never use it) or ``now`` (wait for it).
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve

from wengert.backends.called import Called
from wengert.backends.direct import Entrances
from wengert.backends.source.c.entrance.text import TEXT
from wengert.backends.source.c.machine.cache import kept, load
from wengert.backends.source.c.machine.compiler import Compiler, find
from wengert.ir.graph import Graph
from wengert.ir.kinds import Contraction, Control

__all__ = ["entrance_type", "is_long"]

#: From so many elements on, which are some fifty microseconds of work, other threads may run meanwhile.
LONG = 50_000
_CALL = Called.__call__
_lock = threading.Lock()


class _State:
    type: Any = None
    failed = False
    thread: threading.Thread | None = None


def _compiler() -> Compiler | None:
    """The compiler with the folders of Python's and NumPy's headers; None where these are not there."""
    folders = {sysconfig.get_path("include"), sysconfig.get_path("platinclude"), np.get_include()}
    found = any(Path(f, "Python.h").is_file() for f in folders) and Path(np.get_include(), "numpy").is_dir()
    if not found or sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    plain = find()
    more = ("-undefined", "dynamic_lookup") if sys.platform == "darwin" else ()
    interface = f"{sysconfig.get_config_var('SOABI') or sys.implementation.cache_tag}_{np.__version__}"
    here = "-DFOR_" + re.sub(r"\W", "_", interface)  # of no use but to be part of what it is found by
    return evolve(plain, command=(*plain.command, here, *(f"-I{f}" for f in sorted(folders)), *more))


def entrance_type() -> Any:
    """The type of entrances (see :mod:`wengert.backends.source.c.entrance.text`); None where there is none (yet)."""
    mode = os.environ.get("WENGERT_ENTRANCE")
    if mode == "off":
        return None
    if _State.type is None and not _State.failed:
        with _lock:
            if _State.thread is None or not _State.thread.is_alive():
                _look(wait=mode == "now")
        if mode == "now" and (thread := _State.thread) is not None:
            thread.join()
    return _State.type


def _look(*, wait: bool) -> None:
    try:
        compiler = _compiler()
        if compiler is None:
            _State.failed = True
        elif wait or (library := kept(TEXT, compiler)) is None:
            _State.thread = threading.Thread(target=_make, args=(compiler,), name="wengert-entrance")
            _State.thread.start()
        else:
            _State.type = _type_of(library)
    except Exception:  # noqa: BLE001 (whatever it is, calls go the other way)
        _State.failed = True


def _make(compiler: Compiler) -> None:
    try:
        _State.type = _type_of(load(TEXT, compiler))
    except Exception:  # noqa: BLE001 (likewise)
        _State.failed = True


def _type_of(library: ctypes.CDLL) -> Any:
    """The type; from now on calls are the extension's."""
    functions = ctypes.PyDLL(library._name, handle=library._handle)  # noqa: SLF001 (its only names)
    functions.wengert_entrance.restype = functions.wengert_method.restype = ctypes.py_object
    functions.wengert_method.argtypes = [ctypes.py_object] * 3
    found = functions.wengert_entrance()
    Called.__call__ = functions.wengert_method(Called, Entrances, _CALL)  # type: ignore[method-assign]
    return found


def is_long(graph: Graph) -> bool:
    """Whether a run takes so long that other threads should get their turn."""
    return _work(graph) > LONG


def _work(graph: Graph) -> float:
    total = 0.0
    for node in graph.nodes:
        size = float(sum(v.type.size for v in node.results))
        if isinstance(node.op, Contraction):  # the sizes of m x k, k x n and m x n make (m k n)^2
            for v in node.operands:
                size *= v.type.size
            size **= 0.5
        elif isinstance(node.op, Control):
            inner = [_work(g) for g in _graphs(node.params)]
            steps = node.params.get("length", 1 if node.op.name != "while" else LONG)
            size += sum(inner) * (steps if isinstance(steps, int) else LONG)
        total += size
        if total > LONG:
            break
    return total


def _graphs(params: dict[str, Any]) -> list[Graph]:
    found = []
    for value in params.values():
        found += [g for g in (value if isinstance(value, (tuple, list)) else (value,)) if isinstance(g, Graph)]
    return found
