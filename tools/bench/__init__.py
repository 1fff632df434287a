"""`wengert bench`: what derivatives cost here, beside those of others and of hand-written C and NumPy.

``rows`` are what is measured; ``ours``, ``native`` (hand-written C) and ``peers`` are who is; ``race`` and ``cold``
measure, ``page`` and ``plot`` tell; ``sections`` are of wengert alone.
"""

from __future__ import annotations

from wengert.tools.bench.machine import machine
from wengert.tools.bench.timing import duration, interleaved, table

__all__ = ["duration", "interleaved", "machine", "table"]
