"""The section `model` of params.yaml."""

from typing import Literal

from pydantic import Field

from fashion_mnist.params.section import Section


class Model(Section):
    """Which network is trained."""

    name: Literal["lenet", "plain", "resnet"]
    width: float = Field(ge=0.125, le=16)
    dropout: float = Field(ge=0, lt=1)
