"""Sparse Jacobians and Hessians: the dense ones, without the entries that cannot be."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from batches import BACKENDS

import wengert as wg
from wengert.tracer import compressed

X = np.linspace(0.3, 2.0, 7)
AT = np.array([3, 1, 4, 1, 5])
BAND = np.diag(np.arange(7.0)) + np.diag(np.ones(5), 2)

JACOBIANS = {
    "neighbours": (lambda x: x[1:] * x[:-1], 12),
    "a full row": (lambda x: np.append(x[1:] * x[:-1], np.sum(x**2)), 19),
    "an arrow": (lambda x: np.append(np.sin(x[1:]) * x[0], np.sum(x)), 19),
    "indices": (lambda x: x[AT] ** 2 * x[0], 10),
    "a matrix": (lambda x: np.tanh(BAND @ x), 11),
    "a mask": (lambda x: np.where(np.arange(7) > 2, x, 1.0) * np.where(x > 1, x[::-1], 2.0), 8 + 2),
    "running": (lambda x: np.cumsum(x[:4]), 10),
    "backwards": (lambda x: np.cumprod(x[:4])[::-1], 10),
    "outer": (lambda x: np.outer(x[:2], x[2:]), 20),
    "stacks": (lambda x: np.linalg.solve(np.eye(2) * 3 + x[:4].reshape(2, 2), np.eye(2)), 16),
    "lines": (lambda x: np.fft.rfft(x[:6].reshape(3, 2)).real, 12),
    "loops": (lambda x: wg.scan(lambda c, v: (np.stack([v, c[0]]), np.sum(c) * v), np.zeros(2), x)[1], 18),
    "a loop that maps": (lambda x: wg.map(lambda v: np.sin(v) * v, x), 7),
    "a loop from the end": (lambda x: wg.scan(lambda c, v: (v, c * v), x[0], x, reverse=True)[1], 14),
    "steps that are not counted": (lambda x: wg.while_loop(lambda s: s[0] < 50.0, lambda s: np.stack([2 * s[0], s[1] * s[0], s[2]]), x[:3]), 4),
    "a branch": (lambda x: wg.cond(x[0] > 0, lambda v: v[:3] * 2, lambda v: v[1:4], x), 6),
    "a checkpoint": (wg.checkpoint(lambda x: x[1:] * x[:-1]), 12),
    "a rule": (lambda x: _ruled(x) * x, 7),
    "a rule backwards": (lambda x: _pulled(x), 8),
    "nothing": (lambda x: np.sign(x), 0),
    "constants": (lambda x: x * 0 + 2.0, 0),
    "a buffer": (lambda x: _filled(x), 9),
}  # fmt: skip


def _filled(x):
    out = np.zeros(5)
    for i in range(4):
        out[i] = x[i] * x[i + 1]
    out[4] += x[0]
    return out


@wg.custom(jvp=lambda primals, tangents: (np.tanh(primals[0]), tangents[0] * 2.0))
def _ruled(x):
    return np.tanh(x)


@wg.custom(vjp=lambda primals, out, g: (np.append(g[:4] * 2.0, g[:3]) + np.append(np.zeros(6), g[-1]),))
def _pulled(x):
    return np.cumsum(x)


def same(got, expected, shape=None):
    assert isinstance(got, scipy.sparse.csr_array)
    np.testing.assert_allclose(got.toarray(), np.reshape(expected, shape or got.shape), rtol=1e-12, atol=1e-14)


def asked(cases):
    """Every case on numpy; on each of the other backends some, and loops where they run."""
    for name in cases:
        for backend in BACKENDS:
            few = backend.values[0] in ("numpy", "python") or name in ("an arrow", "indices", "loops", "a loop")
            if few:
                yield pytest.param(name, *backend.values, marks=backend.marks)


@pytest.mark.parametrize(("name", "backend"), [*asked(JACOBIANS)])
def test_a_jacobian(name, backend):
    f, nnz = JACOBIANS[name]
    for mode in (None, "forward", "reverse") if backend == "numpy" else (None,):
        sparse = wg.jacobian(f, sparse=True, mode=mode, backend=backend)(X)
        assert sparse.nnz == nnz
        assert sparse.shape == (np.size(f(X)), 7)
        same(sparse, wg.jacobian(f)(X))


HESSIANS = {
    "neighbours": (lambda x: np.sum(np.sin(x[1:] * x[:-1])), 19),
    "separable": (lambda x: np.sum(np.exp(x) * np.arange(7)), 6),
    "an arrow": (lambda x: x[0] * np.sum(x[1:] ** 2), 18),
    "linear": (lambda x: np.sum(3 * x[AT]) + x[0], 0),
    "kinks": (lambda x: np.sum(np.abs(x) + np.maximum(x, 1.0) * x[::-1]), None),
    "a loop": (lambda x: np.sum(wg.scan(lambda c, v: (v, c * v), 0.0, x)[1]), 12),
    "full": (lambda x: np.sum(x) ** 3, 49),
}


@pytest.mark.parametrize(("name", "backend"), [*asked(HESSIANS)])
def test_a_hessian(name, backend):
    f, nnz = HESSIANS[name]
    sparse = wg.hessian(f, sparse=True, backend=backend)(X)
    assert nnz is None or sparse.nnz == nnz
    same(sparse, wg.hessian(f)(X))


def test_several_arguments_and_results_are_nested():
    def f(x, p):
        return {"a": np.sum(x["v"] ** 2) * p[0], "b": (x["v"][:2] * p[1], x["w"])}

    args = ({"v": X[:3], "w": X[:2]}, (2.0, np.float32(3.0)))
    sparse, dense = (wg.jacobian(f, argnums=(0, 1), sparse=s)(*args) for s in (True, False))
    sizes = {"v": 3, "w": 2}
    for ours, theirs, m in ((sparse["a"], dense["a"], 1), (sparse["b"][0], dense["b"][0], 2), (sparse["b"][1], dense["b"][1], 2)):
        for name, n in sizes.items():
            same(ours[0][name], theirs[0][name], (m, n))
        for i in (0, 1):
            same(ours[1][i], theirs[1][i], (m, 1))
    assert sparse["a"][1][1].dtype == np.float32
    assert sparse["b"][1][1][1].nnz == 0

    def g(x, p):
        return np.sum(x[1:] * x[:-1]) * p

    sparse, dense = (wg.hessian(g, argnums=(0, 1), sparse=s)(X, 2.0) for s in (True, False))
    for i, m in enumerate((7, 1)):
        for j, n in enumerate((7, 1)):
            same(sparse[i][j], dense[i][j], (m, n))


def test_indices_that_are_arguments_or_closed_over_are_looked_into():
    f = wg.jacobian(lambda x, i: x[i] ** 2, sparse=True)
    for i in (AT, AT[::-1], AT):
        sparse = f(X, i)
        assert sparse.nnz == 5
        same(sparse, wg.jacobian(lambda x, i=i: x[i] ** 2)(X))
    matrix = BAND.copy()
    g = wg.jacobian(lambda x: matrix @ x, sparse=True)
    assert g(X).nnz == 11
    matrix[0] = 1.0  # closed over, and changed: the pattern is that of what it is now
    same(g(X), matrix)
    assert g(X).nnz == 17


def test_a_pattern_is_found_once(monkeypatch):
    program = wg.trace(lambda x: x[1:] * x[:-1]).graph(X)
    first = wg.jacobian(program, sparse=True)(X)
    monkeypatch.setattr("wengert.tracer.compressed.pattern", None)
    again = wg.jacobian(program, sparse=True)(2 * X)
    same(again, 2 * first.toarray())
    again.data[:] = 0
    again.indices[:] = 0  # the user's own arrays
    same(wg.jacobian(program, sparse=True)(X), first.toarray())


def test_many_directions_come_in_batches(monkeypatch):
    monkeypatch.setattr(compressed, "AT_ONCE", 15)
    f = JACOBIANS["outer"][0]
    for mode in ("forward", "reverse"):
        same(wg.jacobian(f, sparse=True, mode=mode)(X), wg.jacobian(f)(X))


def test_a_branch_is_traced_anew():
    f = wg.jacobian(lambda x: x[1:] * x[:-1] if x[0] > 1 else x, sparse=True)
    assert (f(X).nnz, f(X + 1).nnz, f(X).nnz) == (7, 12, 7)
    g = wg.hessian(lambda x: np.sum(x[1:] * x[:-1]) if x[0] > 1 else np.sum(x**2), sparse=True)
    assert (g(X).nnz, g(X + 1).nnz, g(X).nnz) == (7, 12, 7)


def test_what_it_takes():
    found = wg.sparsity(lambda x: x[1:] * x[:-1])(X)
    assert (found.nnz, found.shape, found.tangents, found.cotangents, found.least) == (12, (6, 7), 2, 0, 2)
    assert str(found) == "12 entries of 6 x 7, by 2 tangents and 0 cotangents"
    arrow = wg.sparsity(JACOBIANS["an arrow"][0])(np.ones(40))
    assert arrow.tangents + arrow.cotangents == 3
    assert wg.sparsity(HESSIANS["an arrow"][0], of="hessian")(np.ones(40)).tangents == 2


def test_a_hundred_thousand_unknowns():
    x = np.linspace(0, 1, 100_000)
    J = wg.jacobian(lambda v: v[1:] * v[:-1], sparse=True)(x)
    assert (J.shape, J.nnz) == ((99_999, 100_000), 199_998)
    np.testing.assert_array_equal(J.diagonal(), x[1:])


def test_a_graph_of_any_size(tmp_path):
    f = wg.trace(lambda v: v[1:] * v[:-1]).graph(wg.spec(("n",)))
    h = wg.trace(lambda v: np.sum((v[1:] * v[:-1]) ** 2)).graph(wg.spec(("n",)))
    h.save(tmp_path / "h.wg")
    for n in (5, 12):
        x = np.linspace(1, 2, n)
        assert wg.jacobian(f, sparse=True)(x).nnz == 2 * n - 2
        same(wg.hessian(wg.load(tmp_path / "h.wg"), sparse=True)(x), wg.hessian(h)(x))
        np.testing.assert_allclose(wg.laplacian(h)(x), np.trace(wg.hessian(h)(x)))
        np.testing.assert_allclose(wg.hvp(h)(x, x), wg.hessian(h)(x) @ x)
    with pytest.raises(wg.SizeError, match=r"program.at\(n=...\)"):
        wg.sparse_jacobian(f)
    assert wg.sparse_jacobian(f.at(n=6))(np.ones(6))[1] == (5, 6)


# ----- As programs -----


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_program_of_the_entries_is_saved_and_loaded(backend, tmp_path):
    f, h = wg.trace(JACOBIANS["an arrow"][0]), wg.trace(HESSIANS["neighbours"][0])
    for made, expected in (
        (wg.sparse_jacobian(f.graph(X)), wg.jacobian(f)(X)), (wg.sparse_hessian(h.graph(X)), wg.hessian(h)(X)),
        (wg.sparse_jacobian(f.graph(X), mode="reverse"), wg.jacobian(f)(X)),
    ):  # fmt: skip
        made.save(tmp_path / "entries.wg")
        program = wg.load(tmp_path / "entries.wg").on(backend)
        np.testing.assert_allclose(scipy.sparse.coo_array(*program(X)).toarray(), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [*JACOBIANS, *HESSIANS])
def test_every_matrix_is_a_program(name):
    f = (HESSIANS | JACOBIANS)[name][0]
    program = wg.trace(f).graph(X)
    if np.ndim(program(X)) == 0:
        made, whole = wg.sparse_hessian(program), wg.hessian(f)(X)
    else:
        made, whole = wg.sparse_jacobian(program), wg.jacobian(f)(X)
    got = scipy.sparse.coo_array(*wg.Program(wg.parse(made.text()).graph)(X))
    np.testing.assert_allclose(got.toarray(), np.reshape(whole, got.shape), rtol=1e-12, atol=1e-14)


def test_a_program_of_the_entries_in_another_process(tmp_path):
    wg.trace(JACOBIANS["neighbours"][0]).graph(X).save(tmp_path / "f.wg")
    child = f"""
