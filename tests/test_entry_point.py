"""A backend from another distribution: installed from a wheel, found by its name, and used like our own."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import wengert

SOURCE = '''
"""A backend that adds nothing: it counts what it is asked for, and lets numpy answer."""

from wengert.backends import protocol


class Toy:
    name = "toy"

    def __init__(self):
        self.asked = []

    def unavailable(self):
        return None

    def compile(self, graph):
        self.asked.append("value")
        return protocol.get("numpy").compile(graph)

    def forward(self, graph, active):
        self.asked.append("forward")
        return protocol.get("numpy").forward(graph, active)

    def reverse(self, graph, active):
        self.asked.append("reverse")
        return protocol.get("numpy").reverse(graph, active)

    def source(self, graph):
        return f"toy: {len(graph.nodes)} nodes"


backend = Toy()
broken = object()
'''

FILES = {
    "toy_package.py": SOURCE,
    "toy_wengert-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toy-wengert\nVersion: 1.0\n",
    "toy_wengert-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "toy_wengert-1.0.dist-info/entry_points.txt": (
        "[wengert.backends]\ntoy = toy_package:backend\nbroken = toy_package:broken\nnowhere = no_such_module:backend\n"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the toy's wheel is installed, and nothing else."""
    base = tmp_path_factory.mktemp("toy")
    wheel = base / "toy_wengert-1.0-py3-none-any.whl"
    record = "".join(f"{name},,\n" for name in FILES) + "toy_wengert-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**FILES, "toy_wengert-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, text)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", base / "site", wheel]
    subprocess.run(command, check=True)
    return base / "site"


def run(folder, script):
    root = Path(wengert.__file__).parent.resolve()
    named = folder.parent / "root"
    if not named.exists():
        named.mkdir()
        (named / "wengert").symlink_to(root, target_is_directory=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(named)])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_is_listed_and_used_in_every_mode(folder):
    lines = run(folder, """
import wengert as wg
assert wg.available_backends()["toy"] is None
f = wg.trace(lambda a, b: (a + b) * (b + 1)).graph(2.0, 1.0).on("toy")
print(f(2.0, 1.0), *map(float, wg.grad(f, argnums=(0, 1))(2.0, 1.0)), float(wg.jvp(f, (2.0, 1.0), (0.0, 1.0))[1]))
with wg.backend("toy"):
    print(wg.trace(lambda x: x * x)(3.0), wg.default_backend())
print(wg.source(f, "toy"))
import toy_package
print(*toy_package.backend.asked)
""")  # fmt: skip
    assert lines == ["6.0 2.0 5.0 5.0", "9.0 toy", "toy: 3 nodes", "value reverse forward value"]


def test_what_is_no_backend_is_said_to_be_none(folder):
    (line,) = run(folder, """
import wengert as wg
reasons = wg.available_backends()
assert "does not follow wengert.backends.protocol.Backend" in reasons["broken"], reasons
assert "no_such_module" in reasons["nowhere"], reasons
assert reasons["numpy"] is None
try:
    wg.trace(abs).graph(1.0).on("broken")
except wg.BackendError as error:
    print("said")
""")  # fmt: skip
    assert line == "said"


def test_without_it_there_is_none():
    assert "toy" not in wengert.available_backends()
