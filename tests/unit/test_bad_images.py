import io
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chalicelib.images.working_copy import LONG_SIDE, MAX_PIXELS, Unusable, prepare
from tests.bad_images import BAD, FORMATS, HOSTILE, encoded, picture, sample

SIGNATURES = [sample(kind)[:length] for kind in FORMATS for length in (3, 12, 40)]
MEASURE = """
import re, sys
from chalicelib.images.working_copy import prepare
with open(sys.argv[1], "rb") as file:
    prepare(file.read())
with open("/proc/self/status") as status:
    print(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])
"""


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_file_is_refused_with_its_reason(bad):
    with pytest.raises(Unusable) as refused:
        prepare(bad.make())
    assert bad.reason in refused.value.reason
    assert refused.value.reason.endswith(".")


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_a_hostile_file_is_refused_before_it_costs_anything(hostile):
    data = hostile.make()
    started = time.thread_time()
    with pytest.raises(Unusable) as refused:
        prepare(data)
    assert hostile.reason in refused.value.reason
    assert time.thread_time() - started < 2.0


def answer(data):
    """What became of the bytes, once it is known to have come in time: a working copy or a sentence."""
    started = time.thread_time()
    try:
        result = prepare(data)
    except Unusable as refused:
        result = refused.reason
    assert time.thread_time() - started < 5.0
    return result


def check(data):
    """Whatever the bytes are: a working copy within its bounds, or a sentence."""
    result = answer(data)
    if isinstance(result, str):
        assert result.endswith(".")
        return
    copy = Image.open(io.BytesIO(result.jpeg), formats=["JPEG"])
    copy.load()
    assert copy.mode == "RGB"
    assert max(copy.size) == min(LONG_SIDE, max(result.width, result.height))
    assert result.width * result.height <= MAX_PIXELS


@given(st.sampled_from(SIGNATURES), st.binary(max_size=300))
def test_random_bytes_after_a_signature_are_harmless(signature, tail):
    check(signature + tail)


@pytest.mark.parametrize("kind", FORMATS)
@given(keep=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_file_cut_anywhere_is_harmless(kind, keep):
    whole = sample(kind)
    check(whole[: int(keep * len(whole))])


@pytest.mark.parametrize("kind", FORMATS)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8))
@settings(max_examples=80, deadline=None)
def test_flipped_bits_are_harmless(kind, flips):
    damaged = bytearray(sample(kind))
    for place, bit in flips:
        # Squared, so that most damage is near the start, where the headers are.
        damaged[int(place**2 * len(damaged))] ^= 1 << bit
    check(bytes(damaged))


def test_pillow_does_not_warn_about_odd_metadata(recwarn):
    broken_exif = encoded(picture(), "jpeg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    assert prepare(broken_exif).jpeg == prepare(sample("jpeg")).jpeg
    assert not recwarn.list


def test_out_of_memory_is_not_blamed_on_the_file(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", exhausted)
    with pytest.raises(MemoryError):
        prepare(sample("jpeg"))


def test_threads_do_not_disturb_each_other():
    files = [sample(kind, 300, 200) for kind in FORMATS] * 8
    alone = [prepare(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(prepare, files))
    assert together == alone


def peak_megabytes(path):
    """Highest resident memory of a fresh process that prepares the file (getrusage would count its parent's)."""
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("mode", "kind", "options", "limit"),
    [
        ("RGB", "jpeg", {}, 100),
        ("RGB", "jpeg", {"progressive": True, "subsampling": 0}, 450),
        ("RGBA", "png", {"compress_level": 1}, 600),
    ],
)
def test_fifty_megapixels_fit_into_a_small_worker(tmp_path, mode, kind, options, limit):
    path = tmp_path / "large"
    path.write_bytes(encoded(Image.new(mode, (8600, 5800), "teal"), kind, **options))
    assert peak_megabytes(path) < limit
