"""numpy.random.Generator's methods: draws, and the arithmetic around them, as NumPy does it.

A continuous distribution is written as NumPy computes it, a standard draw and arithmetic with the parameters, so it is
differentiable in them, the draw held (it is reparameterised).  A parameter for which that is no smooth function goes
into the draw itself, through ``parameter``: differentiating in it is refused.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.ir.graph import Constant
from wengert.ir.types import SHORT_NAMES
from wengert.tracer.array import Array, TraceNamespace, refuse
from wengert.tracer.context import current_trace
from wengert.tracer.random import Stream, emit

__all__ = ["METHODS"]

METHODS: dict[str, Callable[..., Any]] = {}


class Draw:
    """One call of a method: its arguments, the namespace, and NumPy's answer for numbers like these (``model``)."""

    def __init__(self, stream: Stream, method: str, arguments: dict[str, Any]) -> None:
        trace = current_trace()
        assert trace is not None  # outside, a stream is its Generator
        self.stream, self.method, self.arguments = stream, method, arguments
        self.xp = TraceNamespace(trace)
        if arguments.get("out") is not None:
            raise refuse(f"rng.{method}: the option out= is not traced.", "Leave out= away and use the result.")
        if "size" in arguments:
            arguments["size"] = _counts(arguments["size"])
        # raises NumPy's own errors, and has the type of the result
        self.model = getattr(np.random.default_rng(0), method)(**{name: _number(x) for name, x in arguments.items()})

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.model)

    def __call__(
        self, method: str, *parameters: Any, shape: Any = None, dtype: Any = np.float64, options: Any = ()
    ) -> Any:
        """The numbers of an elementary draw."""
        shape = self.shape if shape is None else shape
        return emit(self.stream, method, shape, SHORT_NAMES[np.dtype(dtype)], *parameters, options=options)

    def real(self, name: str, *, unknown: bool = False) -> Any:
        """A parameter as float64; one that is ``unknown`` has no derivative."""
        x = self.xp.cast(self.array(name), np.float64)
        if not unknown or isinstance(x.value, Constant):
            return x
        return self.xp.wrap(self.xp.builder.emit(_ops()["parameter"], (x.value,), of=f"rng.{self.method}: {name}"))

    def array(self, name: str) -> Any:
        x = self.arguments[name]
        known = _traced(x) or isinstance(x, (np.ndarray, np.generic, int, float))
        return self.xp.wrap(self.xp.lift(x if known else np.asarray(x)))

    def whole(self, name: str) -> Any:
        """A count."""
        return self.xp.cast(self.array(name), np.int64)

    def result(self, numbers: Any) -> Any:
        """As NumPy hands it out: a Python number, or an array."""
        kind = type(self.model)
        if kind in (float, int):
            return self.xp.cast(numbers, np.float64 if kind is float else np.int64, weak=True)
        return numbers


def _ops() -> Any:
    from wengert.ir.ops import OPS

    return OPS


def _traced(x: Any) -> bool:
    return type(x) is Array or (type(x) in (list, tuple) and any(map(_traced, x)))


def _counts(size: Any) -> Any:
    if size is None:
        return None
    if np.ndim(size) == 0 and not isinstance(size, (list, tuple)):
        return operator.index(size)
    return tuple(operator.index(n) for n in size)


def _number(x: Any) -> Any:
    """An argument as plain numbers, as they are now."""
    if type(x) is Array:
        if (numbers := x.numbers) is not None:
            return numbers
        now = x.owner.evaluate(x.value)
        return now.item() if x.type.weak else now
    if type(x) in (list, tuple):
        return type(x)(map(_number, x))
    return x


_EMPTY = inspect.Parameter.empty


def _signature(text: str) -> inspect.Signature:
    """``"loc=0.0 scale=1.0 size=None"``; what follows a star is by keyword alone."""
    kind: Any = inspect.Parameter.POSITIONAL_OR_KEYWORD
    found = []
    defaults = {"None": None, "True": True, "False": False, "float64": np.float64, "int64": np.int64}
    for word in text.split():
        if word == "*":
            kind = inspect.Parameter.KEYWORD_ONLY
            continue
        name, _, default = word.partition("=")
        value = _EMPTY if not default else defaults[default] if default in defaults else _literal(default)
        found.append(inspect.Parameter(name, kind, default=value))
    return inspect.Signature(found)


def _literal(text: str) -> Any:
    try:
        return float(text) if "." in text or "e-" in text else int(text)
    except ValueError:
        return text


def _method(name: str, signature: str, form: Callable[[Draw], Any]) -> None:
    bound = _signature(signature)

    def method(stream: Stream, *args: Any, **kwargs: Any) -> Any:
        arguments = bound.bind(*args, **kwargs)
        arguments.apply_defaults()
        draw = Draw(stream, name, dict(arguments.arguments))
        return draw.result(form(draw))

    METHODS[name] = method


