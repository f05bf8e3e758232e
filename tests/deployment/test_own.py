"""Data of one's own: folders of pictures and of IDX files, and how they can be wrong."""

import gzip
import shutil

import console
import numpy as np
import pytest
import small
from PIL import Image
from ruamel.yaml import YAML

from fashion_mnist.comparison import revisions
from fashion_mnist.data.idx import FILES, read_pair
from fashion_mnist.deployment import own
from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import load

NAMES = ("2", "10", "a, b", 'say "c"', "衣類")
"""In the order in which they become labels 0 to 4."""


@pytest.fixture
def root(tmp_path):
    """A repository as far as `own` looks at it."""
    root = tmp_path / "repository"
    root.mkdir()
    (root / "params.yaml").write_text(small.params_text(), encoding="utf-8")
    return root


@pytest.fixture
def pictures(tmp_path):
    """Four pictures of each class to train on, two to test: the data set's kind of images."""
    folder = tmp_path / "pictures"
    for split, each in (("train", 4), ("test", 2)):
        for label, name in enumerate(NAMES):
            (folder / split / name).mkdir(parents=True)
            made = small.images(np.full(each, label), seed=len(split))
            for number, image in enumerate(made):
                Image.fromarray(image).save(folder / split / name / f"{number}.png")
    return folder


def section(root):
    return YAML(typ="safe").load(root / "params.yaml")


def refused(folder, root):
    """The message; nothing has been written."""
    before = small.contents(root)
    with pytest.raises(UserError) as caught:
        own.adopt(folder, root)
    assert small.contents(root) == before
    return str(caught.value)


def test_pictures_become_idx_files_and_parameters(pictures, root):
    said = own.adopt(pictures, root)
    assert "5 classes, 20 training images, of which 1 are for validation, and 10 test" in said
    assert said.endswith("run it: FASHION_MNIST_DIR='data/own' dvc repro")
    images, labels = read_pair(root / "data/own", "train", 5)
    assert labels.tolist() == [label for label in range(5) for _ in range(4)]
    np.testing.assert_array_equal(images[8:12], small.images(np.full(4, 2), seed=5))
    assert section(root)["prepare"]["classes"] == list(NAMES)
    content = {key: (root / "data/own" / name).read_bytes() for key, name in FILES.items()}
    assert load(Parameters, path=root / "params.yaml").fetch.digests == small.digests_of(content)


def test_comments_and_other_parameters_stay(pictures, root):
    before = (root / "params.yaml").read_text()
    own.adopt(pictures, root)
    after = (root / "params.yaml").read_text()
    comments = [line for line in before.splitlines() if "#" in line]
    assert [line for line in after.splitlines() if "#" in line] == comments
    old, new = YAML(typ="safe").load(before), section(root)
    assert new["train"] == old["train"]
    assert {key for key in old["prepare"] if old["prepare"][key] != new["prepare"][key]} == {
        "classes",
        "validation_size",
    }


def test_classes_without_a_validation_image_are_named(pictures, root):
    assert own.adopt(pictures, root).count("note: no validation image of ") == 4


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_taken_where_they_lie(tmp_path, root, packed):
    digests = small.write_idx(tmp_path / "idx", train=40, test=20)
    if packed:
        for path in (tmp_path / "idx").iterdir():
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    said = own.adopt(tmp_path / "idx", root)
    assert f"FASHION_MNIST_DIR='{tmp_path / 'idx'}'" in said
    assert load(Parameters, path=root / "params.yaml").fetch.digests == digests
    assert section(root)["prepare"]["classes"] == [str(label) for label in range(10)]
    assert not (root / "data").exists()


def test_idx_files_at_the_repositorys_root_are_taken(root, monkeypatch):
    small.write_idx(root, train=40, test=20)
    monkeypatch.chdir(root)
    assert "FASHION_MNIST_DIR='.'" in own.adopt(root.relative_to(root), root)


def test_idx_files_of_other_sizes_are_refused(tmp_path, root):
    small.write_idx(tmp_path / "idx")
    path = tmp_path / "idx" / FILES["test_images"]
    path.write_bytes(small.images_idx(np.zeros((60, 32, 32))))
    message = refused(tmp_path / "idx", root)
    assert "t10k-images-idx3-ubyte: images of 32×32, expected 28×28, which the networks" in message


