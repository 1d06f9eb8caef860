import io
import re
import struct
import zlib
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from chalicelib.images.working_copy import prepare
from tests.bad_images import FORMATS, encoded, jpeg_with, picture, png_chunk, sample, tiff

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 180, 40), (30, 40, 200), (255, 255, 255)
UPRIGHT = ((RED, GREEN), (BLUE, WHITE))
STORED_AS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
TAKEN, OFFSET, PHOTO, ORIENTATION, GPS = 0x9003, 0x9011, 0x8769, 0x0112, 0x8825


def opened(jpeg):
    image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
    image.load()
    return image


def pixels(jpeg):
    return np.asarray(opened(jpeg)).astype(int)


def middle(data):
    """The color in the middle of the working copy."""
    copy = pixels(prepare(data).jpeg)
    return copy[copy.shape[0] // 2, copy.shape[1] // 2]


def quarters():
    """60 x 40: red and green above blue and white."""
    return Image.fromarray(np.array(UPRIGHT, np.uint8)).resize((60, 40), Image.Resampling.NEAREST)


def exif(tags=None, photo=None):
    fields = Image.Exif()
    fields.update({0x010F: "Camera"} | (tags or {}))
    fields.get_ifd(PHOTO).update(photo or {})
    return fields


def plain(mode, color, size=(64, 48)):
    return Image.new(mode, size, color)


# Formats and sizes


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_a_small_rgb_jpeg_that_looks_the_same(kind):
    prepared = prepare(sample(kind, 900, 600))
    copy = opened(prepared.jpeg)
    assert (prepared.format, prepared.width, prepared.height) == (kind, 900, 600)
    assert (copy.mode, copy.size) == ("RGB", (512, 341))
    difference = np.abs(pixels(prepared.jpeg) - np.asarray(picture(900, 600).resize(copy.size)).astype(int))
    assert difference.mean() < (6 if kind == "gif" else 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (512, 512), (513, 2), (30_000, 1), (4096, 3), (700, 511)])
def test_the_long_side_is_at_most_512_and_nothing_is_enlarged(size):
    for kind in ("png", "jpeg"):
        prepared = prepare(encoded(plain("RGB", BLUE, size), kind))
        copy = opened(prepared.jpeg).size
        assert (prepared.width, prepared.height) == size
        assert max(copy) == min(512, max(size))
        assert min(copy) == max(1, round(min(size) * min(1, 512 / max(size))))


def test_chroma_is_not_subsampled():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = RED
    copy = pixels(prepare(encoded(Image.fromarray(stripes), "png")).jpeg)
    assert copy[:, ::2, 0].mean() - copy[:, 1::2, 0].mean() > 200


@pytest.mark.parametrize("kind", ["gif", "webp", "avif", "png", "tiff", "mpo"])
def test_the_first_frame_counts(kind):
    later = [plain("RGB", BLUE), plain("RGB", RED)]
    data = encoded(plain("RGB", GREEN), kind, save_all=True, append_images=later)
    assert np.abs(middle(data) - GREEN).max() <= 4


def test_bytes_after_the_end_of_a_jpeg_do_not_matter():
    assert prepare(sample("jpeg") + b"motion photo" * 9999).jpeg == prepare(sample("jpeg")).jpeg


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_is_read_in_its_usual_compressions_and_as_bigtiff(compression, big):
    data = encoded(plain("RGB", GREEN), "tiff", compression=compression, big_tiff=big)
    assert np.abs(middle(data) - GREEN).max() <= 4


def test_a_big_endian_tiff_is_read():
    entries = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1), (273, 3, 1, 86), (278, 3, 1, 4)]
    head = b"MM\0*" + struct.pack(">IH", 8, 6) + b"".join(struct.pack(">HHIHxx", *entry) for entry in entries)
    assert list(middle(head + bytes(4) + b"\x80" * 16)) == [128, 128, 128]


