"""Unmodified NumPy code (tests/snippets): values and both gradients on every backend, and through a file."""

import ast
import functools
import inspect
import os
from pathlib import Path

import numpy as np
import pytest
from snippet_cases import CHAPTERS, NOT_YET, SNIPPETS
from snippet_checks import BACKENDS, copied, differences, distance, forward, leaves, outcome, reverse, weights

import wengert as wg

WORKING = [name for name in SNIPPETS if name not in NOT_YET]
PAGE = Path(__file__).parent.parent / "docs" / "snippets.md"


@functools.cache
def prepared(name):
    """The graph, the arguments, what plain NumPy gives, cotangents, and the gradient by differences."""
    function, args = SNIPPETS[name]
    want = function(*copied(args))
    w = weights(want)
    return wg.trace(function).graph(*copied(args)), args, want, w, differences(function, args, w)


@pytest.mark.parametrize("name", WORKING)
def test_result_is_numpys(name):
    function, args = SNIPPETS[name]
    plain, given = copied(args), copied(args)
    want, got = function(*plain), wg.trace(function)(*given)

    assert type(got) is type(want) or np.ndim(want) == 0
    assert [np.shape(leaf) for leaf in leaves(got)] == [np.shape(leaf) for leaf in leaves(want)]
    assert [np.asarray(leaf).dtype for leaf in leaves(got)] == [np.asarray(leaf).dtype for leaf in leaves(want)]
    assert distance(outcome(got), outcome(want)) < 1e-12
    np.testing.assert_array_equal(outcome(given), outcome(plain))  # written into only where NumPy writes


#: C is compiled for each: one in five, and all of them in `make soak`.
ASKED = [
    (name, backend) for i, name in enumerate(WORKING) for backend in BACKENDS
    if backend != "c" or i % 5 == 0 or os.environ.get("WENGERT_SOAK")
]


@pytest.mark.parametrize(("name", "backend"), ASKED)
def test_values_and_gradients(name, backend):
    if wg.available_backends()[backend]:
        pytest.skip(wg.available_backends()[backend])
    graph, args, want, w, slopes = prepared(name)
    program = graph.on(backend)
    back, fore = reverse(program, args, w), forward(program, args, w)

    assert distance(outcome(program(*copied(args))), outcome(want)) < 1e-12
    assert distance(back, slopes) < 1e-7
    assert distance(fore, back) < 1e-11
    assert np.any(back != 0)


@pytest.mark.parametrize("name", WORKING)
def test_saved_and_loaded(name, tmp_path):
    graph, args, want, w, _ = prepared(name)
    graph.save(tmp_path / "f.wg")
    loaded = wg.load(tmp_path / "f.wg")

    np.testing.assert_array_equal(outcome(loaded(*copied(args))), outcome(graph(*copied(args))))
    np.testing.assert_array_equal(reverse(loaded, args, w), reverse(graph, args, w))


@pytest.mark.parametrize("name", NOT_YET)
def test_not_yet(name):
    """What is listed as not working does not; once it does, it leaves the list."""
    function, args = SNIPPETS[name]
    with pytest.raises(TypeError, match=NOT_YET[name]):  # a TraceError is one
        wg.trace(function).graph(*copied(args))


def test_snippets_know_nothing_of_us():
    for chapter in CHAPTERS.values():
        imported = [node for node in ast.walk(ast.parse(inspect.getsource(chapter))) if isinstance(node, (ast.Import, ast.ImportFrom))]
        modules = {name for node in imported for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])}
        assert {name.partition(".")[0] for name in modules} <= {"collections", "dataclasses", "functools", "itertools", "math", "numpy", "operator"}


def test_every_function_of_a_chapter_is_run():
    helpers = {"rk4", "joint", "skew", "Dense", "Settings", "SETTINGS", "Perceptron"}
    for title, chapter in CHAPTERS.items():
        names = {name for name, value in vars(chapter).items() if getattr(value, "__module__", "") == chapter.__name__}
        table = {name.partition(".")[2] for name in SNIPPETS if name.startswith(f"{title}.")}
        assert names - helpers == table


def test_page_lists_them_all():
    page = PAGE.read_text()
    for name, (function, _) in SNIPPETS.items():
        assert f"`{name.partition('.')[2]}`" in page
        assert inspect.getdoc(function) in page, "run `python tests/snippet_page.py`"
    assert f"{len(WORKING)} of {len(SNIPPETS)}" in page
