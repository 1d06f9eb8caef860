"""ICC profiles are built here by hand, as ICC.1:2001-04 lays them out, so that the expected color can be computed."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from chalicelib.images.working_copy import prepare
from tests.bad_images import encoded

D50 = (0.9642, 1.0, 0.8249)
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))


def profile(space, tags, pcs=b"XYZ "):
    """space: b"RGB ", b"GRAY" or b"CMYK"; tags: 4-byte name to body."""
    head = struct.pack(">I4sI4s4s4s12s4s4s", 0, b"lcms", 0x02100000, b"mntr", space, pcs, bytes(12), b"acsp", bytes(4))
    head += bytes(24) + struct.pack(">3I", *(round(value * 65536) for value in D50)) + bytes(48)
    table, bodies, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += struct.pack(">4sII", name, at + len(bodies), len(body))
        bodies += padded
    return struct.pack(">I", 128 + len(table + bodies)) + head[4:] + table + bodies


def xyz(values):
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(exponent):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


def matrix_profile(primaries, exponent):
    columns = {name: xyz(values) for name, values in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return profile(
        b"RGB ", {b"wtpt": xyz(D50), **columns, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(exponent))}
    )


def cmyk_profile(lab_of_ink):
    """A press that prints white without ink, black with K, and one color (8-bit Lab) with any of C, M and Y."""
    white, black = bytes((255, 128, 128)), bytes((0, 128, 128))
    corners = white + black + (bytes(lab_of_ink) + black) * 7
    straight = bytes(range(256))
    head = b"mft1\0\0\0\0\4\3\2\0" + struct.pack(">9i", *(65536 * (at % 4 == 0) for at in range(9)))
    return profile(b"CMYK", {b"A2B0": head + straight * 4 + corners + straight * 3, b"wtpt": xyz(D50)}, pcs=b"Lab ")


def in_srgb(color, primaries, exponent):
    """By the textbook: to linear light, to XYZ, to linear sRGB, to sRGB."""
    linear = (np.array(color) / 255) ** exponent @ np.array(primaries) @ np.linalg.inv(np.array(SRGB))
    clipped = linear.clip(0, 1)
    return 255 * np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def middle(data):
    copy = np.asarray(Image.open(io.BytesIO(prepare(data).jpeg))).astype(int)
    return copy[copy.shape[0] // 2, copy.shape[1] // 2]


@pytest.mark.parametrize("primaries", [ADOBE_RGB, DISPLAY_P3], ids=["Adobe RGB", "Display P3"])
@pytest.mark.parametrize("color", [(60, 160, 70), (190, 80, 60), (170, 150, 60)])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "tiff"])
def test_a_wide_gamut_photo_is_shown_in_srgb(primaries, color, kind):
    data = encoded(Image.new("RGB", (900, 600), color), kind, icc_profile=matrix_profile(primaries, 2.19921875))
    expected = in_srgb(color, primaries, 2.19921875)
    assert np.abs(expected - color).max() > 5
    assert np.abs(middle(data) - expected).max() <= 4


def test_an_srgb_profile_changes_nothing():
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = encoded(Image.new("RGB", (90, 60), (60, 160, 70)), "png", icc_profile=own)
    assert np.abs(middle(data) - (60, 160, 70)).max() <= 1


def test_transparency_and_a_profile_go_together():
    half = Image.new("RGBA", (90, 60), (60, 160, 70, 128))
    data = encoded(half, "png", icc_profile=matrix_profile(ADOBE_RGB, 2.19921875))
    expected = in_srgb([255 - (255 - value) * 128 / 255 for value in (60, 160, 70)], ADOBE_RGB, 2.19921875)
    assert np.abs(middle(data) - expected).max() <= 4


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_gray_profile_is_applied_to_gray(mode):
    linear = profile(b"GRAY", {b"wtpt": xyz(D50), b"kTRC": gamma(1.0)})
    data = encoded(Image.new("L", (90, 60), 55).convert(mode), "png", icc_profile=linear)
    assert np.abs(middle(data) - 128).max() <= 2  # 55 / 255 is 21.6 % of white: the middle gray of sRGB


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_a_cmyk_profile_is_applied_to_cmyk(kind):
    red = cmyk_profile((138, 209, 198))  # L* 54, a* 81, b* 70: the red of sRGB
    data = encoded(Image.new("CMYK", (90, 60), (255, 0, 0, 0)), kind, icc_profile=red)
    assert np.abs(middle(data) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize(
    "useless",
    [
        b"",
        b"no profile",
        matrix_profile(ADOBE_RGB, 2.2)[:200],
        profile(b"GRAY", {b"wtpt": xyz(D50), b"kTRC": gamma(1.0)}),
        profile(b"RGB ", {}),
        cmyk_profile((0, 0, 0)),
    ],
    ids=["empty", "text", "cut", "for gray", "without tags", "for print"],
)
def test_a_profile_that_does_not_fit_is_ignored(useless):
    data = encoded(Image.new("RGB", (90, 60), (60, 160, 70)), "png", icc_profile=useless)
    assert np.abs(middle(data) - (60, 160, 70)).max() <= 1
