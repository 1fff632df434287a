"""Python's garbage collector, put off while a graph is made.

It looks for cycles through all there is, again and again while much is being made.  Nodes have none, and on a large
graph that is a third to a half of the time.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["uncollected"]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """A context, or a decorator, in which the collector rests; only who has stopped it starts it again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
