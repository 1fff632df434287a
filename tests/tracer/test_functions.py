"""Every NumPy function that is traced, on every sort of array: value, shape, dtype, or an error where NumPy has one.

A function without a case here fails `test_every_function_has_a_case`.
"""

import contextlib
import itertools
import os
import types

import numpy as np
import numpy_statistics
import pytest
from numpy_alike import INPUTS, same

from wengert.tracer.numpy_api import contractions, elementwise, linalg, movement, norms, reductions, writing

SOAK = bool(os.environ.get("WENGERT_SOAK"))
AXES = (None, 0, -1)
windows = np.lib.stride_tricks.sliding_window_view


def over_axes(f, **options):
    """One case per axis, keepdims, and option given."""
    cases = [lambda x, a=a, k=k: f(x, axis=a, **k) for a in AXES for k in ({}, {"keepdims": True})]
    return cases + [lambda x, n=n, v=v: f(x, **{n: v(x) if isinstance(v, types.FunctionType) else v}) for n, v in options.items()]


def mask(x):
    return np.arange(np.size(x)).reshape(np.shape(x)) % 2 == 0


def filled(x, write):
    """What becomes of a buffer like ``x``."""
    buffer = np.zeros_like(x)
    write(buffer)
    return buffer


def filled_with(buffer, value):
    buffer[...] = value
    return buffer


def gram(x):
    """A positive definite matrix with eigenvalues far from each other."""
    rows = np.atleast_2d(x)[..., :2, :] * 1.0
    return np.matmul(rows, np.swapaxes(rows, -1, -2)) + np.diag(np.arange(1.0, 1.0 + rows.shape[-2]))


