"""The benchmark: its rows against differences and wengert, its C against its NumPy, and what it tells."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from wengert.tools.bench import page, plot, race, timing, worker
from wengert.tools.bench.entry import PEERS, Absent, Entry, close, entry, flat, installed, reference
from wengert.tools.bench.machine import facts, machine
from wengert.tools.bench.rows import ROWS, chosen

SMALL = [row for row in ROWS if row.tiny or row.name == "product"]  # lotka has its steps at any size
FIRST = {row.function.__name__ + row.asked: row for row in reversed(SMALL)}  # one of each function


def along(row, directions, h):
    """The results, as they are, of arguments moved along the directions."""
    given = list(row.arguments(tiny=True))
    for i, d in directions.items():
        given[i] = given[i] + h * d
    return given


def five_points(f):
    h = 1e-3
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@pytest.mark.parametrize("row", [*FIRST.values(), *chosen("lotka")], ids=lambda row: row.name)
def test_the_derivative_by_hand_is_that_of_differences(row):
    """Along a random direction in every argument that a derivative is taken in."""
    rng = np.random.default_rng(1)
    given = row.given(tiny=True)
    directions = {i: rng.normal(size=np.shape(given[i])) for i in row.argnums}
    at = lambda h: along(row, directions, h)
    result = row.by_hand(*given)
    if row.asked == "gradient":
        assert math.isclose(result[0], row.function(*given), rel_tol=1e-12)
        found = sum(np.sum(g * d) for g, d in zip(result[1], directions.values(), strict=True))
        expected = five_points(lambda h: row.function(*at(h)))
    elif row.asked == "product":
        gradient = next(r for r in ROWS if r.function is row.function and r.asked == "gradient").by_hand
        found, expected = result[1][0], five_points(lambda h: gradient(given[0] + h * given[1])[1][0])
    elif row.asked == "hessian":
        (d,) = directions.values()
        found = d @ result @ d
        h = 1e-2
        f = lambda t: row.function(*at(t))
        expected = (-f(2 * h) + 16 * f(h) - 30 * f(0) + 16 * f(-h) - f(-2 * h)) / (12 * h * h)
    else:
        (d,) = directions.values()
        found = (result @ d[..., None])[..., 0] if row.asked == "blocks" else result @ d
        expected = five_points(lambda h: row.function(*at(h)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("row", FIRST.values(), ids=lambda row: row.name)
def test_wengert_computes_it(row):
    its = entry("numpy", row, tiny=True)
    assert close(its.read(its.call(*its.args)), reference(row, tiny=True)) < 1e-12
    if its.value is not None and row.asked == "gradient":
        assert math.isclose(its.value(*its.value_args), row.by_hand(*row.given(tiny=True))[0], rel_tol=1e-12)


def test_the_c_by_hand_agrees():
    for row in [*FIRST.values(), *chosen("lotka")]:
        try:
            its = entry("hand-c", row, tiny=True)
        except Absent as why:
            assert "needs a C compiler" in str(why) or row.name == "xor"
            continue
        assert close(its.read(its.call(*its.args)), reference(row, tiny=True)) < 1e-9, row.name


def test_every_row_of_the_issue_is_there():
    assert len(ROWS) == 17
    assert len({row.title for row in ROWS}) == 17
    assert [row.name for row in chosen("gmm,lotka")] == ["gmm10", "gmm64", "lotka"]
    with pytest.raises(ValueError, match="No row is called dance; there are product"):
        chosen("dance")


def test_what_differs_is_no_result():
    with pytest.raises(ValueError, match="differs from the derivative by hand by 1.0e-03 of its largest number"):
        close((1.0, (np.array([1.0, 2.002]),)), flat((1.0, (np.array([1.0, 2.0]),))))
    with pytest.raises(ValueError, match="differs"):
        close(np.array([np.nan]), [np.array([1.0])])
    with pytest.raises(ValueError, match="results of sizes"):
        close((1.0,), flat((1.0, 2.0)))


def test_an_entrant_that_fails_is_told_about(monkeypatch):
    def failing(who, row, *, tiny):
        if who == "wrong":
            return Entry(lambda a, b: (a * b, (b, 0.0)), row.given())
        if who == "slow":
            raise TimeoutError("took longer than 1 s to prepare")
        return entry(who, row, tiny=tiny)

    monkeypatch.setattr(worker, "entry", failing)
    found = worker.measure("product", ["hand-numpy", "wrong", "slow", "dance"], seconds=0.01, limit=5.0)
    assert found["hand-numpy"]["derivative"]["median"] > 0
    assert "differs from the derivative by hand" in found["wrong"]["failed"]
    assert found["slow"]["failed"] == "took longer than 1 s to prepare"
    assert found["dance"]["failed"] == "there is no target dance"


def test_the_reference_takes_small_rows_only():
    with pytest.raises(Absent, match="one number at a time"):
        entry("reference", chosen("logistic")[0])


def test_of_a_process_that_dies_only_the_culprit_is_lost(monkeypatch):
    def dying(command, **_):
        (row, names), culprit = command[3:5], "torch" in command[4].split(",")
        found = json.dumps({name: {"row": row} for name in names.split(",")})
        return subprocess.CompletedProcess(command, -6 if culprit else 0, stdout="" if culprit else found)

    monkeypatch.setattr(race.subprocess, "run", dying)
    found = race.run(chosen("product")[0], ["c", "numpy", "torch", "jax", "casadi"], seconds=0.1, limit=1.0, threads=None)
    assert found == {name: {"row": "product"} for name in ("c", "numpy", "jax", "casadi")} | {
        "torch": {"failed": "its process ended with -6"}}  # fmt: skip


def measured(median, value=None):
    times = lambda x: {"median": x, "least": x, "samples": 1}
    return {"derivative": times(median)} | ({} if value is None else {"value": times(value)})


RESULTS = {
    "product": {"hand-c": measured(1e-7), "hand-numpy": measured(2e-7, 1e-7), "c": measured(2e-7, 1e-7), "jax": measured(4e-6),
                "torch": {"failed": "took longer than 60 s to prepare"}},
    "gmm10": {"hand-c": measured(1e-3), "hand-c 1": measured(2e-3), "c": measured(2e-3, 1e-3), "c 1": measured(3e-3, 2e-3),
              "casadi": measured(1e-3)},
}  # fmt: skip


def test_the_page_has_times_ratios_and_what_is_missing():
    text = page.rows_page(RESULTS)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == ["value and derivative of", "C by hand", "C by hand, 1 thread", "NumPy by hand", "wengert c",
                        "wengert c, 1 thread", "jax", "torch", "casadi"]  # fmt: skip
    assert lines[2] == ["(a + b) (b + 1)", "0.1 us", "", "0.2 us", "0.2 us", "", "4 us", "", ""]
    assert ["(a + b) (b + 1)", "jax 4 us", "0.05", "2.00", "", "", ""] in lines
    assert ["GMM (ADBench), n = 1000, d = 10, K = 25", "casadi 1 ms", "2.00", "2.00", "1.50", "", ""] in lines
    assert "wengert's `c` takes 0.32 of the best peer's time, 2.00 of that of C by hand, 1.50 of" in text
    assert "Behind a peer: GMM (ADBench), n = 1000, d = 10, K = 25 (2.00)." in text
    assert ["(a + b) (b + 1)", "2.00", "2.00", "", "", ""] in lines
    assert "- (a + b) (b + 1), torch: took longer than 60 s to prepare" in text


def test_the_plot_has_a_mark_for_each():
    picture = plot.svg(RESULTS)
    assert picture.count("<circle") + picture.count("<rect") == 1 + 4 + 5  # the ground, a legend, and what was measured
    assert plot.svg({"product": {"c": measured(1.0)}}) == ""


def test_times_are_told_in_their_unit():
    assert [timing.duration(x) for x in (2e-7, 1.5e-6, 0.0123, 7.0, 8000.0)] == ["0.2 us", "1.5 us", "12.3 ms", "7 s", "2.22 h"]


def test_one_command_measures_and_writes(tmp_path):
    """In a process of its own, as the page is made."""
    to = tmp_path / "rows.md"
    words = ["rows", "--rows", "product", "--targets", "numpy", "--peers", "", "--hand", "hand-numpy", "--seconds", "0.01"]
    done = subprocess.run([sys.executable, "-m", "wengert.tools.bench", *words, "--write", str(to)], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert to.read_text() == done.stdout
    assert "wengert numpy" in done.stdout
    assert "derivative" in done.stderr


def test_peers_are_named_once():
    assert set(installed()) <= set(PEERS)
    assert json.dumps(facts())
    assert machine().startswith("Measured on ")
