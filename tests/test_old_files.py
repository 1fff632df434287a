"""Files of every format version ever released, kept for ever: each loads, runs and differentiates as it did.

A new format version gets a new folder, written once by ``write(folder)``; the old ones are never written again.
"""

from pathlib import Path

import golden_programs
import numpy as np
import pytest

import wengert as wg

FILES = sorted(Path(__file__).parent.glob("files/format-*/*.wg"))
#: What each is made of, called with, and recorded for.
PROGRAMS = {name: (f, args, args) for name, (f, args) in golden_programs.PROGRAMS.items()} | golden_programs.SIZED


def write(folder: Path) -> None:
    """One file per golden program that has none yet."""
    there = {path.stem for path in FILES}
    for name, (function, _, recorded_for) in PROGRAMS.items():
        if name not in there:
            wg.trace(function).graph(*recorded_for).save(folder / f"{name}.wg")


def test_every_program_has_a_file():
    assert {path.stem for path in FILES} >= set(PROGRAMS)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_old_file(path):
    function, arguments, _ = PROGRAMS[path.stem]
    graph = wg.load(path)

    np.testing.assert_allclose(graph(*arguments), function(*arguments), rtol=1e-14)
    real = [i for i, x in enumerate(arguments) if np.asarray(x).dtype.kind == "f"]
    if real:
        def total(*args):
            return np.sum(graph(*args))

        now = wg.grad(lambda *args: np.sum(function(*args)), argnums=tuple(real))(*arguments)
        for old, new in zip(wg.grad(total, argnums=tuple(real))(*arguments), now, strict=True):
            np.testing.assert_allclose(old, new, rtol=1e-12)
