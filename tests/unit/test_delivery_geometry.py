import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from chalicelib.delivery.geometry import COMPASS, LARGEST_AREA, anchored, as_stored, extent, plan
from chalicelib.delivery.operations import LARGEST_SIDE, Operations, parse
from chalicelib.errors import BadRequest
from chalicelib.pixels.upright import upright

FITS = ("inside", "outside", "cover", "contain", "fill")
sides = st.integers(1, 30_000)
bounds = st.integers(1, LARGEST_SIDE)
places = st.floats(0, 1)


def wanted(text):
    return parse(text)


@pytest.mark.parametrize(
    ("operations", "size", "crop"),
    [
        ("_", (3000, 2000), None),
        ("w300", (300, 200), None),
        ("h300", (450, 300), None),
        ("w300,h300", (300, 200), None),
        ("w300,h300,fit:outside", (450, 300), None),
        ("w300,h300,fit:fill", (300, 300), None),
        ("w300,h300,fit:cover", (300, 300), (500, 0, 2500, 2000)),
        ("w300,h300,fit:cover,gravity:west", (300, 300), (0, 0, 2000, 2000)),
        ("w300,h300,fit:cover,gravity:southeast", (300, 300), (1000, 0, 3000, 2000)),
        ("w300,h100,fit:cover,gravity:south", (300, 100), (0, 1000, 3000, 2000)),
        ("w300,h300,fit:cover,gravity:fp:0.4:0.9", (300, 300), (200, 0, 2200, 2000)),
        ("w150,h150,dpr:2,fit:cover", (300, 300), (500, 0, 2500, 2000)),
        ("w100,dpr:1.5", (150, 100), None),
        ("crop:100:200:900:300", (900, 300), (100, 200, 1000, 500)),
        ("crop:100:200:900:300,w90", (90, 30), (100, 200, 1000, 500)),
        ("crop:100:200:900:300,w30,h30,fit:cover,gravity:east", (30, 30), (700, 200, 1000, 500)),
        ("crop:100:200:900:300,w30,h30,fit:cover,gravity:fp:0:0", (30, 30), (100, 200, 400, 500)),
        ("rotate:90,w200", (300, 200), None),
        ("rotate:270,w200,h300,fit:cover", (300, 200), None),
        ("rotate:180,w200,h300,fit:cover", (200, 300), (834, 0, 2167, 2000)),
        ("w4000", (3000, 2000), None),
        ("w3600,enlarge", (3600, 2400), None),
        ("w4000,h4000,fit:cover", (2000, 2000), (500, 0, 2500, 2000)),
        ("w4000,h1000,fit:fill", (3000, 1000), None),
    ],
)
def test_a_photo_of_3000_by_2000_pixels(operations, size, crop):
    planned = plan(3000, 2000, wanted(operations))
    assert (planned.size, planned.crop, planned.canvas) == (size, crop, None)


def test_contain_keeps_the_shape_and_pads_to_the_canvas_asked_for():
    planned = plan(3000, 2000, wanted("w300,h301,fit:contain"))
    assert (planned.size, planned.canvas) == ((300, 200), (300, 301))


def test_contain_does_not_enlarge_the_picture_but_its_canvas_is_what_was_asked_for():
    planned = plan(30, 20, wanted("w300,h300,fit:contain"))
    assert (planned.size, planned.canvas) == ((30, 20), (300, 300))


@pytest.mark.parametrize("crop", ["crop:0:0:3001:1", "crop:0:0:1:2001", "crop:3000:0:1:1", "crop:2999:1999:2:2"])
def test_a_crop_outside_of_the_original_is_refused(crop):
    with pytest.raises(BadRequest, match="3000 x 2000") as refused:
        plan(3000, 2000, wanted(crop))
    assert refused.value.field == "operations"


