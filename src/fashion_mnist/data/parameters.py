"""The sections `fetch` and `prepare` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fashion_mnist.pipeline.parameters import Section

Digest = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits, lower case")
]

Name = Annotated[
    str,
    Field(
        pattern=r"^[^\s\p{Cc}]([^\p{Cc}\p{Zl}\p{Zp}]*[^\s\p{Cc}])?$",
        description="a name: text of one line, in quotes where YAML would read a number or true",
    ),
]


def distinct(names: list[str]) -> list[str]:
    """The names, if no two are equal.

    Raises:
        ValueError: two are; the message names them with their labels.
    """
    for label, name in enumerate(names):
        if (first := names.index(name)) != label:
            raise ValueError(f"{name!r} is the name of both {first} and {label}")
    return names


class Digests(Section):
    """SHA-256 of the uncompressed IDX files of one split, in hexadecimal digits."""

    images: Digest
    labels: Digest


class Sha256(Section):
    """The digests of both splits."""

    train: Digests
    test: Digests


class Fetch(Section):
    """Which bytes are accepted as the data set."""

    sha256: Sha256

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file by its key: `train_images`, `train_labels` ..."""
        splits = self.sha256.model_dump().items()
        return {f"{split}_{kind}": digest for split, d in splits for kind, digest in d.items()}


class Prepare(Section):
    """How images become tensors, and which of them are held out for validation."""

    classes: Annotated[
        list[Name],
        Field(min_length=2, max_length=256, description="a list of 2 to 256 names, each another"),
        AfterValidator(distinct),
    ]
    validation_size: int = Field(ge=0, lt=2**32)  # fetch compares it with the images there are
    seed: int = Field(ge=0, lt=2**32)
    normalisation: Literal["fixed", "measured"]
    mean: float = Field(ge=0, le=1)
    std: float = Field(ge=0.001, le=1)