# Pixel layouts


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (plain("L", 100), "png", (100, 100, 100)),
        (plain("1", 1), "png", WHITE),
        (plain("1", 1), "tiff", WHITE),
        (plain("P", 0).convert("RGB").quantize(2), "png", (0, 0, 0)),
        (plain("RGBA", (*RED, 255)), "png", RED),
        (plain("RGBA", (*RED, 0)), "png", WHITE),
        (plain("RGBA", (0, 0, 0, 128)), "webp", (127, 127, 127)),
        (plain("RGBA", (*RED, 0)), "avif", WHITE),
        (plain("LA", (0, 128)), "png", (127, 127, 127)),
        (plain("LA", (0, 128)), "tiff", (127, 127, 127)),
        (plain("CMYK", (0, 0, 0, 255)), "jpeg", (0, 0, 0)),
        (plain("CMYK", (255, 0, 0, 0)), "jpeg", (0, 255, 255)),
        (plain("CMYK", (255, 0, 0, 0)), "tiff", (0, 255, 255)),
        (plain("YCbCr", (128, 128, 128)), "tiff", (128, 128, 128)),
        (plain("LAB", (255, 128, 128)), "tiff", WHITE),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
def test_every_pixel_layout_keeps_its_color(image, kind, expected):
    assert np.abs(middle(encoded(image, kind)) - expected).max() <= 3


def test_a_transparent_palette_color_shows_white():
    image = Image.new("P", (64, 48), 1)
    image.putpalette([0, 0, 0, *RED])
    for kind in ("png", "gif"):
        assert list(middle(encoded(image, kind, transparency=1))) == list(WHITE)


def test_a_transparent_color_of_a_truecolor_png_shows_white():
    assert list(middle(encoded(plain("RGB", RED), "png", transparency=RED))) == list(WHITE)


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bit_gray_is_scaled_and_not_clipped(kind):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    copy = pixels(prepare(encoded(Image.fromarray(np.tile(ramp, (32, 1))), kind)).jpeg)
    assert np.abs(copy.mean(axis=(0, 2)) - np.arange(256)).max() < 2


def test_a_sixteen_bit_truecolor_png_keeps_its_color():
    row = b"\0" + struct.pack(">HHH", *(257 * value for value in GREEN)) * 8
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(row * 8)) + png_chunk(b"IEND", b"")
    assert np.abs(middle(sample("png")[:8] + header + body) - GREEN).max() <= 2


# Metadata


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(kind, orientation):
    stored = quarters().transpose(STORED_AS[orientation]) if orientation > 1 else quarters()
    prepared = prepare(encoded(stored, kind, exif=exif({ORIENTATION: orientation})))
    copy = pixels(prepared.jpeg)
    assert (prepared.width, prepared.height) == (60, 40)
    corners = copy[[[5, 5], [-5, -5]], [[5, -5], [5, -5]]]
    assert np.abs(corners - np.array(UPRIGHT)).max() <= 12


def test_the_orientation_of_a_large_rotated_photo_holds_after_reduction():
    data = encoded(quarters().resize((3000, 1000)), "jpeg", exif=exif({ORIENTATION: 6}))
    prepared = prepare(data)
    assert (prepared.width, prepared.height) == (1000, 3000)
    assert opened(prepared.jpeg).size == (171, 512)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_impossible_orientation_is_ignored(orientation):
    data = encoded(quarters(), "jpeg", exif=exif({ORIENTATION: orientation}))
    assert prepare(data).jpeg == prepare(encoded(quarters(), "jpeg")).jpeg


