"""Kinks with bounded slopes, ties, and steps."""

import math

from wengert.tools.conventions.row import choice, exact, refused

INF, NAN = math.inf, math.nan
TEXT = """\
A kink takes the slope in the middle of its slopes: ties share equally, `abs`, `hypot` and their like have 0. A step has
0 on it and beside it. A NaN operand of `maximum` has the slope NaN, since the value is its own.\
"""
MIDDLE = "The middle of the slopes -1 and 1."
SHARE = "Ties share equally: the middle of the slopes."
STEP = "Constant on both sides."
LOSES = "The NaN loses, so the number is the result."
WINS = "The NaN is the result, and has the slope NaN; nothing flows to the other."
BRANCH = "The branch that is taken."

ROWS = (
    choice("1", "np.abs(x)", 0.0, 0.0, 0.0, MIDDLE),
    choice("2", "np.abs(x)", -0.0, 0.0, 0.0, MIDDLE),
    choice("3", "np.abs(x)", NAN, NAN, NAN, "The slope is sign(x), which is NaN at NaN."),
    exact("k1", "np.abs(x)", -INF, INF, -1.0, "The slope is sign(x)."),
    choice("4", "np.maximum(x, 0.0)", 0.0, 0.0, 0.5, SHARE),
    exact("k2", "np.maximum(x, 0.0)", [-1.0, 1.0], [0.0, 1.0], [0.0, 1.0], BRANCH),
    choice("5", "x * (x > 0)", 0.0, 0.0, 0.0, "NumPy has no relu; written as a product, the factor 0 passes nothing."),
    choice("6", "np.where(x > 0, x, 0)", 0.0, 0.0, 0.0, BRANCH),
    choice("7", "np.maximum(x, y)", (1.0, 1.0), 1.0, (0.5, 0.5), SHARE),
    choice("8", "np.minimum(x, y)", (1.0, 1.0), 1.0, (0.5, 0.5), SHARE),
    choice("k3", "np.maximum(x, y)", (0.0, -0.0), 0.0, (0.5, 0.5), "Zeros of both signs are a tie."),
    choice("k4", "np.maximum(x, y)", (INF, INF), INF, (0.5, 0.5), SHARE),
    choice("k5", "np.minimum(x, y)", (-INF, -INF), -INF, (0.5, 0.5), SHARE),
    exact("k6", "np.maximum(x, y)", (2.0, 1.0), 2.0, (1.0, 0.0), BRANCH),
    choice("9", "np.fmax(x, y)", (1.0, 1.0), 1.0, (0.5, 0.5), SHARE),
    choice("k7", "np.fmin(x, y)", (1.0, 1.0), 1.0, (0.5, 0.5), SHARE),
    choice("10", "np.fmax(x, y)", (NAN, 1.0), 1.0, (0.0, 1.0), LOSES),
    choice("k8", "np.fmax(x, y)", (1.0, NAN), 1.0, (1.0, 0.0), LOSES),
    choice("k9", "np.fmin(x, y)", (NAN, 1.0), 1.0, (0.0, 1.0), LOSES),
    choice("k10", "np.fmin(x, y)", (1.0, NAN), 1.0, (1.0, 0.0), LOSES),
    choice("k11", "np.fmax(x, y)", (NAN, NAN), NAN, (1.0, 0.0), "NumPy's result is the first NaN."),
    choice("k19", "np.fmin(x, y)", (NAN, NAN), NAN, (1.0, 0.0), "NumPy's result is the first NaN."),
    choice("11", "np.maximum(x, y)", (NAN, 1.0), NAN, (NAN, 0.0), WINS),
    choice("k12", "np.maximum(x, y)", (1.0, NAN), NAN, (0.0, NAN), WINS),
    choice("k13", "np.maximum(x, y)", (NAN, NAN), NAN, (NAN, NAN), "Each is a NaN operand."),
    choice("k14", "np.minimum(x, y)", (NAN, 1.0), NAN, (NAN, 0.0), WINS),
    choice("k15", "np.minimum(x, y)", (1.0, NAN), NAN, (0.0, NAN), WINS),
    choice("55", "np.clip(x, 0, 1)", 0.0, 0.0, 0.5, "It is minimum(maximum(x, 0), 1), a tie included."),
    choice("56", "np.clip(x, 0, 1)", 1.0, 1.0, 0.5, "It is minimum(maximum(x, 0), 1), a tie included."),
    choice("57", "np.clip(x, 0, 1)", NAN, NAN, NAN, "It is minimum(maximum(x, 0), 1), where the NaN wins."),
    choice("58", "np.clip(x, y, z)", (1.0, 1.0, 2.0), 1.0, (0.5, 0.5, 0.0), "The tie of x with the lower bound."),
    exact("k16", "np.clip(x, 0, 1)", [0.5, 2.0], [0.5, 1.0], [1.0, 0.0], "Inside, x itself; outside, constant."),
    choice("59", "np.sign(x)", 0.0, 0.0, 0.0, "The step is flat on both sides and at its own value between them."),
    choice("60", "np.floor(x)", 1.0, 1.0, 0.0, STEP),
    choice("61", "np.ceil(x)", 1.0, 1.0, 0.0, STEP),
    choice("62", "np.round(x)", 0.5, 0.0, 0.0, STEP),
    exact("63", "np.trunc(x)", 1.5, 1.0, 0.0, "Constant around the point."),
    choice("64", "np.heaviside(x, y)", (0.0, 0.5), 0.5, (0.0, 1.0), "A step in x; at 0 the result is y itself."),
    choice("65", "np.mod(x, y)", (4.0, 2.0), 0.0, (1.0, -2.0),
           "x - y floor(x / y), with the step flat at the jump, too."),
    exact("66", "np.mod(x, y)", (-3.0, 2.0), 1.0, (1.0, 2.0), "x - y floor(x / y), whose step is flat here."),
    exact("67", "np.fmod(x, y)", (-3.0, 2.0), -1.0, (1.0, 1.0), "x - y trunc(x / y), whose step is flat here."),
    choice("69", "x // 2", 4.0, 2.0, 0.0, STEP),
    choice("k17", "np.floor_divide(x, y)", (4.0, 2.0), 2.0, (0.0, 0.0), STEP),
    choice("70", "np.copysign(x, y)", (0.0, -1.0), -0.0, (0.0, 0.0), "It is -|x|, and the kink of |x| has 0."),
    exact("71", "np.copysign(x, y)", (2.0, 0.0), 2.0, (1.0, 0.0), "It is |x|, since the sign of y is plus."),
    exact("k18", "np.copysign(x, y)", (2.0, -0.0), -2.0, (-1.0, 0.0), "It is -|x|, since the sign of y is minus."),
    refused("72", "np.nextafter(x, y)", (1.0, 2.0), TypeError, "A map of floats, not of reals; it has no derivative."),
    choice("43", "np.hypot(x, y)", (0.0, 0.0), 0.0, (0.0, 0.0), "The middle of all slopes, as for abs and the norm."),
)  # fmt: skip
