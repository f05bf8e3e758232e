"""The section `prepare` of params.yaml."""

from typing import Literal

from pydantic import Field

from fashion_mnist.params.section import Section


class Prepare(Section):
    """How images become tensors, and which of them are held out for validation."""

    validation_size: int = Field(ge=0, lt=60_000)
    seed: int = Field(ge=0, lt=2**32)
    normalisation: Literal["fixed", "measured"]
    mean: float = Field(ge=0, le=1)
    std: float = Field(ge=0.001, le=1)
