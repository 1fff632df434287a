"""The strong zero, and sums and products at infinity."""

import math

from wengert.tools.conventions.row import choice, exact

INF, NAN = math.inf, math.nan
TEXT = """\
A partial meets a tangent or cotangent in one place, `scale(p, t)`, which is 0 where either is exactly 0, even against
inf or NaN. So the branch that `where` does not take contributes exactly 0, and `sqrt(x) * 0` has the slope 0 at 0.\
"""
NOTHING = "Nothing flows into the branch that is not taken, not even NaN."
AGAINST = "An exact 0 against inf."

ROWS = (
    exact("51", "np.where(x > 0, np.log(x), 0)", 0.0, 0.0, 0.0, NOTHING),
    exact("52", "np.where(x > 0, np.sqrt(x), 0)", 0.0, 0.0, 0.0, NOTHING),
    exact("53", "np.where(x != 0, np.sin(x) / x, 1)", 0.0, 1.0, 0.0, NOTHING),
    exact("54", "np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)", 0.0, 0.0, 0.0, NOTHING),
    exact("z1", "np.where(x > 2, y, z)", (1.0, NAN, 1.0), 1.0, (0.0, 0.0, 1.0), NOTHING),
    exact("z2", "np.where(x > 0, y, z)", (1.0, 1.0, INF), 1.0, (0.0, 1.0, 0.0), NOTHING),
    choice("18", "np.sqrt(x) * 0", 0.0, 0.0, 0.0, AGAINST + " The product is 0 for every x."),
    choice("19", "np.sqrt(x**2)", 0.0, 0.0, 0.0, AGAINST + " So it is the slope of |x|, too."),
    choice("45", "np.sqrt(np.sum(x**2))", [0.0, 0.0], 0.0, [0.0, 0.0],
           AGAINST + " So it is the slope of the norm, too."),
    exact("z3", "np.sum(np.sqrt(x))", [0.0, 4.0], 2.0, [INF, 0.25], "One infinite slope leaves the others alone."),
    choice("z4", "np.sqrt(x) @ (x * 0)", [0.0, 4.0], 0.0, [0.0, 0.0], AGAINST),
    exact("87", "x * np.log(x)", 0.0, NAN, -INF, "log(x) + x (1 / x), of which the second is an exact 0 against inf."),
    exact("124", "0 * x", INF, NAN, 0.0, "The slope is the factor 0."),
    exact("125", "x - x", INF, NAN, 0.0, "1 - 1."),
    exact("136", "np.nan_to_num(x)", NAN, 0.0, 0.0, "The branch that is taken is the constant."),
    exact("z5", "np.nan_to_num(x)", 2.0, 2.0, 1.0, "The branch that is taken is x."),
)  # fmt: skip