@pytest.mark.parametrize(
    ("taken", "offset", "expected"),
    [
        ("2024:02:29 23:59:58", "+05:30", "2024-02-29T23:59:58+05:30"),
        ("2024:02:29 23:59:58", None, "2024-02-29T23:59:58"),
        ("2024:02:29 23:59:58", "CEST", "2024-02-29T23:59:58"),
        ("2024:02:29 23:59:58", "+99:99", "2024-02-29T23:59:58"),
        ("2023:02:29 23:59:58", None, None),
        ("0000:00:00 00:00:00", None, None),
        ("0001:01:01 00:00:00", None, None),
        ("    :  :     :  :  ", "+01:00", None),
        ("yesterday", None, None),
        (None, "+01:00", None),
    ],
)
def test_the_moment_of_capture_is_read_unless_it_is_nonsense(taken, offset, expected):
    tags = {tag: value for tag, value in ((TAKEN, taken), (OFFSET, offset)) if value}
    assert prepare(encoded(picture(), "jpeg", exif=exif(photo=tags))).captured_at == expected


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_the_moment_of_capture_is_read_in_every_format_that_has_one(kind):
    data = encoded(picture(), kind, exif=exif(photo={TAKEN: "2020:05:06 07:08:09"}))
    assert prepare(data).captured_at == "2020-05-06T07:08:09"


def test_the_moment_of_capture_of_a_tiff_is_read_from_its_exif_directory():
    size = [(256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 8), (262, 3, 1, 1)]
    end = 14 + 12 * 7
    photo = struct.pack("<HHHIII", 1, TAKEN, 2, 20, end + 18, 0) + b"2020:05:06 07:08:09\0"
    data = tiff([*size, (273, 4, 1, end + len(photo)), (278, 4, 1, 4), (PHOTO, 4, 1, end)], photo + bytes(16))
    assert prepare(data).captured_at == "2020-05-06T07:08:09"


def test_the_working_copy_carries_no_metadata():
    secret = exif({0x010E: "my garden"})
    secret.get_ifd(GPS).update({1: "N", 2: (48.0, 8.0, 12.0)})
    data = encoded(picture(), "jpeg", exif=secret, comment=b"my garden", xmp=b"my garden", dpi=(300, 300))
    jpeg = prepare(data).jpeg
    segments = re.findall(rb"\xff([\xe0-\xef\xfe])", jpeg[: jpeg.index(b"\xff\xda")])
    assert b"my garden" not in jpeg
    assert segments == [b"\xe0"]  # JFIF, which has no more than a version


@pytest.mark.parametrize(
    "broken",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12",
        b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\x05\0\1\0\0\0\x0e\0\0\0" + bytes(8),
        b"Exif\0\0" + b"?" * 300,
    ],
)
def test_broken_exif_is_as_good_as_none(broken):
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    prepared = prepare(jpeg_with(segment))
    assert prepared == prepare(sample("jpeg"))


def test_exif_larger_than_a_megabyte_is_ignored():
    huge = exif({ORIENTATION: 6, 0x010E: "x" * 1_100_000})
    assert prepare(encoded(picture(), "webp", exif=huge)).width == 64


# Fingerprint


def bits_apart(first, second):
    return (int.from_bytes(prepare(first).phash) ^ int.from_bytes(prepare(second).phash)).bit_count()


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg"])
@pytest.mark.parametrize(("scale", "kind"), [(0.3, "jpeg"), (0.8, "webp"), (1.7, "png")])
def test_a_copy_in_another_size_and_format_differs_in_at_most_six_bits(photos, name, scale, kind):
    photo = Image.open(photos / name).convert("RGB")
    copy = photo.resize((round(photo.width * scale), round(photo.height * scale)))
    assert bits_apart((photos / name).read_bytes(), encoded(copy, kind)) <= 6


def test_different_photos_differ_in_far_more_bits(photos):
    names = ["astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg"]
    files = [(photos / name).read_bytes() for name in names]
    assert min(bits_apart(first, second) for first, second in combinations(files, 2)) > 12


def test_a_fingerprint_is_of_the_upright_picture():
    turned = encoded(picture().transpose(STORED_AS[6]), "png", exif=exif({ORIENTATION: 6}))
    assert prepare(turned).phash == prepare(sample("png")).phash


def test_the_bits_of_a_fingerprint_say_where_it_gets_darker_to_the_right():
    falling = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_270).resize((90, 80))
    half = falling.copy()
    half.paste(128, (0, 40, 90, 80))
    found = [prepare(encoded(image, "png")).phash for image in (falling, half, plain("L", 9))]
    assert found == [b"\xff" * 8, b"\xff" * 4 + bytes(4), bytes(8)]
