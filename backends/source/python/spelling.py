"""How symbols and Library ops are written in Python; everything else follows from the records."""

from __future__ import annotations

from typing import Any

__all__ = ["LIBRARY", "OPERATORS", "UNARY"]

#: Symbols whose Python operator means the same on arrays.
OPERATORS: dict[str, str] = {
    "+": "+", "-": "-", "*": "*", "/": "/", "//": "//", "%": "%", "**": "**",
    "<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!=",
    "&": "&", "|": "|", "^": "^", "<<": "<<", ">>": ">>",
    "and": "&", "or": "|", "xor": "^",  # their operands are bool
}  # fmt: skip
UNARY: dict[str, str] = {"neg": "-", "~": "~", "not": "~"}

#: Calls that stand-alone code can make; another Library op runs in process only.
LIBRARY: dict[str, Any] = {
    "sort": lambda x, axis: f"np.sort({x}, axis={axis}, kind='stable')",
    "argsort": lambda x, axis: f"np.argsort({x}, axis={axis}, kind='stable')",
    "solve": lambda a, b, singular: f"{'np.linalg.solve' if singular == 'raise' else '_solve'}({a}, {b})",
    "det": lambda x: f"np.linalg.det({x})",
    "slogdet": lambda x: f"np.linalg.slogdet({x})",
    "pinv": lambda x, rtol, hermitian: f"np.linalg.pinv({x}, {rtol!r}, {hermitian})",
    "lstsq": lambda a, b, rcond: f"np.linalg.lstsq({a}, {b}, {rcond!r})[::2]",
    "cholesky": lambda x: f"np.linalg.cholesky({x})",
    "qr": lambda x: f"np.linalg.qr({x})",
    "svd": lambda x: f"np.linalg.svd({x}, full_matrices=False)",
    "svdvals": lambda x: f"np.linalg.svd({x}, compute_uv=False)",
    **{name: lambda x, axis, norm, name=name: f"np.fft.{name}({x}, axis={axis}, norm={norm!r})"
       for name in ("fft", "ifft")},
    **{name: lambda x, n, axis, norm, name=name: f"np.fft.{name}({x}, {n}, {axis}, {norm!r})"
       for name in ("rfft", "irfft")},
    "eigh": lambda x, UPLO: f"np.linalg.eigh({x}, {UPLO!r})",
    "eigvalsh": lambda x, UPLO: f"np.linalg.eigvalsh({x}, {UPLO!r})",
}
