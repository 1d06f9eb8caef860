import io
import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import skimage.color
import skimage.data
import skimage.filters
import skimage.measure
import skimage.transform
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageEnhance

from chalicelib.features import (
    clutter,
    color,
    composition,
    exposure,
    extract,
    naturalness,
    quality,
    saliency,
    schema,
    sharpness,
)
from chalicelib.features.luma import Gradient, extended, luma
from chalicelib.features.photo import Photo

HANDCRAFTED = ("quality", "color", "composition")
SUBJECTS = ("astronaut", "coffee", "chelsea", "rocket")


def photo_of(rgb):
    return Photo(rgb, rgb.shape[1], rgb.shape[0])


def subject(name):
    image = Image.fromarray(getattr(skimage.data, name)())
    image.thumbnail((512, 512), Image.Resampling.LANCZOS, reducing_gap=None)
    return image


def measure(image):
    photo = photo_of(np.asarray(image))
    return {name: value for one in HANDCRAFTED for name, value in extract(one, photo).items() if name != "palette"}


@pytest.fixture(params=SUBJECTS)
def image(request):
    return subject(request.param)


@pytest.fixture
def plane(image):
    return luma(np.asarray(image))


# every photo


def assert_all_in_range(rgb):
    photo = photo_of(rgb)
    for one in HANDCRAFTED:
        found = extract(one, photo)
        assert set(found) - {"palette"} == set(schema.names(one))
        for feature in schema.FEATURES:
            if feature.property == one:
                value = found[feature.name]
                assert type(value) is float, feature.name
                # Sums of shares may leave the range by their last digit.
                assert feature.low - 1e-9 <= value <= feature.high + 1e-9, (feature.name, value)


def flat(height, width, level):
    return np.full((height, width, 3), level, np.uint8)