def test_idx_files_whose_counts_differ_are_refused(tmp_path, root):
    small.write_idx(tmp_path / "idx")
    (tmp_path / "idx" / FILES["test_labels"]).write_bytes(small.labels_idx(small.labels(59)))
    assert "60 test images but 59 labels" in refused(tmp_path / "idx", root)


BAD = {
    "zero bytes": (lambda path: path.write_bytes(b""), "the file is empty"),
    "no picture": (lambda path: path.write_bytes(b"hello"), "no picture"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:90]), "damaged"),
    "animated": (
        lambda path: Image.new("L", (28, 28), 9).save(
            path, save_all=True, append_images=[Image.new("L", (28, 28), 99)]
        ),
        "2 pictures in one file",
    ),
    "enormous": (
        lambda path: Image.new("1", (20_000, 20_000)).save(path),
        "pixels; reduce it first",
    ),
}


@pytest.mark.parametrize(("spoil", "reason"), BAD.values(), ids=BAD)
def test_a_bad_picture_is_named_and_nothing_written(pictures, root, spoil, reason):
    path = pictures / "train" / NAMES[2] / "3.png"
    spoil(path)
    message = refused(pictures, root)
    assert message.startswith(f"{path}: ")
    assert reason in message


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "I;16", "LA", "1"])
def test_every_kind_of_picture_is_taken(pictures, root, mode):
    """Colour, alpha, palette, 16 bits: as prediction takes them."""
    path = pictures / "train" / NAMES[2] / "3.png"
    image = Image.open(path)
    if mode == "I;16":
        made = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    else:
        made = (image if mode == "P" else image.convert("RGB")).convert(mode)
    path.unlink()
    made.save(path.with_suffix(".tif"))
    own.adopt(pictures, root)
    images, _ = read_pair(root / "data/own", "train", 5)
    if mode != "1":
        np.testing.assert_allclose(images[11].astype(int), np.asarray(image), atol=3)


def test_many_mistakes_are_told_at_once_but_not_all(pictures, root):
    for path in (pictures / "train").rglob("*.png"):
        path.write_bytes(b"")
    lines = refused(pictures, root).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 10 more"


def test_an_empty_class_is_named(pictures, root):
    shutil.rmtree(pictures / "train" / NAMES[3])
    (pictures / "train" / NAMES[3]).mkdir()
    (pictures / "train" / NAMES[3] / "notes.txt").write_text("none yet")
    assert refused(pictures, root) == f"{pictures / 'train' / NAMES[3]}: no pictures"


def test_a_class_that_only_test_has_is_named(pictures, root):
    shutil.rmtree(pictures / "train" / NAMES[3])
    assert "no such folder, but test has the class" in refused(pictures, root)


def test_a_class_that_test_lacks_is_no_mistake(pictures, root):
    shutil.rmtree(pictures / "test" / NAMES[3])
    assert "and 8 test images" in own.adopt(pictures, root)


def test_one_class_alone_is_refused(pictures, root):
    for name in NAMES[1:]:
        for split in ("train", "test"):
            shutil.rmtree(pictures / split / name)
    assert "1 classes, at least 2 are needed" in refused(pictures, root)


def test_a_name_that_no_class_can_have_is_refused(pictures, root):
    (pictures / "train" / NAMES[3]).rename(pictures / "train" / "a\nb")
    shutil.rmtree(pictures / "test" / NAMES[3])
    message = refused(pictures, root)
    assert f"{root / 'params.yaml'}: prepare.classes.2 is the text 'a\\nb': give a name" in message


@pytest.mark.parametrize("missing", ["train", "test", "all", "folder"])
def test_another_layout_is_told_the_right_one(pictures, root, missing):
    for split in {"train": ["train"], "test": ["test"]}.get(missing, ["train", "test"]):
        shutil.rmtree(pictures / split)
    if missing == "folder":
        pictures.rmdir()
    message = refused(pictures, root)
    assert "no such folder" in message or "train/NAME/*.png" in message


def test_the_command_prints_what_to_do_next(pictures, root, monkeypatch, capsys):
    monkeypatch.setattr(revisions, "find_root", lambda: root)
    assert console.run(monkeypatch, "own", pictures) == 0
    assert capsys.readouterr().out.endswith("dvc repro\n")
    assert console.run(monkeypatch, "own", pictures / "none") == 2
    assert capsys.readouterr().err.startswith(f"error: {pictures / 'none'}: no such folder")
