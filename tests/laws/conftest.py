"""What the laws share: the count of their cases, and which of them wait for `make soak`."""

import os

import pytest

from wengert.ir.kinds import Elementwise, Library, Op
from wengert.ir.ops import OPS

#: A second derivative is a graph like any other, and what C makes of a graph is looked at by the other laws.
#: Calls into NumPy and SciPy run through one printer each for Python and C, whichever function they call: a few stand
#: for all of them, and `make soak` looks at every one.
CALLED = {op.name for op in OPS.values() if isinstance(op, Library) or (isinstance(op, Elementwise) and op.library is not None)}
STANDING_FOR_ALL = {"sort", "solve", "eigh", "fft", "draw", "erf", "digamma", "jv", "xlogy"}


def pytest_collection_modifyitems(config, items):
    if os.environ.get("WENGERT_SOAK"):
        return
    waiting = [item for item in items if item.path.parent.name == "laws" and (
        _waits(getattr(item, "callspec", None)) or (item.path.name == "test_second_order.py" and "c]" in item.name[-3:]))]
    config.hook.pytest_deselected(items=waiting)
    out = set(waiting)
    items[:] = [item for item in items if item not in out]


def _waits(callspec):
    return _op(callspec) in CALLED - STANDING_FOR_ALL and not {"python", "c"}.isdisjoint(map(str, callspec.params.values()))


def _op(callspec):
    """The name of the op that a law is asked about."""
    values = callspec.params.values() if callspec else ()
    return next((x.name if isinstance(x, Op) else x for x in values if isinstance(x, Op) or (isinstance(x, str) and x in OPS)), None)


@pytest.fixture
def cases(request, record_property):
    """``cases(n, error)`` counts n cases of a law, of which the worst is so far off; `--laws-page` makes a page of them."""
    node = request.node

    def count(n, error=0.0):
        record_property("cases", [node.path.stem, node.originalname, _op(getattr(node, "callspec", None)), n, error])

    return count
