"""The sections `model` and `compute` of params.yaml, and the kinds of arithmetic."""

from typing import Annotated, Literal

from pydantic import Field

from fashion_mnist.pipeline.parameters import Section, accepts

Device = Annotated[
    str,
    Field(pattern=r"^(auto|cpu|(cuda|mps|xpu|mtia|hpu)(:\d+)?)$"),
    accepts("auto, cpu, cuda, mps, xpu, or one of several such as cuda:1"),
]

Arithmetic = Literal["portable", "avx2", "native"]
"""What sums are made of (see `fashion_mnist.model.exact` and `fashion_mnist.model.kernels`)."""


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


class Compute(Section):
    """How it is computed. No stage depends on it: in portable arithmetic it changes no byte."""

    device: Device = Field(
        "auto",
        description="auto (an accelerator where there is one, else the CPU), cpu, cuda, cuda:1, "
        "mps, xpu ...",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="CPU threads of each process; 0: all cores. Two threads are many times slower "
        "than one where another process wants the cores: give 1 where several runs share them.",
    )
    processes: int = Field(
        1,
        ge=1,
        le=1024,
        description="Processes on this machine, each with `threads` or a device, that share each "
        "batch of a training (docs/many-machines.md).",
    )
