"""Every section of params.yaml, for the stage that checks the whole file."""

from pathlib import Path

from fashion_mnist.params import PATH, load
from fashion_mnist.params.evaluate import Evaluate
from fashion_mnist.params.fetch import Fetch
from fashion_mnist.params.model import Model
from fashion_mnist.params.prepare import Prepare
from fashion_mnist.params.section import Section
from fashion_mnist.params.train import Train


class File(Section):
    """The whole of params.yaml."""

    fetch: Fetch
    prepare: Prepare
    model: Model
    train: Train
    evaluate: Evaluate


def load_file(path: Path = PATH) -> File:
    """Read and check every section.

    Raises:
        UserError: as `fashion_mnist.params.load`, and for a section that is unknown.
    """
    return load(File, path=path)
