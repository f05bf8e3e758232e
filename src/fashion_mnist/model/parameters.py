"""The section `model` of params.yaml, and how other sections name a device."""

from typing import Annotated, Literal

from pydantic import Field

from fashion_mnist.pipeline.parameters import Section

Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|(cuda|mps|xpu|mtia|hpu)(:\d+)?)$",
        description="auto, cpu, cuda, mps, xpu, or one of several such as cuda:1",
    ),
]

Arithmetic = Literal["portable", "native"]
"""Which kernels the CPU computes with (see `fashion_mnist.model.arithmetic`)."""


class Model(Section):
    """Which network is trained."""

    name: Literal["lenet", "plain", "resnet"]
    width: float = Field(ge=0.125, le=16)
    dropout: float = Field(ge=0, lt=1)
    mirror_average: bool
