"""Grids of images: small, the same bytes, every image at its place, any text as a caption."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small import PROJECT

from fashion_mnist.pipeline.pictures import grid_png, shortened


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, 28, 28), dtype=np.uint8)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize(("rows", "images"), [(10, 10), (47, 4), (200, 1)])
def test_the_fullest_picture_is_small(rows, images):
    """e12: of noise, which no PNG can compress, under captions of full length."""
    made = [(f"{n:03} {'a long name ' * 3}", noise(images)) for n in range(rows)]
    assert len(grid_png("title", made)) < 100 * 1024


@pytest.mark.parametrize("columns", [1, 2])
def test_an_images_place_is_its_row_and_its_position(columns):
    """A white image moves nothing but itself."""

    def made(row, position):
        rows = [(str(n), np.zeros((3, 28, 28), np.uint8)) for n in range(4)]
        rows[row][1][position] = 255
        return pixels(grid_png("title", rows, columns)).astype(int)

    black = pixels(grid_png("title", [(str(n), noise(3) * 0) for n in range(4)], columns))
    tops, lefts = {}, {}
    for row in range(4):
        for position in range(3):
            ys, xs = np.nonzero(made(row, position) != black)
            assert (np.ptp(ys), np.ptp(xs), len(ys)) == (55, 55, 56 * 56)
            tops[row, position], lefts[row, position] = ys.min(), xs.min()
    assert lefts[0, 0] < lefts[0, 1] < lefts[0, 2]
    if columns == 1:
        assert tops[0, 0] < tops[1, 0] < tops[2, 0] < tops[3, 0]
    else:
        assert tops[0, 0] == tops[2, 0] < tops[1, 0] == tops[3, 0]
        assert lefts[0, 2] < lefts[2, 0]


def test_grey_levels_rise():
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    rows = [("", np.broadcast_to(levels[:, None, None], (16, 28, 28)))]
    line = pixels(grid_png("", rows))[40]
    shown = [line[n] for n in range(150 + 28, len(line), 58)][:16]
    assert shown == levels.tolist()


@pytest.mark.parametrize(
    "name", ["", "衣類", "ꦏꦴ", "𝒜", "a\u0301", "🧦 socks", "x" * 500, "$x_1$", "%"]
)
def test_any_name_can_be_a_caption(name):
    assert grid_png("title", [(name, noise(1))])[:4] == b"\x89PNG"


def test_long_captions_are_cut():
    assert shortened("x" * 24) == "x" * 24
    assert shortened("x" * 25) == "x" * 23 + "…"


def test_neither_a_display_nor_anybodys_settings_change_a_byte(tmp_path):
    """e07: of matplotlib only the file of its font is used."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nfont.family: serif\n")
    code = (
        "import sys, numpy as np; from fashion_mnist.pipeline.pictures import grid_png\n"
        "made = grid_png('a title', [('a name', np.zeros((2, 28, 28), np.uint8))])\n"
        "assert 'matplotlib' not in sys.modules; sys.stdout.buffer.write(made)"
    )
    environment = {**os.environ, "DISPLAY": "localhost:64.0", "MATPLOTLIBRC": str(tmp_path)}
    made = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
    )
    assert made.stdout == grid_png("a title", [("a name", noise(2) * 0)]), made.stderr
