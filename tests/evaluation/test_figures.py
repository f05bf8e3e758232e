"""Pictures: each thing at its own place, small, the same bytes, and drawn without a display."""

import hashlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import image, rc_context, rcParams
from scipy.ndimage import minimum_filter
from small import CLASSES, PROJECT, images

from fashion_mnist.evaluation import figures
from fashion_mnist.pipeline.splits import Split


def misclassified_png(pictures, labels, predicted, confidence=None, classes=CLASSES):
    """The picture; each sample as confident as any other where that is not said."""
    labels, predicted = np.int64(labels), np.int64(predicted)
    confidence = np.full(len(labels), 0.5) if confidence is None else np.array(confidence)
    split = Split(np.float32(pictures)[:, None], labels, 0.0, 1.0, classes, np.arange(len(labels)))
    return figures.misclassified_png(split, predicted, confidence)


def cells(png, shade):
    """The bounding box of the areas of a shade of grey, as shares of the picture."""
    pixels = image.imread(io.BytesIO(png))
    same = np.abs(pixels - shade) < 0.01
    found = np.argwhere(minimum_filter(same, 9))  # no area of text is so large
    return found.min(axis=0) / pixels.shape, found.max(axis=0) / pixels.shape


def test_a_garment_stands_in_the_row_of_its_class_and_the_column_of_the_other():
    """e02: the first T-shirt taken for a shirt, at the top and right of the middle."""
    pictures = np.stack([np.full((28, 28), shade) for shade in (0.2, 0.6, 0.4)])
    png = misclassified_png(pictures, [0, 0, 6], [6, 6, 0])
    (top, left), (bottom, right) = cells(png, 0.2)
    assert top < 0.2 < 0.5 < left
    assert (bottom - top) * 760 == pytest.approx((right - left) * 644, abs=4)
    below, _ = cells(png, 0.4)
    assert below[0] > bottom
    assert below[1] < left
    with pytest.raises(ValueError, match="zero-size"):
        cells(png, 0.6)  # the second of its kind is not shown


def test_a_cell_shows_the_most_confident_mistake_and_tells_how_many_there_are(monkeypatch):
    texts = []
    monkeypatch.setattr(figures, "_write", lambda *arguments: texts.append(arguments[-1]))
    pictures = np.stack([np.full((28, 28), shade) for shade in (0.2, 0.6, 0.4, 0.3)])
    png = misclassified_png(pictures, [0, 0, 0, 1], [6, 6, 6, 1], [0.5, 0.9, 0.9, 0.7])
    cells(png, 0.6)
    for other in (0.2, 0.4, 0.3):
        with pytest.raises(ValueError, match="zero-size"):
            cells(png, other)
    assert texts.count("3 · 90%") == 1
    assert texts.count("1\nright") == 1
    assert len(texts) == 1 + len(CLASSES)


def test_the_diagonal_is_told_from_what_never_happens():
    pictures = np.zeros((1, 28, 28))
    (top, left), (bottom, right) = cells(misclassified_png(pictures, [0], [1]), 0.9)
    assert top < 0.2 < 0.8 < bottom
    assert left < 0.2 < 0.8 < right


def test_two_pictures_fit_beside_each_other_on_a_page_of_1400_pixels():
    png = misclassified_png(np.zeros((1, 28, 28)), [0], [1])
    assert image.imread(io.BytesIO(png)).shape[1] <= 650  # the page has borders around each


def test_a_cells_place_is_the_same_in_every_revision():
    def at(labels, predicted):
        pictures = np.full((len(labels), 28, 28), 0.4)
        pictures[0] = 0.2
        return cells(misclassified_png(pictures, labels, predicted), 0.2)

    np.testing.assert_array_equal(at([3], [7]), at([3, 1, 9, 9, 3], [7, 2, 0, 9, 7]))


@pytest.mark.parametrize("labels", [[1, 2, 3], [0]])
def test_a_network_without_a_mistake_gives_an_empty_grid(labels):
    png = misclassified_png(np.zeros((len(labels), 28, 28)), labels, labels)
    assert png[:4] == b"\x89PNG"


def test_the_fullest_picture_is_small_and_the_same_every_time():
    """c18 e12: all ninety kinds of mistake at once, of noise, which no PNG can compress."""
    pairs = [(a, b) for a in range(10) for b in range(10) if a != b]
    labels, predicted = np.array(pairs).T
    first, again = (misclassified_png(images(labels) / 255, labels, predicted) for _ in range(2))
    assert first == again
    assert len(first) < 128 * 1024


def test_the_plots_of_the_repository_are_small():
    """e12: those of a real evaluation of 10,000 images."""
    sizes = {path.name: path.stat().st_size for path in (PROJECT / "plots").iterdir()}
    assert sum(sizes.values()) < 5e6
    assert max(size for name, size in sizes.items() if name.endswith(".png")) < 100 * 1024


DRAW = """
import hashlib, sys
import numpy as np
from fashion_mnist.evaluation import figures
from fashion_mnist.pipeline.splits import Split
one, other = np.array([0]), np.array([1])
split = Split(np.eye(28, dtype=np.float32)[None, None], one, 0.0, 1.0, "ab", one)
png = figures.misclassified_png(split, other, one / 2)
print(hashlib.sha256(png).hexdigest(), "matplotlib.pyplot" in sys.modules)
"""
TASTE = """
image.origin: lower
font.size: 20
font.family: monospace
text.color: red
xtick.labelsize: 30
ytick.minor.visible: True
axes.grid: True
axes.titlesize: 40
figure.subplot.left: 0.4
backend: TkAgg
"""


def drawn(**environment):
    """What a process of its own prints: a digest of its picture, and whether pyplot was there."""
    result = subprocess.run(
        [sys.executable, "-c", DRAW],
        env={**os.environ, "PYTHONPATH": "src", **environment},
        capture_output=True,
        text=True,
    )
    assert result.stdout, result.stderr
    return result.stdout.split()


@pytest.mark.parametrize(
    "backend",
    [
        "TkAgg",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("", "module://nowhere", "no such backend")
        ),
    ],
)
def test_neither_a_display_nor_a_backend_nor_anybodys_taste_matters(tmp_path, backend):
    """e07 c18: the picture is in Git; whose matplotlibrc is read must not show in a diff."""
    (tmp_path / "matplotlibrc").write_text(TASTE)
    plain = misclassified_png(np.eye(28)[None], [0], [1], [0], "ab")
    theirs = {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "DISPLAY": "localhost:64.0"}
    digest, pyplot = drawn(MPLBACKEND=backend, **theirs)
    assert digest == hashlib.sha256(plain).hexdigest()
    assert pyplot == "False"


def test_the_settings_of_the_process_stay_as_they_were():
    with rc_context({"font.size": 33}):
        misclassified_png(np.eye(28)[None], [0], [1])
        assert rcParams["font.size"] == 33
