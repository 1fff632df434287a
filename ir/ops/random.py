"""Random draws: a function of a key, and of the parameters of the distribution.

A *key* is the state of a NumPy bit generator as a vector of uint64: its kind, then its words.  A draw rebuilds the
Generator from it, calls NumPy's own method, and gives the numbers and the next key: so the numbers are NumPy's bit for
bit, and a program is as pure as any other.  Nothing flows through a draw; what of a distribution has a derivative is
written around it (loc + scale * standard_normal), and a parameter without one passes through ``parameter``.
"""

import math
import sys
from typing import Any

import numpy as np
from attrs import frozen

from wengert.ir.errors import DerivativeError
from wengert.ir.kinds import Elementwise, Library, Unknown, refuse
from wengert.ir.types import DTYPES, ArrayType

# ----- Keys -----

#: The bit generators that a key can stand for, each at the number that its keys begin with.
KINDS = (None, "PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937")
_LOW = (1 << 64) - 1
_HALF = ("has_uint32", "uinteger")
UINT64 = np.dtype(np.uint64)


def is_generator(value):
    """Whether this is a numpy.random.Generator; NumPy imports that module when it is first used, and so do we."""
    return isinstance(value, getattr(sys.modules.get("numpy.random"), "Generator", ()))


def key_of(rng):
    """The state of a Generator as a vector of uint64; TypeError for a bit generator that is not NumPy's."""
    bits = rng.bit_generator
    name = type(bits).__name__
    if name not in KINDS or type(bits) is not getattr(np.random, name):
        message = (
            f"A Generator over {name} cannot be traced; expected one over {', '.join(KINDS[1:])}, "
            "such as np.random.default_rng(seed)."
        )
        raise TypeError(message)
    number, state = KINDS.index(name), bits.state
    inner = state["state"]
    if number <= 2:  # two numbers of 128 bits
        words = [part for name in ("state", "inc") for part in (inner[name] >> 64, inner[name] & _LOW)]
    elif number == 3:
        words = [*inner["counter"], *inner["key"], *state["buffer"], state["buffer_pos"]]
    elif number == 4:
        words = list(inner["state"])
    else:
        return np.array([number, *inner["key"], inner["pos"]], UINT64)
    return np.array([number, *words, *(state[name] for name in _HALF)], UINT64)


def state_of(key):
    """What ``bit_generator.state`` is to be for a key; ValueError where it is none."""
    number, *words = (int(word) for word in key)
    sizes = {1: 6, 2: 6, 3: 13, 4: 6, 5: 625}
    if sizes.get(number) != len(words):
        message = f"A vector of {len(words) + 1} numbers that begins with {number} is no key; make one by wg.key(seed)."
        raise ValueError(message)
    state: dict[str, Any] = {"bit_generator": KINDS[number]}
    if number == 5:
        return {**state, "state": {"key": np.array(words[:-1], np.uint32), "pos": words[-1]}}
    if number <= 2:
        state["state"] = {"state": words[0] << 64 | words[1], "inc": words[2] << 64 | words[3]}
    elif number == 3:
        counter, inner, buffer = (np.array(words[i:j], UINT64) for i, j in ((0, 4), (4, 6), (6, 10)))
        state |= {"state": {"counter": counter, "key": inner}, "buffer": buffer, "buffer_pos": words[10]}
    else:
        state["state"] = {"state": np.array(words[:4], UINT64)}
    return state | dict(zip(_HALF, words[-2:], strict=True))


def generator_of(key):
    """A Generator in the state of a key."""
    state = state_of(key)
    bits = getattr(np.random, state["bit_generator"])(0)
    bits.state = state
    return np.random.Generator(bits)


# ----- Draws -----


def _plainly(name):
    return lambda rng, shape, dtype, options, *parameters: getattr(rng, name)(*parameters, size=shape)


def _with_dtype(name):
    return lambda rng, shape, dtype, options, *parameters: getattr(rng, name)(*parameters, size=shape, dtype=dtype)


def _vectors(name):
    """Of a distribution of vectors."""
    return lambda rng, shape, dtype, options, *parameters: getattr(rng, name)(*parameters, shape[:-1], *options)


def _integers(rng, shape, dtype, options, low, high):
    return rng.integers(low, high, shape, dtype, *options)


def _choice(rng, shape, dtype, options, *p):
    n, replace, shuffle = options
    return rng.choice(n, shape, replace, *p, shuffle=shuffle)


def _permuted(rng, shape, dtype, options):
    return rng.permuted(np.arange(math.prod(shape)).reshape(shape), axis=options[0])


