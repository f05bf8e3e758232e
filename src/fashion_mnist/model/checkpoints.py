"""A trained network as a file: weights, and what is needed to use the network again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save
from torch import Tensor, nn

from fashion_mnist.model.networks import build
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import Split, check_normalisation, class_names

KEY = "fashion_mnist"  # the only metadata key: with two, safetensors' bytes vary from run to run
VERSION = 2


@dataclass(frozen=True)
class Checkpoint:
    """A network, and what a picture and an output of it mean.

    Attributes:
        network: on the CPU, in evaluation mode; maps float32 N×1×28×28 to logits, N×K.
        classes: the names of the K classes, in the order of the logits.
        mean: of pixel / 255, subtracted from every pixel.
        std: by which it is then divided.
    """

    network: nn.Module
    classes: tuple[str, ...]
    mean: float
    std: float

    def check_is_for(self, split: Split) -> None:
        """Refuse a split that was prepared with other parameters than those of the training.

        Raises:
            UserError: its classes or its normalisation are others.
        """
        if (self.classes, self.mean, self.std) != (split.classes, split.mean, split.std):
            raise UserError(
                "the network was trained with other class names or another normalisation than "
                "the prepared split has; `dvc repro` mends it"
            )


def to_bytes(weights: Mapping[str, Tensor], network: Mapping[str, Any], trained_on: Split) -> bytes:
    """A safetensors file of weights that are moved to the CPU.

    Args:
        weights: a network's state.
        network: what `fashion_mnist.model.networks.build` takes: name, width, dropout.
        trained_on: whose classes and normalisation the checkpoint keeps.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    description = {
        "version": VERSION,
        "network": dict(network),
        "classes": trained_on.classes,
        "mean": trained_on.mean,
        "std": trained_on.std,
    }
    return save(tensors, metadata={KEY: json.dumps(description, sort_keys=True)})


def read(path: Path, made_by: str = "") -> Checkpoint:
    """The network that a checkpoint describes, with its weights, and what belongs to it.

    Args:
        made_by: the command that makes the file, if it is one of the pipeline's.

    Raises:
        UserError: the file is missing, or is no checkpoint of this project; nothing in it is
            ever executed.
    """
    try:
        path.open("rb").close()  # safetensors takes every failure to open for a missing file
        with safetensors.safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {})[KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if description["version"] != VERSION:
            raise ValueError(f"its version is {description['version']}, not {VERSION}")
        classes, mean, std = (description[key] for key in ("classes", "mean", "std"))
        check_normalisation(mean, std)
        network = build(**description["network"], classes=len(class_names(classes)))
        _check(weights, network.state_dict())
        network.load_state_dict(weights)
        return Checkpoint(network.eval(), class_names(classes), mean, std)
    except FileNotFoundError:
        advice = f"; `{made_by}` makes it" if made_by else ""
        raise UserError(f"{path}: no such file{advice}") from None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes the libraries raise
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: not a checkpoint of this project ({reason}); `dvc repro` mends it"
        ) from None


def _check(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Refuse what loading would take: it converts whole numbers, and copies NaN.

    Raises:
        ValueError: a tensor is of another type, or holds NaN or infinity.
    """
    for name, tensor in weights.items():
        if name in wanted and tensor.dtype != wanted[name].dtype:
            raise ValueError(f"{name} is {tensor.dtype}, not {wanted[name].dtype}")
        if not tensor.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