CASES = {
    # making arrays
    np.array: [
        lambda x: np.array(x), lambda x: np.array(x, np.float32), lambda x: np.array([x, x]), lambda x: np.array([x.sum(), 1]), lambda x: np.array([[x, x], [x * 2, 0 * x]]),
        lambda x: np.array(x, ndmin=3), lambda x: np.array((1.0, [x.sum()])), lambda x: np.array(x, copy=False), lambda x: np.array(x, like=x),
        lambda x: np.array([x.sum(), 2.5], dtype=int), lambda x: np.array([*np.ravel(x)][::-1]),
    ],
    np.asarray: [lambda x: np.asarray(x), lambda x: np.asarray([x, 0 * x]), lambda x: np.asarray(x, dtype=np.float64), lambda x: np.asarray([]) + x.sum()],
    np.asanyarray: [lambda x: np.asanyarray(x), lambda x: np.asanyarray([x, 0 * x])],
    np.ascontiguousarray: [lambda x: np.ascontiguousarray(x), lambda x: np.ascontiguousarray([x])],
    np.asfortranarray: [lambda x: np.asfortranarray(x)],
    np.require: [lambda x: np.require(x), lambda x: np.require(x, np.float64, "C")],
    np.fromiter: [lambda x: np.fromiter(np.ravel(x), float), lambda x: np.fromiter((v * 2 for v in np.ravel(x)), float), lambda x: np.fromiter([1, 2], float, count=1) * x.sum()],
    np.zeros: [lambda x: np.zeros(np.shape(x)) + x, lambda x: np.zeros((2, 3), int) + x.sum(), lambda x: np.zeros(int(np.max(x) > 0) + 1)],
    np.ones: [lambda x: np.ones(np.shape(x)) * x, lambda x: np.ones(3, bool) * x.sum()],
    np.empty: [lambda x: filled_with(np.empty(np.shape(x)), x), lambda x: filled_with(np.empty((2, 2), np.float32), x.sum())],
    np.full: [lambda x: np.full(np.shape(x), x), lambda x: np.full((2, *np.shape(x)), x), lambda x: np.full(3, x.sum(), np.float32), lambda x: np.full(2, 7) * x.sum()],
    np.eye: [lambda x: np.eye(3) * x.sum(), lambda x: np.eye(2, 3, 1, int) + x.sum()],
    np.identity: [lambda x: np.identity(2) * x.sum()],
    np.arange: [
        lambda x: np.arange(3) * x.sum(), lambda x: np.arange(x.sum() * 0, 2.5), lambda x: np.arange(1, 2 + 0 * x.sum(), 0.25), lambda x: np.arange(0, 5, 2) + x.sum(),
        lambda x: np.arange(0 * x.sum() + 3),
    ],
    np.linspace: [
        lambda x: np.linspace(0, 1, 5) * x.sum(), lambda x: np.linspace(0.0, x, 4), lambda x: np.linspace(x, 2, 4, endpoint=False), lambda x: np.linspace(x, 2.0, 3, axis=-1),
        lambda x: np.linspace(x.sum(), 1, 3, retstep=True), lambda x: np.linspace(0, x.sum(), 1), lambda x: np.linspace(0, x.sum(), 0),
    ],
    np.logspace: [lambda x: np.logspace(0, np.tanh(x), 4), lambda x: np.logspace(np.tanh(x), 1, 3, base=2.0, endpoint=False)],
    np.geomspace: [lambda x: np.geomspace(np.abs(x) + 1, 9, 4), lambda x: np.geomspace(2, 8.0, 3) * x.sum(), lambda x: np.geomspace(-1.0, -np.abs(x).sum() - 2, 3)],
    np.fromfunction: [lambda x: np.fromfunction(lambda i, j: i * j + x.sum(), (2, 3)), lambda x: np.fromfunction(lambda i: i * 2, (3,), dtype=int) + x.sum()],
    # sums and other folds
    np.sum: [*over_axes(np.sum, dtype=np.float32, initial=2.0, axis=(0, 1)), lambda x: np.sum(x, where=mask(x))],
    np.prod: [*over_axes(np.prod, dtype=np.float64, initial=2), lambda x: np.prod(x, where=mask(x), axis=0)],
    np.max: [*over_axes(np.max, initial=2.0, axis=(0, -1)), lambda x: np.max(x, where=mask(x), initial=-9.0)],
    np.amax: over_axes(np.amax),
    np.min: [*over_axes(np.min, initial=2.0, axis=()), lambda x: np.min(x, where=mask(x), initial=9.0)],
    np.amin: over_axes(np.amin),
    np.any: [*over_axes(np.any), lambda x: np.any(x, where=mask(x))],
    np.all: [*over_axes(np.all), lambda x: np.all(x, where=mask(x))],
    np.argmax: over_axes(np.argmax),
    np.argmin: over_axes(np.argmin),
    np.mean: [*over_axes(np.mean, dtype=np.float64, axis=(0, 1)), lambda x: np.mean(x, where=mask(x))],
    np.var: over_axes(np.var, ddof=1, correction=1, dtype=np.float64),
    np.std: over_axes(np.std, ddof=1, dtype=np.float64),
    np.ptp: over_axes(np.ptp),
    np.cumprod: [lambda x, a=a: np.cumprod(x, a) for a in AXES] + [lambda x: np.cumprod(x, dtype=np.float32)],
    **({np.cumulative_prod: [lambda x: np.cumulative_prod(x), lambda x: np.cumulative_prod(x, axis=0, include_initial=True),
                             lambda x: np.cumulative_prod(x, axis=-1, dtype=np.float64)]} if hasattr(np, "cumulative_prod") else {}),
    np.cumsum: [lambda x, a=a: np.cumsum(x, a) for a in AXES] + [lambda x: np.cumsum(x, dtype=np.float32)],
    np.count_nonzero: over_axes(lambda x, **options: np.count_nonzero(x, **options) + np.int64(0)),
    # shapes
    np.reshape: [
        lambda x: np.reshape(x, -1), lambda x: np.reshape(x, (3, -1)), lambda x: np.reshape(x, (-1, -1)),
        lambda x: np.reshape(x, (5, 7)), lambda x: np.reshape(x, (1, *np.shape(x))), lambda x: np.reshape(x, -1, copy=True),
        *(lambda x, o=o: np.reshape(x, (3, -1), order=o) for o in "FAKZ"), lambda x: np.reshape(x.T, (-1, 2), "F"), lambda x: x.reshape(2, -1, order="F").flatten("F"),
    ],
    np.ravel: [np.ravel, *(lambda x, o=o: np.ravel(x, o) for o in "FAKZ"), lambda x: np.ravel(x + 1, "K"), lambda x: np.ravel(np.ravel(x)[None].T, "A")],
    np.transpose: [np.transpose, lambda x: np.transpose(x, (1, 0)), lambda x: np.transpose(x, (0, -1, 1)), lambda x: np.transpose(x, (0, 0))],
    np.permute_dims: [lambda x: np.permute_dims(x, (1, 0))],
    np.swapaxes: [lambda x: np.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 1, 2)],
    np.moveaxis: [lambda x: np.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, (0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), 0)],
    np.matrix_transpose: [np.matrix_transpose],
    np.broadcast_to: [lambda x: np.broadcast_to(x, (2, *np.shape(x))), lambda x: np.broadcast_to(x, 6), lambda x: np.broadcast_to(x, (2, 2, 3))],
    np.broadcast_arrays: [lambda x: np.broadcast_arrays(x, np.ones((2, 1, 1))), lambda x: np.broadcast_arrays(x, x)],
    np.expand_dims: [lambda x: np.expand_dims(x, 0), lambda x: np.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, 3)],
    np.squeeze: [lambda x: np.squeeze(x[None]), lambda x: np.squeeze(np.expand_dims(x, (0, 1)), 0), lambda x: np.squeeze(x, 0)],
    np.concatenate: [
        lambda x: np.concatenate([x, x]), lambda x: np.concatenate((x, np.ones_like(x)), -1), lambda x: np.concatenate([x, x], None),
        lambda x: np.concatenate([x, [1.0, 2.0]]), lambda x: np.concatenate([x]), lambda x: np.concatenate([x, x], dtype=np.float32, casting="unsafe"),
    ],
    np.concat: [lambda x: np.concat([x, x], 0)],
    np.stack: [lambda x: np.stack([x, x]), lambda x: np.stack([x, 2 * x], -1), lambda x: np.stack([x, 2.0]), lambda x: np.stack([x, x], 1)],
    np.vstack: [lambda x: np.vstack([x, x]), lambda x: np.vstack((x, np.zeros(3)))],
    np.hstack: [lambda x: np.hstack([x, x]), lambda x: np.hstack([x, 1.0])],
    np.dstack: [lambda x: np.dstack([x, x])],
    np.column_stack: [lambda x: np.column_stack([x, x])],
    np.atleast_1d: [np.atleast_1d, lambda x: np.atleast_1d(x, 2.0)],
    np.atleast_2d: [np.atleast_2d],
    np.atleast_3d: [np.atleast_3d],
    np.flip: [np.flip, lambda x: np.flip(x, 0), lambda x: np.flip(x, (0, 1))],
    np.fliplr: [np.fliplr],
    np.flipud: [np.flipud],
    np.roll: [lambda x: np.roll(x, 1), lambda x: np.roll(x, -4, 0), lambda x: np.roll(x, (1, 2), (0, -1)), lambda x: np.roll(x, 0)],
    np.tile: [lambda x: np.tile(x, 2), lambda x: np.tile(x, (2, 1)), lambda x: np.tile(x, (2, 1, 2)), lambda x: np.tile(x, 0)],
    np.repeat: [lambda x: np.repeat(x, 2), lambda x: np.repeat(x, 2, 0), lambda x: np.repeat(x, [1, 0, 2], -1)],
    np.array_split: [lambda x: np.array_split(x, 4), lambda x: np.array_split(x, [1, 2], -1)],
    np.split: [lambda x: np.split(x, np.int64(2)), lambda x: np.split(x, 5, -1), lambda x: np.split(x, [1, 9, 2]), lambda x: np.split(x, 0), lambda x: np.split(x, 2), lambda x: np.split(x, [1], 0), lambda x: np.split(x, 3, -1)],
    np.hsplit: [lambda x: np.hsplit(x, 3), lambda x: np.hsplit(x, 5)],
    np.vsplit: [lambda x: np.vsplit(x, 2)],
    np.dsplit: [lambda x: np.dsplit(x, 2), lambda x: np.dsplit(x, [1, 3]), lambda x: np.dsplit(x, 3)],
    np.meshgrid: [
        lambda x: np.meshgrid(x, [1, 2]), lambda x: np.meshgrid(x, x, indexing="ij"), lambda x: np.meshgrid(x), lambda x: np.meshgrid(x, 2.0, [3, 4], sparse=True), lambda x: np.meshgrid(x, [1, 2, 3], copy=False), lambda x: np.meshgrid(x, x, indexing="ab"),
        lambda x: np.meshgrid(1, x, [5, 6], indexing="ij", sparse=True),
    ],
    np.lib.stride_tricks.sliding_window_view: [
        lambda x: windows(x, 2), lambda x: windows(x, 2, 0), lambda x: windows(x, (1, 2), (0, -1)), lambda x: windows(x, (2, 2), axis=(0, 0)), lambda x: windows(x, (2, 2)), lambda x: windows(x, 9, 0), lambda x: windows(x, -1, 0), lambda x: windows(x, (1, 2, 3)), lambda x: windows(x, np.shape(x)),
    ],
    np.diagflat: [np.diagflat, lambda x: np.diagflat(x, 1), lambda x: np.diagflat(x, -2)],
    np.diagonal: [np.diagonal, lambda x: np.diagonal(x, 1), lambda x: np.diagonal(x, -1), lambda x: np.diagonal(x, 0, 1, 2), lambda x: np.diagonal(x, 7)],
    np.diag: [np.diag, lambda x: np.diag(x, 1), lambda x: np.diag(x, -2), lambda x: np.diag(x, 9)],
    np.trace: [np.trace, lambda x: np.trace(x, 1), lambda x: np.trace(x, dtype=np.float32)],
    np.tril: [np.tril, lambda x: np.tril(x, -1)],
    np.triu: [np.triu, lambda x: np.triu(x, 1)],
    np.take_along_axis: [
        lambda x: np.take_along_axis(x, np.argsort(x, -1), -1), lambda x: np.take_along_axis(x, np.argmax(x, 0)[None], 0),
        lambda x: np.take_along_axis(x, np.array([0, 1]), None),
    ],
    np.copy: [np.copy],
    np.zeros_like: [np.zeros_like, lambda x: np.zeros_like(x, np.int8), lambda x: np.zeros_like(x, shape=(2, 2))],
    np.ones_like: [np.ones_like, lambda x: np.ones_like(x, float, shape=4)],
    np.empty_like: [lambda x: np.empty_like(x).shape, lambda x: filled(x, lambda b: np.copyto(b, 1))],
    np.full_like: [lambda x: np.full_like(x, 2), lambda x: np.full_like(x, np.sum(x)), lambda x: np.full_like(np.ones(2), 7.5, np.int32), lambda x: np.full_like(x, x)],
    # products
    np.dot: [lambda x: np.dot(x, x), lambda x: np.dot(x, x.T), lambda x: np.dot(x, 2.0), lambda x: np.dot(np.ones(2), x), lambda x: np.dot(x, np.arange(3))],
    np.outer: [lambda x: np.outer(x, x), lambda x: np.outer(x, [1, 2])],
    np.inner: [lambda x: np.inner(x, x), lambda x: np.inner(x, 2), lambda x: np.inner(x, np.ones(3))],
    np.vdot: [lambda x: np.vdot(x, x), lambda x: np.vdot(x, np.ones(6))],
    np.tensordot: [
        lambda x: np.tensordot(x, x, 1), lambda x: np.tensordot(x, x, 0), lambda x: np.tensordot(x, x), lambda x: np.tensordot(x, x, (0, 0)),
        lambda x: np.tensordot(x, np.ones((3, 2)), ((0, 1), (1, 0))),
    ],
    np.einsum: [
        lambda x: np.einsum("ij,kj->ik", x, x), lambda x: np.einsum("ii", x), lambda x: np.einsum("i,j", x, x), lambda x: np.einsum("...j->...", x),
        lambda x: np.einsum("ij->ji", x), lambda x: np.einsum("ij,ij,j->", x, x, np.ones(3)), lambda x: np.einsum("i...,i...->...", x, x), lambda x: np.einsum("ii->i", x),
        lambda x: np.einsum("i,i", x, np.ones(5)), lambda x: np.einsum("...,...->...", x, x), lambda x: np.einsum("i...->...i", x), lambda x: np.einsum("...ii->...i", x), lambda x: np.einsum("ij,jk,kl,l", x, x.T, x, np.ones(x.shape[-1])),
        lambda x: np.einsum(x, [0, 1]), lambda x: np.einsum(x, [1, 0]), lambda x: np.einsum(x, [0, 1], x, [2, 1], [0, 2]), lambda x: np.einsum(x, [..., 3], [3, ...]), lambda x: np.einsum(x, [0, 0]), lambda x: np.einsum(x, [30, 2], x, [30, 2]), lambda x: np.einsum("ij->", x, dtype=np.float64),
    ],
    np.einsum_path: [lambda x: np.einsum_path("ij,kj,kl->il", x, x, np.ones((x.shape[0], 3)))[0], lambda x: np.einsum_path("ij,kj", x, x, optimize="optimal")],
    # linear algebra
    np.linalg.norm: [
        np.linalg.norm, lambda x: np.linalg.norm(x, axis=-1), lambda x: np.linalg.norm(x, axis=0, keepdims=True), lambda x: np.linalg.norm(x, keepdims=True),
        *(lambda x, o=o: np.linalg.norm(x, o) for o in (1, -1, 2, -2, np.inf, -np.inf, 0, 3, 0.5, "fro", "nuc", "bad")),
        *(lambda x, o=o: np.linalg.norm(x, o, -1) for o in (1, 2, np.inf, -np.inf, 0, 3, 2.5, "fro")),
        *(lambda x, o=o: np.linalg.norm(x, o, (0, 1), keepdims=True) for o in (None, 1, -1, 2, -2, np.inf, "nuc", 3)),
        lambda x: np.linalg.norm(x, 1, (1, 0)), lambda x: np.linalg.norm(x, None, (0, 0)), lambda x: np.linalg.norm(x, None, "a"),
    ],
    np.linalg.vector_norm: [np.linalg.vector_norm, *over_axes(np.linalg.vector_norm, ord=3), lambda x: np.linalg.vector_norm(x, axis=(0, 1), keepdims=True)],
    np.linalg.matrix_norm: [np.linalg.matrix_norm, lambda x: np.linalg.matrix_norm(x, ord=2, keepdims=True), lambda x: np.linalg.matrix_norm(x, ord="nuc")],
    np.linalg.cond: [np.linalg.cond, *(lambda x, p=p: np.linalg.cond(gram(x), p) for p in (None, 2, -2, 1, -1, np.inf, "fro", "nuc"))],
    np.linalg.matrix_rank: [np.linalg.matrix_rank, lambda x: np.linalg.matrix_rank(x, 0.5), lambda x: np.linalg.matrix_rank(gram(x), hermitian=True), lambda x: np.linalg.matrix_rank(x, rtol=0.1)],
    np.linalg.solve: [lambda x: np.linalg.solve(x, x), lambda x: np.linalg.solve(gram(x), x), lambda x: np.linalg.solve(gram(x), np.arange(2.0)), lambda x: np.linalg.solve(np.eye(2), x), lambda x: np.linalg.solve(gram(x) * np.ones((3, 1, 1)), np.ones((2, 1)))],
    np.linalg.inv: [np.linalg.inv, lambda x: np.linalg.inv(gram(x)), lambda x: np.linalg.inv(gram(x) * 0.0)],
    np.linalg.pinv: [np.linalg.pinv, lambda x: np.linalg.pinv(x, 0.5), lambda x: np.linalg.pinv(gram(x), hermitian=True), lambda x: np.linalg.pinv(x, rtol=None), lambda x: np.linalg.pinv(x, 0.1, rtol=0.1)],
    np.linalg.lstsq: [lambda x: np.linalg.lstsq(x, np.ones(np.shape(x)[0])), lambda x: np.linalg.lstsq(x.T, np.ones(np.shape(x)[-1])), lambda x: np.linalg.lstsq(x.T, x.T, 0.1), lambda x: np.linalg.lstsq(x, np.ones((np.shape(x)[0], 2)), rcond=None), lambda x: np.linalg.lstsq(x, x[0])],
    np.linalg.tensorsolve: [lambda x: np.linalg.tensorsolve(np.reshape(gram(x), (2, 1, 1, 2)), np.ones((2, 1))), lambda x: np.linalg.tensorsolve(np.reshape(gram(x), (2, 1, 2)), np.ones(2), (1,)), lambda x: np.linalg.tensorsolve(x, np.ones(2))],
    np.linalg.tensorinv: [lambda x: np.linalg.tensorinv(np.reshape(gram(x), (2, 1, 2)), 1), lambda x: np.linalg.tensorinv(x, 0), lambda x: np.linalg.tensorinv(np.reshape(gram(x), (1, 2, 2)))],
    np.linalg.matrix_power: [*(lambda x, n=n: np.linalg.matrix_power(gram(x), n) for n in (0, 1, 2, 3, 5, 12, -2, 0.5)), lambda x: np.linalg.matrix_power(x, 2)],
    np.linalg.multi_dot: [lambda x: np.linalg.multi_dot([gram(x), x]), lambda x: np.linalg.multi_dot([x, x.T, gram(x), x]), lambda x: np.linalg.multi_dot([x[0], x.T, x[:, 0]]), lambda x: np.linalg.multi_dot([x])],
    np.linalg.det: [np.linalg.det, lambda x: np.linalg.det(gram(x)), lambda x: np.linalg.det(np.ones((3, 1, 1)) * gram(x))],
    np.linalg.slogdet: [np.linalg.slogdet, lambda x: np.linalg.slogdet(gram(x)).logabsdet, lambda x: np.linalg.slogdet(-gram(x)), lambda x: np.linalg.slogdet(gram(x) * 0.0)],
    np.linalg.cholesky: [np.linalg.cholesky, lambda x: np.linalg.cholesky(gram(x)), lambda x: np.linalg.cholesky(gram(x), upper=True), lambda x: np.linalg.cholesky(-gram(x))],
    np.linalg.qr: [np.linalg.qr, *(lambda x, m=m: np.linalg.qr(x, m) for m in ("reduced", "complete", "r", "other")), lambda x: np.linalg.qr(x.T, "complete").Q],
    np.linalg.svd: [np.linalg.svd, lambda x: np.linalg.svd(x, False), lambda x: np.linalg.svd(x, compute_uv=False), lambda x: np.linalg.svd(gram(x), hermitian=True), lambda x: np.linalg.svd(x.T).U, lambda x: np.linalg.svd(gram(x), hermitian=True, compute_uv=False)],
    np.linalg.svdvals: [np.linalg.svdvals, lambda x: np.linalg.svdvals(gram(x))],
    np.linalg.eigh: [np.linalg.eigh, lambda x: np.linalg.eigh(gram(x)).eigenvectors, lambda x: np.linalg.eigh(gram(x), "u"), lambda x: np.linalg.eigh(x, "A")],
    np.linalg.eigvalsh: [np.linalg.eigvalsh, lambda x: np.linalg.eigvalsh(gram(x), "U")],
    np.linalg.eig: [np.linalg.eig, lambda x: np.linalg.eig(gram(x) + np.array([[0, 1], [0, 0]])), lambda x: np.linalg.eig(gram(x) + np.array([[0, 9], [-9, 0]])).eigenvalues],
    np.linalg.eigvals: [np.linalg.eigvals, lambda x: np.linalg.eigvals(gram(x) + np.array([[0, 9], [-9, 0]]))],
    np.roots: [np.roots, lambda x: np.roots(np.ravel(x)[:4]), lambda x: np.roots([0, 1.5, *np.ravel(x)[:2], 0, 0]), lambda x: np.roots(0 * np.ravel(x))],
    np.linalg.outer: [lambda x: np.linalg.outer(np.ravel(x), np.ravel(x)), lambda x: np.linalg.outer(x, x)],
    np.linalg.cross: [lambda x: np.linalg.cross(x, x[::-1]), lambda x: np.linalg.cross(x, np.arange(3)), lambda x: np.linalg.cross(x, x, axis=0)],
    np.linalg.vecdot: [lambda x: np.linalg.vecdot(x, x), lambda x: np.linalg.vecdot(x, x, axis=0), lambda x: np.linalg.vecdot(x, np.ones(7))],
    np.linalg.diagonal: [np.linalg.diagonal, lambda x: np.linalg.diagonal(x, offset=1)],
    np.linalg.trace: [np.linalg.trace, lambda x: np.linalg.trace(x, offset=-1, dtype=np.float32)],
    np.linalg.matrix_transpose: [np.linalg.matrix_transpose],
    np.polyfit: [
        lambda x: np.polyfit(np.arange(6.0), x, 2), lambda x: np.polyfit(x, np.arange(6.0), 1, full=True), lambda x: np.polyfit(np.arange(2.0), x, 1), lambda x: np.polyfit(x, x, -1),
        lambda x: np.polyfit(np.arange(6.0), x, 1, w=np.arange(1.0, 7.0), cov=True), lambda x: np.polyfit(np.arange(6.0), x, 3, cov="unscaled"), lambda x: np.polyfit(np.arange(3.0), x.T, 1, cov=True),
    ],
    np.linalg.matmul: [lambda x: np.linalg.matmul(x, np.swapaxes(x, -1, -2))],
    np.linalg.tensordot: [lambda x: np.linalg.tensordot(x, x, axes=0)],
    # elements
    np.where: [lambda x: np.where(x > 0, x, 0), lambda x: np.where(x, 1.0, -1), lambda x: np.where(mask(x), x, -x), lambda x: np.where(x > 0)],
    np.nonzero: [np.nonzero, lambda x: np.nonzero(x > 1)],
    np.flatnonzero: [np.flatnonzero],
    np.argwhere: [np.argwhere],
    np.clip: [lambda x: np.clip(x, 0, 1), lambda x: np.clip(x, None, 1.5), lambda x: np.clip(x, min=1), lambda x: np.clip(x, x - 1, x + 1), lambda x: np.clip(x, 0, None)],
    np.round: [np.round, lambda x: np.round(x, 1), lambda x: np.round(x, -1)],
    np.around: [lambda x: np.around(x, 2)],
    np.nan_to_num: [np.nan_to_num, lambda x: np.nan_to_num(x, nan=3.0, posinf=4.0, neginf=5)],
    np.isclose: [lambda x: np.isclose(x, 0.25), lambda x: np.isclose(x, x * (1 + 1e-9)), lambda x: np.isclose(x, x, equal_nan=True), lambda x: np.isclose(1.0, x, rtol=0.5)],
    np.allclose: [lambda x: np.allclose(x, x), lambda x: np.allclose(x, x + 1)],
    np.array_equal: [lambda x: np.array_equal(x, x), lambda x: np.array_equal(x, np.ones(2)), lambda x: np.array_equal(x, x, equal_nan=True)],
    np.sort: [np.sort, lambda x: np.sort(x, 0), lambda x: np.sort(x, None), lambda x: np.sort(x, kind="stable")],
    np.argsort: [lambda x: np.argsort(x, kind="stable"), lambda x: np.argsort(x, 0, stable=True), lambda x: np.argsort(x, None, kind="stable")],
    np.astype: [lambda x: np.astype(x, np.float32), lambda x: np.astype(x, int), lambda x: np.astype(x, float, copy=False)],
    np.shape: [np.shape], np.ndim: [np.ndim], np.size: [np.size, lambda x: np.size(x, 0)],
    np.result_type: [lambda x: str(np.result_type(x, np.float32)), lambda x: str(np.result_type(x, 1))],
    np.iscomplexobj: [np.iscomplexobj], np.isrealobj: [np.isrealobj],
    np.real: [np.real, lambda x: x.real], np.imag: [lambda x: np.imag(x) + 1],
    np.angle: [np.angle, lambda x: np.angle(x, deg=True)],
    np.real_if_close: [np.real_if_close, lambda x: np.real_if_close(x + 1e-15j), lambda x: np.real_if_close(x, tol=1e9)],
    np.isreal: [np.isreal], np.iscomplex: [np.iscomplex],
    # writing
    np.copyto: [lambda x: filled(x, lambda b: np.copyto(b, x)), lambda x: filled(x, lambda b: np.copyto(b, x, where=mask(x))), lambda x: filled(x, lambda b: np.copyto(b, 1.5))],
    np.putmask: [lambda x: filled(x, lambda b: np.putmask(b, mask(x), x)), lambda x: filled(x, lambda b: np.putmask(b, x > 0, [1, 2]))],
    np.place: [lambda x: filled(x, lambda b: np.place(b, x > 0, x)), lambda x: filled(x, lambda b: np.place(b, mask(x), [1, 2]))],
    np.put: [lambda x: filled(x, lambda b: np.put(b, [0, -1], x)), lambda x: filled(x, lambda b: np.put(b, 1, x)), lambda x: filled(x, lambda b: b.put([0, 0], [1, 2]))],
    np.put_along_axis: [lambda x: filled(x, lambda b: np.put_along_axis(b, np.zeros((1,) * np.ndim(x), int), 7, -1))],
    np.fill_diagonal: [lambda x: filled(x, lambda b: np.fill_diagonal(b, 3)), lambda x: filled(x, lambda b: np.fill_diagonal(b, np.ravel(x)))],
    **numpy_statistics.CASES,
}  # fmt: skip