#: Method to how it is called, on how many parameters at least and at most.
METHODS = {
    "random": (_with_dtype("random"), 0), "standard_normal": (_with_dtype("standard_normal"), 0),
    "standard_exponential": (lambda rng, shape, dtype, options: rng.standard_exponential(shape, dtype, *options), 0),
    "standard_gamma": (_with_dtype("standard_gamma"), 1),
    "integers": (_integers, 2), "choice": (_choice, (0, 1)), "permuted": (_permuted, 0),
    "permutation": (lambda rng, shape, dtype, options: rng.permutation(shape[0]), 0),
    **{name: (_plainly(name), count) for name, count in {
        "laplace": 0, "logistic": 0, "gumbel": 0, "standard_cauchy": 0, "beta": 2, "f": 2,
        "noncentral_chisquare": 2, "noncentral_f": 3, "standard_t": 1, "vonmises": 2, "wald": 2, "binomial": 2,
        "geometric": 1, "hypergeometric": 3, "logseries": 1, "negative_binomial": 2, "poisson": 1, "zipf": 1,
        "weibull": 1}.items()},
    **{name: (_vectors(name), count) for name, count in {
        "dirichlet": 1, "multinomial": 2, "multivariate_hypergeometric": 2}.items()},
}  # fmt: skip


def _draw(key, *parameters, method, shape, dtype, options):
    dtype, lead = DTYPES[dtype], key.shape[:-1]
    call, _ = METHODS[method]
    out, then = np.empty((*lead, *shape), dtype), np.empty_like(key)
    for lane in np.ndindex(lead):
        rng = generator_of(key[lane])
        out[lane] = np.asarray(call(rng, shape, dtype, options, *(p[lane] for p in parameters)), dtype).reshape(shape)
        then[lane] = key_of(rng)
    return out, then


def _draw_types(op, types, params):
    method, shape, dtype = params["method"], params["shape"], params["dtype"]
    if method not in METHODS or dtype not in DTYPES:
        raise refuse(op, f"there is no method {method!r} of dtype {dtype!r}.")
    _check_key(op, types)
    counts = METHODS[method][1]
    if len(types) - 1 not in (counts if isinstance(counts, tuple) else (counts,)):
        raise refuse(op, f"{method} takes {counts} parameters, got {len(types) - 1}.")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise refuse(op, f"expected a shape, got {shape!r}.")
    lead = types[0].shape[:-1]
    if any(t.shape[: len(lead)] != lead for t in types):
        raise refuse(op, f"expected parameters for each key, got {', '.join(map(str, types))}.")
    return (ArrayType(DTYPES[dtype], (*lead, *shape)), types[0])


def _check_key(op, types):
    if not types or types[0].dtype != UINT64 or types[0].ndim < 1:
        raise refuse(op, f"expected a key, a vector of uint64, got {', '.join(map(str, types)) or 'nothing'}.")


def _seed_types(op, types, params):
    if len(types) != 1 or types[0].dtype.kind not in "iu":
        raise refuse(op, f"expected integers, got {', '.join(map(str, types))}.")
    return (ArrayType(UINT64, (*types[0].shape[:-1], 7)),)


def _seeded(seed):
    if seed.ndim < 2:
        return key_of(np.random.default_rng(seed if seed.ndim else int(seed)))
    rows = [_seeded(row) for row in seed]
    return np.stack(rows) if rows else np.empty((*seed.shape[:-1], 7), UINT64)


@frozen(slots=True)
class _NoPathwise(Unknown):
    """The parameter of a draw that is not differentiable in it, or not by a rule we have."""

    def refused(self, node):
        what = node.params["of"]
        message = (
            f"{what} has no derivative here: the draw is not a smooth function of it, or by no rule that is known. "
            f"For the derivative of an expectation, differentiate the logarithm of the probability (the score) times "
            f"the value instead; or hold {what.rpartition(' ')[2]} constant with wg.stop_gradient."
        )
        return DerivativeError(message, op="draw", location=node.location)


draw = Library(name="draw", params=("method", "shape", "dtype", "options"),
    call=_draw,
    types=_draw_types,
    jvp=None,
    vjp=None,
    doc="Random numbers from a key, as numpy.random.Generator's method draws them, and the next key; locally constant.")
random_key = Library(name="random_key",
    call=_seeded,
    types=_seed_types,
    jvp=None,
    vjp=None,
    doc="The key of numpy.random.default_rng(seed); of several rows of seeds, one for each.")
parameter = Elementwise(name="parameter", symbol="identity", params=("of",),
    types=lambda dtypes, params: dtypes[0] if dtypes[0].kind == "f" else None,
    partials=(_NoPathwise("the parameter of a draw"),),
    doc="x, the parameter of a random draw in which it has no derivative: differentiating in it raises.")
