"""The arrows of the house: ir < backends < tracer < tools, read from the imports.

`violations` takes {path: source}, so that the second half of this file can turn each arrow round
and see it fail.
"""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("ir", "backends", "tracer", "tools")
DEPENDENCIES = {"attr", "attrs", "msgpack", "numpy"}
MEETING_POINT = {
    "wengert.backends", "wengert.backends.called", "wengert.backends.direct", "wengert.backends.protocol",
    "wengert.backends.program",
}
LONGEST = 400
PEERS = "wengert.tools.bench.peers"  # each imports the one that it is called after, and nothing imports it otherwise


# ----- Reading -----


def module_name(path):
    parts = Path(path).with_suffix("").parts
    return ".".join(("wengert", *parts)).removesuffix(".__init__")


def imports(source, modules):
    """Each import as (line, module, level, lazy, typing).

    lazy: inside a function.  typing: under TYPE_CHECKING.  `from a import b` is an import of `a.b`
    where that is a module, and of `a` where it is a name in it.
    """
    found = []

    def visit(node, lazy, typing):
        match node:
            case ast.Import(names=names):
                found.extend((node.lineno, name.name, 0, lazy, typing) for name in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                for name in names:
                    inner = f"{module}.{name.name}"
                    target = inner if inner in modules else module or ""
                    found.append((node.lineno, target, level, lazy, typing))
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(target)), *_],
            ):
                found.append((node.lineno, target, 0, lazy, typing))
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for child in node.body:
                    visit(child, lazy, True)
                for child in node.orelse:
                    visit(child, lazy, typing)
                return
        lazy = lazy or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, lazy, typing)

    visit(ast.parse(source), False, False)
    return list(dict.fromkeys(found))


# ----- Judging -----


def layer(module):
    return f"{module}.".split(".")[1]


def target(module, packages):
    """backends/<target>/...: a folder is a target, a file beside it is shared."""
    name = ".".join(module.split(".")[:3])
    return name if layer(module) == "backends" and name in packages else None


def printer(module, packages):
    """backends/source/<language>/...: likewise, one level down."""
    name = ".".join(module.split(".")[:4])
    return name if module.startswith("wengert.backends.source.") and name in packages else None


def differ(mine, other):
    return mine is not None and other is not None and mine != other


def complaint(here, there, lazy, packages):
    """What is wrong with `here` importing `there`, or None."""
    top = there.split(".")[0]
    if top != "wengert":
        if top in sys.stdlib_module_names or top in DEPENDENCIES:
            return None
        if layer(here) == "tools":
            named = lazy or here == f"{PEERS}.{top}"
            return None if named else f"{top} is an extra: import it in the function that needs it"
        return f"{top} is not a run-time dependency: {', '.join(sorted(DEPENDENCIES))}"

    if here == "wengert":
        at_once = layer(there) == "tools" and not lazy
        return "the facade reaches tools lazily, in a function" if at_once else None
    if there == "wengert":
        return None if layer(here) == "tools" else "nothing below tools imports the facade"
    if layer(there) not in LAYERS:
        return f"{there} is in no layer"
    if LAYERS.index(layer(there)) > LAYERS.index(layer(here)):
        return f"{layer(here)} is below {layer(there)}"
    if differ(target(here, packages), target(there, packages)):
        return "one target does not import another"
    if differ(printer(here, packages), printer(there, packages)):
        return "one printer does not import another"
    if layer(here) == "tracer" and layer(there) == "backends" and there not in MEETING_POINT:
        return f"the tracer knows backends only through {', '.join(sorted(MEETING_POINT))}"
    return None


def cycles(edges):
    """The modules that reach themselves along `edges`."""

    def reachable(start):
        seen, todo = set(), list(edges[start])
        while todo:
            module = todo.pop()
            if module not in seen:
                seen.add(module)
                todo.extend(edges.get(module, ()))
        return seen

    return [module for module in edges if module in reachable(module)]


def violations(files):
    """The rules broken by {path: source}, a sentence each."""
    modules = {module_name(path): path for path in files}
    packages = {module_name(path) for path in files if Path(path).name == "__init__.py"}
    broken, edges = [], {}
    for here, path in modules.items():
        edges[here] = set()
        length = len(files[path].splitlines())
        if length > LONGEST:
            broken.append(f"{path}: {length} lines, and {LONGEST} are the most")
        for line, there, level, lazy, typing in imports(files[path], modules):
            wrong = "imports are absolute" if level else complaint(here, there, lazy or typing, packages)
            if wrong:
                broken.append(f"{path}:{line}: imports {'.' * level}{there}, but {wrong}")
            if not (level or lazy or typing) and there in modules:
                edges[here].add(there)
    if loop := cycles(edges):
        broken.append(f"an import cycle runs through {', '.join(sorted(loop))}")
    return broken


