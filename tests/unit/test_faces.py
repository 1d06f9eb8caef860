import numpy as np
import pytest
from PIL import Image
from skimage import data

from chalicelib.features import extract, faces
from chalicelib.features.faces import Box
from chalicelib.features.photo import Photo


def photo(rgb: np.ndarray) -> Photo:
    return Photo(rgb, rgb.shape[1], rgb.shape[0])


def test_the_astronauts_face_is_found_where_it_is() -> None:
    found = extract("faces", photo(data.astronaut()))

    assert found["count"] == 1
    assert found["center_x"] == pytest.approx(0.44, abs=0.03)
    assert found["center_y"] == pytest.approx(0.22, abs=0.04)
    assert 0.02 < found["largest_area"] == found["area"] < 0.08


def test_the_box_moves_with_the_face() -> None:
    mirrored = np.ascontiguousarray(data.astronaut()[:, ::-1])

    found = extract("faces", photo(mirrored))

    assert found["count"] == 1
    assert found["center_x"] == pytest.approx(0.56, abs=0.03)


def test_two_people_are_two_faces() -> None:
    face = data.astronaut()[:320, 80:400]

    found = extract("faces", photo(np.hstack([face, face])))

    assert found["count"] == 2
    assert found["area"] == pytest.approx(sum(w * h for _, _, w, h in found["boxes"]))


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_a_picture_without_people_has_no_face(name: str) -> None:
    found = extract("faces", photo(getattr(data, name)()))

    assert found == {"count": 0, "largest_area": 0, "center_x": 0.5, "center_y": 0.5, "area": 0, "boxes": []}


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 512, 3), (512, 20, 3), (40, 40, 3)])
def test_a_tiny_or_narrow_picture_has_no_face(shape: tuple[int, ...]) -> None:
    found = extract("faces", photo(np.full(shape, 90, np.uint8)))

    assert found["boxes"] == []


def test_a_smaller_copy_gives_the_same_face() -> None:
    small = np.asarray(Image.fromarray(data.astronaut()).resize((300, 300)))

    found = extract("faces", photo(small))

    assert found["count"] == 1
    assert found["center_x"] == pytest.approx(0.44, abs=0.03)


def test_a_box_inside_another_is_the_same_face() -> None:
    large, inside, apart = Box(0.1, 0.1, 0.4, 0.4), Box(0.2, 0.2, 0.2, 0.2), Box(0.7, 0.1, 0.2, 0.2)

    assert faces.distinct([inside, apart, large]) == [large, apart]
