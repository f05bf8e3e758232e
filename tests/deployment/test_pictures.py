"""Pictures of any kind become what the data set would hold of them."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image, ImageOps

from fashion_mnist.deployment.pictures import open_picture, to_image
from fashion_mnist.pipeline.errors import UserError


def garment(height=28, width=18, left=None):
    """A bright shape on black, uint8 28×28, centred as the data set's images are."""
    image = np.zeros((28, 28), np.uint8)
    top, left = (29 - height) // 2, (29 - width) // 2 if left is None else left
    rows, columns = np.mgrid[:height, :width]
    image[top : top + height, left : left + width] = 60 + (rows * 5 + columns * 3) % 190
    return image


def rendering(image, factor=10, margin=(37, 53, 21, 11), light=True):
    """An enlarged picture of a garment with margins at its left, top, right and bottom."""
    picture = Image.fromarray(255 - image if light else image)
    picture = picture.resize([28 * factor] * 2, Image.Resampling.NEAREST)
    return ImageOps.expand(picture, margin, 255 if light else 0)


def through(picture, kind, **options):
    """The picture as it comes out of a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return open_picture(buffer.getvalue())


def transparent(picture):
    """Black ink of the picture's darkness on nothing."""
    made = Image.new("LA", picture.size)
    made.putalpha(ImageOps.invert(picture))
    return made


def sixteen_bits(picture):
    return Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)


def by_exif(picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}[orientation]
    return through(picture.transpose(undo), "PNG", exif=exif)


KINDS = {
    "grey": lambda p: through(p, "PNG"),
    "colour": lambda p: through(p.convert("RGB"), "BMP"),
    "palette": lambda p: through(p.convert("P"), "GIF"),
    "alpha": lambda p: through(p.convert("RGBA"), "WEBP", lossless=True),
    "transparent": lambda p: through(transparent(p), "PNG"),
    "transparent colour": lambda p: through(p.point(lambda v: v % 255), "PNG", transparency=0),
    "CMYK": lambda p: through(p.convert("RGB").convert("CMYK"), "TIFF"),
    "16 bits": lambda p: through(sixteen_bits(p), "PNG"),
    "16 bits, TIFF": lambda p: through(sixteen_bits(p), "TIFF"),
    "lying on its side": lambda p: by_exif(p, 6),
    "upside down": lambda p: by_exif(p, 3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_picture_on_white_comes_out_as_in_the_data_set(kind):
    image = garment()
    np.testing.assert_array_equal(to_image(KINDS[kind](rendering(image))), image)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("transparent")])
def test_grey_on_black_of_the_right_size_passes_unchanged(kind):
    image = garment(20, 9, left=3)  # neither centred nor filling
    np.testing.assert_array_equal(to_image(KINDS[kind](Image.fromarray(image))), image)


def test_black_on_white_of_the_right_size_is_negated_alone():
    image = garment(20, 9, left=3)
    np.testing.assert_array_equal(to_image(Image.fromarray(255 - image)), image)


@pytest.mark.parametrize(
    "options",
    [
        {"light": False},
        {"factor": 2},
        {"factor": 33},
        {"margin": (0, 0, 0, 0)},
        {"margin": (2000, 3, 5, 700), "factor": 20},
    ],
    ids=str,
)
def test_size_margins_and_background_do_not_matter(options):
    image = garment()
    np.testing.assert_array_equal(to_image(rendering(image, **options)), image)


@pytest.mark.parametrize(("height", "width"), [(28, 17), (15, 28), (28, 28), (28, 2)])
def test_the_longest_side_fills_and_the_other_is_centred(height, width):
    """An odd rest goes to the left and the top, as in 99 % of the data set's images."""
    image = garment(height, width)
    np.testing.assert_array_equal(to_image(rendering(image)), image)


def test_a_garment_that_does_not_fill_its_picture_is_enlarged():
    image = to_image(rendering(garment(14, 7)))
    assert image.any(axis=1).all()
    assert np.flatnonzero(image.any(axis=0)).tolist() == list(range(7, 21))


