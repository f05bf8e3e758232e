"""The small repository's model, as a checkpoint and exported."""

from pathlib import Path

import console
import numpy as np
import pytest

from fashion_mnist.deployment import models
from fashion_mnist.pipeline import splits


@pytest.fixture
def checkout(repository, monkeypatch):
    """A run's results, committed; the working folder. Read, not changed."""
    monkeypatch.chdir(repository.path)
    return repository


@pytest.fixture(scope="session")
def pixels(repository) -> np.ndarray:
    """The images of the test split, uint8, N×28×28."""
    test = splits.read(repository.path / "data/prepared/test.safetensors")
    return np.rint(test.pixels() * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def checkpoint(repository) -> Path:
    return repository.path / models.CHECKPOINT


@pytest.fixture(scope="session")
def exported(repository, tmp_path_factory) -> Path:
    """What `fashion-mnist export` writes of it."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(repository.path)
        assert console.run(monkeypatch, "export", path) == 0
    return path
