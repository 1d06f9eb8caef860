import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from chalicelib.delivery.operations import parse
from chalicelib.delivery.render import ladder, render
from chalicelib.errors import BadRequest, TooLarge, Unprocessable
from tests.bad_images import FORMATS, encoded, picture, png_chunk, sample
from tests.unit.test_working_copy import BLUE, GREEN, ORIENTATION, RED, STORED_AS, UPRIGHT, WHITE, exif, plain, quarters

ROOT = Path(__file__).parents[2]
OUT = ("jpg", "png", "webp", "avif", "gif")
MARK = "0123456789abcdefghjkmnpqrs"


def made(data, operations, format="png", **beside):
    return render(data, parse(operations), format, **beside)


def opened(rendered):
    image = Image.open(io.BytesIO(rendered.body))
    image.load()
    return image


def pixels(rendered, mode="RGB"):
    return np.asarray(opened(rendered).convert(mode)).astype(int)


def at(rendered, x, y, mode="RGB"):
    """The color at a place told in fractions."""
    drawn = pixels(rendered, mode)
    return drawn[int(y * (drawn.shape[0] - 1)), int(x * (drawn.shape[1] - 1))]


def near(color, expected, tolerance=6):
    return np.abs(np.array(color) - expected).max() <= tolerance


def as_png(mode, color, size=(64, 48)):
    return encoded(plain(mode, color, size), "png")


# Formats


