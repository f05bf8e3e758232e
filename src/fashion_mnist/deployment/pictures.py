"""Pictures of any kind as what a network of this project knows: grey 28×28 on black.

The steps are those by which the authors of Fashion-MNIST describe that they made it from a shop's
photographs (Xiao, Rasul and Vollgraf, 2017, section 2): cut at the colour of the corners, longest
edge to 28 by sampling, centred, negated, grey. What differs from theirs stands in `to_image`.
"""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fashion_mnist.pipeline.errors import UserError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "TIFF", "WEBP")
"""What is opened. Pillow knows more; of those PostScript is code that another program would run."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
"""By which pictures are told from other files in a folder."""
JPEG, JPEG_END = b"\xff\xd8", b"\xff\xd9"
SIZE = 28
CLOSE = 0.05 * 255
"""Root mean square over red, green and blue within which a colour is the background's: the authors'
5 % of the highest intensity."""
SAMPLES = 4
"""A picture is reduced to about so many pixels for each of the result's, then cut and sampled."""


def open_picture(source: Path | bytes) -> Image.Image:
    """Read a picture from a file, or from a file's content; a phone's MPO gives its main picture.

    Raises:
        UserError: it is no picture, damaged, animated, or too large to be decoded safely; the
            message does not name the file.
        OSError: the file cannot be opened.
    """
    content = source if isinstance(source, bytes) else source.read_bytes()
    if not content:
        raise UserError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
        frames = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        if frames == 1:
            picture.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UserError(f"more than {Image.MAX_IMAGE_PIXELS:,} pixels; reduce it first") from None
    except UnidentifiedImageError:
        raise UserError(f"no picture of the formats {', '.join(FORMATS)}") from None
    except Exception as error:  # whatever a damaged file makes a decoder raise
        if content.startswith(JPEG) and _lacks_its_end_alone(content):
            return open_picture(content + JPEG_END)
        raise UserError(f"the picture is damaged ({' '.join(str(error).split())})") from None
    if frames > 1:
        raise UserError(f"{frames} pictures in one file; give one of them")
    return picture


def _lacks_its_end_alone(content: bytes) -> bool:
    """Whether a JPEG is complete but for its last two bytes, as some cameras and servers leave it.

    What follows a complete picture changes no pixel, and in another is decoded as a part of it.
    """
    try:
        return _pixels(content + JPEG_END) == _pixels(content + bytes(range(64)) + JPEG_END)
    except Exception:  # whatever a damaged file makes a decoder raise
        return False


def _pixels(content: bytes) -> bytes:
    return Image.open(io.BytesIO(content), formats=("JPEG",)).tobytes()


def to_image(picture: Image.Image) -> np.ndarray:
    """Turn a picture into what the data set would hold of it.

    1. Turned upright by its EXIF orientation; 16 bits become 8; what is transparent becomes white;
       palettes, CMYK and other colours become RGB.
    2. A picture of 28×28 keeps its place and size: grey on black comes out as it is, on a light
       background (the median of the four corners) it is negated.
    3. Any other is cut to the smallest rectangle that holds all that is not near (`CLOSE`) the
       background, whose colour is the median of the corners.
    4. The longest side becomes 28 by sampling, the other in proportion.
    5. Grey; a pixel's value is its distance from the grey of the background, scaled so that the
       largest possible distance is 255. On white that is the negative, on black the picture itself.
    6. Centred on black; what cannot be halved is one more row above or column at the left, as in
       nearly all of the data set's images.

    The authors sampled the photograph itself; here it is first reduced, by averaging, to about
    `SAMPLES` pixels for each that is kept, so that noise neither hides the garment's edges nor gets
    into the result. They then sharpened; a camera or a shop has mostly done so already, and a
    second time takes a network further from what it knows than none at all.

    Args:
        picture: of any size and mode.

    Returns:
        uint8, 28×28, bright on black.

    Raises:
        UserError: nothing in the picture differs from its background.
    """
    colours = _on_white(upright(picture))
    background = _background(_reduced(colours))
    if colours.size == (SIZE, SIZE):
        _rectangle(colours, background)  # refuses a picture that shows nothing
        grey = np.asarray(colours.convert("L"))
        return 255 - grey if np.median(grey[[0, 0, -1, -1], [0, -1, 0, -1]]) > 127 else grey
    for _ in range(2):  # once on the whole picture, then more finely on what is left of it
        colours = colours.crop(_rectangle(colours, background))
    small = _reduced(colours)
    scale = SIZE / max(small.size)
    width, height = (max(1, round(side * scale)) for side in small.size)
    sampled = small.resize((width, height), Image.Resampling.NEAREST).convert("L")
    base = int(np.asarray(Image.new("RGB", (1, 1), background).convert("L"))[0, 0])
    distance = np.abs(np.asarray(sampled).astype(np.int64) - base) * 255 / max(base, 255 - base)
    image = np.zeros((SIZE, SIZE), np.uint8)
    top, left = (SIZE - height + 1) // 2, (SIZE - width + 1) // 2
    image[top : top + height, left : left + width] = np.rint(distance)
    return image


def upright(picture: Image.Image) -> Image.Image:
    """The picture turned by its EXIF orientation; as it is where that cannot be read."""
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # whatever damaged EXIF data make Pillow raise
        return picture


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture as RGB, laid on white where it is transparent."""
    if picture.mode.startswith("I"):
        grey = np.asarray(picture).clip(0, 65535) / 257
        picture = Image.fromarray(np.rint(grey).astype(np.uint8))
    if "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _reduced(picture: Image.Image) -> Image.Image:
    """The picture at about `SAMPLES` pixels for each of the result's, by averaging."""
    return picture.reduce(max(1, max(picture.size) // (SIZE * SAMPLES)))


def _background(picture: Image.Image) -> tuple[int, ...]:
    """The colour of the corners: the median, by channel, of a small square in each."""
    pixels, side = np.asarray(picture), max(1, min(picture.size) // SIZE)
    rows = np.concatenate([pixels[:side], pixels[-side:]])
    corners = np.concatenate([rows[:, :side], rows[:, -side:]])
    return tuple(int(value) for value in np.median(corners, axis=(0, 1)))


def _rectangle(picture: Image.Image, background: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what differs from the background.

    Raises:
        UserError: nothing does.
    """
    reduced = _reduced(picture)
    factor = max(1, max(picture.size) // (SIZE * SAMPLES))
    difference = np.asarray(reduced).astype(np.float64) - background
    differs = np.sqrt((difference**2).mean(axis=2)) > CLOSE
    if not differs.any():
        raise UserError("nothing in the picture differs from its background")
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    left, top = columns[0] * factor, rows[0] * factor
    right, bottom = (columns[-1] + 1) * factor, (rows[-1] + 1) * factor
    return int(left), int(top), min(int(right), picture.width), min(int(bottom), picture.height)