# ----- Standard draws, and distributions that are arithmetic with them -----


def _standard(draw: Draw) -> Any:
    options = (draw.arguments["method"],) if "method" in draw.arguments else ()
    return draw(draw.method, dtype=draw.arguments["dtype"], options=options)


def _exponential(draw: Draw) -> Any:
    return draw("standard_exponential", options=("zig",))


def _normal(draw: Draw) -> Any:
    return draw("standard_normal")


def _uniform(draw: Draw) -> Any:
    low = draw.real("low")
    return low + (draw.real("high") - low) * draw("random")


def _located(draw: Draw) -> Any:
    """NumPy draws it at 0 of scale 1, but for the last step."""
    return draw.real("loc") + draw.real("scale") * draw(draw.method)


def _weibull(draw: Draw) -> Any:
    """For a = 0 NumPy gives 0, and draws nothing."""
    a = draw.real("a")
    if 0 in np.asarray(a.value.array) if isinstance(a.value, Constant) else np.any(a == 0):
        return draw("weibull", draw.real("a", unknown=True))
    return np.power(_exponential(draw), 1.0 / a)


def _triangular(draw: Draw) -> Any:
    """The inverse of the distribution function, on either side of the mode."""
    left, mode, right = (draw.real(name) for name in ("left", "mode", "right"))
    base, front, back = right - left, mode - left, right - mode
    u = draw("random")
    below = u <= front / base
    return np.where(below, left + np.sqrt(u * (front * base)), right - np.sqrt((1.0 - u) * (back * base)))


def _standard_gamma(draw: Draw) -> Any:
    return draw("standard_gamma", draw.real("shape", unknown=True), dtype=draw.arguments["dtype"])


def _multivariate_normal(draw: Draw) -> Any:
    mean, cov = draw.array("mean"), draw.real("cov")
    x = np.reshape(draw("standard_normal"), (-1, mean.shape[0]))
    match draw.arguments["method"]:
        case "cholesky":
            factor = np.linalg.cholesky(cov)
        case "eigh":
            s, u = np.linalg.eigh(cov)
            factor = u * np.sqrt(np.abs(s))
        case _:
            u, s, _ = np.linalg.svd(cov)
            factor = u * np.sqrt(s)
    return np.reshape(mean + np.dot(x, factor.T), draw.shape)


_SIZE = "size=None"
_PLACED = f"loc=0.0 scale=1.0 {_SIZE}"
for _name, _text, _form in (
    ("random", f"{_SIZE} dtype=float64 out=None", _standard),
    ("standard_normal", f"{_SIZE} dtype=float64 out=None", _standard),
    ("standard_exponential", f"{_SIZE} dtype=float64 method=zig out=None", _standard),
    ("standard_cauchy", _SIZE, lambda draw: draw("standard_cauchy")),
    ("uniform", f"low=0.0 high=1.0 {_SIZE}", _uniform),
    ("normal", _PLACED, lambda draw: draw.real("loc") + draw.real("scale") * _normal(draw)),
    ("laplace", _PLACED, _located),
    ("logistic", _PLACED, _located),
    ("gumbel", _PLACED, _located),
    ("lognormal", f"mean=0.0 sigma=1.0 {_SIZE}",
     lambda draw: np.exp(draw.real("mean") + draw.real("sigma") * _normal(draw))),
    ("exponential", f"scale=1.0 {_SIZE}", lambda draw: draw.real("scale") * _exponential(draw)),
    ("rayleigh", f"scale=1.0 {_SIZE}", lambda draw: draw.real("scale") * np.sqrt(2.0 * _exponential(draw))),
    ("weibull", f"a {_SIZE}", _weibull),
    ("pareto", f"a {_SIZE}", lambda draw: np.expm1(_exponential(draw) / draw.real("a"))),
    ("power", f"a {_SIZE}", lambda draw: np.power(-np.expm1(-_exponential(draw)), 1.0 / draw.real("a"))),
    ("triangular", f"left mode right {_SIZE}", _triangular),
    ("standard_gamma", f"shape {_SIZE} dtype=float64 out=None", _standard_gamma),
    ("gamma", f"shape scale=1.0 {_SIZE}",
     lambda draw: draw.real("scale") * draw("standard_gamma", draw.real("shape", unknown=True))),
    ("chisquare", f"df {_SIZE}", lambda draw: 2.0 * draw("standard_gamma", draw.real("df", unknown=True) / 2.0)),
    ("multivariate_normal", f"mean cov {_SIZE} check_valid=warn tol=1e-8 * method=svd", _multivariate_normal),
):  # fmt: skip
    _method(_name, _text, _form)

# ----- Drawn by NumPy whole: no derivative in their parameters -----