@pytest.mark.parametrize("format", OUT)
@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_becomes_every_other(kind, format):
    rendered = made(sample(kind, 900, 600), "w320,h320", format)
    image = opened(rendered)
    assert (rendered.width, rendered.height) == image.size == (320, 213)
    assert rendered.content_type == f"image/{image.format.lower()}"
    expected = np.asarray(picture(900, 600).resize((320, 213), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(pixels(rendered) - expected).mean() < (6 if "gif" in (kind, format) else 2)
    assert not rendered.transparent
    assert not rendered.animated


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright_whatever_is_cut(kind, orientation):
    stored = quarters().transpose(STORED_AS[orientation]) if orientation > 1 else quarters()
    data = encoded(stored, kind, exif=exif({ORIENTATION: orientation}))
    whole = made(data, "w30")
    corners = [[at(whole, x, y) for x in (0.1, 0.9)] for y in (0.1, 0.9)]
    assert (whole.width, whole.height) == (30, 20)
    assert near(corners, UPRIGHT, 20)
    assert near(at(made(data, "crop:32:2:20:10"), 0.5, 0.5), GREEN, 12)
    assert near(at(made(data, "w10,h10,fit:cover,gravity:west"), 0.1, 0.9), BLUE, 12)
    assert near(at(made(data, "rotate:90,w20", "jpg"), 0.1, 0.1), BLUE, 20)


@pytest.mark.parametrize(
    ("image", "kind", "expected"),
    [
        (plain("L", 100), "png", (100, 100, 100, 255)),
        (plain("L", 100), "jpeg", (100, 100, 100, 255)),
        (plain("1", 1), "tiff", (*WHITE, 255)),
        (plain("P", 0).convert("RGB").quantize(2), "png", (0, 0, 0, 255)),
        (plain("RGBA", (*RED, 255)), "png", (*RED, 255)),
        (plain("RGBA", (*RED, 128)), "webp", (*RED, 128)),
        (plain("RGBA", (*RED, 128)), "avif", (*RED, 128)),
        (plain("RGBA", (*RED, 128)), "tiff", (*RED, 128)),
        (plain("LA", (90, 128)), "png", (90, 90, 90, 128)),
        (plain("CMYK", (255, 0, 0, 0)), "jpeg", (0, 255, 255, 255)),
        (plain("CMYK", (0, 0, 0, 255)), "tiff", (0, 0, 0, 255)),
        (plain("YCbCr", (128, 128, 128)), "tiff", (128, 128, 128, 255)),
        (plain("LAB", (255, 128, 128)), "tiff", (*WHITE, 255)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else None,
)
@pytest.mark.parametrize("operations", ["w32", "w32,profile:hq"])
def test_every_pixel_layout_keeps_its_color_and_its_transparency(image, kind, expected, operations):
    rendered = made(encoded(image, kind), operations)
    assert near(at(rendered, 0.5, 0.5, "RGBA"), expected, 4)
    assert rendered.transparent == (expected[3] < 255)


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_a_transparent_palette_color_stays_transparent(kind):
    image = Image.new("P", (64, 48), 1)
    image.putpalette([0, 0, 0, *RED])
    data = encoded(image, kind, transparency=1)
    assert at(made(data, "w32"), 0.5, 0.5, "RGBA")[3] == 0
    assert near(at(made(data, "w32", "jpg"), 0.5, 0.5), WHITE, 2)
    assert made(data, "w32", "jpg").transparent


def test_sixteen_bit_gray_is_scaled_and_not_clipped():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    drawn = pixels(made(encoded(Image.fromarray(np.tile(ramp, (32, 1))), "png"), "_"))
    assert np.abs(drawn.mean(axis=(0, 2)) - np.arange(256)).max() < 1


def test_a_sixteen_bit_truecolor_png_keeps_its_color():
    row = b"\0" + struct.pack(">HHH", *(257 * value for value in GREEN)) * 8
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(row * 8)) + png_chunk(b"IEND", b"")
    assert near(at(made(sample("png")[:8] + header + body, "w4"), 0.5, 0.5), GREEN, 1)


def test_gray_stays_gray_and_takes_a_third_of_the_bytes():
    assert opened(made(sample("jpeg"), "w32", "jpg")).mode == "RGB"
    for format in ("jpg", "png"):
        assert opened(made(encoded(picture().convert("L"), "jpeg"), "w32", format)).mode == "L"


@pytest.mark.parametrize("operations", ["w31", "w31,profile:hq", "blur:3", "sharpen:2"])
def test_hidden_colors_do_not_bleed_into_what_is_seen(operations):
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((*RED, 255), (16, 0, 48, 64))
    drawn = pixels(made(encoded(image, "png"), operations), "RGBA")
    seen = drawn[drawn[..., 3] > 40]
    assert seen[:, 1].max() <= 60  # of the hidden green half would be 140


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "I;16"])
@pytest.mark.parametrize(("operations", "tolerance"), [("w90", 4), ("w2000", 2), ("w2000,profile:hq", 2)])
def test_large_images_are_converted_in_bands_that_nobody_sees(mode, operations, tolerance, monkeypatch):
    whole = picture(2900, 1900)
    if mode == "I;16":
        large = Image.fromarray(np.asarray(whole.convert("L")).astype(np.uint16) * 257)
    else:
        large = whole.quantize(200) if mode == "P" else whole.convert(mode)
    if "A" in mode:
        large.putalpha(Image.linear_gradient("L").resize(large.size))
    data = encoded(large, "png", compress_level=1)
    in_bands = pixels(made(data, operations), "RGBA")
    monkeypatch.setattr("chalicelib.delivery.resampling._WHOLE", large.width * large.height)
    at_once = pixels(made(data, operations), "RGBA")
    seen = at_once[..., 3] > 127
    assert np.abs(in_bands - at_once)[seen].max() <= tolerance


# Operations


def test_crop_takes_its_pixels_and_no_others():
    assert near(pixels(made(encoded(quarters(), "png"), "crop:30:0:30:20")), GREEN, 0)
    assert near(pixels(made(encoded(quarters(), "png"), "crop:0:20:30:20")), BLUE, 0)


@pytest.mark.parametrize(
    ("operations", "corners"),
    [
        ("rotate:90", ((BLUE, RED), (WHITE, GREEN))),
        ("rotate:180", ((WHITE, BLUE), (GREEN, RED))),
        ("rotate:270", ((GREEN, WHITE), (RED, BLUE))),
        ("flip", ((BLUE, WHITE), (RED, GREEN))),
        ("flop", ((GREEN, RED), (WHITE, BLUE))),
        ("rotate:90,flip,flop", ((GREEN, WHITE), (RED, BLUE))),
    ],
)
def test_turning_is_clockwise_and_mirrors_come_after_it(operations, corners):
    rendered = made(encoded(quarters(), "png"), operations)
    assert near([[at(rendered, x, y) for x in (0.1, 0.9)] for y in (0.1, 0.9)], corners, 1)


def test_contain_fills_up_with_white_nothing_or_bg():
    data = as_png("RGB", BLUE, (40, 20))
    assert near(at(made(data, "w40,h40,fit:contain", "jpg"), 0.5, 0), WHITE, 3)
    assert list(at(made(data, "w40,h40,fit:contain", "webp"), 0.5, 0, "RGBA"))[3] == 0
    assert list(at(made(data, "w40,h40,fit:contain,bg:dc1e1e"), 0.5, 0)) == list(RED)
    assert list(at(made(data, "w40,h40,fit:contain,bg:dc1e1e"), 0.5, 0.5)) == list(BLUE)
    assert made(data, "w40,h60,fit:contain,rotate:90").height == 60


def test_contain_of_gray_takes_a_colored_bg():
    assert list(at(made(as_png("L", 9, (40, 20)), "w40,h40,fit:contain,bg:dc1e1e"), 0.5, 0)) == list(RED)


def test_transparency_lies_over_bg_in_every_format():
    half = as_png("RGBA", (0, 0, 0, 128))
    assert near(at(made(half, "_", "jpg"), 0.5, 0.5), (127, 127, 127), 2)
    assert near(at(made(half, "bg:ff0000", "jpg"), 0.5, 0.5), (127, 0, 0), 4)
    assert near(at(made(half, "bg:ff0000", "png"), 0.5, 0.5), (127, 0, 0), 1)
    assert made(half, "bg:ff0000", "png").transparent


def test_blur_is_a_gaussian_of_the_sigma_asked_for():
    line = Image.new("L", (101, 101), 0)
    line.paste(255, (50, 0, 51, 101))
    row = pixels(made(encoded(line, "png"), "blur:5"), "L")[50]
    place = np.arange(101) - 50
    assert abs(np.sqrt((row * place**2).sum() / row.sum()) - 5) < 0.5


def test_sharpen_steepens_an_edge_and_more_of_it_does_more():
    edge = Image.new("L", (60, 60), 90)
    edge.paste(160, (30, 0, 60, 60))
    peaks = [pixels(made(encoded(edge, "png"), f"sharpen:{strength}"), "L").max() for strength in (0, 0.5, 2)]
    assert peaks[0] == 160
    assert peaks[0] < peaks[1] < peaks[2]


@pytest.mark.parametrize("format", ["jpg", "png"])
def test_a_watermark_lies_where_it_is_told_a_quarter_of_the_shorter_side_as_opaque_as_asked(format):
    mark = as_png("RGB", RED, (900, 900))
    rendered = made(as_png("L", 0, (800, 400)), f"watermark:{MARK}:southeast:50", format, watermark=mark)
    covered = pixels(rendered)[..., 0] > 60
    assert near(at(rendered, 0.97, 0.97), (110, 15, 15), 6)
    assert np.argwhere(covered).min(axis=0).tolist() == pytest.approx([300, 700], abs=2)
    assert covered.sum() == pytest.approx(100 * 100, rel=0.05)


def test_a_small_watermark_is_not_enlarged_and_its_transparency_counts():
    mark = Image.new("RGBA", (20, 10), (*RED, 0))
    mark.paste((*RED, 255), (0, 0, 10, 10))
    rendered = made(as_png("RGB", BLUE, (400, 400)), f"watermark:{MARK}:northwest:100", watermark=encoded(mark, "png"))
    assert (np.abs(pixels(rendered) - RED).max(axis=2) < 40).sum() == pytest.approx(100, abs=12)


def test_a_watermark_that_was_not_given_is_not_silently_left_out():
    with pytest.raises(Unprocessable, match="watermark"):
        made(sample("png"), f"watermark:{MARK}:center:50")


def test_nothing_is_enlarged_unless_asked():
    assert made(sample("png"), "w128").width == 64
    assert made(sample("png"), "w128,enlarge").width == 128


def scene():
    """Gray, with a busy patch on the far right."""
    image = Image.new("RGB", (600, 200), (120, 120, 120))
    draw = ImageDraw.Draw(image)
    for step in range(10):
        draw.ellipse(
            (500 + 3 * step, 60 + 3 * step, 580 - 3 * step, 140 - 3 * step), fill=(25 * step, 200 - 20 * step, 0)
        )
    return image


@pytest.mark.parametrize("gravity", ["smart", "faces"])
def test_smart_gravity_keeps_what_stands_out_and_faces_fall_back_to_it(gravity):
    whole = np.abs(np.asarray(scene().convert("L")).astype(int) - 120).sum()
    kept = pixels(made(encoded(scene(), "png"), f"w200,h200,fit:cover,gravity:{gravity}"), "L")
    assert np.abs(kept - 120).sum() > 0.95 * whole


def test_smart_gravity_finds_it_in_a_turned_original_and_within_a_crop():
    stored = encoded(scene().transpose(Image.Transpose.ROTATE_90), "jpeg", exif=exif({ORIENTATION: 6}), quality=95)
    for operations in ("w200,h200,fit:cover,gravity:smart", "crop:300:0:300:200,w200,h200,fit:cover,gravity:smart"):
        kept = pixels(made(stored, operations), "L")
        assert (
            np.abs(kept - 120)[60:140].sum() > 0.95 * np.abs(np.asarray(scene().convert("L")).astype(int) - 120).sum()
        )


def test_smart_gravity_of_a_flat_picture_is_its_middle():
    flat = as_png("RGB", GREEN, (300, 100))
    flat_with_center = made(flat, "w50,h50,fit:cover").body
    assert made(flat, "w50,h50,fit:cover,gravity:smart").body == flat_with_center


def test_gravity_faces_keeps_all_faces_or_the_largest():
    bands = Image.new("RGB", (600, 100))
    for at_x, color in zip(range(0, 600, 100), (RED, GREEN, BLUE, WHITE, RED, GREEN), strict=True):
        bands.paste(color, (at_x, 0, at_x + 100, 100))
    data = encoded(bands, "png")
    blue, far = (0.36, 0.3, 0.1, 0.4), (0.9, 0.1, 0.05, 0.2)
    one = made(data, "w100,h100,fit:cover,gravity:faces", faces=[blue])
    largest = made(data, "w100,h100,fit:cover,gravity:faces", faces=[far, blue])
    both = made(data, "w200,h100,fit:cover,gravity:faces", faces=[blue, (0.52, 0.3, 0.1, 0.4)])
    assert near(at(one, 0.5, 0.5), BLUE)
    assert near(at(largest, 0.5, 0.5), BLUE)
    assert near(at(both, 0.3, 0.5), BLUE)
    assert near(at(both, 0.7, 0.5), WHITE)


# Encoders


def test_quality_90_and_more_keeps_color_in_every_pixel():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = RED
    data = encoded(Image.fromarray(stripes), "png")
    contrast = [
        drawn[:, ::2, 0].mean() - drawn[:, 1::2, 0].mean()
        for drawn in (pixels(made(data, f"q:{quality}", "jpg")) for quality in (85, 95))
    ]
    assert contrast[0] < 150 < 200 < contrast[1]


@pytest.mark.parametrize("format", ["jpg", "webp", "avif"])
def test_quality_and_profile_reach_the_encoder(format):
    data = sample("png", 400, 300)
    sizes = [len(made(data, f"q:{quality}", format).body) for quality in (20, 60, 95)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_only_profile_hq_is_progressive():
    assert "progressive" not in opened(made(sample("jpeg"), "w32", "jpg")).info
    assert "progressive" in opened(made(sample("jpeg"), "w32,profile:hq", "jpg")).info


@pytest.mark.parametrize("format", ["jpg", "webp", "avif"])
@pytest.mark.parametrize("limit", [5000, 9000])
def test_max_is_kept_and_used(format, limit):
    noisy = Image.effect_noise((500, 400), 25).convert("RGB")
    size = len(made(encoded(noisy, "png"), f"w300,max:{limit}", format).body)
    assert limit * 0.7 < size <= limit


@pytest.mark.parametrize("format", OUT)
def test_max_that_cannot_be_kept_is_refused(format):
    noisy = encoded(Image.effect_noise((700, 600), 90), "png")
    with pytest.raises(Unprocessable, match="1000 bytes"):
        made(noisy, "max:1000", format)


@pytest.mark.parametrize("format", ["jpg", "webp", "avif"])
def test_q_auto_takes_more_for_noise_than_for_a_smooth_picture_and_keeps_both_alike(format):
    from skimage.metrics import structural_similarity

    noise = Image.effect_noise((300, 200), 40).convert("RGB")
    for image in (noise, picture(300, 200)):
        drawn = pixels(made(encoded(image, "png"), "q:auto", format), "L")
        wanted = np.asarray(image.convert("L")).astype(int)
        assert structural_similarity(drawn, wanted, win_size=7, data_range=255) > 0.95
    smooth, rough = (len(made(encoded(image, "png"), "q:auto", format).body) for image in (picture(300, 200), noise))
    assert smooth < rough / 4


def test_a_result_over_20_megabytes_is_refused():
    noise = Image.frombytes("RGB", (3000, 2600), np.random.default_rng(1).bytes(3000 * 2600 * 3))
    with pytest.raises(TooLarge, match="limit is 20"):
        made(encoded(noise, "webp", quality=80, method=0), "_", "png")


# Metadata


@pytest.mark.parametrize("format", OUT)
def test_a_result_tells_nothing_of_its_original(format):
    secret = exif({0x010E: "my garden", 0x8298: "Somebody"})
    data = encoded(picture(), "jpeg", exif=secret, comment=b"my garden", xmp=b"my garden", dpi=(300, 300))
    image = opened(made(data, "w32", format))
    assert b"garden" not in made(data, "w32", format).body
    assert not {"exif", "xmp", "comment", "icc_profile", "dpi"} & image.info.keys()


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "avif"])
def test_copyright_and_artist_are_kept_on_request_and_nothing_else(format):
    secret = exif({0x010E: "my garden", 0x8298: "Somebody 2026", 0x013B: "Somebody", ORIENTATION: 6})
    kept = opened(made(encoded(picture(), "jpeg", exif=secret), "copyright,w32", format)).getexif()
    assert dict(kept) == {0x8298: "Somebody 2026", 0x013B: "Somebody"}


