"""What is public in the NumPy and SciPy that are installed: every name the table must have a row for.

A name is the path below ``numpy`` (``interp``, ``linalg.solve``, ``ndarray.sum``), or from ``scipy`` on.
"""

from __future__ import annotations

import functools
import operator
import types
import warnings
from typing import Any

import numpy as np

__all__ = [
    "POLYNOMIALS", "SOMETIMES", "inner", "overridable_functions", "overridable_ufuncs", "path", "public", "resolve",
]  # fmt: skip

#: The modules of numpy.polynomial, and how their functions' names begin.
POLYNOMIALS = {"polynomial": "poly", "chebyshev": "cheb", "legendre": "leg", "laguerre": "lag", "hermite": "herm",
               "hermite_e": "herme"}  # fmt: skip
#: Names that some NumPy since 2.0 has and another has not, or will not have.
SOMETIMES = frozenset({
    "in1d", "trapz", "row_stack", "fix", "matvec", "vecmat", "unstack", "cumulative_sum", "cumulative_prod", "core",
    "ndarray.ptp", "ndarray.itemset", "ndarray.newbyteorder", "ndarray.tostring", "ndarray.resize", "ndarray.setfield",
    "ndarray.__buffer__", "random.random_integers",
    *(f"polynomial.{module}.{prefix}valnd" for module, prefix in POLYNOMIALS.items()),
})  # fmt: skip
_INDEXED = ("r_", "c_", "s_", "index_exp", "mgrid", "ogrid")  # not called, but used as a function is
_IMPORTED = ("strings.", "char.", "fft.", "polynomial.")
_OBJECTS = frozenset(dir(object)) - {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__repr__", "__str__",
                                     "__format__", "__reduce__", "__reduce_ex__", "__class__"}  # fmt: skip


def resolve(name: str) -> Any:
    """The object of that name, None where there is none."""
    root = np
    if name.startswith("scipy."):
        import scipy.linalg
        import scipy.signal
        import scipy.special

        root, name = scipy, name.removeprefix("scipy.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return operator.attrgetter(name)(root)
        except AttributeError:
            return None


@functools.cache
def public() -> dict[str, tuple[str, ...]]:
    """The public names, by chapter."""
    chapters = {
        "ufuncs": tuple(n for n in _names(np) if isinstance(resolve(n), np.ufunc)),
        "numpy": tuple(n for n in _names(np) if _is_function(resolve(n)) or n in _INDEXED),
        "linalg": _functions("linalg"),
        "fft": _functions("fft"),
        "lib": tuple(sorted(n for n in _lib())),
        "ndarray": tuple(f"ndarray.{n}" for n in dir(np.ndarray) if n not in _OBJECTS and (n[0] != "_" or n[1] == "_")),
        "polynomial": (*_functions("polynomial"), *(n for m in POLYNOMIALS for n in _functions(f"polynomial.{m}"))),
        "random.Generator": tuple(f"random.Generator.{n}" for n in _names(np.random.Generator)),
        "random": _functions("random"),
        "classes": tuple(n for n in _classes()),
        "modules": tuple(n for n in _names(np) if isinstance(resolve(n), types.ModuleType)),
        "ufuncs of strings, and within NumPy": tuple(sorted(inner(u) for u in overridable_ufuncs() if inner(u))),
    }
    try:
        import scipy.linalg
        import scipy.special
    except ImportError:
        return chapters
    special = scipy.special
    ufuncs = tuple(f"scipy.special.{n}" for n in dir(special) if isinstance(getattr(special, n), np.ufunc))
    functions = tuple(f"scipy.linalg.{n}" for n in _names(scipy.linalg) if _is_function(getattr(scipy.linalg, n)))
    return chapters | {"scipy.special": ufuncs, "scipy.linalg": functions}


def overridable_functions() -> list[Any]:
    """What ``__array_function__`` can take over; not those that are there only once their module is imported."""
    from numpy.testing.overrides import get_overridable_numpy_array_functions as functions

    return sorted((f for f in functions() if not path(f).startswith(_IMPORTED)), key=path)


def overridable_ufuncs() -> list[Any]:
    """What ``__array_ufunc__`` can take over, of NumPy's own."""
    from numpy.testing.overrides import get_overridable_numpy_ufuncs as ufuncs

    return sorted(ufuncs(), key=lambda ufunc: ufunc.__name__)


def path(function: Any) -> str:
    """The name of an overridable function."""
    whole = f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
    return whole.replace("_scimath_impl", "scimath")


def _names(holder: Any) -> list[str]:
    return [name for name in dir(holder) if not name.startswith("_")]


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, (type, np.ufunc))


def _functions(module: str) -> tuple[str, ...]:
    holder = operator.attrgetter(module)(np)
    chosen = getattr(holder, "__all__", None) if module.startswith("polynomial.") else None  # the others' lack names
    return tuple(f"{module}.{name}" for name in chosen or _names(holder) if _is_function(getattr(holder, name)))


def _classes() -> list[str]:
    found = []
    for module in ("", "linalg.", "random.", "polynomial."):
        holder = operator.attrgetter(module[:-1])(np) if module else np
        found += [module + name for name in _names(holder) if isinstance(getattr(holder, name), type)]
    return found


def _lib() -> set[str]:
    """What is overridable, and not in the other modules."""
    return {its for f in overridable_functions() if (its := path(f)).startswith("lib.")}


def inner(ufunc: Any) -> str:
    """Where a ufunc is that is no function of numpy's; empty where it is one."""
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return ""
    return f"strings.{name}" if getattr(np.strings, name, None) is ufunc else f"_core.umath.{name}"
