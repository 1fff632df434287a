"""How many threads share a long loop: of compiled programs, each of which has the number as a variable of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
import weakref
from collections.abc import Iterator

__all__ = ["ENTRY", "MOST", "NAME", "PACE", "following", "quiet", "threads"]

#: What GCC's library of threads reads when it is loaded; how often it looks before it sleeps: some 250 us.
_SPINNING, _POLICY, SPINS = "GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "10000"
#: The variables of a program: how many threads share a loop at most, and how many do in this run.
MOST, NAME = "program_most", "program_threads"
#: When they do.  What is shared is in the same parts in either case: nothing but time depends on it.
PACE = f"""\
#ifndef _OPENMP
#define omp_get_wtime() 0.0
#endif
int {MOST} = 1;
static _Thread_local int {NAME} = 1;

/* Where others keep the processors busy, a loop may wait for a thread longer than all of its work takes. So a program
   of less than a tenth of a second is now and then run the other way, by one thread or by all, more and more seldom;
   as a rule it is run in the way that took less time of late. What begins with sleeping threads is not counted: the
   first run of all, and the first of two in the other way. */
static struct {{ double took[2]; int runs, pause; }} pace = {{{{0, -1}}, 0, 4}};

static int rule(void)
{{
    return {MOST} > 1 && (pace.took[0] == 0 || pace.took[1] < pace.took[0]);
}}

static int shares(void)
{{
    return {MOST} < 2 || pace.took[rule()] > 0.1 || ++pace.runs < pace.pause ? rule() : !rule();
}}

static void learn(int shared, double took)
{{
    const int before = rule(), tried = shared != before;
    double *const known = &pace.took[shared];
    if (tried && pace.runs == pace.pause) return;
    if (*known <= 0)
        *known = *known < 0 ? 0 : took;
    else if (took < *known)
        *known = tried ? took : (took + *known) / 2;
    else
        *known = (7 * *known + (took < 4 * *known ? took : 4 * *known)) / 8;
    const int changed = rule() != before;
    if (tried || changed) pace.runs = 0;
    if (changed)
        pace.pause = 8;
    else if (tried && pace.pause < 512)
        pace.pause *= 2;
}}
"""
#: How a run is entered.
ENTRY = f"""\
    const int before = {NAME}, shared = shares();
    const double start = omp_get_wtime();
    {NAME} = shared ? {MOST} : 1;
    const int code = CALL;
    {NAME} = before;
    learn(shared, omp_get_wtime() - start);
    return code;
"""

_programs: weakref.WeakSet[ctypes.CDLL] = weakref.WeakSet()
_lock = threading.Lock()
_chosen: int | None = None


def _wanted() -> int:
    """$WENGERT_THREADS, or the processors that this process may use."""
    given = os.environ.get("WENGERT_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(count: int | None = None) -> int:
    """How many threads share a long loop of a compiled program (backend ``c``); with ``count``, from now on.

    Short loops run in the caller's thread alone, whatever the number, and so do programs whose threads are seen to be
    kept waiting.  No sum or product depends on how many there were; tiles that carry sums are laid out for as many
    as there may be when the program is compiled.  At first it is $WENGERT_THREADS, else the number of processors that
    the process may use.  Matrix products have at most as many as the BLAS library may have
    ($OPENBLAS_NUM_THREADS).  After a fork it is 1 in the child, whose parent has the threads.

    Parameters
    ----------
    count : int, optional
        At least 1.

    Returns
    -------
    int
        The number in force.
    """
    global _chosen  # noqa: PLW0603 (one number for the process)
    if count is not None:
        if type(count) is not int or count < 1:
            message = f"threads takes a whole number, at least 1; got {count!r}."
            raise ValueError(message)
        with _lock:
            _chosen = count
            for library in _programs:
                _tell(library)
    return _wanted() if _chosen is None else _chosen


def _tell(library: ctypes.CDLL) -> None:
    ctypes.c_int.in_dll(library, MOST).value = threads()


def quiet() -> contextlib.AbstractContextManager[None]:
    """While the first program with threads is loaded: they are not to wait busily for the next loop, or not for long.

    By default they would keep a processor for milliseconds, and slow down whatever comes next.
    """
    return contextlib.nullcontext() if _programs or _SPINNING in os.environ or _POLICY in os.environ else _spinning()


@contextlib.contextmanager
def _spinning() -> Iterator[None]:
    os.environ[_SPINNING] = SPINS
    try:
        yield
    finally:
        os.environ.pop(_SPINNING, None)


def following(library: ctypes.CDLL) -> None:
    """From now on this program is told."""
    with _lock:
        _programs.add(library)
    _tell(library)


def _alone() -> None:
    """In a forked child: the threads have stayed with the parent, and waiting for them would never end."""
    global _lock  # noqa: PLW0603 (it may have been held)
    _lock = threading.Lock()
    threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_alone)
