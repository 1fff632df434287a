"""The README: its example runs, and its figures are right."""

import re
from pathlib import Path

import numpy as np
import pytest

import wengert as wg

README = Path(__file__).parent.parent / "README.md"


def blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    """The names after the example has run, from a file, as a reader would run it."""
    folder = tmp_path_factory.mktemp("readme")
    path = folder / "twenty_lines.py"
    path.write_text(blocks()[0].replace('"energy.wg"', repr(str(folder / "energy.wg"))), encoding="utf-8")
    names = {"__name__": "twenty_lines"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names


def test_its_figures(scope):
    x, energy, g = scope["x"], scope["energy"], scope["g"]
    assert energy(x) == g(x) == 6.0
    np.testing.assert_array_equal(wg.grad(energy)(x), [-2.0, 6.0, -2.0])
    np.testing.assert_array_equal(wg.grad(g)(x), [-2.0, 6.0, -2.0])


def test_what_it_says_of_guards(scope):
    x = 100 * scope["x"]
    assert scope["energy"](x) == 400.0
    with pytest.raises(wg.GuardError, match="energy:"):
        scope["g"](x)


def test_its_op_is_a_whole_op():
    from wengert.ir.kinds import Elementwise
    from wengert.ir.ops.arithmetic import _inexact
    from wengert.tools.optable_samples import samples
    from wengert.tools.optable_symbols import derivative

    names = {"Elementwise": Elementwise, "_inexact": _inexact}
    exec(next(block for block in blocks() if "Elementwise(" in block), names)
    op = names["softplus"]
    one = samples(op)[-1]
    assert derivative(op, one.graph) == "dx: 1 / (1 + exp(-x))"
    for backend, reason in wg.available_backends().items():
        if reason is None:
            (x,) = one.inputs
            program = wg.Program(one.graph, backend)
            np.testing.assert_allclose(program(x)[0], np.log1p(np.exp(x)), rtol=1e-12)


def test_it_lists_every_backend():
    rows = re.findall(r"^\| `(\w+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    from wengert.backends import protocol

    assert sorted(rows) == sorted(protocol.BUILT_IN)