def white_noise(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def checkerboard(size, cell):
    on = (np.indices((size, size)) // cell).sum(axis=0) % 2
    return np.stack([on * 255] * 3, axis=2).astype(np.uint8)


SIZES = ((1, 1), (1, 512), (512, 1), (2, 3), (7, 512), (31, 33), (300, 400))
PECULIAR = {
    **{f"flat {level} {size}": flat(*size, level) for size in SIZES for level in (0, 128, 255)},
    **{f"noise {size}": white_noise(*size) for size in SIZES},
    **{f"checkerboard {size} {cell}": checkerboard(size, cell) for size in (64, 256) for cell in (1, 8, 32)},
    "one white pixel": np.pad(flat(1, 1, 255), ((200, 199), (100, 299), (0, 0))),
    "two halves": np.concatenate([flat(256, 200, 0), flat(256, 200, 255)], axis=1),
    "pure red": flat(100, 100, 255) * np.array([1, 0, 0], np.uint8),
    "gray ramp": np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2),
}


@pytest.mark.parametrize("rgb", PECULIAR.values(), ids=PECULIAR.keys())
def test_peculiar_photos_have_all_features_inside_their_range(rgb):
    assert_all_in_range(rgb)


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_pixels_have_all_features_inside_their_range(rgb):
    assert_all_in_range(rgb)


def test_real_photos_have_all_features_inside_their_range(image):
    assert_all_in_range(np.asarray(image))


@pytest.mark.parametrize("one", HANDCRAFTED)
def test_the_same_photo_has_the_same_features_and_is_left_unchanged(image, one):
    photo = photo_of(np.asarray(image).copy())
    first = extract(one, photo)
    assert extract(one, photo) == first
    np.testing.assert_array_equal(photo.rgb, np.asarray(image))


# features move with what they measure


def blurred(image, sigma):
    return Image.fromarray(scipy.ndimage.gaussian_filter(np.asarray(image), (sigma, sigma, 0)))


def noisy(image, sigma):
    grain = np.random.default_rng(2).normal(0, sigma, (image.height, image.width, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def recoded(image, jpeg_quality):
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=jpeg_quality)
    return Image.open(jpeg).convert("RGB")


def brighter(image, factor):
    return ImageEnhance.Brightness(image).enhance(factor)


def contrasted(image, factor):
    return ImageEnhance.Contrast(image).enhance(factor)


def saturated(image, factor):
    return ImageEnhance.Color(image).enhance(factor)


RISING = [
    *((blurred, (0, 1, 2, 4), name) for name in ("blur", "negative_space")),
    *((noisy, (0, 5, 10, 20, 40), name) for name in ("noise", "laplacian_sharpness", "compressed_bits")),
    (noisy, (0, 10, 20, 40), "spectrum_slope"),
    (recoded, (95, 50, 20, 10, 5), "blockiness"),
    *((brighter, (0.25, 0.5, 0.75, 1), name) for name in ("luma_mean", "luma_median", "luma_p95", "value_mean")),
    *((brighter, (1, 1.5, 2, 3), name) for name in ("clipped_light", "white_share")),
    *((contrasted, (0.25, 0.5, 0.75, 1), name) for name in ("luma_std", "dynamic_range", "clutter")),
    *((contrasted, (0.25, 0.5, 0.75, 1), name) for name in ("luma_entropy", "palette_entropy", "palette_size90")),
    *((saturated, (0, 0.5, 1, 1.5), name) for name in ("colorfulness", "saturation_mean", "chroma_mean")),
]
FALLING = [
    *((blurred, (0, 1, 2, 4), name) for name in ("laplacian_sharpness", "tenengrad", "strongest_edges")),
    *((blurred, (0, 1, 2, 4), name) for name in ("edge_density", "compressed_bits", "spectrum_slope")),
    (blurred, (0, 1, 2, 4), "nss1_variance"),
    *((brighter, (0.1, 0.25, 0.5, 1), name) for name in ("clipped_dark", "black_share")),
    (saturated, (0, 0.5, 1, 1.5), "gray_share"),
]


def named(cases):
    return [pytest.param(*case, id=f"{case[2]} {case[0].__name__}") for case in cases]


@pytest.mark.parametrize(("change", "levels", "feature"), named(RISING))
def test_it_rises_with(image, change, levels, feature):
    values = [measure(change(image, level))[feature] for level in levels]
    assert values == sorted(values)
    assert values[0] < values[-1]


@pytest.mark.parametrize(("change", "levels", "feature"), named(FALLING))
def test_it_falls_with(image, change, levels, feature):
    values = [measure(change(image, level))[feature] for level in levels]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]


@pytest.mark.parametrize("sigma", [8, 16])
def test_noise_is_about_the_standard_deviation_that_was_added(sigma):
    smooth = Image.fromarray(flat(300, 400, 128))
    assert measure(noisy(smooth, sigma))["noise"] == pytest.approx(sigma / 255, rel=0.15)


# the fast versions agree with the libraries'


def test_luma_is_scikit_images_gray(image):
    np.testing.assert_allclose(luma(np.asarray(image)), skimage.color.rgb2gray(np.asarray(image)), atol=1e-6)


def test_the_gradient_is_scikit_images_sobel_operator_per_pixel(plane):
    gradient = Gradient.of(plane)
    inner = (slice(1, -1), slice(1, -1))
    # Theirs is the difference of pixels two apart.
    np.testing.assert_allclose(2 * gradient.x[inner], skimage.filters.sobel_v(plane)[inner], atol=1e-6)
    np.testing.assert_allclose(2 * gradient.y[inner], skimage.filters.sobel_h(plane)[inner], atol=1e-6)


def test_blur_orders_blurred_photos_as_scikit_image_does():
    images = [blurred(subject(name), sigma) for name in SUBJECTS for sigma in (0, 1, 2, 3, 5)]
    planes = [luma(np.asarray(image)) for image in images]
    theirs = [skimage.measure.blur_effect(plane) for plane in planes]
    ours = [sharpness.blur(plane) for plane in planes]
    assert scipy.stats.spearmanr(ours, theirs).statistic > 0.95


def test_the_local_mean_is_scipys_gaussian(plane):
    expected = scipy.ndimage.gaussian_filter(plane, 7 / 6, radius=3)[3:-3, 3:-3]
    np.testing.assert_allclose(naturalness._gaussian(plane), expected, atol=1e-5)


def test_half_size_is_scikit_images_local_mean(plane):
    even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2]
    expected = skimage.transform.downscale_local_mean(even, (2, 2))
    np.testing.assert_allclose(naturalness.halved(plane), expected, atol=1e-6)


