"""Grids of images with captions, as small PNGs with the same bytes everywhere."""

import io
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Row = tuple[str, np.ndarray]
"""A caption of one or two lines, and the images beside it, uint8, n×28×28."""

SCALE = 2  # screen pixels to a pixel
GAP = 2
CAPTION = 150  # pixels beside the images
LONGEST = 24  # characters of a caption's line
SHADES = 16  # of grey: an image then takes half the bytes, and looks the same
BACKGROUND = 0xEE


def grid_png(title: str, rows: Sequence[Row], columns: int = 1) -> bytes:
    """A picture of rows of images, each with its caption, in one or several columns.

    Args:
        title: above them.
        rows: at least one; all with the same number of images.
        columns: that the rows are spread over, from top to bottom.
    """
    images = len(rows[0][1])
    size = 28 * SCALE
    height, per_column = size + GAP, -(-len(rows) // columns)
    width = CAPTION + images * (size + GAP) + 4 * GAP
    picture = Image.new("L", (max(width * columns, 500), 24 + per_column * height), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    pen.text((GAP, 4), title, fill=0, font=_font())
    for number, (caption, shown) in enumerate(rows):
        left, top = number // per_column * width, 24 + number % per_column * height
        lines = [shortened(line) for line in caption.splitlines()]
        pen.text((left + GAP, top + size / 2), "\n".join(lines), 0, font=_font(), anchor="lm")
        for position, image in enumerate(shown):
            shades = (image // (256 // SHADES)) * (255 // (SHADES - 1))
            large = shades.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
            picture.paste(Image.fromarray(large), (left + CAPTION + position * (size + GAP), top))
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    return buffer.getvalue()


def shortened(line: str) -> str:
    """At most `LONGEST` characters; what is cut off ends in an ellipsis."""
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans as matplotlib brings it, without a layout engine that the system may lack."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).with_name("mpl-data") / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(str(path), 12, layout_engine=ImageFont.Layout.BASIC)
