"""A file made here, used where its source is not: at other sizes, in every derived form, on every backend."""

import subprocess
import sys

import numpy as np

import wengert as wg

CHILD = """
import sys
import numpy as np
import wengert as wg

g = wg.load(sys.argv[1])
with wg.backend(sys.argv[2]):
    for n in (3, 8):
        x, w = np.linspace(0.1, 1.0, n), np.array([0.5, -1.5])
        v = x[1:] * x[:-1] * w[0] + np.sin(w[1] * x[1:])
        assert np.allclose(g(x, w)[0], v), "value"
        dense = wg.jacobian(g)(x, w)[0]
        want = np.zeros((n - 1, n))
        i = np.arange(n - 1)
        want[i, i] = x[1:] * w[0]
        want[i, i + 1] = x[:-1] * w[0] + w[1] * np.cos(w[1] * x[1:])
        assert np.allclose(dense, want), "Jacobian"
        sparse = wg.jacobian(g, sparse=True)(x, w)[0]
        assert sparse.nnz == 2 * (n - 1) and np.allclose(sparse.toarray(), want), "sparse Jacobian"

        total = lambda x, w: np.sum(g(x, w)[0] ** 2) + g(x, w)[1]
        h = wg.hessian(total)(x, w)
        step = 1e-5
        rows = [(wg.grad(total)(x + step * e, w) - wg.grad(total)(x - step * e, w)) / (2 * step) for e in np.eye(n)]
        assert np.allclose(h, rows, atol=1e-7), "Hessian"
        xs = np.stack([x, 2 * x, -x])
        many = wg.vmap(wg.grad(total), in_axes=(0, None))(xs, w)
        assert np.allclose(many, [wg.grad(total)(each, w) for each in xs]), "lanes of gradients"
        assert np.allclose(wg.vmap(g, in_axes=(0, None))(xs, w)[0], [g(each, w)[0] for each in xs]), "lanes"
print("done")
"""


def model(x, w):
    """Neighbours multiplied, and the last of a recurrence."""
    last, _ = wg.scan(lambda c, v: (np.tanh(c * w[0] + v), c), 0.0, x)
    return x[1:] * x[:-1] * w[0] + np.sin(w[1] * x[1:]), last


def test_a_file_is_used_in_another_process_at_other_sizes(tmp_path):
    path = tmp_path / "model.wg"
    wg.trace(model).graph(wg.spec(("n",)), wg.spec((2,))).save(path)
    child = tmp_path / "child.py"
    child.write_text(CHILD)
    for backend in ("numpy", "c"):
        done = subprocess.run([sys.executable, str(child), str(path), backend], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.stdout.strip() == "done", done.stderr
