"""The section `train` of params.yaml."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fashion_mnist.model.parameters import Arithmetic
from fashion_mnist.pipeline.parameters import Section


class Augment(Section):
    """What training does to each image, drawn anew for each sample and epoch.

    Uncovered pixels are black. Validation and test images are never augmented.
    """

    rotation: float = Field(10.0, ge=0, le=180, description="Degrees to either side, uniform.")
    flip: bool = Field(True, description="Mirror left and right with probability one half.")
    flip_alternating: bool = Field(
        False,
        description="Instead, mirror each image in every second epoch (airbench's alternating "
        "flip). Half of the images start mirrored.",
    )
    crop_padding: int = Field(
        0, ge=0, le=14, description="Pixels to pad on each side before a random 28×28 crop."
    )
    erasing: float = Field(
        0.0, ge=0, le=1, description="Probability of making a random rectangle black."
    )


class Train(Section):
    """How it is trained."""

    seed: int = Field(
        0,
        ge=0,
        lt=2**32,
        description="Of initial weights, order of samples, augmentation and dropout.",
    )
    epochs: int = Field(
        5, ge=1, le=10_000, description="In total, also when an interrupted run is resumed."
    )
    batch_size: int = Field(64, ge=1, le=65_536, description="Samples in a step of the optimiser.")
    optimizer: Literal["adam", "adamw", "muon", "sgd"] = Field(
        "adam",
        description="adam, adamw, muon (orthogonalised momentum for hidden weights, adamw for the "
        "rest) or sgd (with Nesterov momentum).",
    )
    lr: float = Field(
        0.001,
        ge=1e-12,  # a step of less moves no float32 weight
        le=100,
        description="Learning rate, and the highest one of a schedule.",
    )
    momentum: float = Field(
        0.9, ge=0, lt=1, description="Of sgd and muon; the first beta of adam and adamw."
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Not applied to biases and to the scales of batch normalisation.",
    )
    schedule: Literal["constant", "cosine", "onecycle", "step"] = Field(
        "constant",
        description="constant. cosine: down to zero. onecycle: up from lr/25, then down to nearly "
        "zero. step: times step_factor after every step_epochs epochs.",
    )
    warmup: float = Field(
        0.2, ge=0, lt=1, description="Share of the steps in which cosine and onecycle raise lr."
    )
    step_epochs: int = Field(10, ge=1, le=10_000, description="Of the schedule step.")
    step_factor: float = Field(0.1, gt=0, le=1, description="Of the schedule step.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Probability mass spread evenly over the classes."
    )
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decay per step of an exponential moving average of the weights, which is "
        "then validated and saved; 0: none.",
    )
    pruning: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Probability of skipping a sample whose last loss was below the mean. The "
        "remaining ones are weighted up to compensate (InfoBatch). The first epoch and the last "
        "eighth of the epochs skip none.",
    )
    whitening: bool = Field(
        False,
        description="Start the first layer with the principal components of small patches of the "
        "training images.",
    )
    augment: Augment = Augment()
    arithmetic: Arithmetic = Field(
        "portable",
        description="portable: from exact sums, the same bytes on every machine, for any device, "
        "threads and processes. avx2: the same bytes on every x86-64 processor with AVX2, for one "
        "number of threads and processes. native: the machine's fastest (benchmarks/arithmetic.txt)"
        ".",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="float32. bfloat16: of matrix products, faster only where the hardware has it; "
        "it needs native arithmetic.",
    )
    tensorboard: bool = Field(
        False,
        description="Write TensorBoard event files to tensorboard/; it needs "
        "requirements/tensorboard.txt.",
    )

    @model_validator(mode="after")
    def _bytes_can_be_promised(self) -> Self:
        if self.arithmetic != "native" and self.precision == "bfloat16":
            raise ValueError(
                "train.precision is bfloat16, whose kernels differ by processor, while "
                f"train.arithmetic is {self.arithmetic}: make one float32 or the other native"
            )
        return self
