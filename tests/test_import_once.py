"""The root of the repository is the package `wengert`, and is imported under no other name."""

import sys
from pathlib import Path

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
