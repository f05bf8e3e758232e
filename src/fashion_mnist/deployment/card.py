"""A model card in Markdown by the conventions of Hugging Face, made of what dvc.lock records.

The head is the metadata block of https://huggingface.co/docs/hub/model-cards, the results in it are
a `model-index` as described in https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fashion_mnist.comparison.tables import literal, table
from fashion_mnist.data.parameters import Fetch
from fashion_mnist.deployment import record
from fashion_mnist.deployment.models import CHECKPOINT
from fashion_mnist.deployment.record import Record
from fashion_mnist.evaluation.metrics import METRICS
from fashion_mnist.parameters import flat

HUB = "zalando-datasets/fashion_mnist"
"""The data set's name there."""
OFFICIAL = Fetch().sha256.test.images
"""SHA-256 of its test images, uncompressed: other images are another data set."""
TYPES = {
    "top2_accuracy": "accuracy",
    "macro_f1": "f1",
    "worst_recall": "recall",
    "ece": "expected_calibration_error",
    "accuracy_without_near_seen": "accuracy",
    "accuracy_corrupted": "accuracy",
}
"""What the Hub calls a kind of metric, where it is not our key."""
CARD = """\
---
{head}---

# {name}

A {network} network of {parameters} parameters that sorts grey pictures of 28×28 pixels into \
{count} classes: {classes}. On the test split it is right in {accuracy} of the cases, 95 % \
interval {low} to {high}.

## Intended use

Teaching, comparing methods, and trying what a small classifier makes of one's own pictures. Of \
each picture it tells one of its {count} classes, also of one that shows none of them: no decision \
about people, goods or money should hang on it.

`fashion-mnist predict PICTURE` takes any picture of one object before a plain background; \
`docs/deployment.md` says how it becomes the network's input. The network itself takes float32 \
N×1×28×28, each pixel divided by 255, less {mean}, divided by {std}; the object is bright on \
black, and its longest side fills the picture.{mirrored}

## Data

{data} {validation} of the training images were held out, stratified by class, to choose the best \
epoch; the test split was read once, at the end.

{digests}

## Training

Epoch {epoch} of {epochs} was kept. An image costs {multiply_adds} multiply-adds. All parameters, \
as `dvc.lock` records them:

{recipe}

## Results

On the {tested} images of the test split, which is never augmented:

{results}

By class:

{by_class}

## Calibration

The expected calibration error over {bins} equally wide bins is {ece}. On average the network \
gives its answer a probability of {confidence} and is right in {accuracy} of the cases: it is \
{calibration}.

## Limits

The weakest class is {worst}, of which it finds {worst_recall}. The figures hold for pictures like \
those of the test split; for other cameras, backgrounds, poses or times nothing was measured. The \
interval is that of this test split and these weights: training with another seed moves the result \
as well.

## How to rebuild

In a checkout of the project whose `dvc.lock` names the MD5 `{checkpoint}` for `{path}`:

```console
$ make repro
```

`dvc pull` fetches the same file where a remote is configured.
"""


MIRRORED = " Its answer is the mean over the picture and its mirror image."


def markdown(root: Path) -> str:
    """The model card of the workspace.

    Args:
        root: the folder of dvc.lock.

    Raises:
        UserError: dvc.lock records no complete run, or other results than those that are there.
    """
    made = record.read(root)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = f"{project['name']}-{made.parameters['model']['name']}"
    prepare, evaluation = made.parameters["prepare"], made.evaluation
    fixed = prepare["normalisation"] == "fixed"
    counts = [int(row["count"]) for row in made.reliability]
    confidence = sum(
        float(row["confidence"]) * count
        for row, count in zip(made.reliability, counts, strict=True)
    ) / sum(counts)
    occurring = [row for row in made.classes if int(row["support"])]
    worst = min(occurring, key=lambda row: float(row["recall"]))
    return CARD.format(
        head=yaml.safe_dump(
            head(made, name, project["license"]), sort_keys=False, allow_unicode=True
        ),
        name=name,
        network=made.parameters["model"]["name"],
        parameters=f"{made.training['parameters']:,}",
        count=len(prepare["classes"]),
        classes=literal(", ".join(prepare["classes"])),
        accuracy=_percent(evaluation["accuracy"]),
        low=_percent(evaluation["accuracy_low"]),
        high=_percent(evaluation["accuracy_high"]),
        mean=prepare["mean"] if fixed else "the mean of the training pixels",
        std=prepare["std"] if fixed else "their standard deviation (both stand in the file)",
        mirrored=MIRRORED if made.parameters["model"].get("mirror_average") else "",
        data=_data(made),
        validation=f"{prepare['validation_size']:,}",
        digests=table(
            ["file", "SHA-256"],
            [list(row) for row in flat(made.parameters["fetch"]["sha256"]).items()],
            markdown=True,
        ),
        epoch=made.training["best_epoch"],
        epochs=made.parameters["train"]["epochs"],
        multiply_adds=f"{made.training['multiply_adds']:,}",
        recipe=table(["parameter", "value"], list(_recipe(made)), markdown=True),
        tested=f"{sum(counts):,}",
        results=table(
            ["metric", "value"],
            [[m.title, m.shown(evaluation[m.key])] for m in METRICS if m.key in evaluation],
            markdown=True,
        ),
        by_class=table(
            list(made.classes[0]), [list(row.values()) for row in made.classes], markdown=True
        ),
        bins=made.parameters["evaluate"]["calibration_bins"],
        ece=f"{evaluation['ece']:.4f}",
        confidence=_percent(confidence),
        calibration="overconfident" if confidence > evaluation["accuracy"] else "underconfident",
        worst=literal(worst["class"]),
        worst_recall=_percent(float(worst["recall"])),
        checkpoint=made.checkpoint,
        path=CHECKPOINT,
    )


def head(made: Record, name: str, licence: str) -> dict[str, Any]:
    """The metadata block, as a mapping."""
    official = _is_fashion_mnist(made)
    dataset = {"name": "Fashion-MNIST", "type": HUB} if official else {"name": "own", "type": "own"}
    found: dict[str, Any] = {
        "license": licence.lower(),
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "pytorch", "safetensors", "dvc"],
    }
    if official:
        found["tags"].append("fashion-mnist")
        found["datasets"] = [HUB]
    metrics = [
        {"type": TYPES.get(m.key, m.key), "name": m.title, "value": made.evaluation[m.key]}
        for m in METRICS
        if m.direction != "none" and m.key in made.evaluation
    ]
    found["metrics"] = list(dict.fromkeys(metric["type"] for metric in metrics))
    result = {
        "task": {"type": "image-classification", "name": "Image classification"},
        "dataset": {**dataset, "split": "test"},
        "metrics": metrics,
    }
    return {**found, "model-index": [{"name": name, "results": [result]}]}


def _is_fashion_mnist(made: Record) -> bool:
    return bool(made.parameters["fetch"]["sha256"]["test"]["images"] == OFFICIAL)


def _data(made: Record) -> str:
    if _is_fashion_mnist(made):
        return (
            "[Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist) (Xiao, Rasul and "
            "Vollgraf, 2017), under the MIT licence: photographs of one shop's articles, with its "
            "ideas of what a class looks like."
        )
    return "Images of one's own, in the format of Fashion-MNIST."


def _recipe(made: Record) -> Iterator[list[str]]:
    for section in ("prepare", "model", "train"):
        for key, value in flat(made.parameters[section], f"{section}.").items():
            if key != "prepare.classes":  # they stand above
                yield [key, str(value).lower() if isinstance(value, bool) else str(value)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
