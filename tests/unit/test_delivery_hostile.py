"""Files that aim at time or memory, and large ones that do not: each is refused or rendered within a worker's means."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chalicelib.delivery.operations import parse
from chalicelib.delivery.render import render
from chalicelib.errors import TooLarge, Unprocessable
from tests.bad_images import BAD, FORMATS, HOSTILE, encoded, jpeg_of_scans, picture, sample
from tests.unit.test_bad_images import SIGNATURES

MEASURE = """
import re, sys
from chalicelib.delivery.operations import parse
from chalicelib.delivery.render import render
with open(sys.argv[1], "rb") as file:
    render(file.read(), parse(sys.argv[2]), sys.argv[3])
with open("/proc/self/status") as status:
    print(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])
"""
LARGE = (8600, 5800)


def refusal(data, operations="w320", format="jpg"):
    """What is said of the file, once it is known to have come in time."""
    started = time.thread_time()
    with pytest.raises((Unprocessable, TooLarge)) as refused:
        render(data, parse(operations), format)
    assert time.thread_time() - started < 2.0
    return refused.value.message


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_file_is_refused_with_its_reason(bad):
    message = refusal(bad.make())
    assert bad.reason in message
    assert message.endswith(".")


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_a_hostile_file_is_refused_before_it_costs_anything(hostile):
    assert hostile.reason in refusal(hostile.make())


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_endless_animation_is_refused(kind):
    frames = [Image.new("L", (8, 8), shade) for shade in range(101)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert "101 frames; the limit is 100" in refusal(data, "_", "webp")
    assert "101 frames; the limit is 100" in refusal(data, "page:100", "jpg")
    assert render(data, parse("w4"), "jpg").animated


@pytest.mark.parametrize("operations", ["_", "page:2"])
def test_an_animation_of_too_many_pixels_is_refused(operations):
    frames = [Image.new("L", (4500, 4500), shade) for shade in (0, 100, 200)]
    data = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert "61 megapixels in all; the limit is 50" in refusal(data, operations, "gif")


def test_a_small_animation_that_is_to_be_made_huge_is_refused():
    frames = [picture(20, 20).rotate(step) for step in range(20)]
    data = encoded(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert "megapixels in all" in refusal(data, "w4000,enlarge", "webp")


def moving(frames, kind, **options):
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)


@pytest.mark.parametrize(
    ("operations", "format", "limit"),
    [("_", "webp", 20), ("blur:2,sharpen:1", "gif", 17), ("max:90000", "webp", 10), ("blur:2", "webp", 15)],
)
def test_the_more_is_done_to_an_animation_the_fewer_pixels_it_may_have(operations, format, limit):
    data = moving([Image.new("L", (1500, 1500), shade) for shade in range(0, 250, 25)], "gif")
    assert f"22 megapixels in all; with these operations the limit is {limit}" in refusal(data, operations, format)
    assert render(data, parse(f"w90,{operations}".removesuffix(",_")), format).animated


def test_an_animation_for_profile_hq_has_a_lower_limit():
    data = moving([Image.new("L", (1500, 1500), shade) for shade in range(0, 250, 25)], "gif")
    assert "22 megapixels in all; with these operations the limit is 16" in refusal(data, "w90,profile:hq", "gif")


@pytest.fixture(scope="module")
def noise_with_alpha():
    """A quarter of what an animation may have at most."""
    import numpy as np

    random = np.random.default_rng(4)
    pictures = [random.integers(0, 256, (350, 350, 4), np.uint8) for _ in range(100)]
    return moving([Image.fromarray(pixels) for pixels in pictures], "webp", quality=30, method=0)


@pytest.mark.parametrize(
    ("operations", "format"),
    [
        ("_", "gif"),
        ("w223,q:100", "webp"),
        ("w158,max:100000", "webp"),
        ("w200,blur:2,sharpen:1", "gif"),
        ("crop:0:0:223:223,profile:hq,w130,blur:2,sharpen:1", "webp"),
    ],
)
def test_a_quarter_of_the_dearest_animation_comes_in_half_the_time_at_most(noise_with_alpha, operations, format):
    started = time.process_time()
    try:
        render(noise_with_alpha, parse(operations), format)
        refusal = ""
    except (TooLarge, Unprocessable) as refused:
        refusal = refused.message
    assert "megapixels" not in refusal  # it was made, whether or not its bytes were too many
    assert time.process_time() - started < 5.0


def gif_with_later(blocks):
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 200)]
    data = encoded(frames[0], "gif", save_all=True, append_images=frames[1:], duration=100)
    second = data.index(b"\x21\xf9", data.index(b"\x2c"))
    return data[:second] + blocks + data[second:]


@pytest.mark.parametrize("blocks", [b"\x21\xfe\1a\0" * 4_000_000, b"\x21\xfe" + b"\1a" * 11_000_000 + b"\0"])
@pytest.mark.parametrize("format", ["gif", "jpg"])
def test_millions_of_comments_between_two_frames_are_refused(blocks, format):
    assert "parts" in refusal(gif_with_later(blocks), "_", format)


def test_a_tiff_whose_pages_go_round_in_a_circle_has_only_those():
    data = bytearray(encoded(picture(), "tiff"))
    first = int.from_bytes(data[4:8], "little")
    after = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[after : after + 4] = data[4:8]
    assert render(bytes(data), parse("w32"), "jpg").width == 32


def test_a_jpeg_of_many_scans_over_many_pixels_comes_in_time():
    data = jpeg_of_scans(35)
    started = time.thread_time()
    assert render(data, parse("w320"), "jpg").width == 320
    assert time.thread_time() - started < 5.0


@pytest.mark.parametrize("size", [(30_000, 1), (1, 30_000), (1, 1), (2, 3), (17, 9000)])
@pytest.mark.parametrize(
    "operations", ["_", "w1", "w100,h100,fit:cover", "w100,h100,fit:outside,enlarge", "w9,profile:hq"]
)
def test_extreme_shapes_are_rendered(size, operations):
    for kind, format in (("png", "webp"), ("jpeg", "jpg"), ("png", "avif"), ("gif", "gif")):
        rendered = render(encoded(Image.new("RGB", size, "teal"), kind), parse(operations), format)
        assert 1 <= rendered.width <= 4096
        assert 1 <= rendered.height <= 4096


@given(st.sampled_from(SIGNATURES), st.binary(max_size=300))
def test_random_bytes_after_a_signature_are_harmless(signature, tail):
    check(signature + tail)


@pytest.mark.parametrize("kind", FORMATS)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_flipped_bits_are_harmless(kind, flips):
    damaged = bytearray(sample(kind))
    for place, bit in flips:
        # Squared, so that most damage is near the start, where the headers are.
        damaged[int(place**2 * len(damaged))] ^= 1 << bit
    check(bytes(damaged))


def answer(data):
    """A picture or a sentence, once it is known to have come in time."""
    started = time.thread_time()
    try:
        result = render(data, parse("w20,h20"), "gif")
    except (Unprocessable, TooLarge) as refused:
        result = refused.message
    assert time.thread_time() - started < 5.0
    return result


def check(data):
    """Whatever the bytes are: a picture within its bounds, or a sentence."""
    result = answer(data)
    if isinstance(result, str):
        assert result.endswith(".")
    else:
        assert max(result.width, result.height) <= 20


def peak_megabytes(path, operations, format):
    """Highest resident memory of a fresh process that renders the file."""
    command = [sys.executable, "-c", MEASURE, path, operations, format]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("mode", "kind", "options", "operations", "limit"),
    [
        ("RGB", "jpeg", {}, "w800", 60),
        ("RGB", "jpeg", {}, "w4096", 220),
        ("RGB", "jpeg", {"progressive": True}, "crop:0:0:4096:3000", 400),
        ("RGBA", "png", {"compress_level": 1}, "w4096,blur:2,sharpen:1", 420),
        ("P", "gif", {}, "w4096", 300),
        ("RGB", "tiff", {"compression": "tiff_adobe_deflate"}, "w4096,profile:hq", 420),
    ],
)
def test_fifty_megapixels_fit_into_a_worker(tmp_path, mode, kind, options, operations, limit):
    path = tmp_path / "large"
    path.write_bytes(encoded(Image.new(mode, LARGE, "teal" if mode != "P" else 3), kind, **options))
    assert peak_megabytes(path, operations, "webp") < limit


@pytest.mark.parametrize("kind", ["webp", "avif"])
def test_formats_whose_decoders_need_more_have_a_lower_limit(kind):
    data = encoded(Image.new("RGB", (5100, 4900), "teal"), kind, **({"method": 0} if kind == "webp" else {"speed": 10}))
    assert "25 megapixels; the limit is 24" in refusal(data)


def test_a_progressive_jpeg_with_full_color_has_a_lower_limit():
    data = encoded(Image.new("RGB", (7000, 6000), "teal"), "jpeg", progressive=True, subsampling=0)
    assert "42 megapixels; the limit is 40" in refusal(data)
