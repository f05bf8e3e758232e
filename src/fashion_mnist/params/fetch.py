"""The section `fetch` of params.yaml."""

from typing import Annotated

from pydantic import Field

from fashion_mnist.params.section import Section

Digest = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits, lower case")
]


class Sha256(Section):
    """SHA-256 of each IDX file's uncompressed content, in hexadecimal digits."""

    train_images: Digest
    train_labels: Digest
    test_images: Digest
    test_labels: Digest


class Fetch(Section):
    """Which bytes are accepted as the data set."""

    sha256: Sha256
