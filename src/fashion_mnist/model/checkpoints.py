"""A trained network as a file: weights, and what is needed to build the network again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save
from torch import Tensor, nn

from fashion_mnist.model.networks import build
from fashion_mnist.pipeline.errors import UserError

KEY = "fashion_mnist"  # the only metadata key: with two, safetensors' bytes vary from run to run
VERSION = 1


def to_bytes(weights: Mapping[str, Tensor], network: Mapping[str, Any]) -> bytes:
    """A safetensors file of weights that are moved to the CPU.

    Args:
        weights: a network's state.
        network: what `fashion_mnist.model.networks.build` takes: name, width, dropout.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    description = json.dumps({"version": VERSION, "network": dict(network)}, sort_keys=True)
    return save(tensors, metadata={KEY: description})


def read(path: Path) -> nn.Module:
    """The network that a checkpoint describes, with its weights, on the CPU, in evaluation mode.

    Raises:
        UserError: the file is missing, or is no checkpoint of this project; nothing in it is
            ever executed.
    """
    try:
        path.open("rb").close()  # safetensors takes every failure to open for a missing file
        with safetensors.safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {})[KEY])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = build(**description["network"])
        network.load_state_dict(weights)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes the libraries raise
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path}: not a checkpoint of this project ({reason}); `dvc repro` mends it"
        ) from None
    return network.eval()