# Pages and animations


def movie(kind, count=5, size=(60, 40), **options):
    """A red square that walks over a clear ground."""
    frames = []
    for step in range(count):
        frame = Image.new("RGBA", size, (0, 0, 0, 0))
        frame.paste((*RED, 255), (10 * step, 0, 10 * step + 10, 40))
        frames.append(frame)
    durations = [100 + 10 * step for step in range(count)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=durations, disposal=2, **options)


@pytest.mark.parametrize("format", ["gif", "webp"])
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_stays_one_with_its_frames_times_loop_and_transparency(kind, format):
    options = {"quality": 100} if kind == "webp" else {}
    rendered = made(movie(kind, loop=3, **options), "w30,q:95", format)
    image = Image.open(io.BytesIO(rendered.body))
    assert (rendered.animated, rendered.transparent) == (True, True)
    assert (image.n_frames, image.info["loop"], image.size) == (5, 3, (30, 20))
    for step in range(5):
        image.seek(step)
        drawn = np.asarray(image.convert("RGBA")).astype(int)
        assert image.info["duration"] == 100 + 10 * step
        assert near(drawn[10, 5 * step + 2], (*RED, 255), 12)
        assert drawn[10, (5 * step + 15) % 30][3] == 0


@pytest.mark.parametrize("kind", ["gif", "webp"])
@pytest.mark.parametrize("format", ["jpg", "png", "avif"])
def test_of_an_animation_other_formats_show_the_page_asked_for(kind, format):
    options = {"quality": 100} if kind == "webp" else {}
    data = movie(kind, **options)
    for page in (0, 3):
        rendered = made(data, f"page:{page}", format)
        assert rendered.animated == (page == 0)
        assert near(at(rendered, (10 * page + 5) / 60, 0.5), RED, 12)


