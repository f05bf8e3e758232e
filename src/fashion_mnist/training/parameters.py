"""The section `train` of params.yaml."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fashion_mnist.model.parameters import Arithmetic, Device
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
    optimizer: Literal["adam", "adamw", "muon", "sgd"]
    lr: float = Field(ge=1e-12, le=100)  # a step of less moves no float32 weight
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0, le=10)
    schedule: Literal["constant", "cosine", "onecycle", "step"]
    warmup: float = Field(ge=0, lt=1)
    step_epochs: int = Field(ge=1, le=10_000)
    step_factor: float = Field(gt=0, le=1)
    label_smoothing: float = Field(ge=0, lt=1)
    ema: float = Field(ge=0, lt=1)
    pruning: float = Field(ge=0, lt=1)
    whitening: bool
    augment: Augment
    device: Device
    threads: int = Field(ge=1, le=256)
    arithmetic: Arithmetic
    shards: int = Field(ge=1, le=1024)
    processes: int = Field(ge=1, le=1024)
    precision: Literal["float32", "bfloat16"]
    tensorboard: bool

    @model_validator(mode="after")
    def _bytes_can_be_promised(self) -> Self:
        if self.arithmetic == "portable" and self.precision == "bfloat16":
            raise ValueError(
                "train.precision is bfloat16, whose kernels differ by processor, while "
                "train.arithmetic is portable: make one float32 or the other native"
            )
        return self

    @model_validator(mode="after")
    def _shards_are_shared_evenly(self) -> Self:
        if self.shards % self.processes:
            raise ValueError(
                f"train.processes is {self.processes}: give a divisor of train.shards, "
                f"which is {self.shards}"
            )
        return self
