"""Folds, sorts, norms and indices."""

import math

from wengert.tools.conventions.row import choice, exact, refused

INF, NAN = math.inf, math.nan
TEXT = """\
The largest elements share the slope of `max` equally. `prod` and `cumprod` never divide, so they are right at zeros, to
any order. `np.linalg.norm` and `np.std` at zero have the slope 0, as `abs` does.\
"""
SHARE = "The largest share equally."
OTHERS = "The product of the others."
MIDDLE = "The middle of all slopes, as for abs."
EMPTY = "There is nothing to differentiate in."
OVERFLOWN = "The squares have overflowed, and so has NumPy's value; its slope is infinite with it, never a silent 0."
NONE = "It has no identity, and NumPy raises the same."

ROWS = (
    choice("12", "np.max(x)", [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5], SHARE),
    choice("13", "x.max()", [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5], SHARE),
    choice("14", "np.max(x, axis=0)", [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5], SHARE),
    choice("f1", "np.max(x)", [[1.0, 3.0], [3.0, 3.0]], 3.0, [[0.0, 1 / 3], [1 / 3, 1 / 3]], SHARE),
    choice("f2", "np.max(x)", [-INF, -INF], -INF, [0.5, 0.5], SHARE),
    choice("f3", "np.min(x)", [1.0, 1.0, 3.0], 1.0, [0.5, 0.5, 0.0], "The smallest share equally."),
    choice("f7", "np.sum(np.array([1, 10, 100, 1000]) * np.maximum.accumulate(x))", [3.0, 3.0, 1.0, 3.0], 3333.0,
           [56 + 1000 / 3, 55 + 1000 / 3, 0.0, 1000 / 3], "The largest so far share equally."),
    choice("f8", "np.sum(np.array([1, 10, 100, 1000]) * np.minimum.accumulate(x))", [2.0, 2.0, 7.0, 2.0], 2222.0,
           [56 + 1000 / 3, 55 + 1000 / 3, 0.0, 1000 / 3], "The smallest so far share equally."),
    choice("15", "np.max(x)", [1.0, NAN, 2.0], NAN, NAN,
           "Where the result is NaN, which element it is does not count."),
    refused("131", "np.max(x)", [], ValueError, NONE),
    exact("90", "np.prod(x)", [2.0, 0.0, 3.0], 0.0, [0.0, 6.0, 0.0], OTHERS),
    exact("91", "np.prod(x)", [0.0, 0.0, 3.0], 0.0, 0.0, OTHERS),
    choice("92", "np.prod(x)", [0.0, INF], NAN, [INF, 0.0], OTHERS),
    exact("f4", "np.prod(x, axis=1)", [[2.0, 0.0], [3.0, 4.0]], [0.0, 12.0], [[0.0, 2.0], [4.0, 3.0]], OTHERS),
    exact("f5", "np.prod(x, axis=())", 7.0, 7.0, 1.0, "There are no others."),
    exact("T51", "np.prod(x)", [2.0, 0.0, 3.0], 0.0, [0.0, 6.0, 0.0], OTHERS),
    exact("f6", "np.sum(x)", [INF, -INF, NAN], NAN, 1.0, "Linear, wherever."),
    exact("128", "np.mean(x)", [], NAN, [], EMPTY),
    exact("129", "np.sum(x)", [], 0.0, [], EMPTY),
    exact("130", "np.prod(x)", [], 1.0, [], EMPTY),
    choice("44", "np.linalg.norm(x)", [0.0, 0.0], 0.0, [0.0, 0.0], MIDDLE),
    choice("145", "np.linalg.norm(x)", [1e200, 1e200], INF, [INF, INF], OVERFLOWN),
    exact("95", "np.var(x)", [2.0, 2.0, 2.0], 0.0, 0.0, "The smallest value, of a smooth function."),
    choice("96", "np.std(x)", [2.0, 2.0, 2.0], 0.0, 0.0, MIDDLE),
    exact("97", "np.std(x)", [2.0], 0.0, 0.0, "It is 0 for every x."),
    choice("49", "np.sum(np.array([1, 10, 100]) * np.sort(x))", [2.0, 1.0, 1.0], 211.0, [100.0, 1.0, 10.0],
           "Equal elements keep their order, as the stable sort has it."),
    exact("132", "x[np.array([0, 0])]", [1.0, 2.0], [1.0, 1.0], [2.0, 0.0], "Each use of an element adds up."),
    refused("133", "x[5]", [1.0, 2.0], IndexError, "An index outside is an error, and never moved inside."),
    exact("134", "x[x > 0]", [1.0, -1.0], [1.0], [1.0, 0.0], "The mask is a guard: another one is traced again."),
)  # fmt: skip
