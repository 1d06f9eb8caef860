"""Near duplicates by perceptual hash."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata

from chalicelib.training.resemblance import NEAR, groups


def flipped(phash, bits):
    """The hash with that many bits changed, from the highest."""
    return phash ^ int("1" * bits + "0" * (64 - bits), 2) if bits else phash


def numbers_of(hashes):
    return groups([f"image {number}" for number in range(len(hashes))], hashes).tolist()


@pytest.mark.parametrize(("bits", "together"), [(0, True), (1, True), (NEAR, True), (NEAR + 1, False), (64, False)])
def test_up_to_six_bits_apart_is_a_near_duplicate(bits, together):
    first, second = numbers_of([0x0123456789ABCDEF, flipped(0x0123456789ABCDEF, bits)])
    assert (first == second) is together


def test_likeness_is_passed_on():
    assert numbers_of([0, flipped(0, 12), flipped(0, 6)]) == [0, 0, 0]


def test_posts_of_one_image_are_one_group_with_or_without_a_hash():
    assert groups(["a", "b", "a", "c", "b"], [None, 7, None, None, 7]).tolist() == [0, 1, 0, 2, 1]


def test_images_without_a_hash_stand_alone():
    assert numbers_of([None, None, 0, None]) == [0, 1, 2, 3]


def test_groups_are_numbered_as_they_appear():
    assert numbers_of([2**64 - 1, 0, 2**64 - 1, 2**32 - 1, 1]) == [0, 1, 0, 2, 1]


def test_no_posts_make_no_groups():
    assert groups([], []).shape == (0,)


def test_groups_are_those_that_comparing_each_with_each_finds():
    chance = np.random.default_rng(0)
    seeds = chance.integers(0, 2**64, 40, dtype=np.uint64)
    noise = np.uint64(1) << chance.integers(0, 64, (40, 5, 4), dtype=np.uint64)
    hashes = (seeds[:, None] ^ np.bitwise_xor.reduce(noise, axis=2)).ravel()
    near = np.bitwise_count(hashes[:, None] ^ hashes) <= NEAR
    count, labels = connected_components(near)
    assert 40 < count < 200
    assert rankdata(numbers_of(hashes.tolist()), "dense").tolist() == rankdata(labels, "dense").tolist()


def test_ten_thousand_copies_cost_nothing():
    begin = time.process_time()
    assert set(numbers_of([5] * 10_000)) == {0}
    assert set(groups(["a"] * 10_000, [None] * 10_000).tolist()) == {0}
    assert time.process_time() - begin < 0.5


@pytest.mark.parametrize("bits", [64, 14])
def test_ten_thousand_different_hashes_take_a_moment_whether_like_or_unlike(bits):
    hashes = np.random.default_rng(1).permutation(2**bits if bits < 20 else 10_000)[:10_000]
    hashes = hashes.astype(np.uint64) * np.uint64(1 if bits < 20 else 0x9E3779B97F4A7C15)
    begin = time.process_time()
    found = numbers_of(hashes.tolist())
    assert len(set(found)) == (1 if bits < 20 else 10_000)
    assert time.process_time() - begin < 3
