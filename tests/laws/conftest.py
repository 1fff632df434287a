"""What the laws share: the count of their cases, and which of them wait for `make soak`."""

import os

import pytest

from wengert.ir.kinds import Elementwise, Library, Op
from wengert.ir.ops import OPS

#: A second derivative is a graph like any other, and what C makes of a graph is looked at by the other laws.
#: Calls into NumPy and SciPy run through one printer each for Python and C, whichever function they call: a few stand
#: for all of them, and `make soak` looks at every one.
CALLED = {op.name for op in OPS.values() if isinstance(op, Library) or (isinstance(op, Elementwise) and op.library is not None)}
#: Lanes are made of the same ops as any other graph: on other backends than NumPy's, an op of each rule.
LANES = {"multiply", "where", "cast", "sum", "argmax", "recurrence", "broadcast_to", "place", "concatenate", "take", "scatter_add", "solve", "sort"}
#: The derived graphs that C prints are those that Python prints, of ops whose values the laws ask C for: an op of each rule.
DERIVED = {*LANES, "exp", "power", "maximum", "sqrt", "arctan2", "absolute", "complex", "prod", "max", "cumprod", "scan", "while", "switch", "custom"}
STANDING_FOR_ALL = {"sort", "solve", "slogdet", "eigh", "fft", "draw", "erf", "digamma", "jv", "xlogy"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Laws first, op by op: what is computed for one law is at hand for the next (see tests/batches.py)."""
    laws = [item for item in items if item.path.parent.name == "laws"]
    waiting = [] if os.environ.get("WENGERT_SOAK") else [item for item in laws if _waits(item)]
    config.hook.pytest_deselected(items=waiting)
    out = set(waiting)
    order = {name: i for i, name in enumerate(OPS)}
    laws = sorted((item for item in laws if item not in out), key=lambda item: order.get(_op(item), -1))
    items[:] = [*laws, *(item for item in items if item.path.parent.name != "laws")]


def _waits(item):
    values = set(map(str, item.callspec.params.values())) if hasattr(item, "callspec") else set()
    if item.path.name == "test_second_order.py" and "c" in values:
        return True
    if item.path.name == "test_dot_product.py" and "c" in values:
        return True  # both modes are the oracle's there
    if item.path.name in ("test_derivative.py", "test_types.py") and "c" in values:
        return _op(item) not in DERIVED
    if item.path.name == "test_conventions.py" and {"c", "float32"} <= values:
        return True  # the same text but for the names of types
    if item.path.name == "test_lanes.py":
        far = _op(item) not in LANES or "c" in values or "jvp" in values or "vjp" in values
        return far if "numpy" not in values else "jvp" in values and _op(item) in CALLED - STANDING_FOR_ALL
    return _op(item) in CALLED - STANDING_FOR_ALL and not values.isdisjoint({"python", "c"})


def _op(item):
    """The name of the op that a law is asked about."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return next((x.name if isinstance(x, Op) else x for x in values if isinstance(x, Op) or (isinstance(x, str) and x in OPS)), None)


@pytest.fixture
def cases(request, record_property):
    """``cases(n, error)`` counts n cases of a law, of which the worst is so far off; `--laws-page` makes a page of them."""
    node = request.node

    def count(n, error=0.0):
        record_property("cases", [node.path.stem, node.originalname, _op(node), n, error])

    return count
