"""What of NumPy is refused for good: the reason, and what to write instead.

``__array_function__`` says so at the user's line, and the table of ``wengert numpy`` shows it.  A name ends with ``*``
where it stands for all that begin so.
"""

from __future__ import annotations

from typing import Any

from wengert.tracer.location import refuse

__all__ = ["REASONS", "reason_of", "refusal"]

_NO_NUMBERS = "holds numbers, and a traced array has none yet."

#: (Why, what to write instead): for which names below numpy.
_DECISIONS = {
    (f"a file {_NO_NUMBERS}", "Return the array, and save it outside."): (
        "save savez savez_compressed savetxt ndarray.tofile ndarray.dump"
    ),
    (f"text {_NO_NUMBERS}", "Print the array itself, or return it and print it outside."): (
        "format_float_positional format_float_scientific"
    ),
    (f"a pickle {_NO_NUMBERS}", "Return it from the traced function."): (
        "ndarray.__reduce__ ndarray.__reduce_ex__ ndarray.dumps"
    ),
    ("a traced array has no memory of its own.", "Return the array, and look at its memory outside."): (
        "ndarray.tobytes ndarray.ctypes ndarray.data ndarray.strides ndarray.base ndarray.flags ndarray.setflags "
        "ndarray.getfield ndarray.setfield ndarray.byteswap ndarray.__array_interface__ ndarray.__array_struct__ "
        "ndarray.__dlpack__ ndarray.__dlpack_device__ ndarray.__buffer__ isfortran"
    ),
    ("a plain array would lose track of the values.", "Leave np.asarray(x) away where x is an array."): (
        "ndarray.__array__"
    ),
    ("a Python number has no derivative.", "Leave x as it is: np.sin(x) in place of math.sin(x)."): (
        "ndarray.__float__ ndarray.__complex__"
    ),
    ("np.matrix is another class, with its own operators.", "Use 2-d arrays and @."): "asmatrix bmat matrix",
    ("masked arrays have operators of their own.", "Keep the mask as an array: np.where(mask, x, 0)."): "ma",
    ("it walks along the memory of an array.", "Loop over np.ndindex(x.shape), and index: x[i]."): (
        "nditer nested_iters broadcast"
    ),
    ("dates are not traced.", "Work on dates outside the traced function, and pass it numbers."): (
        "busday_count busday_offset is_busday datetime_as_string"
    ),
    ("structured arrays are not traced.", "Keep the fields as arrays, in a dict or a dataclass."): "lib.recfunctions.*",
    ("it makes an array of objects.", "Write it with functions of whole arrays."): "frompyfunc",
    ("the global random state is nothing that a graph can replay.", "Use rng = np.random.default_rng(seed)."): (
        "random.*"
    ),
    ("the state of a traced Generator is a value.", "Use wg.key(rng); make other Generators outside, and pass them."): (
        "random.Generator.spawn random.Generator.bit_generator"
    ),
    ("text and bytes are not traced.", "Use rng.integers(256, size=n, dtype=np.uint8)."): "random.Generator.bytes",
    ("SciPy works on the memory of its arguments.", "Write it with functions of numpy.linalg."): (
        "scipy.linalg.cdf2rdf scipy.linalg.clarkson_woodruff_transform scipy.linalg.cossin scipy.linalg.expm_cond "
        "scipy.linalg.matrix_balance scipy.linalg.ordqz scipy.linalg.qr_delete scipy.linalg.qr_insert "
        "scipy.linalg.qr_multiply scipy.linalg.qr_update scipy.linalg.qz scipy.linalg.rsf2csf"
    ),
    ("it looks at the number itself.", "Use scipy.special.gamma(x + 1)."): "scipy.special.factorial",
}

#: Name to reason and alternative.
REASONS = {name: why for why, names in _DECISIONS.items() for name in names.split()}


def reason_of(name: str) -> tuple[str, str] | None:
    """Reason and alternative for a name below numpy; None where it is not refused for good."""
    return REASONS.get(name) or REASONS.get(name.rpartition(".")[0] + ".*")


def refusal(function: Any) -> Exception:
    """The error for a function that has no traced form."""
    path = f"{getattr(function, '__module__', None) or 'numpy'}.{function.__name__}"
    found = reason_of(path.removeprefix("numpy."))
    if found is None:
        return refuse(
            f"{path} cannot be traced yet.",
            "Write it with functions that can (see `wengert numpy`), or apply it outside the traced function.",
        )
    return refuse(f"{path} cannot be traced: {found[0]}", found[1])
