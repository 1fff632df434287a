"""`make demo`: a network written in NumPy learns to read digits; then its file runs where its source is not."""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen

import wengert as wg
from wengert.tools.demo_model import SHAPES, initial, loss, nested, predicted
from wengert.tools.explain import graph_dot, graph_svg

__all__ = ["main"]

SEED = 0
HELD_OUT = 360
ITERATIONS = 150
WANTED = 0.95
FOLDER = Path("demo")
NEEDED = ("sklearn", "scipy", "tqdm")


@frozen
class Digits:
    """Images as rows of 64 pixels from 0 to 1, one-hot labels, and the labels."""

    X: np.ndarray[Any, Any]
    Y: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]

    def __getitem__(self, rows: Any) -> Digits:
        return Digits(self.X[rows], self.Y[rows], self.labels[rows])


def _load() -> tuple[Digits, Digits]:
    """Images to learn from, and images held out."""
    from sklearn.datasets import load_digits

    raw = load_digits()
    digits = Digits(raw.data / 16.0, np.eye(10)[raw.target], raw.target)
    order = np.random.default_rng(SEED).permutation(len(raw.target))
    return digits[order[HELD_OUT:]], digits[order[:HELD_OUT]]


@wg.trace
def objective(vector: Any, X: Any, Y: Any) -> Any:
    """The loss as scipy wants it: of one vector."""
    return loss(nested(vector), X, Y)


def _train(digits: Digits) -> dict[str, Any]:
    """Weights that scipy found by following traced gradients."""
    from scipy.optimize import minimize
    from tqdm import tqdm

    start = initial(SEED)
    with tqdm(total=ITERATIONS, desc=f"training {start.size} weights", unit="step", dynamic_ncols=True) as bar:

        def progress(intermediate_result: Any) -> None:
            bar.update()
            bar.set_postfix(loss=f"{intermediate_result.fun:.4f}", refresh=False)

        found = minimize(wg.value_and_grad(objective), start, args=(digits.X, digits.Y), jac=True, method="L-BFGS-B",
                         callback=progress, options={"maxiter": ITERATIONS})  # fmt: skip
    return nested(found.x)


def _save(trained: dict[str, Any], held_out: Digits, folder: Path) -> wg.Program:
    """The model's files.

    The weights are the *default* of an argument: the file then holds the model and the graph in one, is called
    without the weights or with others, and is still differentiated in them, like the function it came from.
    """

    def digits(X: Any, Y: Any, params: Any = trained) -> Any:
        return loss(params, X, Y)

    def read(X: Any, params: Any = trained) -> Any:
        return predicted(params, X)

    program = wg.trace(digits).graph(held_out.X, held_out.Y)
    program.save(folder / "digits.wg")
    wg.trace(read).graph(held_out.X).save(folder / "digits-read.wg")
    np.savez(folder / "held-out.npz", X=held_out.X, Y=held_out.Y, labels=held_out.labels)
    return program


def _write_c(program: wg.Program, folder: Path) -> None:
    """Loss and gradient in the weights as one C file; inputs 0 and 1 are the data."""
    weights = tuple(range(2, 2 + len(SHAPES)))
    try:
        text = wg.source(program, "c", mode="reverse", argnums=weights)
    except wg.BackendError as error:
        print(f"No digits.c: {error}")
        return
    (folder / "digits.c").write_text(text, encoding="utf-8")


def _draw(program: wg.Program, folder: Path) -> None:
    """The graph's picture; its DOT text where nothing here can draw."""
    try:
        (folder / "digits.svg").write_text(graph_svg(program), encoding="utf-8")
    except ImportError as error:
        print(error)
        (folder / "digits.dot").write_text(graph_dot(program), encoding="utf-8")


def _run(folder: Path) -> None:
    """What a stranger would do, to whom the file was sent."""
    command = [sys.executable, "-m", "wengert.tools.demo_reload", str(folder)]
    sys.stdout.flush()
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("The new process failed; its own words are above.")


def _missing() -> list[str]:
    found = []
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            found.append(name)
    return found


def main() -> None:
    """The whole demo."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m wengert.tools.demo")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the files go (default: %(default)s)")
    folder = parser.parse_args().folder
    if missing := _missing():
        names = ", ".join(missing)
        print(f'The demo needs {names}. Install what it needs with: pip install "wengert[demo]"', file=sys.stderr)
        sys.exit(2)
    began = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    learn, held_out = _load()
    trained = _train(learn)
    right = float(np.mean(predicted(trained, held_out.X) == held_out.labels))
    print(f"Trained on {len(learn.labels)} images; {100 * right:.1f} % of {HELD_OUT} held-out images are read rightly.")
    program = _save(trained, held_out, folder)
    _write_c(program, folder)
    _draw(program, folder)
    for path in sorted(folder.iterdir()):
        print(f"  {path.as_posix():<24} {path.stat().st_size / 1000:8.1f} kB")
    _run(folder)
    print(f"The whole demo took {time.perf_counter() - began:.1f} s.")
    if right < WANTED:
        sys.exit(f"Accuracy is {right:.3f}; at least {WANTED} was expected.")


if __name__ == "__main__":
    main()
