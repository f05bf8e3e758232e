"""Everything that is loaded is data: it comes back as it was, or is refused, and never runs."""

import io
import itertools
import json
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from small import CLASSES, images, labels

from fashion_mnist.model import checkpoints
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.pipeline import files, splits
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import Nearest, Split, normalise
from fashion_mnist.training.resume import ResumeFile

DESCRIPTION = {"name": "lenet", "width": 0.125, "dropout": 0.5}
LABELS = labels(20)
PIXELS = images(LABELS)
INDEX = np.arange(20) * 3
NEAREST = Nearest(np.arange(20, dtype=np.float32), INDEX, INDEX % 10)
IMAGES = normalise(PIXELS, 0.5, 0.5)
SPLIT = Split(IMAGES, LABELS.astype(np.int64), 0.5, 0.5, CLASSES, INDEX, NEAREST)


def checkpoint(**description):
    made = {**DESCRIPTION, **description}
    return checkpoints.to_bytes(build(**made, seed=3).state_dict(), made, SPLIT)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_with_its_weights(tmp_path, name):
    path = tmp_path / "a.safetensors"
    path.write_bytes(checkpoint(name=name))
    network, original = (
        checkpoints.read(path).network,
        build(**{**DESCRIPTION, "name": name}, seed=3),
    )
    assert not network.training
    assert network.state_dict().keys() == original.state_dict().keys()
    for key, tensor in original.state_dict().items():
        assert torch.equal(network.state_dict()[key], tensor)
    assert {m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)} == {0.5}


@pytest.mark.parametrize("averages", [False, True])
def test_a_network_comes_back_with_its_mean_over_mirror_images(tmp_path, averages):
    path = tmp_path / "a.safetensors"
    path.write_bytes(checkpoint(mirror_average=averages))
    network, images = checkpoints.read(path).network, torch.from_numpy(IMAGES)
    assert torch.equal(network(images), network(images.flip(3))) == averages


