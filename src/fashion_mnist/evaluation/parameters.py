"""The section `evaluate` of params.yaml."""

from pydantic import Field

from fashion_mnist.model.parameters import Arithmetic
from fashion_mnist.pipeline.parameters import Section


class Evaluate(Section):
    """How the test split is evaluated."""

    batch_size: int = Field(
        1000,
        ge=1,
        le=65_536,
        description="Images at a time. It changes speed and memory, and in native arithmetic "
        "confidences in the sixth digit.",
    )
    calibration_bins: int = Field(
        15,
        ge=2,
        le=100,
        description="Equally wide bins of confidence for the expected calibration error.",
    )
    corruptions: bool = Field(
        False,
        description="Also report the accuracy under six corruptions of the images, each in five "
        "strengths.",
    )
    arithmetic: Arithmetic = Field(
        "portable", description="portable, avx2 or native, as train.arithmetic."
    )
