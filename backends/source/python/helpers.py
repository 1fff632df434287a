"""The few functions that generated NumPy code needs beyond NumPy, as text: each is printed where it is used."""

HELPERS: dict[str, str] = {
    "_scale": '''\
def _scale(p, t):
    """A partial times a tangent: zero where either is exactly zero, even against inf or NaN."""
    product = np.multiply(p, t)
    if np.isnan(np.sum(product)):
        zero = np.isnan(product) & ((p == 0) | (t == 0))
        product = np.where(zero, product.dtype.type(0), product)
    return product
''',
    "_complex": '''\
def _complex(x, y):
    """x + iy, whatever the parts are."""
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x, y, np.complex64))
    out.real, out.imag = x, y
    return out
''',
    "_matmul": '''\
def _matmul(p, t):
    """A matrix product in which a term with an exact zero is zero, even against inf or NaN."""
    out = np.matmul(p, t)
    if not np.isnan(np.sum(out)):
        return out
    rows, columns = np.atleast_2d(p), t[:, None] if t.ndim == 1 else t
    terms = [_scale(rows[..., k, None], columns[..., k, None, :]) for k in range(rows.shape[-1])]
    return sum(terms[1:], terms[0]).reshape(out.shape)
''',
    "_recurrence": '''\
def _recurrence(carry, x, axis, reverse):
    """Each result is carry times the one before, plus x."""
    out = np.array(x)
    lines, factors = np.moveaxis(out, axis, 0), np.moveaxis(carry, axis, 0)
    if reverse:
        lines, factors = lines[::-1], factors[::-1]
    for i in range(1, len(lines)):
        lines[i, ...] += _scale(factors[i], lines[i - 1])
    return out
''',
    "_solve": '''\
def _solve(a, b):
    """The solution of each system; NaN where the matrix is singular, but 0 for a right side of zeros."""
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if a.ndim > 2:
            return np.stack([_solve(*each) for each in zip(a, b)])
        return np.where((b == 0).all(axis=0), 0, np.full_like(b, np.nan))
''',
    "_take": '''\
def _take(x, indices, axis):
    """Slices at indices, none of them negative."""
    if np.size(indices) and (np.min(indices) < 0 or np.max(indices) >= x.shape[axis]):
        raise IndexError(f"an index is out of bounds for an axis with size {x.shape[axis]}.")
    return np.take(x, indices, axis=axis)
''',
    "_scatter_add": '''\
def _scatter_add(updates, indices, axis, size):
    """Zeros with each slice of the updates added at its index."""
    if np.size(indices) and (np.min(indices) < 0 or np.max(indices) >= size):
        raise IndexError(f"an index is out of bounds for an axis with size {size}.")
    shape = (*updates.shape[:axis], size, *updates.shape[axis + np.ndim(indices):])
    out = np.zeros(shape, updates.dtype)
    np.add.at(out, (*(slice(None),) * axis, indices), updates)
    return out
''',
    "_branch": '''\
def _branch(branches, index):
    """The branch that an index, never negative, names."""
    if not 0 <= index < len(branches):
        raise IndexError(f"switch: index {index} is out of range; there are {len(branches)} branches.")
    return branches[index]
''',
}
