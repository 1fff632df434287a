"""What of NumPy is refused for good: the reason, and what to write instead.

``__array_function__`` says so at the user's line, and the table of ``wengert numpy`` shows it.  A name ends with ``*``
where it stands for all that begin so.
"""

from __future__ import annotations

from typing import Any

from wengert.tracer.location import refuse

__all__ = ["REASONS", "reason_of", "refusal"]

_FILE = ("a file holds numbers, and a traced array has none yet.", "Return the array, and save it outside.")
_TEXT = ("text holds numbers, and a traced array has none yet.", "Print the array's repr, or return it and print it.")
_MATRIX = ("np.matrix is another class with its own operators.", "Use 2-d arrays and @.")
_MEMORY = ("a traced array has no memory of its own.", "Return the array, and look at its memory outside.")
_GLOBAL = ("the global random state is nothing that a graph can replay.", "Use rng = np.random.default_rng(seed).")
_WALK = ("it walks along the memory of an array.", "Loop over np.ndindex(x.shape) and index: x[i].")

#: Name below numpy: why it is refused, and the alternative.
REASONS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("save", "savez", "savez_compressed", "savetxt", "ndarray.tofile", "ndarray.dump"), _FILE),
    **dict.fromkeys(("array2string", "array_repr", "array_str", "format_float_positional", "format_float_scientific"),
                    _TEXT),
    **dict.fromkeys(("asmatrix", "bmat", "matrix"), _MATRIX),
    **dict.fromkeys(("ndarray.tobytes", "ndarray.dumps", "ndarray.ctypes", "ndarray.data", "ndarray.strides",
                     "ndarray.__array_interface__", "ndarray.__array_struct__", "ndarray.__dlpack__",
                     "ndarray.__dlpack_device__"), _MEMORY),
    **dict.fromkeys(("nditer", "nested_iters"), _WALK),
    "ma": ("masked arrays have operators of their own.", "Keep the mask as an array: np.where(mask, x, 0)."),
    "random.*": _GLOBAL,
    "scipy.special.factorial": ("it looks at the number itself.", "Use scipy.special.gamma(x + 1)."),
}  # fmt: skip


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
