"""The section `evaluate` of params.yaml."""

from pydantic import Field

from fashion_mnist.model.parameters import Arithmetic, Device
from fashion_mnist.pipeline.parameters import Section


class Evaluate(Section):
    """How the test split is evaluated."""

    batch_size: int = Field(ge=1, le=65_536)
    calibration_bins: int = Field(ge=2, le=100)
    corruptions: bool
    device: Device
    threads: int = Field(ge=1, le=256)
    arithmetic: Arithmetic
