"""Infinite slopes, points outside a domain, and powers."""

import math

from wengert.tools.conventions.row import choice, exact

INF, NAN = math.inf, math.nan
TEXT = """\
An unbounded slope is infinite, with the sign that IEEE arithmetic gives. Outside its domain an op's value is NaN, and
its slope is whatever its formula gives: the value has said it already.\
"""
POWER_TEXT = """\
x**0 is 1 for every x, so its slope in x is 0. In y the slope of 0**y is 0 for y >= 0, and -inf below, as log(x) x**y
has it. A negative base has the slope NaN in y, and an exact one in x.\
"""
LIMIT = "The limit of the slopes."
OUTSIDE = "The formula of the derivative, outside the domain."
DIRECTIONS = "The slope depends on the direction, and no limit exists."

ROWS = (
    exact("16", "np.sqrt(x)", 0.0, 0.0, INF, LIMIT),
    choice("17", "np.sqrt(x)", -1.0, NAN, NAN, OUTSIDE),
    exact("20", "np.cbrt(x)", 0.0, 0.0, INF, LIMIT),
    exact("21", "np.log(x)", 0.0, -INF, INF, LIMIT),
    choice("22", "np.log(x)", -1.0, NAN, -1.0, OUTSIDE + " 1 / x is also that of log|x|."),
    choice("p1", "np.log2(x)", -1.0, NAN, -1 / math.log(2), OUTSIDE),
    choice("p2", "np.log10(x)", -1.0, NAN, -1 / math.log(10), OUTSIDE),
    choice("p3", "np.log1p(x)", -2.0, NAN, -1.0, OUTSIDE),
    exact("23", "np.log1p(x)", -1.0, -INF, INF, LIMIT),
    exact("116", "np.arcsin(x)", 1.0, math.pi / 2, INF, LIMIT),
    exact("117", "np.arccos(x)", 1.0, 0.0, -INF, LIMIT),
    exact("118", "np.arctanh(x)", 1.0, INF, INF, LIMIT),
    exact("119", "np.arccosh(x)", 1.0, 0.0, INF, LIMIT),
    choice("p4", "np.arcsin(x)", 2.0, NAN, NAN, OUTSIDE),
    choice("p5", "np.arctanh(x)", 2.0, NAN, -1 / 3, OUTSIDE),
    choice("p6", "np.arccosh(x)", 0.5, NAN, NAN, OUTSIDE),
    choice("p7", "np.arccosh(x)", -2.0, NAN, NAN, OUTSIDE),
    exact("122", "1 / x", 0.0, INF, -INF, LIMIT),
    exact("p8", "np.reciprocal(x)", 0.0, INF, -INF, LIMIT),
    choice("p9", "x / y", (1.0, 0.0), INF, (INF, -INF), "1 / y and -(x / y) / y."),
    choice("p10", "x / y", (0.0, 0.0), NAN, (INF, NAN), "1 / y and -(x / y) / y."),
    choice("123", "x / x", 0.0, NAN, NAN, "1 / x - (x / x) / x, of which one is inf and one NaN."),
    choice("68", "np.remainder(x, y)", (3.0, 0.0), NAN, (1.0, -INF), OUTSIDE + " It is 1 and -floor(x / y)."),
    choice("p11", "np.fmod(x, y)", (3.0, 0.0), NAN, (1.0, -INF), OUTSIDE + " It is 1 and -trunc(x / y)."),
    choice("p12", "np.fmod(x, y)", (INF, 2.0), NAN, (1.0, -INF), OUTSIDE),
    choice("p13", "np.remainder(x, y)", (INF, 2.0), NAN, (1.0, NAN), OUTSIDE + " NumPy's inf // 2 is NaN."),
    choice("42", "np.arctan2(x, y)", (0.0, 0.0), 0.0, (NAN, NAN), DIRECTIONS),
    choice("p14", "np.sin(x)", INF, NAN, NAN, OUTSIDE),
    choice("p15", "np.cos(x)", -INF, NAN, NAN, OUTSIDE),
    choice("p16", "np.exp(x)", NAN, NAN, NAN, "The slope is the value."),
    choice("p17", "np.square(x)", NAN, NAN, NAN, "The slope is 2 x."),
    exact("121", "np.arccos(np.clip(x, -1, 1))", 1.0, 0.0, -INF, "Half of -inf."),
)  # fmt: skip

