"""The file around a graph: magic, version, length and digest; limits; and writes that lose nothing.

::

    8 bytes   magic, the first not ASCII: no text file is one
    2         format version, little-endian as all that follows
    8         length of the body
    32        SHA-256 of the three above and the body
    n         the body, one msgpack value

The digest is against damage, not against forgery: a body is checked before it is decoded, and what
is decoded is checked again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgpack

from wengert.ir.errors import GraphFileError

__all__ = ["MAX_FILE", "decode", "encode", "read_file", "scan", "seal", "unseal", "write_file"]

MAGIC = b"\x89WENGERT"
FORMAT = 1
HEADER = struct.Struct("<8sHQ32s")
FIELDS = struct.Struct("<8sHQ")  # of the header, those under the digest

MAX_FILE = 256 * 2**20
MAX_STRING = 4096
MAX_DEPTH = 32
MAX_ELEMENTS = 60_000_000
MAX_MAPS = 1_000_000

NOT_A_GRAPH = "It is damaged, or was not written by wengert."


# ----- Envelope -----


def seal(body: bytes) -> bytes:
    """A file with this body."""
    fields = FIELDS.pack(MAGIC, FORMAT, len(body))
    if len(fields) + len(body) > MAX_FILE:
        raise GraphFileError(
            f"The graph takes {len(body)} bytes; a file holds at most {MAX_FILE}. "
            "Pass large arrays as arguments instead of closing over them."
        )
    return fields + hashlib.sha256(fields + body).digest() + body


def unseal(data: bytes) -> bytes:
    """The body of a file, whole and undamaged."""
    if len(data) > MAX_FILE:
        raise GraphFileError(f"The file has {len(data)} bytes; a graph's has at most {MAX_FILE}.")
    if data[: len(MAGIC)] != MAGIC:
        raise GraphFileError(
            f"This is not a wengert graph: the file starts with {data[:8]!r}, not {MAGIC!r}. "
            "Was it written by graph.save?"
        )
    if len(data) < HEADER.size:
        raise GraphFileError(
            f"The file ends after {len(data)} bytes, inside its header. Copy it again."
        )
    _, version, length, digest = HEADER.unpack_from(data)
    if version != FORMAT:
        raise GraphFileError(
            f"The file has format version {version}; this version of wengert reads {FORMAT}. "
            "Install a newer one: pip install --upgrade wengert."
        )
    body = data[HEADER.size :]
    if length != len(body):
        raise GraphFileError(
            f"The file's body has {len(body)} bytes; its header says {length}. Copy the file again."
        )
    if hashlib.sha256(data[: FIELDS.size] + body).digest() != digest:
        raise GraphFileError(
            "The file is damaged: its digest is not that of its bytes. Copy it again."
        )
    return body


# ----- Body -----


def encode(value: Any) -> bytes:
    """One value as msgpack, always the same bytes."""
    return bytes(msgpack.packb(value, use_bin_type=True))


def decode(body: bytes) -> Any:
    """The value that a body holds, arrays as tuples."""
    try:
        scan(body)
        return msgpack.unpackb(
            body,
            raw=False,
            use_list=False,
            strict_map_key=False,  # the hook asks for more
            object_pairs_hook=_map,
            ext_hook=_refuse_ext,
        )
    except Exception as error:  # msgpack's own errors are of many types
        raise GraphFileError(f"The body cannot be read: {error} {NOT_A_GRAPH}") from error


def _map(items: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    pairs = list(items)  # older msgpacks hand over a generator, where they lack their C extension
    keys = [key for key, _ in pairs]
    if not all(isinstance(key, str) for key in keys):
        raise ValueError(f"a map has the keys {keys!r:.200}; expected strings.")
    if len(set(keys)) != len(keys):
        raise ValueError(f"a map has the keys {keys!r:.200}; expected each once.")
    return dict(pairs)


def _refuse_ext(code: int, data: bytes) -> Any:
    raise ValueError(f"an extension type ({code}).")


#: First byte to (what it starts, bytes of the length or the value, items that the byte itself tell
_FORMS: dict[int, tuple[str, int, int]] = {
    **dict.fromkeys((*range(0x80), *range(0xE0, 0x100), 0xC0, 0xC2, 0xC3), ("value", 0, 0)),
    **{0x80 + n: ("map", 0, n) for n in range(16)},
    **{0x90 + n: ("array", 0, n) for n in range(16)},
    **{0xA0 + n: ("str", 0, n) for n in range(32)},
    0xC4: ("bin", 1, 0), 0xC5: ("bin", 2, 0), 0xC6: ("bin", 4, 0),
    0xCA: ("value", 4, 0), 0xCB: ("value", 8, 0),
    **{0xCC + k: ("value", 1 << k, 0) for k in range(4)},
    **{0xD0 + k: ("value", 1 << k, 0) for k in range(4)},
    0xD9: ("str", 1, 0), 0xDA: ("str", 2, 0), 0xDB: ("str", 4, 0),
    0xDC: ("array", 2, 0), 0xDD: ("array", 4, 0),
    0xDE: ("map", 2, 0), 0xDF: ("map", 4, 0),
}  # fmt: skip


#: The bytes of a value without parts, by its first byte; 0 for what has parts.
_VALUES = [1 + size if form == "value" else 0 for form, size, _ in (_FORMS.get(b, ("", 0, 0)) for b in range(256))]


def scan(body: bytes) -> None:
    """Refuse a body that is cut, too deep, too large, or has extension types: a ValueError.

    Nothing is built.  A decoder alone may ask for 4200 times the body's size, or recurse.
    """
    at, end, maps, values = 0, len(body), 0, _VALUES
    elements = left = 1  # how many values are still to come: here, and at each depth around it
    outer: list[int] = []
    while left or outer:
        if not left:
            left = outer.pop()
            continue
        left -= 1
        if at >= end:
            raise _broken(at, "the body ends inside a value")
        if size := values[body[at]]:
            at += size
            continue
        form, size, count = _FORMS.get(body[at], ("", 0, 0))
        at += 1
        if not form:
            raise _broken(at - 1, f"byte {body[at - 1]:#x} starts no value that a graph holds")
        if size:
            count = int.from_bytes(body[at : at + size], "big")
            at += size
        if count > end - at:  # an item has one byte at least
            raise _broken(
                at, f"a {form} of {count} does not fit into the {max(end - at, 0)} bytes left"
            )
        if form in ("str", "bin"):
            at += count
        else:
            outer.append(left)
            left = 2 * count if form == "map" else count
            elements += left
        maps += form == "map"
        if form == "str" and count > MAX_STRING:
            raise _broken(at, f"a string of {count} bytes; at most {MAX_STRING}")
        if len(outer) >= MAX_DEPTH or elements > MAX_ELEMENTS or maps > MAX_MAPS:
            raise _broken(
                at,
                f"expected at most {MAX_DEPTH} levels, {MAX_ELEMENTS} values and {MAX_MAPS} maps",
            )
    if at != end:
        raise _broken(at, f"the value ends at byte {at}, the body at {end}")


def _broken(at: int, message: str) -> ValueError:
    return ValueError(f"at byte {at}: {message}.")


# ----- Disk -----


def read_file(path: Any) -> bytes:
    """The bytes of a regular file of bounded size."""
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise GraphFileError(f"{os.fspath(path)!r} is not a regular file.")
        if status.st_size > MAX_FILE:
            raise GraphFileError(
                f"{os.fspath(path)!r} has {status.st_size} bytes; a graph's has at most {MAX_FILE}."
            )
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_FILE + 1)  # it may be growing
    finally:
        os.close(descriptor)


def write_file(path: Any, data: bytes) -> None:
    """Put ``data`` at ``path``.  Whatever happens, the old file or the new one is there, whole.

    Links are followed; the mode of a file that was there is kept.
    """
    target = Path(os.path.realpath(os.fsdecode(path)))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        raise GraphFileError(
            f"{str(target)!r} is not a regular file; a graph is not written over it."
        )
    temporary = target.with_name(f".wengert-{secrets.token_hex(8)}.tmp")
    try:
        _write(temporary, data, mode)
        temporary.replace(target)
    except BaseException:  # an interrupt, too, leaves nothing behind
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _write(path: Path, data: bytes, mode: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), stat.S_IMODE(mode))
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new name last; where a system cannot, the file is whole all the same."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
