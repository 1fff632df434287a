"""Backend auto: NumPy until C is there, in every mode; whatever happens to the compiler, there is an answer."""

import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert.backends import auto, protocol
from wengert.backends.source.c import BACKEND, shared
from wengert.backends.source.c.machine import cache, compiler

needs_compiler = pytest.mark.skipif(BACKEND.unavailable() is not None, reason=str(BACKEND.unavailable()))
X = np.linspace(0.1, 2, 7)


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("WENGERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WENGERT_AUTO", raising=False)
    monkeypatch.setattr(cache, "_loaded", type(cache._loaded)())
    monkeypatch.setattr(auto, "_warned", threading.Event())


def f(x):
    return np.sum(np.sin(x) * np.exp(x))


def runner(program):
    """What answers now: the numpy backend's function, or the other."""
    return type(program.run).__module__, getattr(program.run, "__module__", "")


@needs_compiler
def test_numpy_answers_until_c_does(monkeypatch):
    ready, compile_now = threading.Event(), compiler.Compiler.compile

    def later(*args):
        assert ready.wait(60)
        compile_now(*args)

    monkeypatch.setattr(compiler.Compiler, "compile", later)
    graph = wg.trace(f).graph(X).graph
    first = [protocol.get("numpy"), protocol.get("auto")]
    value, again = (b.compile(graph) for b in first)
    pull, pull_again = (b.reverse(graph, (0,)) for b in first)
    push, push_again = (b.forward(graph, (0,)) for b in first)
    ones = [np.ones(1)]

    def every(value, pull, push):
        return value([X])[0], pull([X], ones)[1][0], push([X], [np.ones((1, 7))])[1][0]

    before = again.run
    for a, b in zip(every(value, pull, push), every(again, pull_again, push_again), strict=True):
        np.testing.assert_array_equal(a, b)
    ready.set()
    assert auto.settle(60)
    assert again.run is not before
    c = protocol.get("c")
    exact = every(c.compile(graph), c.reverse(graph, (0,)), c.forward(graph, (0,)))
    for a, b in zip(every(again, pull_again, push_again), exact, strict=True):
        np.testing.assert_array_equal(a, b)


@needs_compiler
def test_it_waits_where_nothing_may_be_left_to_time(monkeypatch):
    monkeypatch.setenv("WENGERT_AUTO", "wait")
    graph = wg.trace(f).graph(X).graph
    program = protocol.get("auto").compile(graph)
    assert type(program.run) is type(protocol.get("c").compile(graph))
    assert not auto._WORKER.open()


def test_without_a_compiler_nothing_is_said(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with warnings.catch_warnings(), wg.backend("auto"):
        warnings.simplefilter("error")
        value, gradient = wg.value_and_grad(f)(X)
        assert auto.settle(10)
    assert value == f(X)
    np.testing.assert_allclose(gradient, (np.sin(X) + np.cos(X)) * np.exp(X), rtol=1e-14)
    assert wg.available_backends()["auto"] is None


def test_a_compiler_that_fails_is_told_of_once(tmp_path, monkeypatch):
    script = tmp_path / "cc"
    script.write_text('#!/bin/sh\ncase "$*" in *--version*) echo 1;; *) echo "some reason"; exit 3;; esac\n')
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with warnings.catch_warnings(record=True) as told, wg.backend("auto"):
        warnings.simplefilter("always")
        functions = [wg.trace(lambda x, k=k: np.sum(np.sin(x)) * k) for k in (2.0, 3.0)]
        for _ in range(3):
            assert [g(X) for g in functions] == [np.sum(np.sin(X)) * k for k in (2.0, 3.0)]
            assert auto.settle(60)
    assert len(told) == 1
    assert "some reason" in str(told[0].message)


LEAVES = """
import os, sys, time
import numpy as np
import wengert as wg
from wengert.backends import auto

with wg.backend("auto"):
    f = wg.trace(lambda x: np.sum(np.sin(x)))
    assert f(np.ones(3)) == np.sum(np.sin(np.ones(3)))
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
    else:  # the compiler hangs here too
        assert f(np.ones(3)) == np.sum(np.sin(np.ones(3)))
        assert not auto.settle(0.1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_python_ends_while_a_compiler_runs(tmp_path):
    script, started, left = tmp_path / "cc", tmp_path / "started", tmp_path / "tmp"
    left.mkdir()
    script.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) echo 1;; *-E*) ;; *) echo $$ >> {started}; exec sleep 100;; esac\n'
    )
    script.chmod(0o755)
    root = Path(wg.__file__).parent.parent
    env = os.environ | {"CC": str(script), "TMPDIR": str(left), "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", LEAVES, str(started)], env=env, check=True, timeout=60)
    assert list(left.iterdir()) == []
    assert [p.name for p in (tmp_path / "cache").iterdir()] == []
    for process in started.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


@needs_compiler
def test_the_caller_never_compiles(monkeypatch):
    """Derivatives are built when they are first called, by others; here, before C takes over."""
    callers = []
    monkeypatch.setattr(shared, "load", lambda text: callers.append(threading.current_thread()) or cache.load(text))
    x = np.linspace(0.1, 1, 7)
    program = wg.trace(f).graph(x)
    gradient = wg.grad(program.on("auto"))
    wanted = wg.grad(program.on("numpy"))(x)
    np.testing.assert_allclose(gradient(x), wanted, rtol=1e-13)
    auto.settle()
    np.testing.assert_allclose(gradient(x), wanted, rtol=1e-13)
    assert callers
    assert threading.main_thread() not in callers