def test_a_page_that_is_asked_for_of_a_gif_is_a_still_gif():
    rendered = made(movie("gif"), "page:2", "gif")
    assert getattr(opened(rendered), "n_frames", 1) == 1
    assert near(at(rendered, 25 / 60, 0.5), RED, 2)


@pytest.mark.parametrize("big", [False, True])
def test_every_page_of_a_tiff_is_found(big):
    pages = [plain("RGB", color) for color in (RED, GREEN, BLUE)]
    data = encoded(pages[0], "tiff", save_all=True, append_images=pages[1:], big_tiff=big)
    assert [tuple(at(made(data, f"page:{page}"), 0.5, 0.5)) for page in range(3)] == [RED, GREEN, BLUE]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_page_that_is_not_there_is_a_bad_request(kind):
    with pytest.raises(BadRequest, match="no page 7") as refused:
        made(sample(kind), "page:7")
    assert refused.value.field == "operations"


def test_the_frames_of_a_long_gif_look_like_their_originals():
    """Their colors are chosen by a part of their pixels."""
    from skimage.data import astronaut, coffee

    photos = [Image.fromarray(photo()).resize((300, 200)) for photo in (astronaut, coffee)]
    frames = [photos[step % 2].rotate(step) for step in range(40)]
    data = encoded(frames[0], "webp", save_all=True, append_images=frames[1:], quality=95, method=0)
    image = Image.open(io.BytesIO(made(data, "_", "gif").body))
    for step in (0, 1, 38, 39):
        image.seek(step)
        difference = np.asarray(image.convert("RGB")).astype(int) - np.asarray(frames[step])
        assert 10 * np.log10(255**2 / (difference**2).mean()) > 31