def test_hue_saturation_and_value_are_scikit_images(image):
    hsv, expected = color.Hsv.of(image), skimage.color.rgb2hsv(np.asarray(image))
    np.testing.assert_allclose(hsv.saturation, expected[..., 1], atol=1 / 200)
    np.testing.assert_allclose(hsv.value, expected[..., 2], atol=1e-6)
    turn = np.abs((hsv.hue / 255 - expected[..., 0] + 0.5) % 1 - 0.5)
    assert turn[hsv.chroma > 0.1].max() < 1 / 100


def test_the_entropy_of_the_levels_is_scikit_images(image):
    levels = np.asarray(image.convert("L"))
    shares = np.bincount(levels.ravel(), minlength=256) / levels.size
    assert exposure.entropy(shares) == pytest.approx(skimage.measure.shannon_entropy(levels))


@pytest.mark.parametrize("shape", [0.8, 1.0, 2.0, 4.0])
def test_the_generalized_gaussian_is_found_again(shape):
    drawn = scipy.stats.gennorm.rvs(shape, size=200_000, random_state=3).astype(np.float32)
    found, variance = naturalness.generalized_gaussian(drawn)
    assert found == pytest.approx(shape, rel=0.05)
    assert variance == pytest.approx(drawn.var(), rel=0.01)


def test_the_asymmetric_gaussian_is_found_again():
    drawn = np.abs(np.random.default_rng(4).normal(size=300_000))
    drawn = np.where(np.arange(300_000) % 3 == 0, -drawn, 2 * drawn).astype(np.float32)
    shape, mean, left, right = naturalness.asymmetric_gaussian(drawn)
    assert shape == pytest.approx(2, rel=0.05)
    assert (left, right) == pytest.approx((1, 4), rel=0.03)
    assert mean == pytest.approx((2 - 1) * math.sqrt(2 / math.pi), rel=0.05)


# one idea each


def test_a_small_photo_is_extended_by_its_edge():
    rgb = extended(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    assert rgb.shape == (32, 32, 3)
    assert (rgb[:, 1:] == [4, 5, 6]).all()


def test_a_bright_spot_on_black_is_skewed_to_the_light():
    rgb = flat(100, 100, 0)
    rgb[:10, :10] = 255
    assert exposure.exposure(luma(rgb))["luma_skew"] > 2


@pytest.mark.parametrize(("level", "share"), [(5, "clipped_dark"), (250, "clipped_light")])
def test_clipped_levels_are_counted(level, share):
    rgb = flat(40, 40, 128)
    rgb[:10] = level
    assert quality.extract(photo_of(rgb))[share] == pytest.approx(0.25)


def test_a_grid_of_8_px_is_blocky_and_one_of_7_px_is_not():
    assert sharpness.blockiness(luma(checkerboard(256, 8))) > 0.7
    assert sharpness.blockiness(luma(checkerboard(256, 7))) < 0.1


def test_stripes_have_one_direction():
    stripes = np.repeat(checkerboard(256, 8)[:1], 256, axis=0)
    directions = sharpness.edge_directions(Gradient.of(luma(stripes)))
    assert directions == {"edge_direction_entropy": pytest.approx(0), "cardinal_edges": pytest.approx(1)}


def test_print_looks_like_text_and_a_sky_does_not():
    page = np.stack([skimage.data.page()] * 3, axis=2)
    sky = np.asarray(subject("rocket"))[:200, :100]
    found = [clutter.blocks(plane, Gradient.of(plane))["text_like"] for plane in (luma(page), luma(sky))]
    assert found[0] > 0.1 > found[1]


@pytest.mark.parametrize(("name", "degrees"), list(zip(color.HUES, range(0, 360, 30), strict=True)))
def test_a_pure_hue_falls_into_its_sector(name, degrees):
    patch = Image.new("HSV", (30, 30), (round(degrees / 360 * 255), 255, 255)).convert("RGB")
    found = color.hues(color.Hsv.of(patch))
    assert found[f"hue_{name}"] == pytest.approx(1)
    assert found["hue_concentration"] == pytest.approx(1)
    assert found["warm_share"] == pytest.approx(float(degrees <= 60 or degrees >= 330))


def test_opposite_hues_are_complementary_and_contrast_warm_with_cold():
    patch = Image.new("RGB", (60, 30), (255, 128, 0))
    patch.paste((0, 128, 255), (30, 0, 60, 30))
    found = color.hues(color.Hsv.of(patch))
    assert found["complementary_contrast"] == pytest.approx(0.5, abs=0.01)
    assert found["warm_cold_contrast"] == pytest.approx(1, abs=0.01)


def test_skin_is_found_and_sky_is_not():
    found = [color.skin(np.full((9, 9, 3), rgb, np.uint8)) for rgb in ((224, 172, 140), (120, 170, 230))]
    assert found == [1, 0]


def test_the_palette_names_the_colors_of_a_poster():
    poster = Image.new("RGB", (100, 100), "#102040")
    poster.paste("#f0e0d0", (0, 0, 100, 30))
    assert color.palette(poster) == [{"hex": "#102040", "share": 0.7}, {"hex": "#f0e0d0", "share": 0.3}]


def test_the_palette_has_at_most_five_colors_commonest_first(image):
    shares = [one["share"] for one in extract("color", photo_of(np.asarray(image)))["palette"]]
    assert len(shares) <= 5
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)


