"""Bundle adjustment: the sparse Jacobian of the reprojection error of cameras and points.

The objective is that of ADBench (F. Srajer, Z. Kukelova and A. Fitzgibbon, "A benchmark of selected algorithmic
differentiation tools on some problems in computer vision and machine learning", 2018): a camera is a rotation vector,
a centre, a focal length, a principal point and two coefficients of radial distortion; every observation of a point by
a camera has a weight w, and gives w times the two reprojection errors, and 1 - w**2.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import wengert as wg

__all__ = ["bundle", "main", "objective", "problem", "project", "rotated"]


def rotated(r: Any, x: Any) -> Any:
    """Each point turned about its vector r by the length (Rodrigues' formula)."""
    square = np.sum(r * r, axis=1, keepdims=True)
    still = square == 0.0
    angle = np.sqrt(np.where(still, 1.0, square))
    axis = r / angle
    cosine, sine = np.cos(angle), np.sin(angle)
    along = np.sum(axis * x, axis=1, keepdims=True)
    turned = x * cosine + np.cross(axis, x) * sine + axis * along * (1.0 - cosine)
    return np.where(still, x + np.cross(r, x), turned)


def objective(cameras: Any, points: Any, weights: Any, features: Any, seen_by: Any, seen: Any) -> Any:
    """The weighted reprojection errors, two per observation, and one error per weight."""
    projected = project(cameras[seen_by], points[seen])
    return weights[:, None] * (projected - features), 1.0 - weights * weights


def project(c: Any, x: Any) -> Any:
    """Where each camera sees its point."""
    inside = rotated(c[:, :3], x - c[:, 3:6])
    flat = inside[:, :2] / inside[:, 2:]
    square = np.sum(flat * flat, axis=1, keepdims=True)
    distorted = flat * (1.0 + c[:, 9:10] * square + c[:, 10:] * square * square)
    return distorted * c[:, 6:7] + c[:, 7:9]


def problem(cameras: int, points: int, observations: int, seed: int = 0) -> tuple[Any, ...]:
    """Arguments for the objective: cameras that look at a cloud of points, each seen by some."""
    rng = np.random.default_rng(seed)
    c = np.zeros((cameras, 11))
    c[:, :3] = rng.normal(0, 0.3, (cameras, 3))
    c[:, 3:6] = rng.normal(0, 0.5, (cameras, 3)) - [0, 0, 8]
    c[:, 6:] = [800, 320, 240, -0.1, 0.01] + rng.normal(0, 1, (cameras, 5)) * [20, 5, 5, 0.01, 0.001]
    x = rng.normal(0, 1, (points, 3))
    seen_by = rng.integers(0, cameras, observations)
    seen = np.concatenate([np.arange(points), rng.integers(0, points, observations)])[:observations]
    return c, x, rng.uniform(0.5, 1.0, observations), rng.normal(300, 50, (observations, 2)), seen_by, seen


def bundle(cameras: int = 49, points: int = 7776, observations: int = 31843, *, seconds: float = 3.0) -> str:
    """What the Jacobian takes, and what it would without its pattern; the sizes are those of ADBench's first set."""
    from wengert.tools.bench import duration, interleaved

    args = problem(cameras, points, observations)
    program = wg.trace(objective).graph(*args)
    jacobian = wg.jacobian(program, argnums=(0, 1, 2), sparse=True)
    start = time.perf_counter()
    blocks = jacobian(*args)
    first = time.perf_counter() - start
    m = sum(row[0].shape[0] for row in blocks)
    n = sum(block.shape[1] for block in blocks[0])
    nnz = sum(block.nnz for row in blocks for block in row)
    found = wg.sparsity(program, argnums=(0, 1, 2))(*args)
    tangents = (*(np.ones_like(x) for x in args[:3]), np.zeros_like(args[3]), None, None)
    value, whole, push = interleaved(
        [lambda: program(*args), lambda: jacobian(*args), lambda: wg.jvp(program, args, tangents)], seconds=seconds)
    return f"""{cameras} cameras, {points} points, {observations} observations.
A Jacobian of {m} x {n} with {nnz} entries.
Directions: {found.tangents} tangents and {found.cotangents} cotangents; at least {found.least} are needed.
Value {duration(value)}, sparse Jacobian {duration(whole)}: {whole / value:.0f} times as long. The first time, with \
pattern and colours, {duration(first)}.
Dense, {n} tangents at {duration(push)} each would take {duration(n * push)}, {n * push / whole:.0f} times as long, \
and {m * n * 8 / 2**30:.3g} GiB."""


def main() -> None:
    """The benchmark, as a program."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m wengert.tools.bench.bundle")
    for name, default in (("cameras", 49), ("points", 7776), ("observations", 31843)):
        parser.add_argument(f"--{name}", type=int, default=default)
    print(bundle(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