def test_max_holds_for_animations_too():
    noisy = [Image.effect_noise((200, 150), 60).convert("RGB") for _ in range(4)]
    data = encoded(noisy[0], "webp", save_all=True, append_images=noisy[1:], quality=90)
    limit = len(made(data, "_", "webp").body) * 3 // 4
    assert limit // 2 < len(made(data, f"max:{limit}", "webp").body) <= limit
    with pytest.raises(Unprocessable):
        made(data, "max:1000", "webp")
    with pytest.raises(Unprocessable):
        made(data, "max:1000", "gif")


# Ladders


def test_a_ladder_gives_what_single_renders_give_within_a_tolerance():
    from skimage.data import coffee

    data = encoded(Image.fromarray(coffee()).resize((2400, 1600)), "jpeg", quality=92)
    wanted = [(parse(operations), format) for operations, format in (
        ("w320", "jpg"), ("w1280", "jpg"), ("w640", "webp"), ("w640", "png"), ("w200,h200,fit:cover", "png"),
        ("w300,profile:hq", "png"), ("rotate:90,w400", "png"), ("crop:10:20:900:700,w450", "jpg"),
    )]  # fmt: skip
    together = dict(ladder(data, wanted))
    for rung, (operations, format) in zip((together[place] for place in range(len(wanted))), wanted, strict=True):
        alone = render(data, operations, format)
        assert (rung.width, rung.height, rung.content_type) == (alone.width, alone.height, alone.content_type)
        assert np.abs(pixels(rung) - pixels(alone)).mean() < 3


