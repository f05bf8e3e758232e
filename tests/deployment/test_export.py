"""`fashion-mnist export`: an ONNX file that says what PyTorch says, and what it is."""

import json
import re
import sys

import console
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small import split

from fashion_mnist.deployment import export, models
from fashion_mnist.model import checkpoints
from fashion_mnist.model.networks import NETWORKS, build
from fashion_mnist.pipeline.errors import UserError

TIE = 1e-5  # of logits; ONNX Runtime adds in another order


def check_agreement(one, other, images):
    """The same classes but for ties, and logits within a tie."""
    ours, theirs = one.logits(images), other.logits(images)
    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs).max()
    assert difference <= TIE, difference
    first, second = np.sort(ours, axis=1)[:, :-3:-1].T
    clear = first - second > TIE
    assert clear.mean() > 0.9
    assert (ours.argmax(1) == theirs.argmax(1))[clear].all()
    return difference


def test_onnxruntime_says_what_pytorch_says(checkpoint, exported, pixels):
    """Of all test images, and of noise, for any number of images."""
    one, other = models.load(checkpoint), models.load(exported)
    assert one.classes == other.classes
    print(f"largest difference of logits: {check_agreement(one, other, pixels):.2g}")
    noise = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), np.uint8)
    for count in (1, 2, 7, 1000):
        check_agreement(one, other, noise[:count])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "lenet"])
def test_every_network_can_be_exported(name, tmp_path):
    """With statistics that are not those it starts with, and with the mirror image's part."""
    network = build(name, 0.25, classes=10)
    with torch.no_grad():
        network(torch.randn(50, 1, 28, 28))
    description = {"name": name, "width": 0.25, "dropout": 0.5, "mirror_average": True}
    path = tmp_path / "a.safetensors"
    path.write_bytes(checkpoints.to_bytes(network.state_dict(), description, split(10)))
    (tmp_path / "a.onnx").write_bytes(export.to_onnx(path, {}))
    noise = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    check_agreement(models.load(path), models.load(tmp_path / "a.onnx"), noise)


def metadata(path):
    return onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map


def test_the_file_says_what_it_is(exported, checkpoint, repository):
    graph = onnx.load(exported).graph
    (taken,), (given,) = graph.input, graph.output
    assert taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sizes = [size.dim_value or size.dim_param for size in taken.type.tensor_type.shape.dim]
    assert sizes == ["N", 28, 28]
    assert [size.dim_value for size in given.type.tensor_type.shape.dim][1] == 10
    found = metadata(exported)
    assert tuple(json.loads(found["classes"])) == checkpoints.read(checkpoint).classes
    assert found["input"].startswith("images: uint8, N×28×28")
    assert f"md5: {found['weights_md5']}\n" in repository.read("dvc.lock").decode()
    metrics = json.loads(repository.read("metrics/evaluate.json"))
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        assert float(found[name]) == metrics[name]


def test_weights_that_no_lock_records_carry_no_results(
    checkout, checkpoint, exported, tmp_path, monkeypatch, capsys
):
    """They would be another network's. From another folder the lock is that of the weights."""
    other, elsewhere = tmp_path / "other.safetensors", tmp_path / "elsewhere"
    weights = build("lenet", classes=10, seed=5).state_dict()
    other.write_bytes(checkpoints.to_bytes(weights, {"name": "lenet"}, split(10)))
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert console.run(monkeypatch, "export", "--model", checkpoint, "a.onnx") == 0
    assert capsys.readouterr().err == ""
    assert (elsewhere / "a.onnx").read_bytes() == exported.read_bytes()
    monkeypatch.chdir(checkout.path)
    assert console.run(monkeypatch, "export", "--model", other, elsewhere / "other.onnx") == 0
    assert capsys.readouterr().err == (
        "the file will not hold the model's accuracy: "
        f"{checkout.path / 'dvc.lock'} records other weights\n"
    )
    assert "accuracy" not in metadata(elsewhere / "other.onnx")


def test_nothing_of_this_machine_is_in_the_file(exported, repository):
    content = exported.read_bytes()
    for path in (repository.path, export.__file__, sys.prefix, torch.__path__[0]):
        assert str(path).encode() not in content


def test_a_missing_package_is_named(checkout, tmp_path, monkeypatch, capsys, exported):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert console.run(monkeypatch, "export", tmp_path / "a.onnx") == 2
    assert "an export needs onnxscript, which is not installed: pip install -r " in (
        capsys.readouterr().err
    )
    assert not (tmp_path / "a.onnx").exists()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        UserError, match=r"an ONNX file needs onnxruntime.*requirements/export\.txt"
    ):
        models.load(exported)


def test_only_an_onnx_file_is_written(checkout, tmp_path, monkeypatch, capsys):
    assert console.run(monkeypatch, "export", tmp_path / "model.pt") == 2
    assert "an ONNX file's name ends in .onnx" in capsys.readouterr().err


def graph_of(taken):
    """A valid ONNX model of somebody else's."""
    value, type_of = onnx.helper.make_tensor_value_info, getattr(onnx.TensorProto, taken)
    node = onnx.helper.make_node("Identity", ["images"], ["logits"])
    sides = [value(name, type_of, ["N", 28, 28]) for name in ("images", "logits")]
    graph = onnx.helper.make_graph([node], "theirs", sides[:1], sides[1:])
    opset = [onnx.helper.make_opsetid("", 20)]
    return onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)


@pytest.mark.parametrize(("taken", "props"), [("UINT8", {}), ("FLOAT", {"classes": '["a"]'})])
def test_another_projects_onnx_file_is_refused(taken, props, tmp_path):
    model = graph_of(taken)
    onnx.helper.set_model_props(model, props)
    path = tmp_path / "theirs.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=r"theirs\.onnx: not a model that `fashion-mnist export`"):
        models.load(path)


@pytest.mark.parametrize(
    ("classes", "factor", "reason"),
    [
        (["a", "b"], 1, "shape (2, 10), and it names 2 classes"),
        ([str(n) for n in range(9)], 1, "it names 9 classes"),
        ([str(n) for n in range(11)], 1, "it names 11 classes"),
        (["a"] * 10, 1, "1 different names for 10 classes"),
        ("abcdefghij", 1, "no list of names"),
        (None, 1, "no list of names"),
        ([str(n) for n in range(10)], float("nan"), "not finite"),
        ([str(n) for n in range(10)], float("inf"), "not finite"),
    ],
)
def test_an_onnx_file_that_does_not_fit_its_classes_is_refused(
    exported, tmp_path, classes, factor, reason
):
    model = onnx.load(exported)
    onnx.helper.set_model_props(model, {"classes": json.dumps(classes)})
    weights = model.graph.initializer[0]
    changed = onnx.numpy_helper.to_array(weights) * np.float32(factor)
    weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
    path = tmp_path / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match=rf"^{path}: not a model .*{re.escape(reason)}") as caught:
        models.load(path)
    assert len(str(caught.value).splitlines()) == 1
