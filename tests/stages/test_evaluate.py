"""The stage evaluate: every image once, whatever the batch size."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from small import NAMES

from fashion_mnist.evaluation.corruptions import CORRUPTIONS, STRENGTHS
from fashion_mnist.model import checkpoints
from fashion_mnist.pipeline import files, splits
from stages import evaluate as stage


def report(workspace):
    return json.loads(
        (workspace.path / "metrics/evaluate.json").read_bytes(), parse_constant=pytest.fail
    )


def table(workspace, name):
    return list(csv.DictReader(io.StringIO((workspace.path / f"plots/{name}.csv").read_text())))


def test_every_test_image_has_a_row_in_the_splits_order(finished):
    """e02 e05: with the true class as the data set has it, the slash of T-shirt/top included."""
    test = splits.read(finished.path / "data/prepared/test.safetensors")
    made = table(finished, "predictions")
    assert [int(row["index"]) for row in made] == list(range(40))
    assert [row["actual"] for row in made] == [NAMES[label] for label in test.labels]
    right = sum(row["actual"] == row["predicted"] for row in made)
    assert report(finished)["accuracy"] == right / 40
    assert [row["class"] for row in table(finished, "per_class")] == list(NAMES)


def test_the_report_is_flat_plain_and_strict(finished):
    """d17 e05: no key that DVC would nest or split."""
    for name in ("evaluate", "train"):
        content = (finished.path / f"metrics/{name}.json").read_bytes()
        figures = json.loads(content, parse_constant=pytest.fail)
        assert {type(value) for value in figures.values()} <= {int, float}
        assert not any(character in key for key in figures for character in "./ ")


@pytest.mark.parametrize("size", [1, 7, 39, 40])
def test_the_batch_size_changes_nothing(workspace, finished, size):
    """d15 d21: not a byte in portable arithmetic; dropout is off."""
    workspace.set(**{"evaluate.batch_size": size})
    assert workspace.run("evaluate")[0] == 0
    assert workspace.outputs() == finished.outputs()
    workspace.set(**{"evaluate.batch_size": size, "evaluate.arithmetic": "native"})
    assert workspace.run("evaluate")[0] == 0
    assert report(workspace) == pytest.approx(report(finished), abs=1e-5)
    assert len(table(workspace, "predictions")) == 40


def test_classes_that_do_not_occur_keep_their_rows(workspace):
    """e01: 30 images with labels 0, 2 and 9 only."""
    path = workspace.path / "data/prepared/test.safetensors"
    test = splits.read(path)
    few = np.isin(test.labels, [0, 2, 9])
    part = replace(
        test, nearest=None, images=test.images[few], labels=test.labels[few], index=test.index[few]
    )
    files.write({path: splits.serialised(part)})
    assert workspace.run("evaluate")[0] == 0
    made = table(workspace, "per_class")
    assert [row["class"] for row in made] == list(NAMES)
    assert [index for index, row in enumerate(made) if row["support"] != "0"] == [0, 2, 9]
    assert {row["actual"] for row in table(workspace, "predictions")} == {
        NAMES[label] for label in (0, 2, 9)
    }


@pytest.mark.parametrize("change", [{"model.width": 0.5}, {"model.dropout": 0.9}])
def test_the_network_is_the_one_that_the_checkpoint_describes(workspace, finished, change):
    """d28: params.yaml was edited since the training."""
    workspace.set(**change)
    assert workspace.run("evaluate")[0] == 0
    assert workspace.outputs() == finished.outputs()


@pytest.mark.parametrize("change", [{"classes": tuple("abcdefghij")}, {"mean": 0.25}])
def test_a_split_of_other_classes_or_normalisation_is_refused(workspace, finished, change):
    path = workspace.path / "data/prepared/test.safetensors"
    files.write({path: splits.serialised(replace(splits.read(path), **change))})
    before = workspace.outputs()
    status, printed = workspace.run("evaluate")
    assert status == 2
    assert "error: the network was trained with other class names or another norm" in printed
    assert workspace.outputs() == before


def test_corruptions_report_a_mean_and_a_table(workspace, finished):
    """Off, the table is empty: there is nothing to plot."""
    assert table(finished, "corruptions") == []
    workspace.set(**{"evaluate.corruptions": True})
    assert workspace.run("evaluate")[0] == 0
    made = report(workspace)
    clean, *rows = table(workspace, "corruptions")
    assert len(rows) == len(CORRUPTIONS) * len(STRENGTHS)
    assert float(clean["accuracy"]) == made["accuracy"]
    mean = np.mean([float(row["accuracy"]) for row in rows])
    assert made.pop("accuracy_corrupted") == pytest.approx(mean, abs=1e-5)
    assert made == report(finished)


def test_images_that_training_has_nearly_seen_are_listed_and_left_out(workspace):
    """Three of forty, the nearest first; the table goes on with those next to them."""
    path = workspace.path / "data/prepared/test.safetensors"
    test = splits.read(path)
    distances = np.full(40, 50, np.float32)
    distances[[3, 7, 20, 30]] = 10, 0, 4.5, 10.5
    nearest = splits.Nearest(distances, np.arange(40) + 1000, (test.labels + 1) % 10)
    files.write({path: splits.serialised(replace(test, nearest=nearest))})
    assert workspace.run("evaluate")[0] == 0
    rows, made = table(workspace, "near_seen"), report(workspace)
    assert len(rows) == 20
    assert [int(row["index"]) for row in rows[:4]] == [7, 20, 3, 30]
    assert [int(row["training_index"]) for row in rows[:4]] == [1007, 1020, 1003, 1030]
    assert [float(row["distance"]) for row in rows[:4]] == [0, 4.5, 10, 10.5]
    predictions = table(workspace, "predictions")
    for row in rows:
        label = test.labels[int(row["index"])]
        assert row["actual"] == NAMES[label]
        assert row["training_label"] == NAMES[(label + 1) % 10]
        assert row["predicted"] == predictions[int(row["index"])]["predicted"]
    right = [p["actual"] == p["predicted"] for p in predictions]
    others = [ok for index, ok in enumerate(right) if index not in (3, 7, 20)]
    assert made["near_seen"] == 3
    assert made["accuracy_without_near_seen"] == pytest.approx(np.mean(others), abs=1e-6)


def test_all_images_nearly_seen_leave_no_figure(workspace):
    path = workspace.path / "data/prepared/test.safetensors"
    test = splits.read(path)
    nearest = replace(test.nearest, distances=np.zeros(40, np.float32))
    files.write({path: splits.serialised(replace(test, nearest=nearest))})
    assert workspace.run("evaluate")[0] == 0
    assert report(workspace)["near_seen"] == len(table(workspace, "near_seen")) == 40
    assert "accuracy_without_near_seen" not in report(workspace)


def test_a_network_that_diverged_is_refused(workspace):
    """c14: nothing that is not finite is written."""
    path = workspace.path / "checkpoints/best.safetensors"
    weights = checkpoints.read(path).network.state_dict()
    weights = {key: tensor * np.inf for key, tensor in weights.items()}
    test = splits.read(workspace.path / "data/prepared/test.safetensors")
    description = {"name": "lenet", "width": 0.25, "dropout": 0.2}
    path.write_bytes(checkpoints.to_bytes(weights, description, test))
    before = workspace.outputs()
    status, printed = workspace.run("evaluate")
    assert status == 2
    assert "holds numbers that are not finite" in printed
    assert workspace.outputs() == before


def test_a_lack_of_memory_names_the_batch_size(workspace, finished):
    """d27"""

    def before():
        def predict(*_):
            raise MemoryError

        stage.predict_logits = predict

    status, printed = workspace.run("evaluate", before)
    assert (status, printed) == (2, "error: out of memory; lower evaluate.batch_size\n")
    assert workspace.outputs() == finished.outputs()