def test_a_ladder_mixes_pages_animations_and_watermarks():
    wanted = [("w30", "webp"), ("w30", "jpg"), ("page:2", "jpg"), (f"w30,watermark:{MARK}:center:100", "png")]
    made_of = dict(ladder(movie("gif"), asked(wanted), watermarks={MARK: as_png("RGB", BLUE)}))
    rungs = [made_of[place] for place in range(4)]
    assert [Image.open(io.BytesIO(rung.body)).format for rung in rungs] == ["WEBP", "JPEG", "JPEG", "PNG"]
    assert [getattr(Image.open(io.BytesIO(rung.body)), "n_frames", 1) for rung in rungs] == [5, 1, 1, 1]
    assert near(at(rungs[2], 25 / 60, 0.5), RED, 12)
    assert near(at(rungs[3], 0.5, 0.5), BLUE, 3)


def asked(wanted):
    return [(parse(operations), format) for operations, format in wanted]


def test_a_rung_that_cannot_be_made_stops_no_other():
    wanted = [
        ("w30", "webp"), ("w30", "jpg"), ("page:9", "jpg"), ("crop:50:0:20:20", "png"),
        ("w1200,enlarge,max:1000", "gif"),
        (f"watermark:{MARK}:center:100", "png"), ("page:3,max:1000,crop:0:0:40:40", "png"), ("w20", "png"),
        ("w4000,h3000,fit:fill,enlarge", "gif"),
    ]  # fmt: skip
    rungs = dict(ladder(movie("gif", loop=0), asked(wanted)))
    kinds = [type(rungs[place]).__name__ for place in range(len(wanted))]
    assert kinds == [
        "Rendered", "Rendered", "BadRequest", "BadRequest", "Unprocessable",
        "Unprocessable", "Rendered", "Rendered", "TooLarge",
    ]  # fmt: skip


