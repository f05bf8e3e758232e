"""What a training shows to people: augmented images, and labels that the network doubts."""

import numpy as np
import torch

from fashion_mnist.pipeline.files import Value, significant
from fashion_mnist.pipeline.pictures import Row
from fashion_mnist.pipeline.splits import Split, grey, numbered
from fashion_mnist.training.augmentation import augment, draw, draw_mirrored
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.randomness import generator
from fashion_mnist.training.trainer import Trainer

CLASSES, EPOCHS = 20, 7  # shown at most; of each class an image as it is, and in so many epochs
SUSPECTS, SHOWN = 100, 30  # rows of the table, and how many of them the picture shows


def augmented(training: Split, settings: Train) -> list[Row]:
    """The first image of each class as it is, and as seven epochs would augment it.

    On the CPU, whatever the training runs on.
    """
    labels, first = np.unique(training.labels, return_index=True)
    labels, first = labels[:CLASSES], first[:CLASSES]
    images = torch.from_numpy(training.images[first])
    made = [images]
    for epoch in range(1, EPOCHS + 1):
        mirrored = draw_mirrored(len(images), settings.augment, settings.seed, epoch)
        source = generator(settings.seed, "augmentation", epoch)
        drawn = draw(len(images), settings.augment, source)
        made.append(augment(images, settings.augment, training.black, mirrored, drawn))
    shown = [grey(column.numpy(), training.mean, training.std) for column in made]
    names = numbered(training.classes)
    return [(names[label], np.stack(row)) for label, *row in zip(labels, *shown, strict=True)]


SUSPECT_COLUMNS = ("index", "label", "predicted", "loss")


def suspects(trainer: Trainer, training: Split) -> tuple[list[list[Value]], list[Row]]:
    """The training images whose labels the network doubts most, for people to look at.

    Returns:
        A row of `SUSPECT_COLUMNS` for each of the first `SUSPECTS`, by falling loss: position in
        the IDX file, label, the class that it was last taken for, and the running mean of its
        losses (see `Trainer.doubts`). And `SHOWN` of them for a picture.
    """
    losses = [significant(loss) for loss in trainer.doubts.tolist()]
    names, said = numbered(training.classes), trainer.said.tolist()
    table: list[list[Value]] = []
    rows: list[Row] = []
    for at in sorted(range(len(losses)), key=lambda at: (-losses[at], at))[:SUSPECTS]:
        label, predicted = names[training.labels[at]], names[said[at]]
        table.append([int(training.index[at]), label, predicted, losses[at]])
        if len(rows) < SHOWN:
            image = grey(training.images[at : at + 1], training.mean, training.std)
            rows.append((f"label {label}\nlooks like {predicted}", image))
    return table, rows
