"""How much work a file's structure is, counted before a reader sees it.

Pillow walks chunks, segments, blocks and tags in Python, a few microseconds a step, and keeps most of them. A file of
25 MB can hold millions of empty ones and keep a worker busy for minutes; a photograph needs fewer than a thousand.
"""

import re
from collections.abc import Iterator
from itertools import accumulate

MAX_STEPS = 250_000
_STEPS_OF_A_PROFILE = MAX_STEPS // 5  # each may be inflated to a megabyte
_STEPS_OF_A_SCAN = MAX_STEPS // 50  # each passes over every pixel; progressive photographs have about ten
_STEPS_OF_EXIF = MAX_STEPS // 20  # each is appended to a copy of those before

_JPEG_MARKER = re.compile(rb"\xff[^\0\xff\xd0-\xd7]")
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_EXIF = b"Exif\0\0"
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_TIFF_BYTES = {1, 2, 7}  # types that a reader takes as one string
_TIFF_OFFSETS = {273, 279, 324, 325}  # strips and tiles
_TIFF_SUBDIRECTORIES = {0x8769, 0x8825, 0xA005}  # EXIF, GPS, interoperability


def is_too_intricate(data: bytes, kind: str) -> bool:
    walk = {"jpeg": _jpeg, "png": _png, "gif": _gif, "tiff": _tiff}.get(kind)
    return walk is not None and any(spent > MAX_STEPS for spent in accumulate(walk(data)))


def webp_canvas(data: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP; its reader allocates the canvas at once. RFC 9649, sections 2.5 to 2.7."""
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        return _little(head[4:7]) + 1, _little(head[7:10]) + 1
    if kind == b"VP8L":
        bits = _little(head[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF
    return None


def is_cut_short(data: bytes, kind: str) -> bool:
    """Whether a WebP or an AVIF (ISO boxes) announces more bytes than there are; the others announce nothing."""
    if kind == "webp":
        return 8 + _little(data[4:8]) > len(data)
    at = 0
    while kind == "avif" and at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8:  # to the end of the file, or 64 bits long
            return False
        at += size
    return at > len(data)


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")


def _jpeg(data: bytes) -> Iterator[int]:
    """Segments, and the bytes between them that a reader skips one by one (not those of a scan)."""
    at, in_scan = 2, False
    while marker := _JPEG_MARKER.search(data, at):
        yield 1 if in_scan else 1 + marker.start() - at
        kind, at = data[marker.start() + 1], marker.end()
        if kind == _JPEG_END:
            return
        in_scan = in_scan or kind == _JPEG_SCAN
        yield _STEPS_OF_A_SCAN * (kind == _JPEG_SCAN) + _STEPS_OF_EXIF * data.startswith(_JPEG_EXIF, at + 2)
        at += int.from_bytes(data[at : at + 2], "big")
    yield 0 if in_scan else len(data) - at


def _png(data: bytes) -> Iterator[int]:
    at, kind = 8, b""
    while at < len(data) and kind != b"IEND":
        kind = data[at + 4 : at + 8]
        yield _STEPS_OF_A_PROFILE if kind == b"iCCP" else 1
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _gif(data: bytes) -> Iterator[int]:
    """Blocks before the first image."""
    flags = data[10] if len(data) > 10 else 0
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    while at < len(data) and data[at] != _GIF_IMAGE:
        yield 1
        at += 1
        if data[at - 1] == _GIF_EXTENSION:
            at += 1
            while at < len(data) and data[at]:
                yield 1
                at += 1 + data[at]
            at += 1


def _tiff(data: bytes) -> Iterator[int]:
    """Entries of the first directory and of those below it, and the values that a reader unpacks one by one."""
    order = "little" if data[:2] == b"II" else "big"
    big = data[2:4] in (b"+\0", b"\0+")
    word = 8 if big else 4

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    directories = [number(word, word)]
    for at in directories:
        first, entry_size = (at + 8, 20) if big else (at + 2, 12)
        entries = min(number(at, first - at), len(data) // entry_size)
        for entry in range(first, first + entries * entry_size, entry_size):
            tag, kind, count = number(entry, 2), number(entry + 2, 2), number(entry + 4, word)
            yield 1 + (min(count, len(data)) if kind not in _TIFF_BYTES or tag in _TIFF_OFFSETS else 0)
            if tag in _TIFF_SUBDIRECTORIES and len(directories) <= len(_TIFF_SUBDIRECTORIES):
                directories.append(number(entry + 4 + word, word))