def test_a_rung_comes_as_soon_as_it_is_made():
    steps = ladder(sample("png", 900, 600), asked([("w50", "png"), ("w400", "png"), ("w9,crop:899:0:9:9", "png")]))
    assert next(steps)[0] == 2  # refused before anything is decoded
    place, largest = next(steps)
    assert (place, largest.width) == (1, 400)


@pytest.mark.parametrize("page", ["w30", "page:2"])
def test_a_fault_of_the_original_is_raised_and_is_no_rung(page):
    with pytest.raises(Unprocessable):
        next(ladder(sample("png")[:40], asked([(page, "png"), ("w20", "png")])))


def test_a_broken_page_stops_no_other():
    pages = [plain("RGB", color) for color in (RED, GREEN)]
    data = bytearray(encoded(pages[0], "tiff", save_all=True, append_images=pages[1:], compression="tiff_deflate"))
    second = Image.open(io.BytesIO(data))
    second.seek(1)
    (start,), (length,) = second.tag_v2[273], second.tag_v2[279]
    data[start : start + length] = b"\xff" * length
    rungs = dict(ladder(bytes(data), asked([("page:1", "png"), ("w20", "png")])))
    assert isinstance(rungs[0], Unprocessable)
    assert near(at(rungs[1], 0.5, 0.5), RED)


def test_nothing_wanted_is_nothing_made():
    assert list(ladder(sample("png"), [])) == []


def test_the_default_path_loads_no_numpy():
    code = (
        "import sys; from tests.bad_images import sample; from chalicelib.delivery.render import render, ladder;"
        "from chalicelib.delivery.operations import parse;"
        "large = sample('jpeg', 900, 600); formats = ('jpg', 'webp', 'avif', 'png', 'gif');"
        "[render(large, parse('w320,profile:hq,max:90000'), format) for format in formats];"
        "render(sample('png', 900, 600), parse('w90,h90,fit:cover,blur:1,sharpen:1,copyright'), 'jpg');"
        "print(sorted({'numpy', 'scipy', 'skimage', 'boto3'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
