"""Small pictures of two photographs that scikit-image carries, kept in tests/golden and compared within a tolerance.

`python -m tests.unit.test_delivery_render_golden` draws them anew, for eyes to judge before they are committed.
"""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from chalicelib.delivery.operations import parse
from chalicelib.delivery.render import render
from tests.bad_images import encoded
from tests.unit.test_working_copy_color import ADOBE_RGB, DISPLAY_P3, cmyk_profile, in_srgb, matrix_profile

GOLDEN = Path(__file__).parents[1] / "golden"
MARK = "0123456789abcdefghjkmnpqrs"
CASES = {
    "inside": "w96",
    "cover-smart": "w96,h64,fit:cover,gravity:smart",
    "cover-point": "w64,h96,fit:cover,gravity:fp:0.45:0.2",
    "contain": "w96,h64,fit:contain,bg:204060",
    "fill": "w96,h40,fit:fill",
    "crop": "crop:150:20:160:160,w96",
    "turned": "w96,rotate:90,flop",
    "blur": "w96,blur:2",
    "sharpen": "w96,sharpen:1.5",
    "hq": "w96,profile:hq",
    "watermark": f"w96,watermark:{MARK}:southeast:60",
}
TOLERANCE = 1.5  # mean of 255: codecs and their vector code differ by machine, mistakes differ by more


@cache
def photo():
    return encoded(Image.fromarray(data.astronaut()), "jpeg", quality=92)


def drawn(name):
    mark = encoded(Image.new("RGB", (60, 40), "red"), "png")
    rendered = render(photo(), parse(CASES[name]), "png", watermark=mark)
    return Image.open(io.BytesIO(rendered.body)).convert("RGB")


@pytest.mark.parametrize("name", CASES)
def test_a_picture_looks_as_it_was_approved(name):
    golden = Image.open(GOLDEN / f"{name}.png").convert("RGB")
    picture = drawn(name)
    assert picture.size == golden.size
    difference = np.abs(np.asarray(picture).astype(int) - np.asarray(golden))
    assert difference.mean() < TOLERANCE
    assert np.percentile(difference, 99) < 12


@pytest.mark.parametrize("primaries", [ADOBE_RGB, DISPLAY_P3], ids=["Adobe RGB", "Display P3"])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "tiff"])
@pytest.mark.parametrize("format", ["jpg", "webp"])
def test_a_wide_gamut_photo_is_delivered_in_srgb(primaries, kind, format):
    color = (190, 80, 60)
    source = encoded(Image.new("RGB", (300, 200), color), kind, icc_profile=matrix_profile(primaries, 2.19921875))
    rendered = render(source, parse("w80"), format)
    image = Image.open(io.BytesIO(rendered.body))
    expected = in_srgb(color, primaries, 2.19921875)
    assert np.abs(np.array(image.convert("RGB").getpixel((40, 20))) - expected).max() <= 6
    assert "icc_profile" not in image.info


def test_a_wide_gamut_picture_keeps_its_transparency():
    profile = matrix_profile(ADOBE_RGB, 2.19921875)
    source = encoded(Image.new("RGBA", (90, 60), (60, 160, 70, 128)), "png", icc_profile=profile)
    image = Image.open(io.BytesIO(render(source, parse("w30"), "png").body))
    color = np.array(image.getpixel((15, 10)))
    assert np.abs(color[:3] - in_srgb((60, 160, 70), ADOBE_RGB, 2.19921875)).max() <= 4
    assert color[3] == 128


def test_a_press_profile_is_applied():
    source = encoded(Image.new("CMYK", (90, 60), (255, 0, 0, 0)), "jpeg", icc_profile=cmyk_profile((138, 209, 198)))
    image = Image.open(io.BytesIO(render(source, parse("w30"), "png").body))
    assert np.abs(np.array(image.getpixel((15, 10))) - (255, 0, 0)).max() <= 6


def test_a_broken_profile_is_ignored():
    source = encoded(Image.new("RGB", (90, 60), (60, 160, 70)), "png", icc_profile=matrix_profile(ADOBE_RGB, 2.2)[:200])
    image = Image.open(io.BytesIO(render(source, parse("w30"), "png").body))
    assert np.abs(np.array(image.getpixel((15, 10))) - (60, 160, 70)).max() <= 1


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for each in CASES:
        drawn(each).save(GOLDEN / f"{each}.png", optimize=True)