@given(sides, sides, bounds, bounds, st.sampled_from(FITS), st.booleans(), places, places)
@example(1, 30_000, 100, 100, "outside", True, 0.5, 0.5)
@example(30_000, 1, 4096, 4096, "cover", False, 1.0, 1.0)
def test_no_result_is_empty_or_larger_than_allowed_and_its_part_lies_in_the_original(
    width, height, w, h, fit, enlarge, x, y
):
    operations = Operations(w=w, h=h, fit=fit, enlarge=enlarge, gravity="fp", focal=(x, y))
    planned = plan(width, height, operations)
    left, top, right, bottom = planned.crop or (0, 0, width, height)
    for across, down in (planned.size, planned.canvas or planned.size):
        assert 1 <= across <= LARGEST_SIDE
        assert 1 <= down <= LARGEST_SIDE
        assert across * down <= LARGEST_AREA + LARGEST_SIDE
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


@given(sides, sides, st.none() | bounds, st.none() | bounds, st.sampled_from(FITS))
def test_nothing_is_enlarged_unasked(width, height, w, h, fit):
    planned = plan(width, height, Operations(w=w, h=h, fit=fit))
    across, down = extent(planned.crop or (0, 0, width, height))
    assert planned.size[0] <= across
    assert planned.size[1] <= down


@given(sides, sides, bounds, bounds, st.sampled_from(("inside", "contain", "outside")))
def test_the_shape_is_kept_to_the_pixel(width, height, w, h, fit):
    size = plan(width, height, Operations(w=w, h=h, fit=fit)).size
    scale = max(size) / max(width, height)
    assert abs(size[0] - max(1, width * scale)) <= 1
    assert abs(size[1] - max(1, height * scale)) <= 1


@given(sides, sides, bounds, bounds)
def test_inside_stays_in_its_box_and_touches_it(width, height, w, h):
    assume(w * h <= LARGEST_AREA)
    size = plan(width, height, Operations(w=w, h=h, enlarge=True)).size
    assert size[0] <= w
    assert size[1] <= h
    assert size[0] == w or size[1] == h


@given(st.integers(200, 9000), st.integers(200, 9000), st.integers(10, 200), st.integers(10, 200), places, places)
def test_cover_keeps_the_focal_point_and_the_shape_asked_for(width, height, w, h, x, y):
    operations = Operations(w=w, h=h, fit="cover", gravity="fp", focal=(x, y))
    planned = plan(width, height, operations)
    left, top, right, bottom = planned.crop or (0, 0, width, height)
    assert planned.size == (w, h)
    assert left - 1 <= x * width <= right + 1
    assert top - 1 <= y * height <= bottom + 1
    assert abs((right - left) * h - (bottom - top) * w) <= max(w, h)


@given(sides, sides, bounds, bounds)
def test_smart_gravity_looks_where_it_is_told(width, height, w, h):
    smart = Operations(w=w, h=h, fit="cover", gravity="smart")
    focal = Operations(w=w, h=h, fit="cover", gravity="fp", focal=(0.2, 0.7))
    assert plan(width, height, smart, (0.2, 0.7)) == plan(width, height, focal)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_of_the_upright_picture_is_found_in_the_stored_one(orientation):
    from PIL import Image

    stored = Image.linear_gradient("L").crop((0, 0, 7, 5))
    stored.putdata(range(35))
    turned = upright(stored, orientation)
    box = (1, 2, 4, 3) if turned.width == 7 else (2, 1, 3, 4)
    cut = stored.crop(as_stored(box, turned.size, orientation))
    assert list(upright(cut, orientation).get_flattened_data()) == list(turned.crop(box).get_flattened_data())


def test_every_compass_word_has_its_place():
    assert anchored((10, 10), COMPASS["northwest"], (100, 50)) == (0, 0)
    assert anchored((10, 10), COMPASS["southeast"], (100, 50)) == (90, 40)
    assert anchored((10, 10), COMPASS["center"], (100, 50)) == (45, 20)
    assert anchored((10, 10), COMPASS["east"], (100, 50)) == (90, 20)
