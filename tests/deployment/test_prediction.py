"""`fashion-mnist predict`: the classes that evaluate found, from pictures of one's own."""

import csv
import io
import json
import pickle
import subprocess
import sys

import console
import numpy as np
import pytest
from PIL import Image

from fashion_mnist.deployment import models
from fashion_mnist.deployment.pictures import FORMATS

PROBABILITY = 1e-4  # four significant digits are told


@pytest.fixture
def pictures(pixels, tmp_path):
    """The test images as PNGs, named by their index."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:05}.png")
    return folder


@pytest.fixture
def predict(checkout, monkeypatch, capsys):
    """Run it in the checkout: exit status, stdout and stderr."""

    def run(*arguments):
        status = console.run(monkeypatch, "predict", *arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def evaluated(checkout):
    """Class and confidence of each test image, as evaluate has written them."""
    rows = csv.DictReader(io.StringIO(checkout.read("plots/predictions.csv").decode()))
    return [(row["predicted"].split(" ", 1)[1], float(row["confidence"])) for row in rows]


def test_the_test_images_are_predicted_as_evaluate_did(predict, pictures, checkout):
    status, out, _ = predict("--json", pictures)
    assert status == 0
    found = json.loads(out)
    assert [row["picture"] for row in found] == [str(path) for path in sorted(pictures.iterdir())]
    expected = evaluated(checkout)
    assert len({name for name, _ in expected}) > 1, "one class for all, which proves nothing"
    assert [row["class"] for row in found] == [name for name, _ in expected]
    for row, (_, confidence) in zip(found, expected, strict=True):
        assert row["probability"] == pytest.approx(confidence, abs=PROBABILITY)
        shares = [one["probability"] for one in row["best"]]
        assert shares == sorted(shares, reverse=True)
        assert row["best"][0] == {"class": row["class"], "probability": row["probability"]}


def test_an_onnx_file_says_the_same(predict, pictures, exported):
    (_, of_checkpoint, _), (_, of_onnx, _) = (
        predict("--json", *options, pictures) for options in ([], ["--model", exported])
    )
    for one, other in zip(json.loads(of_checkpoint), json.loads(of_onnx), strict=True):
        assert one["class"] == other["class"]
        assert one["probability"] == pytest.approx(other["probability"], abs=PROBABILITY)


def test_text_and_csv(predict, pixels, tmp_path):
    """A file's name may hold what separates cells."""
    path = tmp_path / 'a, "b".png'
    Image.fromarray(pixels[0]).save(path)
    _, out, _ = predict(path)
    name, _, classes = out.strip().partition(": ")
    assert name == str(path)
    assert len(classes.split(", ")) == 3
    _, out, _ = predict("--csv", path)
    ((header), row) = csv.reader(io.StringIO(out))
    assert header == [
        "picture",
        "class",
        "probability",
        "class_2",
        "probability_2",
        "class_3",
        "probability_3",
    ]
    assert row[0] == str(path)
    assert classes.startswith(f"{row[1]} {float(row[2]):.4f}, {row[3]} ")


def test_stdin(predict, pictures, monkeypatch):
    content = (pictures / "00003.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    _, of_stdin, _ = predict("-")
    _, of_file, _ = predict(pictures / "00003.png")
    assert of_stdin.split(": ")[1] == of_file.split(": ")[1]


def test_what_is_no_picture_is_told_and_the_others_are_predicted(predict, pictures, tmp_path):
    for path in list(pictures.iterdir())[2:]:
        path.unlink()
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (pictures / "empty.jpg").touch()
    (pictures / ".hidden.png").touch()
    (pictures / "notes.txt").write_text("no picture, and not taken for one")
    Image.new("L", (100, 100), 7).save(pictures / "blank.png")
    below = tmp_path / "none/below"
    below.mkdir(parents=True)
    status, out, err = predict(pictures, tmp_path / "away.png", tmp_path / "none")
    assert status == 2
    assert len(out.splitlines()) == 2
    assert err.removeprefix("error: ").splitlines() == [
        f"{pictures / 'blank.png'}: nothing in the picture differs from its background",
        f"{pictures / 'broken.png'}: no picture of the formats {', '.join(FORMATS)}",
        f"{pictures / 'empty.jpg'}: the file is empty",
        f"{tmp_path / 'away.png'}: No such file or directory",
        f"{tmp_path / 'none'}: no pictures (.png, .jpg, .jpeg, .gif, .bmp, .pgm, .ppm, .tif, "
        ".tiff, .webp) in this folder",
    ]


def test_show_draws_the_picture_and_what_the_network_saw(predict, pixels, tmp_path):
    Image.fromarray(pixels[0]).resize((280, 280), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    Image.fromarray(pixels[1]).save(tmp_path / "b.png")
    status, _, _ = predict("--show", tmp_path / "seen.png", tmp_path / "a.png", tmp_path / "b.png")
    assert status == 0
    with Image.open(tmp_path / "seen.png") as shown:
        sheet = np.asarray(shown.convert("L"))
    tiles = np.lib.stride_tricks.sliding_window_view(sheet, (224, 224))[8]
    large = pixels[1].repeat(8, axis=0).repeat(8, axis=1)
    found = [left for left in range(len(tiles)) if (tiles[left] == large).all()]
    assert len(found) == 1, "what the network saw of the second picture, once, eightfold"


class Payload:
    """What a pickle can do to whoever loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx", ".pt"])
def test_a_model_that_is_a_pickle_is_never_executed(predict, pictures, tmp_path, suffix):
    mark, model = tmp_path / "executed", tmp_path / f"model{suffix}"
    model.write_bytes(pickle.dumps(Payload(mark)))
    status, out, err = predict("--model", model, pictures)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {model}: not a ")
    assert not mark.exists()
    pickle.loads(model.read_bytes())
    assert mark.exists(), "the payload does nothing, so that the test proves nothing"


def test_a_model_that_is_not_there(predict, pictures, tmp_path):
    for name in ("none.onnx", "none.safetensors"):
        status, _, err = predict("--model", tmp_path / name, pictures)
        assert status == 2
        assert f"{tmp_path / name}: no such file" in err


def test_only_a_clone_is_advised_to_make_its_model(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words, said in (
        ((), f"{tmp_path} is in no clone of the project: name a model by --model FILE"),
        (("--model", "nosuch"), "nosuch: no such file"),
    ):
        assert console.run(monkeypatch, "predict", *words, pictures) == 2
        assert capsys.readouterr().err == f"error: {said}\n"
    (tmp_path / ".dvc").mkdir()
    assert console.run(monkeypatch, "predict", pictures) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / models.CHECKPOINT}: no such file; `dvc repro` makes it\n"
    )


IMPORTED = """
import sys
from fashion_mnist.cli import main
try:
    main()
finally:
    print({name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.slow
def test_only_what_is_needed_is_imported(repository, pictures, exported):
    """Start-up is what people wait for: with ONNX no torch, and never what draws or compares."""
    heavy = {"torch", "onnxruntime", "dvc", "pandas", "scipy", "sklearn", "matplotlib", "pydantic"}
    for options, needed in (
        (["--model", str(exported)], {"onnxruntime"}),
        ([], {"torch"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", IMPORTED, "predict", *options, str(pictures / "00000.png")],
            cwd=repository.path,
            env={**repository.environment, "PYTHONPATH": "src"},
            capture_output=True,
            text=True,
            check=True,
        )
        imported = eval(done.stderr.splitlines()[-1])
        assert imported & heavy == needed
