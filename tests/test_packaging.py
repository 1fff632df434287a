"""The wheel: what is in it, what is not, and that it works where nothing else is installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import wengert

ROOT = Path(__file__).parent.parent
LAYERS = ("ir", "backends", "tracer", "tools")


def run(*command, **options):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build_wheel(source, folder):
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def sources():
    """Every Python file that belongs to the package, relative to its root; the benchmarks are a clone's alone."""
    files = [ROOT / "__init__.py", *(f for name in LAYERS for f in (ROOT / name).rglob("*.py"))]
    return {path for f in files if not (path := f.relative_to(ROOT).as_posix()).startswith("tools/bench/")}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    # From a copy: setuptools leaves build/ behind, and what it finds there is in the next wheel.
    copy = tmp_path_factory.mktemp("source") / "clone"
    made = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=made)
    return build_wheel(copy, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The Python of a new environment: the wheel, its run-time dependencies, and no more."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", wheel)
    return python


def test_wheel_is_small_and_pure(wheel):
    assert wheel.name == f"wengert-{wengert.__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < 1_000_000


def test_wheel_holds_the_package_and_nothing_else(wheel):
    """When this fails after a folder was added: name it under `packages` in pyproject.toml."""
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name.removeprefix("wengert/") for name in names if name.endswith(".py")}

    assert inside == sources()
    assert "wengert/py.typed" in names
    folders = {"wengert", f"wengert-{wengert.__version__}.dist-info"}
    assert {name.split("/")[0] for name in names} == folders
    assert not [name for name in names if "tests" in name or "golden" in name]


def test_run_time_dependencies_are_three(installed):
    script = "import importlib.metadata as m; print(*m.requires('wengert'), sep='\\n')"
    required = run(installed, "-I", "-c", script).splitlines()
    required = [line for line in required if "extra ==" not in line]
    assert required == ["attrs>=23.1", "msgpack>=1.0", "numpy>=2.0"]


def test_installed_wheel_traces_differentiates_saves_and_loads(installed, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        """
import numpy as np
import wengert as wg

f = wg.trace(lambda a, b: (a + b) * (b + 1))
assert float(f(2.0, 1.0)) == 6.0
assert np.allclose(wg.grad(f, argnums=(0, 1))(2.0, 1.0), (2, 5))

f.graph(2.0, 1.0).save("f.wg")
g = wg.load("f.wg")
for name in ("reference", "numpy", "python"):
    h = g.on(name)
    assert float(h(2.0, 1.0)) == 6.0, name
    assert np.allclose(wg.grad(h, argnums=(0, 1))(2.0, 1.0), (2, 5)), name
print(wg.__file__)
"""
    )
    where = run(installed, "-I", script, cwd=tmp_path).strip()
    assert not Path(where).is_relative_to(ROOT)
    assert Path(where).is_relative_to(installed.parent.parent)


def test_the_command_is_installed(installed):
    """Without the `cli` extra it may do little, but it says so in a sentence."""
    command = [installed.parent / "wengert", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout or done.stderr


def test_the_benchmarks_are_a_clone_s(installed):
    script = "from wengert.tools.cli_commands import bench; bench(which=None, write=None, options=())"
    done = subprocess.run([installed, "-I", "-c", script], capture_output=True, text=True, check=False)
    assert "clone its repository, and say `make bench` there" in done.stderr
