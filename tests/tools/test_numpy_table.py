"""The table of NumPy's names: complete, measured, up to date, and able to see what is wrong."""

import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert.ir.errors import TraceError
from wengert.tools import cli_commands
from wengert.tools.coverage import names, pages, probe as probing, table as coverage
from wengert.tools.coverage.probe import CONSTANT, DIFFERENTIABLE, NOT_NEEDED, REFUSED, probe, slopes
from wengert.tools.coverage.rivals import AUTOGRAD, JAX
from wengert.tools.coverage.samples import as_it_is
from wengert.tools.coverage.samples.values import V, W
from wengert.tracer.numpy_api import refused, special

KEPT = Path(__file__).parent.parent.parent / "docs" / "numpy.md"
SAMPLES = {name: one for name, one in coverage.samples().items() if names.resolve(name) is not None}


@pytest.fixture(scope="module")
def table():
    return coverage.make()


# ----- The table as it stands -----


def test_nothing_is_wrong(table):
    assert "\n".join(table.faults) == ""


def test_every_public_name_is_one_of_five_things(table):
    assert {row.kind for row in table.rows.values()} <= set(coverage.CLASSES)
    listed = [row.name for rows in table.chapters.values() for row in rows]
    assert sorted(listed) == sorted(set(listed))
    public = {name for chapter in names.public().values() for name in chapter}
    assert public <= set(listed)
    assert {"interp", "add", "add.reduceat", "linalg.solve", "fft.rfft", "ndarray.sum", "ndarray.__iadd__",
            "random.Generator.normal", "polynomial.legendre.legval", "numpy"} - set(listed) == {"numpy"}  # fmt: skip


def test_whatever_numpy_dispatches_has_a_row(table):
    functions = {names.path(f) for f in names.overridable_functions()}
    assert functions - set(table.rows) == set()
    ufuncs = {names.inner(u) or u.__name__ for u in names.overridable_ufuncs()}
    assert ufuncs - set(table.rows) == set()


def test_a_refused_name_says_why_or_waits(table):
    for row in table.rows.values():
        if row.kind == REFUSED:
            assert row.text == "not yet" if not row.decided else row.text.endswith("."), row


def test_docs_are_up_to_date(table):
    """With the versions of the page exactly; with others, name by name, but for what works by how it is written."""
    kept, made = KEPT.read_text(encoding="utf-8"), pages.markdown(table)
    if pages.versions() in kept:
        assert kept == made, "write it with: wengert numpy --write docs/numpy.md"
        return
    before, after = (dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", text, re.MULTILINE)) for text in (kept, made))
    assert len(before) > 500
    both = [name for name in before if name in after and not name.startswith(("polynomial.", "scipy."))]
    assert {name: after[name] for name in both if after[name] != before[name]} == {}


def test_declarations_are_what_plain_numpy_does():
    """Differentiable arguments move the result, smoothly, and the others do not, whether or not it can be traced.

    But for ufuncs of SciPy that cannot: those are not called.
    """
    called = [name for name in SAMPLES if not isinstance(names.resolve(name), np.ufunc) or not name.startswith("scipy.")
              or special.ops_of(name.removeprefix("scipy.special."))]  # fmt: skip
    found = {name: slopes(SAMPLES[name].call) for name in called}
    declared = {name: {argument: argument in SAMPLES[name].moving for argument in its} for name, its in found.items()}
    assert {name: its for name, its in found.items() if its != declared[name]} == {}


def test_the_lists_of_others_are_whole(table):
    assert len(AUTOGRAD) == len(set(AUTOGRAD)) == 152
    assert [name for name in AUTOGRAD if name not in table.rows and name not in names.SOMETIMES] == []
    assert len(JAX) == 412 + 31 + 18


def test_nothing_that_others_differentiate_is_given_up(table):
    """What of autograd's names is not differentiable waits to be written."""
    here = [table.rows[name] for name in AUTOGRAD if name in table.rows]
    assert [row.name for row in here if row.kind != DIFFERENTIABLE and row.decided] == []
    (line,) = (line for line in pages.counts(table) if "autograd" in line)
    assert line.endswith(f" {sum(row.kind == DIFFERENTIABLE for row in here)}.")


# ----- It sees what is wrong -----


@pytest.fixture
def afresh():
    yield names.public.cache_clear
    names.public.cache_clear()
    coverage.samples.cache_clear()


def faults_of(name):
    return [fault for row in coverage.one(name) for fault in row.faults]


def test_a_new_name_of_numpy_is_a_fault(monkeypatch, afresh):
    monkeypatch.setattr(np, "brand_new", lambda x: x, raising=False)
    afresh()
    assert faults_of("brand_new") == ["it is in NumPy, and not in this table"]


def test_a_declaration_of_nothing_is_a_fault(monkeypatch, table):
    monkeypatch.setitem(coverage.samples(), "linalg.nothing", coverage.Sample(CONSTANT, lambda: 1))
    monkeypatch.setitem(refused.REASONS, "nowhere", ("because.", "Do."))
    monkeypatch.setitem(as_it_is.NAMES, "nobody", "a class")
    assert [fault.split(":")[0] for fault in coverage._strays(table.rows)] == ["linalg.nothing", "nowhere", "nobody"]
    monkeypatch.setattr(names, "SOMETIMES", names.SOMETIMES | {"linalg.nothing", "nowhere", "nobody"})
    assert coverage._strays(table.rows) == []


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (coverage.Sample(CONSTANT, lambda x=V: np.sin(x)), "declared locally constant, and was found differentiable"),
        (coverage.Sample(DIFFERENTIABLE, lambda x=V: np.floor(x)), "declared differentiable, and was found locally"),
        (coverage.Sample(NOT_NEEDED, lambda x=V: x > 0.5), "declared no derivative needed, and was found locally"),
        (coverage.Sample(CONSTANT, lambda x=V: np.ones_like(x)), "declared locally constant, and was found no deriv"),
        (coverage.Sample(DIFFERENTIABLE, lambda x=V, y=W: np.copysign(x, y)), "differentiable in y, and was not found"),
        (coverage.Sample(DIFFERENTIABLE, lambda x=V, *, y=W: x * y), "differentiable in y, which is declared locally"),
    ],
)
def test_a_wrong_declaration_is_a_fault(monkeypatch, declared, found):
    monkeypatch.setitem(coverage.samples(), "sinh", declared)
    assert found in " ".join(coverage._row("sinh", {}).faults)


