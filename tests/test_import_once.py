"""The root of the repository is the package `wengert`, and is imported under no other name."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wengert

ROOT = Path(__file__).resolve().parent.parent


def proper_name(path):
    return ".".join(("wengert", *path.with_suffix("").parts)).removesuffix(".__init__")


def test_wengert_is_this_clone():
    assert Path(wengert.__file__).resolve() == ROOT / "__init__.py"


def test_no_file_is_imported_under_a_second_name():
    names = {}
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and (path := Path(file).resolve()).is_relative_to(ROOT):
            names.setdefault(path.relative_to(ROOT), []).append(name)
    elsewhere = {".venv", "tests"}
    ours = {path: found for path, found in names.items() if path.parts[0] not in elsewhere}

    assert ours
    assert ours == {path: [proper_name(path)] for path in ours}


# ----- What is imported, and when -----

#: What a function's first trace, call and gradient do without.
LATER = """
    backends.reference backends.source ir.autodiff ir.bottleneck ir.envelope ir.jacobians ir.parser ir.passes.reroll
    ir.passes.schedules ir.passes.stabilising ir.passes.tiling ir.sparsity ir.symbolic.schema ir.symbolic.witnesses ir.text
    ir.verify ir.wire tools tracer.batching tracer.control tracer.custom tracer.implicit tracer.matrices tracer.products
    tracer.series tracer.structured tracer.symbolic
""".split()


def modules_after(script):
    """The modules of a new process that has run it."""
    command = [sys.executable, "-c", f"{script}\nimport sys; print(*sys.modules)"]
    paths = os.pathsep.join(p for p in sys.path if p)
    return set(subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": paths}).stdout.split())


def test_import_alone_loads_nothing():
    modules = modules_after("import wengert")
    assert {m for m in modules if m.startswith("wengert.")} == set()
    assert modules.isdisjoint({"attrs", "msgpack", "numpy"})


def test_folders_are_attributes():
    assert {"wengert.ir", "wengert.backends"} <= modules_after("import wengert; wengert.ir, wengert.backends")


def test_a_first_gradient_loads_what_it_needs():
    modules = modules_after("import wengert as wg; assert wg.grad(wg.trace(lambda x: x * x))(2.0) == 4.0")
    assert [m for m in modules if any(f"{m}.".startswith(f"wengert.{late}.") for late in LATER)] == []
    assert modules.isdisjoint({"msgpack", "scipy"})


def test_names_are_the_same_to_type_checkers_and_when_run():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node.body for node in tree.body if isinstance(node, ast.If))
    told = {name.asname or name.name: (node.module, name.name) for node in block for name in node.names}
    names = sorted((public, f"wengert.{home}", original or public)
                   for home, words in wengert._HOMES.items()
                   for public, _, original in (word.partition("=") for word in words.split()))
    assert names == sorted((public, *where) for public, where in told.items())
    assert [public for public, *_ in names] == sorted(wengert.__all__)
    assert set(wengert.__all__) <= set(dir(wengert))
    for public, home, original in names:
        assert getattr(wengert, public) is getattr(sys.modules[home], original)
    with pytest.raises(AttributeError, match="module 'wengert' has no attribute 'gradd'"):
        _ = wengert.gradd
