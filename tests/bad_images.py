"""Files that are not usable images, each with a part of the sentence that its sender is told.

`BAD` is small enough to upload; `HOSTILE` holds large files that aim at time or memory.
"""

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

FORMATS = ("jpeg", "png", "webp", "avif", "gif", "tiff")
NEARLY_THE_LIMIT = 24_000_000


@dataclass(frozen=True)
class BadImage:
    name: str
    make: Callable[[], bytes]
    reason: str

    def __str__(self) -> str:
        return self.name


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Smooth and colored, so that no part of it compresses to nothing."""
    across = Image.linear_gradient("L").rotate(90).resize((width, height))
    down = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (across, down, Image.radial_gradient("L").resize((width, height))))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@cache
def sample(kind: str, width: int = 64, height: int = 48) -> bytes:
    return encoded(picture(width, height), kind)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(chunks: bytes) -> bytes:
    """Chunks between the header and the pixels."""
    return sample("png")[:33] + chunks + sample("png")[33:]


def jpeg_with(segments: bytes) -> bytes:
    return sample("jpeg")[:2] + segments + sample("jpeg")[2:]


def gif_with(blocks: bytes) -> bytes:
    gif = sample("gif")
    pixels = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    return gif[:pixels] + blocks + gif[pixels:]


def tiff(entries: list[tuple[int, int, int, int]], data: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory (tag, type, count, value or offset), followed by data."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + data


def tiff_of_strips(count: int, field_type: int = 4) -> bytes:
    offset = 14 + 12 * 9
    strips = [(tag, field_type, count, offset) for tag in (273, 279)]
    size = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    return tiff([*size, *strips, (277, 3, 1, 1), (278, 4, 1, 1)], bytes(NEARLY_THE_LIMIT))


def bigtiff_of_tags(count: int) -> bytes:
    tags = b"".join(struct.pack("<HHQQ", tag & 0xFFFF, 4, 1, 0) for tag in range(count))
    return b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, count) + tags + bytes(8)


def jpeg_of_scans(count: int) -> bytes:
    whole = encoded(Image.new("L", (4000, 3000)), "jpeg", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * count + whole[-2:]


def png_of_pixels(width: int, height: int) -> bytes:
    """One bit for each pixel, all zero: 169 megapixels take about 20 kB."""
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packed.flush()
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return sample("png")[:8] + header + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def gif_of_size(width: int, height: int) -> bytes:
    return sample("gif")[:6] + struct.pack("<HH", width, height) + sample("gif")[10:]


def webp_of_canvas(width: int, height: int) -> bytes:
    whole = bytearray(encoded(picture().convert("RGBA"), "webp", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"))
    whole[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(whole)


def avif_of_size(width: int, height: int) -> bytes:
    whole = sample("avif")
    extents = whole.index(b"ispe") + 8
    return whole[:extents] + struct.pack(">II", width, height) + whole[extents + 8 :]


def tiff_of_size(width: int, height: int) -> bytes:
    return tiff([(256, 4, 1, width), (257, 4, 1, height), (262, 3, 1, 1), (273, 4, 1, 8)])


def tiff_of_rationals(count: int) -> bytes:
    return tiff([(282, 5, count, 26)], bytes(8 * count))


def tiff_of_one_tile(side: int) -> bytes:
    size = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (259, 3, 1, 5), (262, 3, 1, 1)]
    return tiff([*size, (322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 134), (325, 4, 1, 1000)], bytes(2000))


def truncated(kind: str) -> bytes:
    whole = sample(kind, 400, 300)
    return whole[: len(whole) // 2]


def bomb(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


BAD = (
    BadImage("empty", lambda: b"", "empty"),
    BadImage("only zero bytes", lambda: bytes(4000), "zero bytes"),
    BadImage("web page", lambda: b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
    BadImage("SVG drawing", lambda: b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    BadImage("PDF", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    BadImage("HEIC", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
    BadImage("BMP", lambda: encoded(picture(), "bmp"), "BMP"),
    BadImage("ICO", lambda: encoded(picture(), "ico"), "icon"),
    BadImage("PSD", lambda: b"8BPS\0\1" + bytes(99), "Photoshop"),
    BadImage("JPEG 2000", lambda: encoded(picture(), "jpeg2000"), "JPEG 2000"),
    BadImage("video", lambda: b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(99), "video"),
    BadImage("text", lambda: "Grüße, this is a note.\n".encode() * 100, "text"),
    BadImage("zip", lambda: b"PK\3\4" + bytes(99), "zip"),
    BadImage("random bytes", lambda: bytes(range(128, 256)) * 9, "not an image"),
    *(BadImage(f"{kind} cut in half", lambda kind=kind: truncated(kind), "file ends") for kind in FORMATS),  # type: ignore[misc]
    BadImage("JPEG that is only a signature", lambda: b"\xff\xd8\xff", "JPEG"),
    BadImage("JPEG without pixels", lambda: b"\xff\xd8\xff\xd9", "JPEG"),
    BadImage("PNG of 169 megapixels", lambda: png_of_pixels(13_000, 13_000), "169 megapixels; the limit is 50"),
    BadImage("PNG one pixel high", lambda: png_of_pixels(40_000, 1), "limit for one side"),
    BadImage("GIF of a huge canvas", lambda: gif_of_size(20_000, 20_000), "400 megapixels"),
    BadImage("WebP of a huge canvas", lambda: webp_of_canvas(16_000, 16_000), "256 megapixels"),
    BadImage("AVIF of a huge canvas", lambda: avif_of_size(10_000, 10_000), "100 megapixels"),
    BadImage("TIFF of a huge canvas", lambda: tiff_of_size(9000, 9000), "81 megapixels"),
    BadImage("PNG with a text bomb", lambda: png_with(png_chunk(b"zTXt", b"a\0\0" + bomb(20_000_000))), "unpacks"),
    BadImage("PNG with an iTXt bomb", lambda: png_with(png_chunk(b"iTXt", b"a\0\1\0\0\0" + bomb(10**7))), "unpacks"),
    BadImage("PNG with a profile bomb", lambda: png_with(png_chunk(b"iCCP", b"a\0\0" + bomb(20_000_000))), "unpacks"),
    BadImage("TIFF with 32-bit samples", lambda: encoded(picture().convert("F"), "tiff"), "32-bit"),
    BadImage("TIFF without tags", lambda: tiff([]), "TIFF"),
)  # fmt: skip

HOSTILE = (
    BadImage("too many bytes", lambda: sample("jpeg") + bytes(25_000_000), "25.0 MB; the limit is 25"),
    BadImage("PNG of millions of chunks", lambda: png_with(png_chunk(b"prIv", b"") * 2_000_000), "parts"),
    BadImage("PNG of many profiles", lambda: png_with(png_chunk(b"iCCP", b"a\0\0" + bomb(1_000_000)) * 9000), "parts"),
    BadImage("PNG of many text bombs", lambda: png_with(png_chunk(b"zTXt", b"a\0\0" + bomb(10**6)) * 9000), "unpacks"),
    BadImage("JPEG of millions of comments", lambda: jpeg_with(b"\xff\xfe\0\2" * 6_000_000), "parts"),
    BadImage("JPEG of millions of EXIF", lambda: jpeg_with(b"\xff\xe1\0\x0aExif\0\0ab" * 2_000_000), "parts"),
    BadImage("JPEG of full EXIF", lambda: jpeg_with((b"\xff\xe1\xff\xffExif\0\0" + bytes(65527)) * 370), "parts"),
    BadImage("JPEG of fill bytes", lambda: jpeg_with(b"\xff" * NEARLY_THE_LIMIT), "parts"),
    BadImage("JPEG of thousands of scans", lambda: jpeg_of_scans(3000), "parts"),
    BadImage("GIF of millions of comments", lambda: gif_with(b"\x21\xfe\1a\0" * 4_800_000), "parts"),
    BadImage("GIF of one endless comment", lambda: gif_with(b"\x21\xfe" + b"\1a" * 12_000_000 + b"\0"), "parts"),
    BadImage("GIF of zero bytes", lambda: gif_with(bytes(NEARLY_THE_LIMIT)), "parts"),
    BadImage("TIFF of one enormous tile", lambda: tiff_of_one_tile(46_000), "tiles"),
    BadImage("TIFF of millions of strips", lambda: tiff_of_strips(6_000_000), "parts"),
    BadImage("TIFF of strips in bytes", lambda: tiff_of_strips(NEARLY_THE_LIMIT, field_type=1), "parts"),
    BadImage("BigTIFF of a million tags", lambda: bigtiff_of_tags(1_100_000), "parts"),
    BadImage("TIFF of millions of rationals", lambda: tiff_of_rationals(2_900_000), "parts"),
)  # fmt: skip
