"""Where the derivative is a number, though a textbook formula overflows, cancels, or multiplies 0 by infinity."""

import math

from wengert.tools.conventions.row import choice, exact

INF, NAN = math.inf, math.nan
HALF = math.sqrt(0.5)
TEXT = """\
The slope of an op is right to 1e-12 wherever it is itself a float: no square overflows on the way, and nothing cancels.
Where the value has overflowed to inf, its slope is what the formula gives.\
"""
SCALE = "The slope does not depend on the scale."
WEIGHTS = "The slopes are the shares of exp(x) and exp(y)."
TIE = "The limit where both are equal: ties share, as for maximum."

ROWS = (
    exact("83", "np.tanh(x)", 1000.0, 1.0, 0.0, "1 / cosh(x)**2 is below every float."),
    exact("84", "np.tanh(x)", 20.0, 1.0, 1.6993417021166356e-17, "1 / cosh(x)**2; 1 - tanh(x)**2 would cancel."),
    exact("x1", "np.tanh(x)", -360.0, -1.0, 8.12892320969717e-313, "1 / cosh(x)**2, down to the smallest floats."),
    exact("76", "np.logaddexp(x, y)", (1000.0, 1000.0), 1000.6931471805599, (0.5, 0.5), WEIGHTS),
    exact("75", "np.logaddexp(x, y)", (-INF, 0.0), 0.0, (0.0, 1.0), WEIGHTS),
    choice("73", "np.logaddexp(x, y)", (-INF, -INF), -INF, (0.5, 0.5), TIE),
    choice("74", "np.logaddexp(x, y)", (INF, INF), INF, (0.5, 0.5), TIE),
    exact("x2", "np.logaddexp(x, y)", (INF, 0.0), INF, (1.0, 0.0), WEIGHTS),
    exact("x3", "np.logaddexp(x, y)", (INF, -INF), INF, (1.0, 0.0), WEIGHTS),
    choice("x4", "np.logaddexp(x, y)", (NAN, 0.0), NAN, (NAN, NAN), "The shares are not known."),
    exact("x5", "np.logaddexp(x, y)", (0.0, -1000.0), 0.0, (1.0, 0.0), WEIGHTS),
    exact("x6", "np.logaddexp(x, y)", (0.0, -400.0), 1.915169596714005695e-174, (1.0, 1.915169596714005695e-174),
          WEIGHTS),
    exact("x7", "np.logaddexp2(x, y)", (1000.0, 1000.0), 1001.0, (0.5, 0.5),
          "The slopes are the shares of 2**x and 2**y."),
    choice("x8", "np.logaddexp2(x, y)", (-INF, -INF), -INF, (0.5, 0.5), TIE),
    exact("120", "np.tan(x)", math.pi / 2, 1.633123935319537e16, 2.6670937881135713e32,
          "1 + tan(x)**2 at the float beside the pole."),
    exact("126", "np.exp(x)", 1000.0, INF, INF, "The slope is the value."),
    exact("x9", "np.exp(x)", -INF, 0.0, 0.0, "The slope is the value."),
    exact("127", "np.expm1(x)", 0.0, 0.0, 1.0, "exp(x)."),
    exact("143", "np.square(x)", 1e200, INF, 2e200, "2 x is a float where the value is not."),
    exact("144", "np.hypot(x, y)", (1e200, 1e200), 1.4142135623730951e200, (HALF, HALF), SCALE),
    exact("x10", "np.hypot(x, y)", (3e-200, 4e-200), 5e-200, (0.6, 0.8), SCALE),
    exact("x11", "np.hypot(x, y)", (3e-320, 4e-320), 5e-320, (0.6, 0.8), SCALE + " Subnormals are even exact here."),
    exact("x12", "np.hypot(x, y)", (0.0, 1.0), 1.0, (0.0, 1.0), "x / hypot(x, y)."),
    exact("x13", "np.hypot(x, y)", (-5.0, 0.0), 5.0, (-1.0, 0.0), "x / hypot(x, y)."),
    choice("x14", "np.hypot(x, y)", (INF, 1.0), INF, (NAN, 0.0), "inf / inf, and 1 / inf."),
    exact("T41", "np.arctan(x)", 1e200, math.pi / 2, 0.0, "1e-400 is below every float."),
    exact("T42", "np.arcsinh(x)", 1e200, 461.2101657793691, 1e-200, "1 / hypot(1, x)."),
    exact("x15", "np.arcsinh(x)", -1e200, -461.2101657793691, 1e-200, "1 / hypot(1, x)."),
    exact("T46", "np.arccosh(x)", 1e200, 461.2101657793691, 1e-200, "1 / (sqrt(x - 1) sqrt(x + 1))."),
    exact("T43", "1 / x", 1e-200, 1e200, -INF, "-1e400 is above every float."),
    exact("T44", "1e-200 / x", 1e-200, 1.0, -1e200, "-(y / x) / x, without the square of x."),
    exact("x16", "x / y", (1e-200, 1e-200), 1.0, (1e200, -1e200), "1 / y and -(x / y) / y."),
    exact("T45", "np.arctan2(x, 1e200)", 1e200, math.pi / 4, 5e-201, "(y / r) / r, without the square of r."),
    exact("x17", "np.arctan2(x, y)", (1e-200, 1e-200), math.pi / 4, (5e199, -5e199),
          "(y / r) / r, without the square of r."),
    exact("T47", "np.sqrt(x)", 1e-320, 9.999944335758489e-161, 5.000027832275682e159,
          "1 / (2 sqrt(x)), also at a subnormal."),
    exact("T39", "np.expm1(x)", 1e-20, 1e-20, 1.0, "exp(x)."),
    exact("T40", "np.log1p(x)", 1e300, 690.7755278982137, 1e-300, "1 / (1 + x)."),
    exact("x18", "np.log1p(x)", 1e-20, 1e-20, 1.0, "1 / (1 + x)."),
    exact("x19", "np.cbrt(x)", 1e-300, 1e-100, 1e200 / 3, "1 / (3 cbrt(x)**2)."),
    exact("T36", "1 / (1 + np.exp(-x))", 40.0, 1.0, 4.248354255291589e-18,
          "exp(-x) is kept, where 1 - out would cancel."),
    exact("T37", "1 / (1 + np.exp(-x))", -800.0, 0.0, 0.0,
          "exp(-800) is below every float, and against its inf stands an exact 0."),
    exact("82", "1 / (1 + np.exp(-x))", -1000.0, 0.0, 0.0, "As at -800."),
    choice("80", "np.log(np.sum(np.exp(x)))", [1000.0, 1000.0], INF, [0.0, 0.0],
           "The value has overflowed to inf, where the logarithm is flat; np.logaddexp does not."),
    choice("81", "np.log(1 + np.exp(x))", 1000.0, INF, 0.0,
           "The value has overflowed to inf, where the logarithm is flat; np.logaddexp(0, x) does not."),
)  # fmt: skip
