"""The whole of params.yaml: each section's schema stands in the folder of its stage."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from fashion_mnist.data.parameters import Fetch, Prepare
from fashion_mnist.evaluation.parameters import Evaluate
from fashion_mnist.model.parameters import Compute, Model
from fashion_mnist.pipeline.parameters import Section
from fashion_mnist.training.parameters import Train

SEED = "train.seed"
MACHINE = ("compute", "train.tensorboard")
"""Keys and sections that belong to the machine rather than to the recipe."""


class Parameters(Section):
    """Every setting of the pipeline: one section a stage, and `compute` for all."""

    fetch: Fetch = Fetch()
    prepare: Prepare = Prepare()
    model: Model = Model()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    compute: Compute = Compute()


def flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters by dotted key."""
    found: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def changed(parameters: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Nested parameters with one of them changed, or with a new key, which the schema refuses.

    Raises:
        ValueError: the dotted key leads through one that holds a value; it names it.
    """
    found = node = deepcopy(dict(parameters))
    *sections, name = key.split(".")
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise ValueError(f"unknown key {key}: {section} holds a value")
    node[name] = value
    return found
