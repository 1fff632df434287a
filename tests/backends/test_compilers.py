"""Backend c: each compiler that is here gives the same numbers; they are asked once; none at all is a sentence."""

import os
import shutil

import numpy as np
import pytest

import wengert as wg
from wengert.backends.source.c import BACKEND
from wengert.backends.source.c.machine import cache, compiler
from wengert.ir.errors import BackendError

HERE = {name: shutil.which(name) for name in ("cc", "gcc", "clang")}
HERE["zig"] = " ".join(next(iter(compiler._zig()), ())) or None


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("WENGERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_loaded", type(cache._loaded)())
    for cached in (compiler._search, compiler._asked):
        cached.cache_clear()
    yield
    for cached in (compiler._search, compiler._asked):
        cached.cache_clear()


def gradient(x):
    return wg.value_and_grad(lambda x: np.sum(np.tanh(x) * np.exp(-x) + np.sin(x)), backend="c")(x)


@pytest.mark.parametrize("name", [name for name, found in HERE.items() if found])
def test_each_compiler_gives_the_same_numbers(name, monkeypatch):
    monkeypatch.setenv("CC", HERE[name])
    x = np.linspace(-3, 3, 40)
    value, slopes = gradient(x)
    np.testing.assert_allclose(value, np.sum(np.tanh(x) * np.exp(-x) + np.sin(x)), rtol=1e-14)
    exact = (1 / np.cosh(x) ** 2 - np.tanh(x)) * np.exp(-x) + np.cos(x)
    np.testing.assert_allclose(slopes, exact, rtol=1e-13)


@pytest.mark.skipif(not HERE["zig"], reason="the extra zig is not installed")
def test_zig_alone_is_found_without_a_path(monkeypatch):
    for name in ("CC", "HOME", "ZIG_GLOBAL_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    assert compiler.find().command == tuple(HERE["zig"].split())


def test_without_a_compiler_there_is_a_sentence(monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(compiler, "_zig", list)
    assert BACKEND.unavailable().endswith("Install one (gcc, clang, or `pip install ziglang`), or name one in $CC.")
    with pytest.raises(BackendError, match="'cc' is not an executable program on the PATH; 'gcc' is not"):
        compiler.find()


@pytest.mark.skipif(not HERE["gcc"], reason="no gcc")
def test_a_compiler_is_asked_once(monkeypatch):
    monkeypatch.setenv("CC", HERE["gcc"])
    first = compiler.find()
    flags = first.flags
    for cached in (compiler._search, compiler._asked):  # as in another process
        cached.cache_clear()
    monkeypatch.setattr(compiler, "_run", lambda *args: pytest.fail("asked again"))
    assert (compiler.find(), compiler.find().flags) == (first, flags)


@pytest.mark.skipif(os.name != "posix", reason="scripts")
def test_what_runs_another_program_is_asked_each_time(tmp_path, monkeypatch):
    script = tmp_path / "cc"
    monkeypatch.setenv("CC", str(script))
    for version in ("1", "2"):
        script.write_text(f"#!/bin/sh\necho {version}\n")
        script.chmod(0o755)
        for cached in (compiler._search, compiler._asked):
            cached.cache_clear()
        assert compiler.find().version.strip() == version
