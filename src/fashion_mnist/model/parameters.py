"""The section `model` of params.yaml, and how other sections name a device."""

from typing import Annotated, Literal

from pydantic import Field

from fashion_mnist.pipeline.parameters import Section, accepts

Device = Annotated[
    str,
    Field(pattern=r"^(auto|cpu|(cuda|mps|xpu|mtia|hpu)(:\d+)?)$"),
    accepts("auto, cpu, cuda, mps, xpu, or one of several such as cuda:1"),
]

Arithmetic = Literal["portable", "native"]
"""Which kernels the CPU computes with (see `fashion_mnist.model.arithmetic`)."""


class Model(Section):
    """Which network is trained."""

    name: Literal["lenet", "plain", "resnet"] = Field(
        "lenet",
        description="lenet: two convolutions and three linear layers, those of the original "
        "exercise. plain: convolutions with batch normalisation. resnet: residual blocks.",
    )
    width: float = Field(
        1.0, ge=0.125, le=16, description="Multiplies the channels and units of every hidden layer."
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Probability of dropping a unit before the classifier in training.",
    )
    mirror_average: bool = Field(
        False,
        description="Test-time augmentation: answer with the mean over an image and its mirror "
        "image, in validation too.",
    )