def test_a_smaller_picture_is_enlarged():
    image = to_image(Image.fromarray(255 - garment()[::2, ::2]))
    assert image.any(axis=1).all()


def test_noise_and_compression_change_little():
    image = garment()
    picture = np.asarray(rendering(image, factor=20)).astype(float)
    noisy = picture + np.random.default_rng(0).normal(0, 8, picture.shape)
    noisy = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
    for changed in (noisy, through(noisy.convert("RGB"), "JPEG", quality=60)):
        difference = to_image(changed).astype(float) - image
        assert np.sqrt((difference**2).mean()) < 8  # no more than the noise itself


@pytest.mark.parametrize("grey", [200, 40, 128])
def test_a_background_of_any_grey_becomes_black(grey):
    picture = np.full((300, 300), grey, np.uint8)
    picture[50:250, 100:200] = 255
    picture[60:240, 110:190] = 0
    image = to_image(Image.fromarray(picture))
    assert not image[:, :7].any()
    assert image.max() == 255
    assert (image[:, 7:21] > 0).all()  # both what is lighter than the background and what is darker


def test_a_coloured_garment_is_found_where_its_grey_is_the_backgrounds():
    """And the mean of red, green and blue too; with a white patch of half its height."""
    picture = Image.new("RGB", (300, 300), (50, 150, 150))
    picture.paste((150, 111, 89), (80, 10, 220, 290))
    picture.paste((255, 255, 255), (120, 80, 180, 220))
    image = to_image(picture)
    assert np.flatnonzero(image.any(axis=1)).tolist() == list(range(7, 21))
    assert np.flatnonzero(image.any(axis=0)).tolist() == list(range(11, 17))


@pytest.mark.parametrize("side", [1, 27, 28, 29, 100])
def test_a_picture_of_one_colour_is_refused(side):
    with pytest.raises(UserError, match="nothing in the picture differs from its background"):
        to_image(Image.new("RGB", (side, side), (200, 10, 10)))


def saved(kind, **options):
    buffer = io.BytesIO()
    Image.effect_noise((100, 100), 50).save(buffer, kind, **options)
    return buffer.getvalue()


OTHERS = [Image.new("L", (100, 100), grey) for grey in (0, 255)]
REFUSED = {
    "nothing": (b"", "the file is empty"),
    "text": (b"a garment", "no picture of the formats PNG, JPEG"),
    "PostScript": (saved("EPS"), "no picture of the formats"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no picture of the formats"),
    "pickle": (pickle.dumps({"a": 1}), "no picture of the formats"),
    "half a PNG": (saved("PNG")[:1000], "the picture is damaged"),
    "half a JPEG": (saved("JPEG")[:1000], "the picture is damaged"),
    "a JPEG without its last rows": (saved("JPEG")[:-100], "the picture is damaged"),
    "a JPEG without its last pixels": (saved("JPEG")[:-6], "the picture is damaged"),
    "animated": (saved("GIF", save_all=True, append_images=OTHERS), "3 pictures in one file"),
    "pages": (saved("TIFF", save_all=True, append_images=OTHERS), "3 pictures in one file"),
    "large": (b"P5 10000 10000 255\n", "more than .* pixels; reduce it first"),
    "enormous": (b"P5 100000 100000 255\n", "more than .* pixels; reduce it first"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_single_picture_is_refused_with_the_reason(kind):
    content, reason = REFUSED[kind]
    with pytest.raises(UserError, match=reason):
        open_picture(content)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_a_jpeg_that_lacks_its_end_mark_alone_is_read(options):
    whole = saved("JPEG", **options)
    assert open_picture(whole[:-2]).tobytes() == open_picture(whole).tobytes()


def test_a_phones_picture_with_a_preview_is_its_main_picture():
    content = saved("MPO", save_all=True, append_images=[Image.new("L", (20, 20))])
    picture = open_picture(content)
    assert (picture.format, picture.size) == ("MPO", (100, 100))


def test_damaged_exif_is_no_hindrance():
    image = garment()
    picture = through(rendering(image), "PNG", exif=b"Exif\x00\x00II*\x00\x08\x00")
    np.testing.assert_array_equal(to_image(picture), image)
