"""Reading IDX files: hand-made bytes, and every way in which they can be wrong."""

import itertools
import struct
from functools import partial

import numpy as np
import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_mnist.data.idx import parse_images, parse_labels, read_pair
from fashion_mnist.pipeline.errors import UserError

TWO_IMAGES = (
    b"\x00\x00\x08\x03" b"\x00\x00\x00\x02" b"\x00\x00\x00\x1c" b"\x00\x00\x00\x1c"
    + bytes([7]) + bytes(783)
    + bytes(783) + bytes([255])
)  # fmt: skip
THREE_LABELS = b"\x00\x00\x08\x01\x00\x00\x00\x03\x09\x00\x05"


def test_images_from_hand_made_bytes():
    images = parse_images(TWO_IMAGES, "name")
    assert (images.shape, images.dtype) == ((2, 28, 28), np.uint8)
    assert (images[0, 0, 0], images[1, 27, 27], images.sum(dtype=int)) == (7, 255, 262)


def test_labels_from_hand_made_bytes():
    labels = parse_labels(THREE_LABELS, "name", 10)
    assert (labels.tolist(), labels.dtype) == ([9, 0, 5], np.uint8)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated: 0 bytes, the header alone has 16"),
        (TWO_IMAGES[:15], "truncated: 15 bytes"),
        (TWO_IMAGES[:5], "truncated: 5 bytes"),
        (TWO_IMAGES[:-1], "truncated: 1583 bytes, expected 1584 for 2 items"),
        (TWO_IMAGES + b"\0", "too long: 1585 bytes, expected 1584"),
        (THREE_LABELS + bytes(9), "magic 2049, expected 2051"),
        (b"<!DOCTYPE html><html>403</html>", "magic 1008813135, expected 2051"),
        (b"\x1f\x8b\x08\x00" + TWO_IMAGES, "magic 529205248, expected 2051"),
        (struct.pack("<IIII", 2051, 2, 28, 28) + TWO_IMAGES[16:], "magic 50855936"),
        (
            struct.pack(">IIII", 2051, 2, 32, 28) + TWO_IMAGES[16:],
            "images of 32×28, expected 28×28",
        ),
        (struct.pack(">IIII", 2051, 0, 28, 28), "holds no items"),
        (struct.pack(">IIII", 2051, 2**32 - 1, 28, 28), "truncated: 16 bytes, expected 33672"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_other_bytes_are_no_images(content, reason):
    """a01 a02 a09"""
    with pytest.raises(UserError, match=r"^the name: ") as caught:
        parse_images(content, "the name")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\0\0", "truncated: 2 bytes, the header alone has 8"),
        (THREE_LABELS[:-1], "truncated: 10 bytes, expected 11 for 3 items"),
        (TWO_IMAGES, "magic 2051, expected 2049"),
        (
            THREE_LABELS[:-2] + b"\x0a\x05",
            "label 10 at position 1, but prepare.classes names only 10 classes, 0 to 9",
        ),
        (THREE_LABELS[:4] + bytes(4), "holds no items"),
    ],
)
def test_other_bytes_are_no_labels(content, reason):
    """a09"""
    with pytest.raises(UserError, match=r"^the name: ") as caught:
        parse_labels(content, "the name", 10)
    assert reason in str(caught.value)


def test_a_pair_is_read_by_its_official_names(tmp_path):
    small.write_idx(tmp_path, train=20, test=10)
    images, labels = read_pair(tmp_path, "test", 10)
    assert images.shape == (10, 28, 28)
    assert sorted(labels.tolist()) == list(range(10))


def test_counts_that_differ_are_told_with_both_files(tmp_path):
    """a10: never cut to the shorter one."""
    small.write_idx(tmp_path, train=100, test=10)
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(small.labels_idx(small.labels(99)))
    with pytest.raises(UserError) as caught:
        read_pair(tmp_path, "train", 10)
    for word in ["100 images", "99 labels", "train-images-idx3-ubyte", path.name, "dvc repro"]:
        assert word in str(caught.value)


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte: no such file; .*dvc repro"):
        read_pair(tmp_path, "train", 10)


WORDS = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2, 3, 28, 2049, 2051]))
HEADERS = st.lists(WORDS, max_size=5).map(lambda words: struct.pack(f">{len(words)}I", *words))
BODIES = st.one_of(st.binary(max_size=40), st.integers(0, 3000).map(bytes))


def fuzz(examples):
    tried, parsed = itertools.count(), []

    @settings(max_examples=examples)
    @given(HEADERS, BODIES)
    def check(header, body):
        for parse, words in ((parse_images, 4), (partial(parse_labels, classes=10), 2)):
            next(tried)
            content = header + body
            try:
                items = parse(content, "name")
            except UserError as error:
                if not str(error).startswith("name: ") or "\n" in str(error):
                    raise AssertionError(f"no clear message: {error!r}") from error
            else:
                assert items.dtype == np.uint8
                assert content[4 * words :] == items.tobytes()
                parsed.append(len(items))

    check()
    print(f"\nIDX contents parsed: {next(tried)}, of which {len(parsed)} were accepted")


@pytest.mark.parametrize("examples", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_any_bytes_are_parsed_or_refused_by_name(examples):
    """Issue 5, item 5: `pytest -s -k any_bytes` prints how many were tried."""
    fuzz(examples)
