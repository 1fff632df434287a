"""A user's module that has NumPy's functions under names of its own; see test_standins."""

import math
from math import exp as e

import numpy  # noqa: ICN001 (spelled as users do)
import numpy.linalg as la
from numpy import array, zeros as blank


def by_module(x):
    out = numpy.zeros(2)
    out[0] = x[0] ** 2
    return out + numpy.array([x[1], 1.0])


def by_name(x):
    out = blank(2)
    out[1] = x[1] * 3
    return out + array([x[0], x[0] * x[1]])


def by_default(x, make=blank, literal=array, *, copy=numpy.copy):
    out = make(2)
    out[:] = literal([x[1], x[0]]) ** 2
    return copy(out) * 2


def by_local_import(x):
    import numpy as n  # noqa: ICN001 (spelled as users do)
    from numpy import empty

    out = empty(2)
    out[...] = n.full(2, x[0])
    return out


def by_math(x):
    return numpy.array([math.sin(x[0]), e(x[1])]) + la.norm([x[0], x[1]])


def closure(make=blank):
    def inner(x):
        out = make(2)
        out[0] = x[1] ** 3
        return out

    return inner


by_closure = closure()


class Model:
    """A method, and a function kept in a class."""

    make = staticmethod(blank)

    def __call__(self, x):
        out = numpy.ones(2)
        out[1] *= x[0]
        return out
