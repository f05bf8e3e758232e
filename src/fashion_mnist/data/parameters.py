"""The sections `fetch` and `prepare` of params.yaml."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fashion_mnist.pipeline.parameters import Section, accepts

Digest = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$"), accepts("64 hexadecimal digits, lower case")
]

Name = Annotated[
    str,
    Field(pattern=r"^[^\s\p{Cc}]([^\p{Cc}\p{Zl}\p{Zp}]*[^\s\p{Cc}])?$"),
    accepts("a name: text of one line, in quotes where YAML would read a number or true"),
]

CLASSES = [
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
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
    """The two files of one split."""

    images: Digest = Field(description="SHA-256 of the uncompressed file of images.")
    labels: Digest = Field(description="SHA-256 of the uncompressed file of labels.")


class Sha256(Section):
    """Digests of the files: by default the official ones.

    `fashion-mnist own FOLDER` enters those of your own data.
    """

    train: Digests = Digests(
        images="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        labels="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    )
    test: Digests = Digests(
        images="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        labels="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    )


class Fetch(Section):
    """Which bytes are accepted as the data set."""

    sha256: Sha256 = Sha256()

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file by its key: `train_images`, `train_labels` ..."""
        splits = self.sha256.model_dump().items()
        return {f"{split}_{kind}": digest for split, d in splits for kind, digest in d.items()}


class Prepare(Section):
    """How images become tensors."""

    classes: Annotated[
        list[Name],
        Field(min_length=2, max_length=256),
        accepts("a list of 2 to 256 names, each another"),
        AfterValidator(distinct),
    ] = Field(CLASSES, description="The name of each label, from 0 on; numbers in quotes: '7'.")
    validation_size: int = Field(  # fetch compares it with the images there are
        5000,
        ge=0,
        lt=2**32,
        description="Images held out to choose the best epoch, stratified by class; 0: none.",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Chooses the images that are held out.")
    normalisation: Literal["fixed", "measured"] = Field(
        "fixed", description="fixed: the mean and std below. measured: those of the training split."
    )
    mean: float = Field(
        0.5, ge=0, le=1, description="Mean of the pixels, which are 0 to 1; not used when measured."
    )
    std: float = Field(
        0.5, ge=0.001, le=1, description="Their standard deviation; not used when measured."
    )
