"""Compiled programs on disk, by the digest of everything that went into them.

A library is code: it is loaded only from a folder that is ours alone, and only if its digest is
the one that was noted when it was built.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

from wengert.backends.source.c.machine.compiler import Compiler, find
from wengert.backends.source.c.machine.folders import folder
from wengert.ir.errors import BackendError

__all__ = ["folder", "kept", "load"]

ENTRIES = 2000
LOADED = 512  # libraries; a closed one could still be running, so those that fall out stay mapped
_loaded: OrderedDict[str, ctypes.CDLL] = OrderedDict()
_lock = threading.Lock()


def _forked() -> None:
    global _lock  # noqa: PLW0603 (another thread of the parent may have held it)
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _key(source: str, compiler: Compiler) -> str:
    return hashlib.sha256("\0".join((source, *compiler.identity)).encode()).hexdigest()


def kept(source: str, compiler: Compiler) -> ctypes.CDLL | None:
    """The library of a source if it is on disk."""
    return _from_disk(_key(source, compiler))


def load(source: str, compiler: Compiler | None = None) -> ctypes.CDLL:
    """The library of a source: loaded before, on disk, or compiled now."""
    compiler = compiler or find()
    key = _key(source, compiler)
    with _lock:
        if key in _loaded:
            _loaded.move_to_end(key)
            return _loaded[key]
    try:
        library = _from_disk(key) or _build(source, key, compiler)
    except OSError as error:
        message = (
            f"The compiled program cannot be written to {folder()}: {error}. Name another folder in $WENGERT_CACHE."
        )
        raise BackendError(message) from error
    with _lock:
        library = _loaded.setdefault(key, library)
        if len(_loaded) > LOADED:
            _loaded.popitem(last=False)
    return library


def _paths(key: str) -> tuple[Path, Path]:
    place = folder()
    return place / f"{key}.so", place / f"{key}.sha256"


def _from_disk(key: str) -> ctypes.CDLL | None:
    """The library if it is there, ours, and undamaged."""
    path, note = _paths(key)
    try:
        if path.is_symlink() or hashlib.sha256(path.read_bytes()).hexdigest() != note.read_text().strip():
            return None
        return ctypes.CDLL(str(path))
    except (OSError, ValueError):
        return None


def _build(source: str, key: str, compiler: Compiler) -> ctypes.CDLL:
    """Compile under another name, then move into place: others see all of it or nothing."""
    path, note = _paths(key)
    work = Path(tempfile.mkdtemp(prefix="build-", dir=path.parent))  # not one that a forked child would remove
    try:
        text, made, digest = work / "program.c", work / "program.so", work / "digest"
        text.write_text(source)
        compiler.compile(text, made)
        digest.write_text(hashlib.sha256(made.read_bytes()).hexdigest())
        digest.replace(note)
        made.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _prune(path.parent)
    return _open(path)


def _prune(place: Path) -> None:
    """Keep the cache bounded: the oldest goes first.  A library in use stays mapped."""
    with contextlib.suppress(OSError):
        kept = sorted(place.glob("*.so"), key=lambda p: p.stat().st_mtime)
        for path in kept[: len(kept) - ENTRIES]:
            path.unlink(missing_ok=True)
            path.with_suffix(".sha256").unlink(missing_ok=True)


def _open(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        message = (
            f"The compiled program cannot be loaded: {error}. If its folder does not allow running "
            "programs (noexec), name another in $WENGERT_CACHE; if $CC is a cross compiler, name a "
            "native one."
        )
        raise BackendError(message) from error