def test_wide_and_tall_are_opposite_aspects():
    wide, tall = composition.shape(4000, 2000), composition.shape(2000, 4000)
    assert wide == {"aspect": 1, "landscape": 1, "portrait": 0}
    assert tall == {"aspect": -1, "landscape": 0, "portrait": 1}


def spot(x, y):
    rgb = flat(240, 240, 60)
    rgb[y - 10 : y + 10, x - 10 : x + 10] = (240, 200, 40)
    return composition.extract(photo_of(rgb))


def test_the_center_of_saliency_moves_toward_the_spot():
    lower_left, middle = spot(60, 180), spot(120, 120)
    assert lower_left["saliency_x"] < 0.45 < 0.55 < lower_left["saliency_y"]
    assert middle["saliency_off_center"] < 0.05 < lower_left["saliency_off_center"]


def test_a_spot_on_a_crossing_of_thirds_is_nearer_to_it_than_one_in_the_middle():
    assert spot(80, 160)["saliency_thirds_distance"] < 0.06 < 0.15 < spot(120, 120)["saliency_thirds_distance"]


def test_a_mirrored_photo_mirrors_its_saliency(image):
    small = composition.thumbnail(np.asarray(image))
    found = saliency.placement(saliency.saliency(small))
    mirrored = saliency.placement(saliency.saliency(small[:, ::-1]))
    assert mirrored["saliency_x"] == pytest.approx(1 - found["saliency_x"], abs=0.02)
    assert mirrored["saliency_y"] == pytest.approx(found["saliency_y"], abs=0.02)


def test_a_photo_beside_its_mirror_image_is_symmetric(image):
    half = np.asarray(image)
    both = composition.thumbnail(np.concatenate([half, half[:, ::-1]], axis=1))
    assert composition.symmetry(both)["symmetry_left_right"] == pytest.approx(1, abs=0.02)
    assert composition.balance(both)["balance_left_right"] == pytest.approx(0, abs=0.01)


def test_a_bright_sky_over_dark_ground_is_out_of_balance():
    rgb = np.concatenate([flat(100, 200, 200), flat(100, 200, 50)])
    found = composition.balance(composition.thumbnail(rgb))
    assert found["balance_top_bottom"] == pytest.approx(150 / 255, abs=0.01)


def test_a_red_middle_differs_from_a_gray_border_in_color_and_chroma():
    rgb = flat(128, 128, 100)
    rgb[32:96, 32:96] = (200, 50, 50)
    small = composition.thumbnail(rgb)
    found = composition.center_surround(small)
    assert found["center_color"] == pytest.approx(np.linalg.norm([100, 50, 50]) / 255, abs=0.02)
    assert found["center_chroma"] == pytest.approx(150 / 255, abs=0.02)
    assert composition.frame_variation(small) == pytest.approx(0, abs=1e-9)


def test_edges_in_the_middle_fill_a_small_box_and_the_center():
    rgb = flat(256, 256, 128)
    rgb[112:144, 112:144] = white_noise(32, 32)
    energy = Gradient.of(luma(rgb)).energy
    assert composition.edge_box(energy) < 0.03
    assert composition.edge_center(energy) == pytest.approx(1)