import numpy as np, wengert as wg
f = wg.load({str(tmp_path / "f.wg")!r}); x = np.arange(7.0)
J = wg.jacobian(f, sparse=True)(x)
assert J.nnz == 12 and np.allclose(J.toarray(), wg.jacobian(f)(x))
(data, (rows, columns)), shape = wg.sparse_jacobian(f)(x)
assert shape == (6, 7) and (data == wg.jacobian(f)(x)[rows, columns]).all()
"""
    subprocess.run([sys.executable, "-c", child], check=True)


def test_a_program_of_the_entries_within_a_trace():
    entries = wg.sparse_jacobian(wg.trace(lambda x: np.sin(x[1:]) * x[:-1]).graph(X))

    def norm(x):
        return np.sum(entries(x)[0][0] ** 2)

    dense = wg.grad(lambda x: np.sum(wg.jacobian(lambda x: np.sin(x[1:]) * x[:-1])(x) ** 2))
    np.testing.assert_allclose(wg.grad(norm)(X), dense(X), rtol=1e-12)


def test_what_is_known_of_the_arguments_is_guarded():
    f = wg.trace(lambda x, i: x[i] * 2.0).graph(X, AT)
    assert len(wg.sparse_jacobian(f)(X, AT)[0][0]) == 35
    known = wg.sparse_jacobian(f, known={"i": AT})
    (data, (rows, columns)), shape = known(X, AT)
    assert (data.tolist(), rows.tolist(), columns.tolist(), shape) == ([2.0] * 5, [0, 1, 2, 3, 4], AT.tolist(), (5, 7))
    with pytest.raises(wg.GuardError):
        known(X, AT[::-1])
    with pytest.raises(ValueError, match="no argument 'j'; it has x, i"):
        wg.sparse_jacobian(f, known={"j": AT})


def test_guards_of_a_program_are_guards_of_its_matrices():
    f = wg.trace(lambda x: x**2 if x[0] < 1 else x).graph(X)
    h = wg.trace(lambda x: np.sum(x**3) if x[0] < 1 else np.sum(x)).graph(X)
    made = [wg.sparse_jacobian(f), wg.sparse_jacobian(f, mode="reverse"), wg.jacobian(f, sparse=True), wg.sparse_hessian(h),
            wg.hessian(h, sparse=True), wg.jacobian_diagonal(f), wg.laplacian(h), wg.hvp(h)]  # fmt: skip
    for g in made:
        args = (X, X) if g is made[-1] else (X,)
        g(*args)
        with pytest.raises(wg.GuardError):
            g(*(x + 5 for x in args))


# ----- Refused -----


def test_refusals(monkeypatch):
    f = JACOBIANS["neighbours"][0]
    with pytest.raises(wg.DerivativeError, match="complex arguments or results"):
        wg.jacobian(lambda x: x * 1j, sparse=True)(X)
    with pytest.raises(wg.DerivativeError, match="needs floating-point results"):
        wg.jacobian(lambda x: np.argsort(x), sparse=True)(X)
    with pytest.raises(wg.DerivativeError, match="one real number"):
        wg.hessian(f, sparse=True)(X)
    with pytest.raises(wg.DerivativeError, match="within a traced function"):
        wg.trace(lambda x: wg.jacobian(f, sparse=True)(x))(X)
    with pytest.raises(TypeError, match=r"f\.graph\(\*args\)"):
        wg.sparse_jacobian(f)
    with pytest.raises(ValueError, match="'jacobian' or 'hessian'"):
        wg.sparsity(f, of="gradient")
    with pytest.raises(wg.DerivativeError, match="nearly every other"):
        wg.jacobian(lambda x: x - np.mean(x), sparse=True)(np.ones(20_000))
    monkeypatch.setattr(compressed, "LIBRARY", "no_such_library")
    with pytest.raises(ImportError, match=r"pip install wengert\[scipy\]"):
        wg.jacobian(f, sparse=True)(X)


def test_the_page_runs(tmp_path, monkeypatch):
    page = Path(wg.__file__).parent / "docs" / "jacobians.md"
    monkeypatch.chdir(tmp_path)
    names = {}
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        path = tmp_path / "block.py"
        path.write_text(block.replace("100_000", "1_000"), encoding="utf-8")
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    assert (names["J"].shape, names["H"].nnz, names["shape"]) == ((999, 1000), 2998, (199, 200))
    said = str(wg.sparsity(names["f"], of="hessian")(names["x"]))
    assert said.replace("2998", "299998").replace("1000", "100000") in text


def test_indices_that_are_not_known_are_named_where_they_are_too_much():
    program = wg.trace(lambda x, i: x[i] * 2.0).graph(np.ones(10_000), np.arange(10_000))
    with pytest.raises(wg.DerivativeError, match=r"at take .*known=\{name: array\}"):
        wg.sparse_jacobian(program)
    assert len(wg.sparse_jacobian(program, known={"i": np.arange(10_000)}).graph.outputs) == 5