FLAT = "x**0 is 1 for every x."
ZERO_BASE = "0**y is 0 for y > 0."
NEGATIVE = "In y there is no power of a negative base beside whole exponents."
POWER_ROWS = (
    choice("24", "x**y", (0.0, 0.0), 1.0, (0.0, 0.0), "x**0 is 1 for every x; in y, 0**y jumps from 1 to 0, a step."),
    exact("25", "x**y", (0.0, 1.0), 0.0, (1.0, 0.0), ZERO_BASE),
    exact("26", "x**y", (0.0, 2.0), 0.0, (0.0, 0.0), ZERO_BASE),
    exact("27", "x**y", (0.0, 0.5), 0.0, (INF, 0.0), ZERO_BASE),
    choice("28", "x**y", (0.0, -1.0), INF, (-INF, -INF), "In y, the limit of log(x) x**y for x from above."),
    choice("29", "x**y", (-2.0, 2.0), 4.0, (-4.0, NAN), NEGATIVE),
    choice("30", "x**y", (-2.0, 3.0), -8.0, (12.0, NAN), NEGATIVE),
    choice("31", "x**y", (-2.0, 0.5), NAN, (NAN, NAN), OUTSIDE),
    choice("32", "x**y", (1.0, INF), 1.0, (INF, 0.0), "y x**(y - 1) and log(x) x**y."),
    exact("33", "x**y", (0.0, 3.0), 0.0, (0.0, 0.0), ZERO_BASE),
    exact("w1", "x**y", (2.0, 0.0), 1.0, (0.0, math.log(2)), FLAT),
    choice("w2", "x**y", (-2.0, 0.0), 1.0, (0.0, NAN), NEGATIVE),
    choice("w3", "x**y", (-2.0, 1.0), -2.0, (1.0, NAN), NEGATIVE),
    exact("w4", "x**y", (5.0, 1.0), 5.0, (1.0, 5 * math.log(5)), "y x**(y - 1) and log(x) x**y."),
    exact("34", "x**0", 0.0, 1.0, 0.0, FLAT),
    exact("35", "x**1", 0.0, 0.0, 1.0, "It is x."),
    exact("36", "x**2", 0.0, 0.0, 0.0, "2 x."),
    exact("37", "x**0.5", 0.0, 0.0, INF, LIMIT),
    exact("38", "x**-1", 0.0, INF, -INF, LIMIT),
    exact("39", "2**x", 0.0, 1.0, math.log(2), "log(2) 2**x."),
    choice("40", "0.0**x", 0.0, 1.0, 0.0, "A step, from 1 to 0: its slope from the right would be -inf."),
    exact("41", "0.0**x", 2.0, 0.0, 0.0, ZERO_BASE),
    exact("w5", "x**-2", 1e-90, 1e180, -2e270, "y x**(y - 1), without the square of the value."),
    exact("w6", "x**y", (1e-200, 1.5), 1e-300, (1.5e-100, -200 * math.log(10) * 1e-300),
          "y x**(y - 1) and log(x) x**y."),
    choice("w9", "x**y", (INF, 0.0), 1.0, (0.0, INF), FLAT),
    choice("w10", "x**y", (NAN, 0.0), 1.0, (0.0, NAN), FLAT),
    exact("w11", "x**y", (5e-324, 0.0), 1.0, (0.0, math.log(5e-324)), FLAT),
    exact("w7", "x**2", -3.0, 9.0, 2.0, "Whole exponents stay exact for a negative base, to any order.", order=2),
    exact("w8", "x**3.0", -3.0, -27.0, 6.0, "Whole exponents stay exact for a negative base, to any order.", order=3),
)  # fmt: skip
