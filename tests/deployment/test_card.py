"""`fashion-mnist card`: its head follows the conventions, its figures are those of the run."""

import io
import json
import re

import console
import pandas as pd
import pytest
import yaml

from fashion_mnist.deployment import card, record
from fashion_mnist.deployment.models import CHECKPOINT
from fashion_mnist.evaluation.metrics import METRICS

# https://huggingface.co/docs/hub/model-cards#model-card-metadata, as far as the card uses it
PIPELINE_TAG = "image-classification"
LICENCES = {"mit", "apache-2.0", "bsd-3-clause", "gpl-3.0", "cc-by-4.0", "other"}


def split(text):
    """The head, parsed, and the rest."""
    _, head, body = text.split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.fixture
def made(checkout, monkeypatch, capsys):
    capsys.readouterr()
    assert console.run(monkeypatch, "card") == 0
    text = capsys.readouterr().out
    assert text.startswith("---\n")
    return split(text)


def check_head(head):
    """The keys, types and values that the Hub accepts."""
    assert set(head) <= {
        *("license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index")
    }
    assert head["license"] in LICENCES
    assert head["pipeline_tag"] == PIPELINE_TAG
    for key in ("tags", "metrics", "datasets"):
        assert all(isinstance(word, str) and word for word in head.get(key, []))
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+", name) for name in head.get("datasets", []))
    (model,) = head["model-index"]
    assert re.fullmatch(r"[\w.-]+", model["name"])
    for result in model["results"]:
        assert result["task"]["type"] == PIPELINE_TAG
        assert {"type", "name"} <= set(result["dataset"])
        assert result["metrics"]
        for metric in result["metrics"]:
            assert {"type", "value"} <= set(metric)
            assert type(metric["value"]) is float
            assert metric["type"] in head["metrics"]
        kinds = [(metric["type"], metric["name"]) for metric in result["metrics"]]
        assert len(set(kinds)) == len(kinds)


def test_the_head_is_what_the_hub_reads(made, checkout):
    head, _ = made
    check_head(head)
    values = [m["value"] for m in head["model-index"][0]["results"][0]["metrics"]]
    metrics = json.loads(checkout.read("metrics/evaluate.json"))
    listed = [m.key for m in METRICS if m.direction != "none" and m.key in metrics]
    assert values == [metrics[key] for key in listed]
    assert {"accuracy", "ece", "accuracy_without_near_seen"} <= set(listed)


def test_other_images_are_not_called_fashion_mnist(made, repository):
    """The tests' images are none of Zalando's; the official digest makes them so."""
    head, body = made
    assert "datasets" not in head
    assert "Zalando" not in str(head) + body
    assert "zalando" not in str(head) + body
    recorded = record.read(repository.path)
    recorded.parameters["fetch"]["sha256"]["test"]["images"] = card.OFFICIAL
    head = card.head(recorded, "name", "MIT")
    check_head(head)
    assert head["datasets"] == [head["model-index"][0]["results"][0]["dataset"]["type"]]


@pytest.mark.parametrize("averages", [False, True])
def test_who_uses_the_weights_is_told_of_the_mirror_image(repository, monkeypatch, averages):
    recorded = record.read(repository.path)
    recorded.parameters["model"]["mirror_average"] = averages
    monkeypatch.setattr(record, "read", lambda root: recorded)
    body = " ".join(card.markdown(repository.path).split())
    told = "Its answer is the mean over the picture and its mirror image. ## Data"
    assert (told in body) == averages
    assert ("fills the picture. ## Data" in body) != averages


def test_every_figure_is_the_runs(made, checkout):
    """Metrics, parameters, classes and the digest of the weights."""
    _, body = made
    rows = {m.key: m for m in METRICS}
    for name, value in json.loads(checkout.read("metrics/evaluate.json")).items():
        assert f"| {rows[name].title} | {value:.{rows[name].digits}f} |" in body
    training = json.loads(checkout.read("metrics/train.json"))
    assert f"of {training['parameters']:,} parameters" in body
    assert f"costs {training['multiply_adds']:,} multiply-adds" in body
    assert f"Epoch {training['best_epoch']} of " in body
    lock = yaml.safe_load(checkout.read("dvc.lock"))["stages"]
    (weights,) = [o["md5"] for o in lock["train"]["outs"] if o["path"] == CHECKPOINT]
    assert f"`{weights}` for `{CHECKPOINT}`" in body
    for section, values in lock["train"]["params"]["params.yaml"].items():
        for key, value in values.items():
            if not isinstance(value, dict):
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                assert f"| {section}.{key} | {shown} |" in body
    for row in checkout.read("plots/per_class.csv").decode().splitlines()[1:]:
        assert f"| {' | '.join(row.split(','))} |" in body
    predictions = pd.read_csv(io.BytesIO(checkout.read("plots/predictions.csv")))
    confidence = predictions["confidence"].mean()
    right = (predictions["actual"] == predictions["predicted"]).mean()
    assert f"a probability of {100 * confidence:.1f} %" in body
    assert ("it is overconfident" in body) == (confidence > right)
    assert "{" not in body


def test_results_that_are_not_the_locks_are_refused(repository, tmp_path, monkeypatch, capsys):
    copy = repository.copy(tmp_path / "checkout")
    monkeypatch.chdir(copy.path)
    path = copy.path / "metrics/evaluate.json"
    path.write_text(path.read_text().replace("accuracy", "acuracy"))
    assert console.run(monkeypatch, "card") == 2
    assert "metrics/evaluate.json is not the one that dvc.lock records" in capsys.readouterr().err
    copy.git("restore", ".")
    lock = copy.read("dvc.lock").decode()
    weights = record.read(copy.path).checkpoint
    assert lock.count(weights) > 1
    (copy.path / "dvc.lock").write_text(lock.replace(weights, "0" * 32, 1))
    assert console.run(monkeypatch, "card") == 2
    assert "dvc.lock records results of other weights" in capsys.readouterr().err
    (copy.path / "dvc.lock").unlink()
    assert console.run(monkeypatch, "card") == 2
    assert "dvc.lock is missing" in capsys.readouterr().err