def test_a_wrong_derivative_is_a_fault():
    found = probe(lambda x=V: x * wg.stop_gradient(x))
    assert found.kind == DIFFERENTIABLE
    assert found.faults[0].startswith("in x: forward mode gives")
    silent = probe(lambda x=V: wg.stop_gradient(x * x))
    assert silent.faults


def test_a_wrong_reverse_mode_is_a_fault(monkeypatch):
    from wengert.backends import protocol

    class Wrong:
        def __init__(self, backend):
            self.compile, self.forward, self.backend = backend.compile, backend.forward, backend

        def reverse(self, graph, active):
            run = self.backend.reverse(graph, active)

            def twice(inputs, cotangents):
                values, pulled = run(inputs, cotangents)
                return values, [2 * p for p in pulled]

            return twice

    wrong = Wrong(protocol.get("numpy"))
    monkeypatch.setattr(probing.protocol, "get", lambda name: wrong)
    (fault,) = probe(lambda x=V: np.exp(x)).faults
    assert "reverse mode gives" in fault


def test_a_wrong_value_and_a_wrong_dtype_are_faults():
    other = iter(range(100))
    assert "it computes" in probe(lambda x=V: x + next(other)).faults[0]
    assert "it gives 1 arrays" in probe(lambda x=V: [x] * (1 if "traced" in repr(x) else 2)).faults[0]
    exact = np.array([0.5, 0.25])
    assert "its dtype" in probe(lambda x=exact: x if "traced" in repr(x) else x.astype(np.float32)).faults[0]


def test_what_is_frozen_without_a_guard_is_a_fault():
    def sorted_once(x=V):
        return x[np.argsort(x.owner.evaluate(x.value) if "traced" in repr(x) else x)]

    (fault,) = probe(sorted_once).faults
    assert "at another point it computes" in fault
    assert probe(lambda x=V: x[0] if x[0] < x[1] else x[2]).faults == ()


def test_an_error_that_is_not_ours_is_a_fault():
    found = probe(lambda x=V: {}[x])
    assert found.kind == REFUSED
    assert "TypeError: unhashable" in found.faults[0]


def test_one_refused_argument_is_named():
    found = probe(lambda x=V, y=W: x * y if y.tobytes() else x)
    assert found.kind == DIFFERENTIABLE
    assert found.arguments == {"x": DIFFERENTIABLE, "y": REFUSED}


def test_what_is_declared_refused_and_can_be_traced_is_a_fault(monkeypatch):
    monkeypatch.setitem(refused.REASONS, "sinh", ("because.", "Do."))
    assert faults_of("sinh") == ["it is declared refused, and can be traced: take it out of REASONS"]


# ----- What users see -----


def test_a_refusal_says_why_and_what_instead():
    with pytest.raises(TraceError, match=r"numpy\.save cannot be traced: a file .* Return the array, and save it out"):
        wg.trace(lambda x: np.save(io.BytesIO(), x))(V)


def test_an_unknown_function_points_at_the_table():
    def unknown():
        pass

    unknown.__module__ = "numpy"
    error = refused.refusal(unknown)
    assert isinstance(error, TraceError)
    assert "numpy.unknown cannot be traced yet" in str(error)
    assert "wengert numpy" in str(error)


def test_the_command_shows_one_row():
    done = subprocess.run([sys.executable, "-m", "wengert.tools.cli", "numpy", "np.copysign"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("copysign: differentiable\n    x; locally constant in y\n")
    assert "\ncopysign.outer: differentiable" in done.stdout
    with pytest.raises(cli_commands.MisuseError, match="nothing is no public name"):
        cli_commands.numpy(name="nothing", check=False, write=None)


@pytest.mark.parametrize(("faults", "status"), [((), 0), (("sin: it is wrong",), 1)])
def test_the_command_checks(monkeypatch, capsys, table, faults, status):
    monkeypatch.setattr(coverage, "make", lambda: coverage.Table(table.chapters, faults))
    with pytest.raises(SystemExit) as done:
        cli_commands.numpy(name=None, check=True, write=None)
    assert done.value.code == status
    assert capsys.readouterr().err.endswith("\n".join((*faults, f"{len(faults)} faults.\n")))


def test_the_command_writes(monkeypatch, tmp_path, table):
    monkeypatch.setattr(coverage, "make", lambda: table)
    with pytest.raises(SystemExit):
        cli_commands.numpy(name=None, check=False, write=tmp_path / "docs" / "numpy.md")
    assert (tmp_path / "docs" / "numpy.md").read_text(encoding="utf-8") == pages.markdown(table)
