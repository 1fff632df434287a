"""What every test may use: the `golden` fixture, and Hypothesis at two strengths."""

import difflib
import gc
import itertools
import os
from pathlib import Path

import hypothesis
import law_page
import pytest

from wengert.backends.source.c.machine import compiler

GOLDEN = Path(__file__).parent / "golden"
SOAK = bool(os.environ.get("WENGERT_SOAK"))
FLAGS = compiler.FLAGS
_RAN = itertools.count(1)
UNOPTIMISED = tuple("-O0" if flag == "-O3" else flag for flag in FLAGS)

# By default a run is repeatable; `make soak` looks for what the fixed examples miss. Nothing is
# timed: a busy machine is not a bug.
_calm = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
hypothesis.settings.register_profile(
    "default", derandomize=True, deadline=None, max_examples=50, suppress_health_check=_calm
)
hypothesis.settings.register_profile(
    "soak", deadline=None, max_examples=2000, print_blob=True, suppress_health_check=_calm
)
hypothesis.settings.load_profile("soak" if SOAK else "default")


def pytest_addoption(parser):
    rewrite = "rewrite tests/golden with what is generated now"
    parser.addoption("--update-golden", action="store_true", help=rewrite)
    parser.addoption("--laws-page", metavar="FILE", type=Path, help="write how many cases the laws had, and their worst errors")


def pytest_configure(config):
    config.pluginmanager.register(_RootIsTheProduct())
    config.addinivalue_line("markers", "optimised(yes): whether C is compiled as a user's")


def pytest_collection_finish():
    """The tests themselves, by the ten thousand, are no garbage, and need not be looked through for it again and again."""
    gc.collect()
    gc.freeze()


def pytest_runtest_logfinish(nodeid, location):
    """Nor need what tests keep for others: looking through it all takes seconds in the end."""
    if next(_RAN) % 200 == 0:
        gc.collect(1)
        gc.freeze()


class _RootIsTheProduct:
    """The root has an `__init__.py`, since it is the package. pytest would take it for a package of
    tests, and import it a second time under the name of the clone's folder.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path, parent):
        if path == parent.config.rootpath:
            return pytest.Dir.from_parent(parent, path=path)
        return None


def pytest_runtest_setup(item):
    """The C of most tests is compiled without optimisation, which takes a third of the time; in `make soak` with it."""
    compiler.FLAGS = FLAGS if SOAK or _optimised(item) else UNOPTIMISED


def _optimised(item):
    """What optimisers may do is asked of every op by the law of values, of edges by that of conventions, of the target by its
    own tests, and of random programs.
    """
    place = item.path.relative_to(Path(__file__).parent).parts[0]
    marked = item.get_closest_marker("optimised")
    return place in ("backends", "test_agreement.py") if marked is None else marked.args[0]


@pytest.fixture
def golden(request):
    """`golden(text, name)` compares text with tests/golden/<test file>/<name>.txt.

    Without a name, it is that of the test.
    """

    def compare(text, name=None):
        __tracebackhide__ = True
        name = name or request.node.name.removeprefix("test_")
        safe = "".join(c if c.isalnum() or c in "-_.[]," else "-" for c in name)
        path = GOLDEN / request.path.stem / f"{safe}.txt"
        text = text.rstrip("\n") + "\n"

        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
            return

        kept = path.read_bytes().decode() if path.exists() else ""
        if text != kept:
            shown = path.relative_to(request.config.rootpath).as_posix()
            diff = difflib.unified_diff(
                kept.splitlines(), text.splitlines(), shown, "generated now", lineterm=""
            )
            test = request.path.relative_to(request.config.rootpath).as_posix()
            pytest.fail(
                f"{shown} {'differs' if kept else 'does not exist'}. If the new text is right:\n"
                f"    .venv/bin/python -m pytest {test} --update-golden\n\n" + "\n".join(diff),
                pytrace=False,
            )

    return compare


def pytest_terminal_summary(terminalreporter, config):
    """How many cases the laws had (see the fixture `cases`), and what became of the random programs."""
    counts, cases = {}, []
    for report in terminalreporter.getreports("passed"):
        for key, n in report.user_properties:
            if key == "cases":
                cases.append(n)
            elif key.startswith("agreement: "):
                counts.setdefault(key, []).append(n)
    if cases:
        terminalreporter.write_line(f"laws: {sum(n for *_, n, _ in cases):,} cases in {len(cases):,} tests")
    for key in sorted(counts):
        terminalreporter.write_line(f"{key}: {sum(counts[key]):,}")
    if page := config.getoption("--laws-page"):
        page.write_text(law_page.page(cases))
