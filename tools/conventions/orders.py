"""Smooth points of whole programs, first order and higher."""

import math

from wengert.tools.conventions.row import choice, exact

INF, NAN = math.inf, math.nan
TEXT = """\
A derivative is a program like any other, so a rule must itself be right when it is differentiated. Rules hold per op:
the derivative of a smooth composition of kinks is the chain rule's. So `abs(x)**2` at 0, where `abs` has the slope 0,
has the second derivative 0, though that of `x**2` is 2. A second derivative may lose digits that the first keeps, where
the slope of the rule is a difference: `arcsin`, `arccos` and `arctanh` near 0, `hypot` in an operand that dwarfs the
other. There it is right to the rounding of the first.\
"""
HYPOT = "x / hypot(x, y)."
CHAIN = "The chain rule over the kink, whose slope is 0; the function itself would have {}."
PAIR = "np.array([1.0, 2.0])"

ROWS = (
    exact("T1", "np.hypot(x, 1.0)", 1.0, math.sqrt(2), math.sqrt(0.5), HYPOT),
    exact("T2", "np.hypot(x, 3.0)", 3.0, math.sqrt(18), math.sqrt(0.5), HYPOT),
    exact("T3", "np.hypot(x, 2.0)", 1.0, math.sqrt(5), 1 / math.sqrt(5), HYPOT),
    exact("T4", "np.hypot(x, 1.0)", 0.0, 1.0, 0.0, HYPOT),
    exact("T5", "np.hypot(x, 1.0)", 0.0, 1.0, 1.0, "y**2 / hypot(x, y)**3.", order=2),
    exact("o1", "np.hypot(x, 1.0)", 0.0, 1.0, -3.0, "-3 at 0, by its Taylor series.", order=4),
    exact("o2", "np.hypot(x, 1e200)", 1e200, 1.4142135623730951e200, math.sqrt(0.125) * 1e-200,
          "y**2 / hypot(x, y)**3.", order=2),
    exact("T10", "np.abs(x)**2", 0.0, 0.0, 0.0, "2 |x| sign(x)."),
    choice("T11", "np.abs(x)**2", 0.0, 0.0, 0.0, CHAIN.format(2), order=2),
    exact("T12", "np.abs(x)**3", 0.0, 0.0, 0.0, "6 |x|.", order=2),
    exact("T13", "x * np.abs(x)", 0.0, 0.0, 0.0, "2 |x|."),
    exact("T14", f"np.linalg.norm(x * {PAIR})**2", 0.0, 0.0, 0.0, "10 x."),
    choice("T15", f"np.linalg.norm(x * {PAIR})**2", 0.0, 0.0, 0.0, CHAIN.format(10), order=2),
    choice("T16", f"np.std(x * {PAIR})**2", 0.0, 0.0, 0.0, CHAIN.format(0.5), order=2),
    exact("T17", "x**2.0", 0.0, 0.0, 2.0, "2.", order=2),
    exact("T18", "np.power(x, np.array(2.0))", 0.0, 0.0, 2.0, "2.", order=2),
    exact("T19", "np.power(x, np.array(3.0))", 0.0, 0.0, 6.0, "6.", order=3),
    exact("T20", "np.power(x, np.array(0.0))", 0.0, 1.0, 0.0, "x**0 is 1 for every x."),
    exact("T21", "np.power(x, x * 0)", 0.0, 1.0, 0.0, "x**0 is 1 for every x."),
    exact("T22", "x**1.5", 0.0, 0.0, INF, "0.75 / sqrt(x).", order=2),
    exact("T23", "x**0", 0.0, 1.0, 0.0, "0.", order=2),
    exact("T24", "x**1", 0.0, 0.0, 0.0, "0.", order=2),
    exact("T25", "x**3", 0.0, 0.0, 6.0, "6.", order=3),
    exact("o3", "x**4", 0.0, 0.0, 24.0, "24.", order=4),
    exact("T26", "np.maximum(x, x)", 1.0, 1.0, 1.0, "Both halves."),
    choice("T27", "np.maximum(x**2, 0)", 0.0, 0.0, 1.0, "Half of 2, since 0 is a tie.", order=2),
    exact("T28", "np.clip(x, -1, 1)", 0.5, 0.5, 1.0, "Inside, x itself."),
    exact("T29", "np.logaddexp(x, x)", 0.0, math.log(2), 1.0, "Both halves."),
    exact("T30", "np.logaddexp(x, -np.inf)", 0.0, 0.0, 1.0, "It is x."),
    exact("T31", "np.logaddexp(x, -x)", 0.0, math.log(2), 1.0, "log(2 cosh(x)), and so 1 / cosh(x)**2.", order=2),
    exact("T32", "np.logaddexp(x, 0)", 0.0, math.log(2), 0.25, "p (1 - p) with the share p.", order=2),
    exact("o4", "np.logaddexp(x, 0)", -150.0, 7.175095973164411e-66, 7.175095973164411e-66,
          "p (1 - p) with the share p.", order=2),
    exact("o5", "np.logaddexp(x, 0)", 150.0, 150.0, 7.175095973164411e-66, "p (1 - p) with the share p.", order=2),
    exact("o6", "np.logaddexp(x, 0)", 0.0, math.log(2), -0.125, "p (1 - p) (1 - 2 p), and so on.", order=4),
    exact("o7", "np.logaddexp(x, 0)", -150.0, 7.175095973164411e-66, 7.175095973164411e-66,
          "p (1 - p) (1 - 2 p).", order=3),
    exact("T33", "np.tanh(x)", 20.0, 1.0, 1.6993417021166356e-17, "1 / cosh(x)**2."),
    exact("T34", "np.tanh(x)", 20.0, 1.0, -3.3986834042332711e-17, "-2 tanh(x) / cosh(x)**2.", order=2),
    exact("o8", "np.tanh(x)", 200.0, 1.0, -1.532135677371204556e-173, "-2 tanh(x) / cosh(x)**2.", order=2),
    exact("o9", "np.tanh(x)", 0.0, 0.0, -2.0, "-2 at 0, by its Taylor series.", order=3),
    exact("T52", "np.prod(x * np.ones(2))", 0.0, 0.0, 2.0, "It is x**2.", order=2),
    exact("o10", "np.prod(x * np.ones(3))", 0.0, 0.0, 6.0, "It is x**3.", order=3),
    exact("o11", "np.prod(x * np.ones(4))", 0.0, 0.0, 24.0, "It is x**4.", order=4),
    exact("T54", "np.var(x * np.ones(1))", 3.0, 0.0, 0.0, "It is 0 for every x."),
    exact("T55", "np.sum(np.sort(np.stack([x, 1.0])))", 1.0, 2.0, 1.0, "The sum, in whichever order."),
    choice("T56", "np.mod(x, 2)", 4.0, 0.0, 1.0, "x - 2 floor(x / 2), with the step flat at the jump, too."),
    exact("o12", "np.arctan2(x, 1.0)", 0.0, 0.0, -2.0, "That of arctan, by its Taylor series.", order=3),
    exact("o13", "np.arcsinh(x)", 1e100, 230.95165647996451, -1e-200, "-x / (1 + x**2)**1.5.", order=2),
    exact("o15", "(2 + x)**x", 0.0, 1.0, 1 + math.log(2)**2, "Of x**y at y = 0, the mixed derivative is 1 / x.",
          order=2),
    exact("o16", "(2 + x)**x", 0.0, 1.0, math.log(2)**3 + 3 * math.log(2) - 0.75, "By its Taylor series.", order=3),
    exact("o14", "1 / x", 1e-90, 1e90, 2e270, "2 / x**3.", order=2),
)  # fmt: skip
