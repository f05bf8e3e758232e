"""Evaluate the best checkpoint on the test split, once."""

from pathlib import Path

import torch
from torch import nn

from fashion_mnist.evaluation import corruptions, figures, metrics, tables
from fashion_mnist.evaluation.parameters import Evaluate
from fashion_mnist.model import checkpoints, devices
from fashion_mnist.model.arithmetic import arithmetic
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.model.parameters import Compute
from fashion_mnist.pipeline import files, splits, stage, states
from fashion_mnist.pipeline.parameters import load

TEST = Path("data/prepared/test.safetensors")
CHECKPOINT = Path("checkpoints/best.safetensors")


def main() -> None:
    """Write metrics, predictions, tables for plots, and a picture."""
    states.forget_recorded(states.folder())  # DVC has recorded the training by now
    settings = load(Evaluate, "evaluate")
    device = devices.use(load(Compute, "compute"), settings.arithmetic)
    checkpoint, test = checkpoints.read(CHECKPOINT, "dvc repro"), splits.read(TEST)
    checkpoint.check_is_for(test)
    network, names = checkpoint.network, splits.numbered(test.classes)
    with devices.within_memory("evaluate.batch_size"):
        network.to(device)
        images = torch.from_numpy(test.images).to(device)
        used = arithmetic(settings.arithmetic)
        logits = predict_logits(network, images, settings.batch_size, used)
        robust = accuracies(network, test, settings, device) if settings.corruptions else {}
    made = metrics.predictions(logits, test.labels)
    report = metrics.metrics(made, settings.calibration_bins, test.nearest, robust.values())
    files.write(
        {
            Path("metrics/evaluate.json"): files.json_bytes(report),
            Path("plots/predictions.csv"): files.csv_bytes(
                tables.PREDICTION_COLUMNS, tables.prediction_rows(made, names)
            ),
            Path("plots/per_class.csv"): files.csv_bytes(
                tables.CLASS_COLUMNS, tables.class_rows(made, names)
            ),
            Path("plots/reliability.csv"): files.csv_bytes(
                metrics.RELIABILITY_COLUMNS,
                metrics.reliability_rows(made, settings.calibration_bins),
            ),
            Path("plots/corruptions.csv"): files.csv_bytes(
                corruptions.COLUMNS, corruptions.rows(metrics.accuracy(made), robust)
            ),
            Path("plots/near_seen.csv"): files.csv_bytes(
                tables.NEAR_COLUMNS, tables.near_rows(made, test.nearest, names)
            ),
            Path("plots/misclassified.png"): figures.misclassified_png(
                test, made.predicted, made.confidence
            ),
        }
    )
    print(metrics.describe(report))


def accuracies(
    network: nn.Module, test: splits.Split, settings: Evaluate, device: torch.device
) -> dict[tuple[str, int], float]:
    """The accuracy under each corruption, by its name and strength."""
    found = {}
    for name, strength, images in corruptions.corrupted(test.grey):
        normalised = torch.from_numpy(splits.normalise(images, test.mean, test.std)).to(device)
        used = arithmetic(settings.arithmetic)
        logits = predict_logits(network, normalised, settings.batch_size, used)
        found[name, strength] = metrics.accuracy(metrics.predictions(logits, test.labels))
    return found


if __name__ == "__main__":
    stage.run(main)
