"""Portable arithmetic gives the bytes of tests/golden.json on every processor."""

import json
import os
import subprocess
import sys

import golden
import pytest
import torch

from fashion_mnist.model import arithmetic

RECORDED = json.loads(golden.FILE.read_text())
CASES = [  # `make test` compares one optimiser a network
    name if name.split()[1] == "adam" else pytest.param(name, marks=pytest.mark.slow)
    for name in golden.cases()
]


def test_every_network_optimiser_and_thread_count_is_recorded():
    assert list(RECORDED["digests"]) == list(golden.cases())


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_the_recorded_ones(name):
    """Each in a process of its own: two threads do not survive a fork."""
    if reason := arithmetic.hindrance(torch.device("cpu")):
        pytest.skip(reason)
    if torch.__version__.partition("+")[0] != RECORDED["torch"]:
        pytest.skip(f"the digests are those of PyTorch {RECORDED['torch']}")
    done = subprocess.run(
        [sys.executable, "-m", "golden", name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "tests"])},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert json.loads(done.stdout)["digests"][name] == RECORDED["digests"][name]
