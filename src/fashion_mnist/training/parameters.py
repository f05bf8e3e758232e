"""The section `train` of params.yaml."""

from typing import Literal

from pydantic import Field

from fashion_mnist.model.parameters import Device
from fashion_mnist.pipeline.parameters import Section


class Augment(Section):
    """What training does to an image; validation and test images are never augmented."""

    rotation: float = Field(ge=0, le=180)
    flip: bool
    flip_alternating: bool
    crop_padding: int = Field(ge=0, le=14)
    erasing: float = Field(ge=0, le=1)


class Train(Section):
    """How the network is trained."""

    seed: int = Field(ge=0, lt=2**32)
    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1, le=65_536)
    optimizer: Literal["adam", "adamw", "sgd"]
    lr: float = Field(gt=0, le=100)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0, le=10)
    schedule: Literal["constant", "cosine", "onecycle", "step"]
    warmup: float = Field(ge=0, lt=1)
    step_epochs: int = Field(ge=1, le=10_000)
    step_factor: float = Field(gt=0, le=1)
    label_smoothing: float = Field(ge=0, lt=1)
    ema: float = Field(ge=0, lt=1)
    pruning: float = Field(ge=0, lt=1)
    augment: Augment
    device: Device
    threads: int = Field(ge=1, le=256)
    precision: Literal["float32", "bfloat16"]
    tensorboard: bool
