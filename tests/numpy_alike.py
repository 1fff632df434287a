"""`same(f, *args)`: a traced function does what it does without the tracer."""

import copy

import numpy as np

import wengert as wg
from wengert.backends import protocol

#: One array of each sort; most functions are tried on all of them.
INPUTS = {
    "vector": np.array([0.3, -1.7, 2.5, 0.9, -0.4, 2.5]),
    "matrix": np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -2.0]]),
    "cube": np.linspace(-2.0, 3.0, 24).reshape(2, 3, 4),
    "square": np.array([[2.0, 0.5], [-1.0, 3.0]]),
    "floats": np.array([[1.5, -2.0, 0.25], [3.0, 0.5, -2.0]], np.float32),
    "ints": np.array([[3, 0, -2], [5, 5, 1]]),
    "small": np.array([1, 3, 2], np.uint8),
    "bools": np.array([[True, False, True], [False, False, True]]),
    "scalar": np.float64(1.25),
    "number": 1.25,
    "int": 3,
    "empty": np.zeros((0, 3)),
    "complex": np.array([[1.5 - 2j, 0.25 + 1j, -0.5 + 0.75j], [3j, -2 + 0j, 0.25 - 1.25j]]),
    "single complex": np.array([0.5 + 1.5j, -1 + 0.25j, 0.5 - 2j], np.complex64),
    "complex number": 1.5 - 0.5j,
    "special complex": np.array([complex(np.nan, 1), complex(-np.inf, 2), 0j, complex(-0.0, -0.0), 1 + 0j, 1j]),
    "special": np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0]),
}

#: Those of complex numbers.
COMPLEX = {name for name, x in INPUTS.items() if np.iscomplexobj(x)}


def outcome(f, args):
    """The result, or the exception."""
    with np.errstate(all="ignore"):
        try:
            return f(*args)
        except Exception as error:  # noqa: BLE001 (compared below)
            return error


def alike(got, want):
    """Raise unless two nested results agree in structure, dtype, shape and value."""
    if isinstance(want, (tuple, list)):
        assert type(got) is type(want) and len(got) == len(want), f"{got!r} against {want!r}"
        for g, w in zip(got, want, strict=True):
            alike(g, w)
    elif isinstance(want, (np.ndarray, np.generic, int, float, complex)):
        assert np.result_type(got) == np.result_type(want), f"dtype {np.result_type(got)}, NumPy's {np.result_type(want)}"
        assert np.shape(got) == np.shape(want), f"shape {np.shape(got)}, NumPy's {np.shape(want)}"
        assert np.ndim(want) == 0 or type(got) is type(want)
        if type(want) in (int, float):  # NumPy's own comparisons of Python numbers give np.bool
            assert type(got) is type(want), f"{type(got).__name__}, NumPy's {type(want).__name__}"
        close = 1e-6 if np.result_type(want) == np.float32 else 1e-13
        np.testing.assert_allclose(got, want, rtol=close, atol=close, strict=False)
    else:
        assert got == want


def same(f, *args, refusal=False):
    """Run ``f`` plainly and traced, twice; where one raises the other must too; arguments stay as they were.

    With ``refusal``, either may raise alone.
    """
    want = outcome(f, copy.deepcopy(args))
    given = copy.deepcopy(args)
    traced = wg.trace(f)
    for _ in range(2):
        got = outcome(traced, given)
        if isinstance(want, Exception) or isinstance(got, Exception):
            both = isinstance(want, Exception) and isinstance(got, Exception)
            assert both or refusal, f"traced: {got!r}, NumPy: {want!r}"
        else:
            alike(got, want)
    for after, before in zip(given, args, strict=True):
        assert type(after) is type(before) and np.asarray(after).tobytes() == np.asarray(before).tobytes()


BACKENDS = [name for name in protocol.BUILT_IN if wg.available_backends()[name] is None]


def _leaves(result):
    return [leaf for item in result for leaf in _leaves(item)] if isinstance(result, (tuple, list)) else [result]


def weighted(f):
    """The sum of all float results of ``f``, each with a weight of its own."""

    def total(*args):
        terms = 0.0
        for leaf in _leaves(f(*args)):
            if np.result_type(leaf).kind == "f":
                weights = np.cos(1.0 + np.arange(np.size(leaf))).reshape(np.shape(leaf))
                terms = terms + np.sum(leaf * weights)
        return terms

    return total


def differences(f, args, k, h=1e-3):
    """The slope of ``f`` in each element of argument ``k``, by five points."""
    slope = np.zeros(np.shape(args[k]))
    for at in np.ndindex(slope.shape):

        def shifted(by, at=at):
            moved = [np.array(a, float) if i == k else a for i, a in enumerate(args)]
            moved[k][at] += by
            return float(f(*(np.asarray(m)[()] if np.ndim(m) == 0 else m for m in moved)))

        slope[at] = (8 * (shifted(h) - shifted(-h)) - (shifted(2 * h) - shifted(-2 * h))) / (12 * h)
    return slope


def same_slope(f, *args):
    """In every float argument, in both modes and on every backend: the derivative is what five points say."""
    total = weighted(f)
    active = tuple(k for k, a in enumerate(args) if np.result_type(a) == np.float64)
    want = [differences(total, args, k) for k in active]
    traced = wg.trace(lambda *reals: total(*_replaced(args, active, reals)))
    reals = tuple(args[k] for k in active)
    ways = [np.sin(2.0 + np.arange(np.size(a))).reshape(np.shape(a))[()] for a in reals]
    along = sum(np.sum(w * d) for w, d in zip(want, ways, strict=True))
    for backend in BACKENDS:
        got = wg.grad(traced, argnums=tuple(range(len(active))), backend=backend)(*reals)
        for g, w in zip(got, want, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-8, atol=1e-9, err_msg=backend)
        tangent = wg.jvp(traced, reals, tuple(ways), backend=backend)[1]
        np.testing.assert_allclose(tangent, along, rtol=1e-8, atol=1e-8, err_msg=backend)


def _replaced(args, active, reals):
    given = dict(zip(active, reals, strict=True))
    return [given.get(k, a) for k, a in enumerate(args)]


def name_of(function):
    """How a table's function is called in the id of a test."""
    return f"{function.__module__}.{function.__name__}".removeprefix("numpy.")