# ----- The house as it stands -----


def test_the_house_stands():
    paths = [ROOT / "__init__.py", *(f for name in LAYERS for f in (ROOT / name).rglob("*.py"))]
    files = {f.relative_to(ROOT).as_posix(): f.read_text(encoding="utf-8") for f in paths}
    assert "\n".join(violations(files)) == ""


def test_every_folder_with_code_is_a_package():
    """One without `__init__.py` is seen by Python, and by neither setuptools nor mypy."""
    folders = {f.parent for name in LAYERS for f in (ROOT / name).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


# ----- Each rule, broken -----

HOUSE = {
    "__init__.py": """
from wengert.ir.graph import Graph
def demo():
    from wengert.tools import demo
""",
    "ir/__init__.py": "import attrs, msgpack, numpy, math",
    "ir/graph.py": "",
    "ir/ops/__init__.py": "from wengert.ir import graph",
    "backends/__init__.py": "",
    "backends/protocol.py": "from wengert.ir.graph import Graph",
    "backends/program.py": "from wengert.backends.protocol import Backend",
    "backends/reference/__init__.py": "from wengert.backends import protocol",
    "backends/vectorized/__init__.py": "",
    "backends/source/__init__.py": "",
    "backends/source/loops.py": "",
    "backends/source/c/__init__.py": "from wengert.backends.source import loops",
    "backends/source/python/__init__.py": "from wengert.backends.source.loops import nest",
    "tracer/__init__.py": """
from wengert.backends import compile
from wengert.backends.program import Program
""",
    "tools/__init__.py": "",
    "tools/demo.py": """
import wengert as wg
def main():
    import sklearn
""",
}


def test_a_house_in_order_has_nothing_to_complain_about():
    assert violations(HOUSE) == []


IR, SHARED = "ir/graph.py", "backends/program.py"
TARGET, GENERATOR = "backends/vectorized/__init__.py", "backends/source/loops.py"
PRINTER, TRACER, TOOL = "backends/source/c/__init__.py", "tracer/__init__.py", "tools/demo.py"

BROKEN = [
    (IR, "import wengert.backends.protocol", "ir is below backends"),
    (IR, "from wengert import tracer", "ir is below tracer"),
    (IR, "from wengert.tools import demo", "ir is below tools"),
    (IR, "import wengert", "nothing below tools imports the facade"),
    (IR, "def f():\n    from wengert.backends import protocol", "ir is below backends"),
    (IR, "if TYPE_CHECKING:\n    from wengert.tracer import trace", "ir is below tracer"),
    (IR, "def f():\n    importlib.import_module('wengert.backends')", "ir is below backends"),
    (IR, "def f():\n    import scipy", "not a run-time dependency"),
    (IR, "from . import ops", "imports are absolute"),
    (IR, "import wengert.ir.ops", "cycle runs through wengert.ir.graph, wengert.ir.ops"),
    (IR, "\n" * (LONGEST + 1), "401 lines"),
    (SHARED, "from wengert.tracer import trace", "backends is below tracer"),
    (SHARED, "from wengert.tools import demo", "backends is below tools"),
    (TARGET, "from wengert.backends import reference", "one target does not import another"),
    (TARGET, "import wengert.backends.source.loops", "one target does not import another"),
    (GENERATOR, "import wengert.backends.vectorized", "one target does not import another"),
    (PRINTER, "import wengert.backends.source.python", "one printer does not import another"),
    (TRACER, "from wengert.tools import demo", "tracer is below tools"),
    (TRACER, "from wengert.backends import vectorized", "the tracer knows backends only through"),
    ("__init__.py", "from wengert.tools import demo", "lazily"),
    (TOOL, "import wengert.tests.samples", "in no layer"),
    (TOOL, "import sklearn", "is an extra"),
]


@pytest.mark.parametrize(("path", "source", "complaint"), BROKEN)
def test_each_rule_is_enforced(path, source, complaint):
    assert complaint in "\n".join(violations(HOUSE | {path: source}))


def test_type_checking_breaks_a_cycle():
    cycle = "if TYPE_CHECKING:\n    import wengert.ir.ops"
    assert violations(HOUSE | {IR: cycle}) == []