#: What NumPy does and the tracer refuses: (function, sort of array).
REFUSED = {
    (np.max, "small"),  # initial=-9.0 does not fit uint8
    (np.round, "bools"),  # a float16
    (np.round, "ints"), (np.round, "small"), (np.round, "int"),  # to tens
    (np.angle, "small"),  # a float16
    (np.arange, "complex"), (np.arange, "single complex"),  # of one complex number
    (np.array, "special complex"),  # a NaN made an int
    *((np.empty, f"{sort}complex") for sort in ("", "single ", "special ")),  # written into reals, with a warning
    (np.einsum, "complex"),  # a real dtype=
    (np.einsum, "empty"),  # ii->i of shape (0, 3): NumPy reads memory that is not there
    (np.array, "special"),  # a NaN made an int: of Python's numbers NumPy raises
    (np.logspace, "bools"), (np.logspace, "small"),  # a float16
    (np.average, "empty"),  # ZeroDivisionError, which depends on values
}  # fmt: skip
NUMBERS = ("scalar", "number", "int", "complex number")


#: BLAS multiplies infinite complex numbers in a way of its own.
OF_BLAS = {(np.tensordot, "special complex"), (np.linalg.tensordot, "special complex")}


def test_every_function_has_a_case():
    """Here, or for the other chapters in the test file of that name."""
    assert not {f for chapter in (reductions, movement, contractions, elementwise, writing, linalg, norms) for f in chapter.TABLE} - set(CASES)


@pytest.mark.parametrize("function", CASES, ids=lambda f: f"{f.__module__}.{f.__name__}".removeprefix("numpy."))
def test_a_function_does_what_numpy_does(function):
    """Of a number, NumPy takes axes 0 and -1 in some places and not in others: there, right or an error.

    Of a function with several calls each call sees half of the inputs, and each input half of the calls; in `make soak` all meet.
    """
    cases = CASES[function]
    for (i, sort), (k, case) in itertools.product(enumerate(INPUTS), enumerate(cases)):
        if (function, sort) not in OF_BLAS and (SOAK or len(cases) == 1 or (i + k) % 2 == 0):
            with told(f"call {k} of the table, of {sort!r}"):
                same(lambda x, case=case: case(x), INPUTS[sort], refusal=sort in NUMBERS or (function, sort) in REFUSED)


@contextlib.contextmanager
def told(what):
    """Thousands of them are a test for each function, not for each input; so what fails says where."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error
