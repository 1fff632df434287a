"""Where compiled programs, and what is known of compilers, are kept."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

__all__ = ["folder"]


def _wanted() -> Path:
    if given := os.environ.get("WENGERT_CACHE"):
        return Path(given).absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "wengert" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "wengert"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wengert"


def _ours(path: Path) -> bool:
    """Make the folder if need be; whether nobody else can have put code in it."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(path)
    except (OSError, RuntimeError):
        return False
    if not stat.S_ISDIR(found.st_mode) or not os.access(path, os.W_OK):
        return False
    if not hasattr(os, "getuid"):
        return True
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _remove(path: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child ends without taking its parent's folder along
        shutil.rmtree(path, ignore_errors=True)


@functools.cache
def _private() -> Path:
    """A folder of this process, removed at its end."""
    path = Path(tempfile.mkdtemp(prefix="wengert-"))
    atexit.register(_remove, path, os.getpid())
    return path


def folder() -> Path:
    """Where libraries are kept: the cache, or a folder of this process where that is not safe."""
    try:
        path = _wanted()
    except RuntimeError:  # no home
        path = None
    if path is not None and _ours(path):
        return path
    return _private()
