"""Backend c: elementary functions in loops are within 2 units of the last place, everywhere, and the same everywhere."""

import os
import platform
import re
import subprocess

import accuracy
import numpy as np
import pytest

import wengert as wg
from wengert.backends.source.c import BACKEND
from wengert.backends.source.c.machine import compiler

pytestmark = pytest.mark.skipif(BACKEND.unavailable() is not None, reason=str(BACKEND.unavailable()))
SOAK = bool(os.environ.get("WENGERT_SOAK"))
COUNT = 1 << 13
WIDER = np.finfo(np.longdouble).nmant > 60


@pytest.fixture(scope="module")
def program():
    return accuracy.program(COUNT)


def test_edges_against_mpmath(program):
    # each edge with each other in turn, as far as there is room; a function of one number is asked at each once
    sides = {key: accuracy.edges(dtype) for key, dtype in accuracy.DTYPES.items()}
    shifts = {key: np.repeat(np.arange(COUNT // x.size + 1) * 7, x.size)[:COUNT] for key, x in sides.items()}
    pairs = {key: (np.resize(x, COUNT), x[(np.arange(COUNT) + shifts[key]) % x.size]) for key, x in sides.items()}
    results = program(list(pairs.values()))
    for key, pair in pairs.items():
        for name in accuracy.NAMES:
            n = sides[key].size if accuracy.arity(name) == 1 else COUNT if SOAK else COUNT // 8
            xy = [x[:n] for x in pair[: accuracy.arity(name)]]
            errors = accuracy.by_mpmath(name, results[key][name][:n], *xy)
            k = int(np.argmax(errors))
            assert errors.max() <= 2, (name, key, [x[k] for x in xy], errors[k])


@pytest.mark.skipif(not WIDER, reason="long double is double here")
def test_points_of_every_size():
    found = accuracy.worst(COUNT, 200 if SOAK else 2)
    bad = {(name, key): value for name, each in found.items() for key, value in each.items() if not value[0] <= 2}
    assert not bad


def test_a_number_has_the_same_bits_everywhere(program):
    # in the body of a vectorised loop and in its rest, and whether or not another number makes the loop run again
    x = {key: accuracy.points(dtype, COUNT, 7) for key, dtype in accuracy.DTYPES.items()}
    tame = {key: np.where(np.abs(a) < 1e9, a, 0.5).astype(a.dtype) for key, a in x.items()}
    second = {key: np.linspace(-3, 3, COUNT).astype(a.dtype) for key, a in x.items()}
    before = program([(a, second[key]) for key, a in tame.items()])
    turned = program([(np.roll(a, 3), np.roll(second[key], 3)) for key, a in tame.items()])
    for a in tame.values():
        a[5] = 1e22
    after = program([(a, second[key]) for key, a in tame.items()])
    for key in x:
        for name in accuracy.NAMES:
            first = before[key][name]
            np.testing.assert_array_equal(np.roll(turned[key][name], -3), first)
            np.testing.assert_array_equal(np.delete(after[key][name], 5), np.delete(first, 5))


def test_every_function_is_on_the_page():
    page = (accuracy.ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == set(accuracy.NAMES.values())


def test_loops_are_vectorised(tmp_path):
    found = compiler.find()
    if "Free Software Foundation" not in found.version or platform.machine() != "x86_64":
        pytest.skip("the report is gcc's")
    ask = lambda *options: subprocess.run([*found.command, *options], check=True, capture_output=True, text=True)
    macros = ask(*found.flags, "-dM", "-E", "-xc", os.devnull).stdout
    if int(re.search(r"__GNUC__ (\d+)", macros)[1]) < 12 or "__FMA__" not in macros:
        pytest.skip("older, or without fma")
    graph = wg.trace(lambda x: np.sum(np.log1p(np.exp(x * np.sin(x))) + x**2 * np.tanh(x))).graph(np.ones(100_000))
    text = wg.source(graph, "c", mode="reverse")
    path = tmp_path / "program.c"
    path.write_text(text)
    threads = compiler.THREADS if compiler._asked(found.command, "threads") else ()
    report = ask(*found.flags, *threads, "-fopt-info-vec-optimized", "-o", os.devnull, str(path), "-lm").stderr
    vectorised = {int(n) for n in re.findall(r"program\.c:(\d+):\d+: optimized: loop vectorized", report)}
    lines = text.splitlines()
    calls = [n for n, line in enumerate(lines, 1) if re.search(r"= (log1p|tanh|sech2)_f64\(v", line)]
    start = max(n for n, line in enumerate(lines, 1) if re.match(r"static void k\d+\(", line))  # not of the careful one
    heads = {max(k for k in range(1, n) if lines[k - 1].lstrip().startswith("for (")) for n in calls if n > start}
    assert heads
    assert heads <= vectorised


def test_a_failure_beside_a_huge_angle_is_the_careful_loops():
    # an integer to a negative power fails; what the first loop makes of 1e300 is no sine, and may be below -1
    f = wg.trace(lambda x, y: np.full(50, 10) ** (np.floor(np.sin(x) + 1).astype(np.int64) - y)).on("c")
    for huge in (1e300, -1e300, 1e22, 2.0**60):
        x, y = np.where(np.arange(50) == 7, huge, 0.5), np.zeros(50, np.int64)
        np.testing.assert_array_equal(f(x, y), 10 ** np.floor(np.sin(x) + 1).astype(np.int64))
    y[30] = 3
    with pytest.raises(ValueError, match="negative integer powers"):
        f(x, y)
