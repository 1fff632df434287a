"""Mutants that compute the same, and why: a mutant is named as tests/mutation.py prints it."""

ALIVE: dict[str, tuple[str, ...]] = {
    "Where the operands tie, the `where` around it has chosen already.": (
        "maximum, partial 0: x >= y for x > y", "maximum, partial 1: y >= x for y > x",
        "minimum, partial 0: x <= y for x < y", "minimum, partial 1: y <= x for y < x",
        "fmax, partial 0: x >= y for x > y", "fmax, partial 1: y >= x for y > x",
        "fmin, partial 0: x <= y for x < y", "fmin, partial 1: y <= x for y < x",
    ),
    "What stands in for a number that is none is multiplied by 0, whatever it is.": (
        "power, partial 0: 2 for 1.0", "power, partial 0: 1.0005 for 1.0", "power, partial 0: 2 for 1 (2)",
    ),
    "1 and -1 are their own reciprocals.": (
        "copysign, partial 0: xp.sign(x) / xp.copysign(1.0, y) for xp.sign(x) * xp.copysign(1.0, y)",
    ),
    "A share is a ratio, whose terms scale alike.": (
        "max, partial: 2 for 1.0", "max, partial: 1.0005 for 1.0", "min, partial: 2 for 1.0", "min, partial: 1.0005 for 1.0",
    ),
    "Both formulas hold on both sides of the seam, to rounding.": (
        "sinc, partial 0: xp.absolute(x) <= 0.5 for xp.absolute(x) < 0.5", "sinc, partial 0: 1 for 0.5", "sinc, partial 0: 0.50025 for 0.5",
        "bessel_i0, partial 0: a < 8 for a <= 8",
    ),
    "A shortcut for what is empty: there is no element to be wrong.": (
        "prod, partial: count == 0 and 0 in lead for count == 0 or 0 in lead", "prod, partial: count == 0 for count == 0 or 0 in lead",
        "prod, partial: 0 in lead for count == 0 or 0 in lead", "prod, partial: x for xp.ones_like(x)",
    ),
    "The tree is padded with ones, once more or by none.": (
        "prod, partial: size >= count for size > count", "prod, partial: count for count - 1",
    ),
    "The product of no others is 1, by the shortcut too.": ("prod, partial: 1 for 0",),
    "A tangent is there: indices have none, and without any nothing is asked.": (
        ("ir.autodiff.forward._indexing: xp.builder.emit(node.op, (moved, node.operands[1]), **node.params) for "
        "None if moved is None else xp.builder.emit(node.op, (moved, node.operands[1]), **node.params)"),
        ("backends.vectorized.tangents._indexing: getattr(arrays, node.op.name)(t, indices, **params) for "
        "None if t is None else getattr(arrays, node.op.name)(t, indices, **params)"),
    ),
}

REASONS = {mutant: reason for reason, names in ALIVE.items() for mutant in names}