def _whole(reals: str, counts: str = "") -> Callable[[Draw], Any]:
    def form(draw: Draw) -> Any:
        given = {name: draw.real(name, unknown=True) for name in reals.split()}
        given |= {name: draw.whole(name) for name in counts.split()}
        options = (draw.arguments["method"],) if "method" in draw.arguments else ()
        ordered = [given[name] for name in draw.arguments if name in given]
        return draw(draw.method, *ordered, dtype=np.asarray(draw.model).dtype, options=options)

    return form


for _name, _reals, _integers in (
    ("beta", "a b", ""), ("f", "dfnum dfden", ""), ("noncentral_chisquare", "df nonc", ""),
    ("noncentral_f", "dfnum dfden nonc", ""), ("standard_t", "df", ""), ("vonmises", "mu kappa", ""),
    ("wald", "mean scale", ""), ("dirichlet", "alpha", ""), ("geometric", "p", ""), ("logseries", "p", ""),
    ("zipf", "a", ""), ("negative_binomial", "n p", ""),
):  # fmt: skip
    _method(_name, f"{_reals} {_SIZE}", _whole(_reals, _integers))
_method("poisson", f"lam=1.0 {_SIZE}", _whole("lam"))
_method("binomial", f"n p {_SIZE}", _whole("p", "n"))
_method("multinomial", f"n pvals {_SIZE}", _whole("pvals", "n"))
_method("hypergeometric", f"ngood nbad nsample {_SIZE}", _whole("", "ngood nbad nsample"))
_method("multivariate_hypergeometric", f"colors nsample {_SIZE} method=marginals", _whole("", "colors nsample"))

# ----- Integers, and elements of arrays in random order -----


def _bounded(draw: Draw) -> Any:
    low, high, dtype = draw.arguments["low"], draw.arguments["high"], np.dtype(draw.arguments["dtype"])
    if high is None:
        low, high = 0, low
    endpoint = bool(draw.arguments["endpoint"])
    if type(high) is int and not endpoint:  # one past the largest is out of its dtype
        high, endpoint = high - 1, True
    wide = np.dtype(np.uint64) if dtype == np.uint64 else np.dtype(np.int64)
    draw.arguments |= {"low": np.asarray(low, wide) if type(low) is int else low,
                       "high": np.asarray(high, wide) if type(high) is int else high}  # fmt: skip
    bounds = [draw.xp.cast(draw.array(name), wide) for name in ("low", "high")]
    return draw("integers", *bounds, dtype=dtype, options=(endpoint,))


_method("integers", f"low high=None {_SIZE} dtype=int64 endpoint=False", _bounded)


def _items(draw: Draw, name: str) -> Any:
    """What elements are taken from: an array, traced or not; None where a number of them is given."""
    x = draw.arguments[name]
    return None if np.ndim(x) == 0 and type(x) not in (list, tuple) else draw.array(name)


def _choice(draw: Draw) -> Any:
    items, given = _items(draw, "a"), draw.arguments
    axis = int(given["axis"])
    n = operator.index(given["a"]) if items is None else items.shape[axis]
    p = () if given["p"] is None else (draw.real("p", unknown=True),)
    options = (n, bool(given["replace"]), bool(given["shuffle"]))
    size = given["size"]
    shape = () if size is None else size if type(size) is tuple else (size,)
    chosen = draw("choice", *p, shape=shape, dtype=np.int64, options=options)
    return chosen if items is None else np.take(items, chosen, axis)


_method("choice", f"a {_SIZE} replace=True p=None axis=0 shuffle=True", _choice)


def _permutation(draw: Draw) -> Any:
    items, axis = _items(draw, "x"), int(draw.arguments["axis"])
    n = operator.index(draw.arguments["x"]) if items is None else items.shape[axis]
    order = draw("permutation", shape=(n,), dtype=np.int64)
    return order if items is None else np.take(items, order, axis)


def _permuted(draw: Draw) -> Any:
    x, axis = draw.array("x"), draw.arguments["axis"]
    places = draw("permuted", shape=x.shape, dtype=np.int64, options=(None if axis is None else int(axis),))
    return np.take(np.ravel(x), places)


_method("permutation", "x axis=0", _permutation)
_method("permuted", "x * axis=None out=None", _permuted)


def shuffle(stream: Stream, x: Any, axis: int = 0) -> None:
    """In place, as NumPy does."""
    if type(x) is not Array:
        raise refuse(
            f"rng.shuffle changes a {type(x).__name__} in place, which is not traced.",
            "Use x = rng.permutation(x), or shuffle an array made in the traced function.",
        )
    order = emit(stream, "permutation", (x.shape[axis],), "i64")
    x[...] = np.take(x, order, axis)


METHODS["shuffle"] = shuffle
