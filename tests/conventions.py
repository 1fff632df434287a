"""What the derivative is where mathematics leaves it open, or IEEE arithmetic would go astray.

One row per convention: an op, a point, and the derivative in each operand, None where it has none.  Rows with a
``build`` are programs of several ops.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import field, frozen

from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph
from wengert.ir.types import ArrayType

INF, NAN = math.inf, math.nan


@frozen(eq=False)
class Row:
    """At ``point``, the derivative of the sum of the results is ``expected``, an array or number per operand.

    ``rtol`` is 0 where the number is exact.
    """

    name: str
    point: tuple[Any, ...]
    expected: tuple[Any, ...]
    params: dict[str, Any] = field(factory=dict)
    build: Callable[..., Any] | None = None
    rtol: float = field(default=1e-12)

    def graph(self, dtype: Any) -> Graph:
        b = Builder(self.name)
        xp = Namespace(b)
        inputs = [xp.wrap(b.input(ArrayType(_dtype(x, dtype), np.shape(x)))) for x in self.point]
        out = self.build(xp, *inputs) if self.build else xp.emit(self.name, *inputs, **self.params)
        return b.graph([xp.lift(out)])

    def operands(self, dtype: Any) -> list[np.ndarray]:
        return [np.array(x, _dtype(x, dtype)) for x in self.point]

    def __str__(self) -> str:
        return f"{self.name}{self.point}"


def _dtype(x: Any, dtype: Any) -> np.dtype:
    return np.dtype(bool) if isinstance(x, bool) else np.dtype(dtype)


def op(name: str, *point: Any, is_: tuple[Any, ...], **params: Any) -> Row:
    return Row(name, point, is_, params)


def program(name: str, build: Callable[..., Any], *point: Any, is_: tuple[Any, ...]) -> Row:
    return Row(name, point, is_, build=build)


#: Kinks with bounded slopes: the element in the middle; ties share.
KINKS = [
    op("absolute", 0.0, is_=(0.0,)), op("absolute", -0.0, is_=(0.0,)), op("absolute", NAN, is_=(NAN,)),
    op("absolute", -INF, is_=(-1.0,)),
    op("maximum", 0.0, 0.0, is_=(0.5, 0.5)), op("maximum", 1.0, 1.0, is_=(0.5, 0.5)), op("minimum", 1.0, 1.0, is_=(0.5, 0.5)),
    op("maximum", 0.0, -0.0, is_=(0.5, 0.5)), op("maximum", INF, INF, is_=(0.5, 0.5)), op("maximum", 2.0, 1.0, is_=(1.0, 0.0)),
    op("maximum", NAN, 1.0, is_=(NAN, 0.0)), op("maximum", 1.0, NAN, is_=(0.0, NAN)), op("maximum", NAN, NAN, is_=(NAN, NAN)),
    op("minimum", NAN, 1.0, is_=(NAN, 0.0)), op("minimum", 1.0, NAN, is_=(0.0, NAN)), op("minimum", -INF, -INF, is_=(0.5, 0.5)),
    op("fmax", 1.0, 1.0, is_=(0.5, 0.5)), op("fmin", 1.0, 1.0, is_=(0.5, 0.5)),
    op("fmax", NAN, 1.0, is_=(0.0, 1.0)), op("fmax", 1.0, NAN, is_=(1.0, 0.0)), op("fmin", NAN, 1.0, is_=(0.0, 1.0)),
    op("sign", 0.0, is_=(0.0,)), op("floor", 1.0, is_=(0.0,)), op("ceil", 1.0, is_=(0.0,)), op("trunc", 1.5, is_=(0.0,)),
    op("rint", 0.5, is_=(0.0,)), op("heaviside", 0.0, 0.5, is_=(0.0, 1.0)), op("floor_divide", 4.0, 2.0, is_=(0.0, 0.0)),
    op("remainder", 4.0, 2.0, is_=(1.0, -2.0)), op("remainder", -3.0, 2.0, is_=(1.0, 2.0)), op("fmod", -3.0, 2.0, is_=(1.0, 1.0)),
    op("copysign", 0.0, -1.0, is_=(0.0, 0.0)), op("copysign", 2.0, 0.0, is_=(1.0, 0.0)), op("copysign", 2.0, -0.0, is_=(-1.0, 0.0)),
    op("hypot", 0.0, 0.0, is_=(0.0, 0.0)), op("stop_gradient", 2.0, is_=(0.0,)),
]  # fmt: skip
#: Unbounded slopes are infinite; outside its domain an op's derivative is what its formula gives.
POLES = [
    op("sqrt", 0.0, is_=(INF,)), op("sqrt", -1.0, is_=(NAN,)), op("cbrt", 0.0, is_=(INF,)), op("log", 0.0, is_=(INF,)),
    op("log", -1.0, is_=(-1.0,)), op("log2", -1.0, is_=(-1 / math.log(2),)), op("log10", -1.0, is_=(-1 / math.log(10),)), op("log1p", -2.0, is_=(-1.0,)),
    op("log1p", -1.0, is_=(INF,)), op("arcsin", 1.0, is_=(INF,)), op("arccos", 1.0, is_=(-INF,)), op("arcsin", 2.0, is_=(NAN,)),
    op("arctanh", 1.0, is_=(INF,)), op("arctanh", 2.0, is_=(-1 / 3,)), op("arccosh", 1.0, is_=(INF,)), op("arccosh", 0.5, is_=(NAN,)),
    op("arccosh", -2.0, is_=(NAN,)), op("reciprocal", 0.0, is_=(-INF,)), op("divide", 1.0, 0.0, is_=(INF, -INF)),
    op("divide", 0.0, 0.0, is_=(INF, NAN)), op("remainder", 3.0, 0.0, is_=(1.0, -INF)), op("arctan2", 0.0, 0.0, is_=(NAN, NAN)),
    op("sin", INF, is_=(NAN,)), op("cos", -INF, is_=(NAN,)), op("exp", NAN, is_=(NAN,)), op("square", NAN, is_=(NAN,)),
    op("fmod", 3.0, 0.0, is_=(1.0, -INF)), op("fmod", INF, 2.0, is_=(1.0, -INF)), op("remainder", INF, 2.0, is_=(1.0, NAN)),
]  # fmt: skip
POWERS = [
    op("power", 0.0, 0.0, is_=(0.0, 0.0)), op("power", 0.0, 1.0, is_=(1.0, 0.0)), op("power", 0.0, 2.0, is_=(0.0, 0.0)),
    op("power", 0.0, 0.5, is_=(INF, 0.0)), op("power", 0.0, -1.0, is_=(-INF, -INF)), op("power", -2.0, 2.0, is_=(-4.0, NAN)),
    op("power", -2.0, 3.0, is_=(12.0, NAN)), op("power", -2.0, 0.5, is_=(NAN, NAN)), op("power", 1.0, INF, is_=(INF, 0.0)),
    op("power", 0.0, 3.0, is_=(0.0, 0.0)), op("power", 2.0, 0.0, is_=(0.0, math.log(2))), op("power", -2.0, 0.0, is_=(0.0, NAN)),
    op("power", -2.0, 1.0, is_=(1.0, NAN)), op("power", 5.0, 1.0, is_=(1.0, 5 * math.log(5))),
]  # fmt: skip
#: The derivative exists and is a number, though a textbook formula overflows, cancels, or multiplies 0 by infinity.
EXACT = [
    op("tanh", 1000.0, is_=(0.0,)), op("tanh", 20.0, is_=(1.6993417021166355e-17,)), op("expm1", 0.0, is_=(1.0,)),
    op("exp", 1000.0, is_=(INF,)), op("exp", -INF, is_=(0.0,)), op("log1p", 1e30, is_=(1e-30,)), op("expm1", 1e-20, is_=(1.0,)),
    op("arcsinh", 1e30, is_=(1e-30,)), op("arccosh", 1e30, is_=(1e-30,)),
    op("hypot", 1e30, 1e30, is_=(math.sqrt(0.5),) * 2), op("hypot", 3e-30, 4e-30, is_=(0.6, 0.8)),
    op("hypot", 1.0, 1.0, is_=(math.sqrt(0.5),) * 2), op("hypot", 0.0, 1.0, is_=(0.0, 1.0)),
    op("arctan2", 1e30, 1e30, is_=(5e-31, -5e-31)), op("divide", 1e-30, 1e-30, is_=(1e30, -1e30)),
    op("logaddexp", -INF, 0.0, is_=(0.0, 1.0)), op("logaddexp", 1000.0, 1000.0, is_=(0.5, 0.5)),
    op("logaddexp", 0.0, -1000.0, is_=(1.0, 0.0)), op("logaddexp", -INF, -INF, is_=(NAN, NAN)), op("logaddexp", INF, INF, is_=(NAN, NAN)),
    op("logaddexp2", 1000.0, 1000.0, is_=(0.5, 0.5)), op("square", 1e30, is_=(2e30,)),
]  # fmt: skip
FOLDS = [
    op("max", [1, 3, 3], is_=([0, 0.5, 0.5],), axes=(0,)), op("min", [1, 1, 3], is_=([0.5, 0.5, 0],), axes=(0,)),
    op("max", [[1, 3], [3, 3]], is_=([[0, 1 / 3], [1 / 3, 1 / 3]],), axes=(0, 1)), op("max", [1, NAN, 2], is_=([NAN] * 3,), axes=(0,)),
    op("max", [-INF, -INF], is_=([0.5, 0.5],), axes=(0,)),
    op("prod", [2, 0, 3], is_=([0, 6, 0],), axes=(0,)), op("prod", [0, 0, 3], is_=([0, 0, 0],), axes=(0,)),
    op("prod", [0, INF], is_=([INF, 0],), axes=(0,)), op("prod", [[2, 0], [3, 4]], is_=([[0, 2], [4, 3]],), axes=(1,)),
    op("prod", 7.0, is_=(1.0,), axes=()), op("prod", np.zeros(0), is_=(np.zeros(0),), axes=(0,)),
    op("sum", np.zeros(0), is_=(np.zeros(0),), axes=(0,)), op("sum", [INF, -INF, NAN], is_=([1, 1, 1],), axes=(0,)),
]  # fmt: skip
#: Nothing flows along an edge that carries nothing.
STRONG_ZERO = [
    op("where", False, NAN, 1.0, is_=(None, 0.0, 1.0)), op("where", True, 1.0, INF, is_=(None, 1.0, 0.0)),
    program("where(x > 0, log(x), 0)", lambda xp, x: xp.where(x > 0, xp.log(x), 0.0), 0.0, is_=(0.0,)),
    program("where(x > 0, sqrt(x), 0)", lambda xp, x: xp.where(x > 0, xp.sqrt(x), 0.0), 0.0, is_=(0.0,)),
    program("where(x != 0, sin(x)/x, 1)", lambda xp, x: xp.where(x != 0, xp.sin(x) / x, 1.0), 0.0, is_=(0.0,)),
    program("sqrt(x) * 0", lambda xp, x: xp.sqrt(x) * 0.0, 0.0, is_=(0.0,)),
    program("sum(sqrt(x))", lambda xp, x: xp.sum(xp.sqrt(x)), [0.0, 4.0], is_=([INF, 0.25],)),
    program("einsum(sqrt(x), 0)", lambda xp, x: xp.einsum("i,i->", xp.sqrt(x), x * 0.0), [0.0, 4.0], is_=([0.0, 0.0],)),
    program("sqrt(x*x)", lambda xp, x: xp.sqrt(x * x), 0.0, is_=(0.0,)),
    program("0 * x", lambda xp, x: 0.0 * x, INF, is_=(0.0,)), program("x - x", lambda xp, x: x - x, INF, is_=(0.0,)),
    program("x / x", lambda xp, x: x / x, 0.0, is_=(NAN,)), program("x * log(x)", lambda xp, x: x * xp.log(x), 0.0, is_=(-INF,)),
    program("max(x, x)", lambda xp, x: xp.maximum(x, x), 1.0, is_=(1.0,)),
    program("clip(x, 0, 1)", lambda xp, x: xp.minimum(xp.maximum(x, 0.0), 1.0), [0.0, 1.0, NAN, 0.5, 2.0],
            is_=([0.5, 0.5, NAN, 1, 0],)),
    program("arccos(clip)", lambda xp, x: xp.arccos(xp.minimum(xp.maximum(x, -1.0), 1.0)), 1.0, is_=(-INF,)),
    program("1 / (1 + exp(-x))", lambda xp, x: 1 / (1 + xp.exp(-x)), 40.0, is_=(4.248354255291589e-18,)),
    program("relu", lambda xp, x: xp.maximum(x, 0.0), [0.0, -1.0, 1.0], is_=([0.5, 0, 1],)),
    program("sum(w * sort(x))", lambda xp, x: xp.sum(xp.sort(x, 0) * np.array([1, 10, 100.0]).astype(x.dtype)), [2, 1, 1],
            is_=([100, 1, 10],)),
    program("take twice", lambda xp, x: xp.take(x, np.array([0, 0]), 0), [1.0, 2.0], is_=([2, 0],)),
]  # fmt: skip
#: SciPy's functions, at their poles, kinks and removable singularities.
SPECIAL = [
    op("xlogy", 0.0, 0.0, is_=(-INF, 0.0)), op("xlogy", 0.0, 2.0, is_=(math.log(2), 0.0)), op("xlog1py", 0.0, -1.0, is_=(-INF, 0.0)),
    op("entr", 0.0, is_=(INF,)), op("rel_entr", 0.0, 2.0, is_=(-INF, 0.0)), op("rel_entr", 0.0, 0.0, is_=(NAN, 0.0)),
    op("kl_div", 1.0, 1.0, is_=(0.0, 0.0)), op("kl_div", 0.0, 0.0, is_=(NAN, 1.0)),
    op("expit", 40.0, is_=(4.248354255291589e-18,)), op("expit", -1000.0, is_=(0.0,)), op("expit", 1000.0, is_=(0.0,)),
    op("log_expit", -1000.0, is_=(1.0,)), op("log_expit", 1000.0, is_=(0.0,)), op("log_expit", 0.0, is_=(0.5,)),
    op("logit", 0.0, is_=(INF,)), op("logit", 1.0, is_=(INF,)),
    op("huber", 1.0, 1.0, is_=(0.0, 1.0)), op("huber", 1.0, 0.0, is_=(0.0, 0.0)), op("pseudo_huber", 0.0, 2.0, is_=(2.0, 0.0)),
    op("pseudo_huber", 1.0, 0.0, is_=(0.0, 0.0)),
    op("boxcox", 2.0, 0.0, is_=(0.5, math.log(2) ** 2 / 2)), op("inv_boxcox", 0.5, 0.0, is_=(math.exp(0.5), -math.exp(0.5) / 8)),
    op("exprel", 0.0, is_=(0.5,)), op("cosm1", 0.0, is_=(0.0,)),
    op("erf", 5.0, is_=(2 / math.sqrt(math.pi) * math.exp(-25),)), op("erfinv", 1.0, is_=(INF,)), op("erfcinv", 0.0, is_=(-INF,)),
    op("ndtri", 0.0, is_=(INF,)), op("log_ndtr", -INF, is_=(INF,)), op("gammaln", 0.0, is_=(-INF,)), op("gammaln", -1.0, is_=(NAN,)),
    op("rgamma", 0.0, is_=(1.0,)), op("rgamma", -2.0, is_=(2.0,)), op("digamma", 0.0, is_=(INF,)), op("zeta", 2.0, 1.0, is_=(None, -2.4041138063191885)),
    op("i0", 0.0, is_=(0.0,)), op("i1", 0.0, is_=(0.5,)), op("i0e", 0.0, is_=(0.0,)), op("i1e", 0.0, is_=(0.5,)), op("j0", 0.0, is_=(0.0,)),
    op("j1", 0.0, is_=(0.5,)), op("jv", 0.0, 0.0, is_=(None, 0.0)), op("jv", 1.0, 0.0, is_=(None, 0.5)), op("k0", 0.0, is_=(-INF,)),
    op("ellipk", 0.0, is_=(math.pi / 8,)), op("ellipk", 1.0, is_=(INF,)), op("ellipe", 0.0, is_=(-math.pi / 8,)), op("ellipe", 1.0, is_=(-INF,)),
    op("ellipkm1", 0.0, is_=(-INF,)), op("spence", 1.0, is_=(-1.0,)), op("spence", 0.0, is_=(-INF,)), op("sici_s", 0.0, is_=(1.0,)),
    op("shichi_s", 0.0, is_=(1.0,)), op("expi", 0.0, is_=(INF,)), op("expn", 0.0, 1.0, is_=(None, -2 * math.exp(-1))),
    op("gammainc", 1.0, 0.0, is_=(None, 1.0)), op("gammainc", 0.5, 0.0, is_=(None, INF)), op("gammainc", 20.0, 0.0, is_=(None, 0.0)),
    op("betainc", 1.0, 1.0, 0.0, is_=(None, None, 1.0)), op("betainc", 0.5, 2.0, 0.0, is_=(None, None, INF)),
]  # fmt: skip
ROWS = [*SPECIAL, *KINKS, *POLES, *POWERS, *EXACT, *FOLDS, *STRONG_ZERO]