@pytest.mark.slow
def test_a_checkpoint_is_the_same_bytes_every_time():
    """c18: also in another process, which hashes its strings differently."""
    code = (
        "import sys; from fashion_mnist.model import checkpoints\n"
        f"from fashion_mnist.model.networks import build; made = {DESCRIPTION}\n"
        "from fashion_mnist.pipeline.splits import Split\n"
        f"split = Split(None, None, 0.5, 0.5, {CLASSES}, None)\n"
        "weights = build(**made, seed=3).state_dict()\n"
        "sys.stdout.buffer.write(checkpoints.to_bytes(weights, made, split))"
    )
    environment = {"PYTHONPATH": "src", "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert other.stdout == checkpoint(), other.stderr


def test_a_checkpoint_holds_tensors_and_text_alone(tmp_path):
    """d07 d08: moved to the CPU, contiguous, one metadata key, as every reader accepts."""
    path = tmp_path / "a.safetensors"
    weights = {"w": torch.zeros(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()}
    path.write_bytes(checkpoints.to_bytes(weights, DESCRIPTION, SPLIT))
    with safetensors.safe_open(path, framework="np") as file:
        assert list(file.metadata()) == [checkpoints.KEY]
        assert file.get_tensor("w").shape == (2, 3, 4, 4)


@pytest.mark.parametrize("nearest", [SPLIT.nearest, None], ids=["with nearest", "without"])
def test_a_split_is_written_as_the_library_writes_it(nearest):
    split = replace(SPLIT, nearest=nearest, classes=('"quoted", \\', "靴", "Ä/b"))
    arrays = {
        "images": split.images,
        "labels": split.labels,
        "mean": np.array([split.mean]),
        "std": np.array([split.std]),
        "index": split.index,
        **({f"nearest_{name}": array for name, array in vars(nearest).items()} if nearest else {}),
    }
    metadata = {splits.KEY: json.dumps({"classes": split.classes})}
    assert b"".join(splits.serialised(split)) == safetensors.numpy.save(arrays, metadata)


def test_the_images_of_a_split_are_the_file_itself(tmp_path):
    """A map: what is not used is not read, and what is changed changes no file."""
    path = tmp_path / "a.safetensors"
    files.write({path: splits.serialised(SPLIT)})
    before, split = path.read_bytes(), splits.read(path)
    split.images[0] = 7
    assert path.read_bytes() == before
    assert str(path) in Path("/proc/self/maps").read_text()
    path.unlink()  # as DVC does with outputs
    np.testing.assert_array_equal(split.images[1:], SPLIT.images[1:])


def test_a_split_comes_back_as_it_was(tmp_path):
    path = tmp_path / "a.safetensors"
    files.write({path: splits.serialised(SPLIT)})
    again = splits.read(path)
    np.testing.assert_array_equal(again.images, SPLIT.images)
    np.testing.assert_array_equal(again.labels, SPLIT.labels)
    np.testing.assert_array_equal(again.index, INDEX)
    for name, array in vars(NEAREST).items():
        np.testing.assert_array_equal(getattr(again.nearest, name), array)
    np.testing.assert_array_equal(again.grey, PIXELS)
    assert (again.mean, again.std, again.black, again.classes) == (0.5, 0.5, -1.0, CLASSES)
    assert b"".join(splits.serialised(again)) == path.read_bytes()
    np.testing.assert_allclose(again.pixels() * 255, PIXELS, atol=1e-4)  # float32


READERS = {"checkpoint": checkpoints.read, "split": splits.read}


@pytest.mark.parametrize("kind", READERS)
def test_a_missing_file_is_told_with_the_way_to_make_it(tmp_path, kind):
    with pytest.raises(UserError, match="none: no such file"):
        READERS[kind](tmp_path / "none")


def safe(classes=CLASSES, **tensors):
    made = {name: torch.as_tensor(value) for name, value in tensors.items()}
    return save(made, metadata={splits.KEY: json.dumps({"classes": classes})})


GOOD = {
    "images": torch.from_numpy(SPLIT.images),
    "labels": torch.from_numpy(SPLIT.labels),
    "mean": torch.zeros(1, dtype=torch.float64),
    "std": torch.ones(1, dtype=torch.float64),
    "index": torch.from_numpy(INDEX),
}


def described(**changes):
    """A checkpoint of a good network whose description has other values."""
    content = checkpoint()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    description = json.loads(header["__metadata__"][checkpoints.KEY]) | changes
    header["__metadata__"][checkpoints.KEY] = json.dumps(description)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def weighing(change):
    """A checkpoint of a network whose first weights are changed."""
    weights = build(**DESCRIPTION, seed=3).state_dict()
    name = next(iter(weights))
    return checkpoints.to_bytes({**weights, name: change(weights[name])}, DESCRIPTION, SPLIT)


FOREIGN = {
    "a weight of NaN": weighing(lambda weights: weights * float("nan")),
    "an infinite weight": weighing(lambda weights: weights - float("inf")),
    "weights of whole numbers": weighing(lambda weights: (weights * 100).to(torch.int8)),
    "weights in bfloat16": weighing(lambda weights: weights.bfloat16()),
    "a description with a deviation of zero": described(std=0),
    "a description without a mean": described(mean=None),
    "a mean in words": described(mean="0.5"),
    "a mean of NaN": described(mean=float("nan")),
    "a mean of true": described(mean=True),
    "classes in one text": described(classes="0123456789"),
    "a class twice": described(classes=[*CLASSES[:9], CLASSES[0]]),
    "a class without a name": described(classes=[*CLASSES[:9], ""]),
    "classes that are numbers": described(classes=list(range(10))),
    "nine classes": described(classes=CLASSES[:9]),
    "eleven classes": described(classes=[*CLASSES, "more"]),
    "nothing": b"",
    "text": b"<!DOCTYPE html>",
    "no tensors": save({}),
    "other tensors": safe(weight=[1.0]),
    "labels missing": safe(**{**GOOD, "labels": [0]}),
    "labels of eleven": safe(**{**GOOD, "labels": GOOD["labels"] + 1}),
    "a name twice": safe((*CLASSES[:9], CLASSES[0]), **GOOD),
    "names of nine": safe(CLASSES[:9], **GOOD),
    "names missing": save(GOOD),
    "index in float": safe(**{**GOOD, "index": GOOD["index"].double()}),
    "a part of nearest": safe(**GOOD, nearest_index=INDEX + 0),
    "nearest of fewer": safe(**GOOD, **{f"nearest_{n}": a[1:] for n, a in vars(NEAREST).items()}),
    "nearest of a class that is none": safe(
        **GOOD, **{f"nearest_{n}": a + 10 * (n == "labels") for n, a in vars(NEAREST).items()}
    ),
    "a deviation of zero": safe(**{**GOOD, "std": GOOD["std"] * 0}),
    "a mean that is no number": safe(**{**GOOD, "mean": GOOD["mean"] * float("nan")}),
    "a tensor more": safe(**GOOD, more=INDEX + 0),
    "labels below zero": safe(**{**GOOD, "labels": GOOD["labels"] - 1}),
    "labels in float": safe(**{**GOOD, "labels": GOOD["labels"].double()}),
    "images flat": safe(**{**GOOD, "images": GOOD["images"].flatten(1)}),
    "images in bfloat16": safe(**{**GOOD, "images": GOOD["images"].bfloat16()}),
    "mean without a place": safe(**{**GOOD, "mean": torch.tensor(0.5).double()}),
    "another project's": save({"w": torch.zeros(1)}, metadata={"format": "pt"}),
    "no JSON": save({"w": torch.zeros(1)}, metadata={checkpoints.KEY: "{"}),
    "other JSON": save({"w": torch.zeros(1)}, metadata={checkpoints.KEY: "[1]"}),
    "deep JSON": save({"w": torch.zeros(1)}, metadata={checkpoints.KEY: "[" * 9999}),
    "an unknown network": checkpoints.to_bytes({}, {**DESCRIPTION, "name": "resnet152"}, SPLIT),
    "a network too few words": checkpoints.to_bytes({}, {"width": 1.0}, SPLIT),
    "a network of infinite width": checkpoints.to_bytes(
        {}, {**DESCRIPTION, "width": float("inf")}, SPLIT
    ),
    "another width's weights": checkpoints.to_bytes(
        build("lenet").state_dict(), DESCRIPTION, SPLIT
    ),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("kind", READERS)
def test_a_foreign_file_is_refused_by_name(tmp_path, kind, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"{re.escape(str(path))}: not a .*`dvc repro`") as caught:
        READERS[kind](path)
    assert len(str(caught.value).splitlines()) == 1


class Payload:
    """What a pickle can do to whoever loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def payloads(mark):
    yield pickle.dumps(Payload(mark))
    yield pickle.dumps({"network": Payload(mark)})
    for zipped in (False, True):
        buffer = io.BytesIO()
        state = {"network": {}, "history": Payload(mark)}
        torch.save(state, buffer, _use_new_zipfile_serialization=zipped)
        yield buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_a_payload_is_never_executed(tmp_path, capsys):
    """Issue 5, item 7: fed to everything that loads a file that people may share."""
    mark, path = tmp_path / "executed", tmp_path / "a-b-c.pt"
    for payload in payloads(mark):
        path.write_bytes(payload)
        for read in READERS.values():
            with pytest.raises(UserError, match="not a"):
                read(path)
        assert ResumeFile(tmp_path, "a-b-c").load() is None
        assert f"warning: {path} is damaged" in capsys.readouterr().err
        assert not mark.exists()
    torch.load(path, weights_only=False)
    assert mark.exists(), "the payload does nothing, so that the test proves nothing"


def fuzz(tmp_path, examples):
    tried, accepted = itertools.count(), []
    contents = {"checkpoint": checkpoint(), "split": b"".join(splits.serialised(SPLIT))}
    path = tmp_path / "a.safetensors"

    @settings(max_examples=examples)
    @given(
        st.sampled_from(sorted(contents)),
        st.one_of(st.integers(0, 900), st.integers(0, 70_000)),
        st.binary(max_size=20),
        st.booleans(),
    )
    def check(kind, at, new, cut):
        next(tried)
        content = contents[kind]
        path.write_bytes(content[:at] + new + (b"" if cut else content[at + len(new) :]))
        try:
            READERS[kind](path)
        except UserError as error:
            if not str(error).startswith(f"{path}: "):
                raise AssertionError(f"no clear message: {error}") from error
        else:
            accepted.append(at)

    check()
    print(f"\ndamaged files read: {next(tried)}, {len(accepted)} damaged in values alone")


@pytest.mark.parametrize("examples", [150, pytest.param(5000, marks=pytest.mark.slow)])
def test_any_damage_is_refused_or_harmless(tmp_path, examples):
    fuzz(tmp_path, examples)
