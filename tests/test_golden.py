"""Portable arithmetic gives the bytes of tests/golden.json, whatever the machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import golden
import pytest
import torch
from small import in_ranks

from stages import train

RECORDED = json.loads(golden.FILE.read_text())
QUICK = ("lenet adam", "plain muon", "resnet sgd")


def assert_recorded(name, found):
    expected = {stage: RECORDED["digests"][name][stage] for stage in found}
    assert found == expected, f"PyTorch {torch.__version__}; recorded by {RECORDED['torch']}"


def test_every_network_and_optimiser_is_recorded():
    assert list(RECORDED["digests"]) == list(golden.cases())


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in golden.cases()
    ],
)
def test_the_bytes_are_the_recorded_ones(name):
    """Of prepare and train, and where it is recorded of evaluate."""
    evaluated = "evaluate" in RECORDED["digests"][name]
    found = golden.digests(golden.cases()[name], evaluated=evaluated)
    assert found.keys() == RECORDED["digests"][name].keys()
    assert_recorded(name, found)


def test_two_threads_give_them_too():
    """In a process of their own: they do not survive a fork."""
    done = subprocess.run(
        [sys.executable, "-m", "golden", "plain muon", "compute.threads=2"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(["src", "tests"]),
            "OMP_WAIT_POLICY": "passive",  # threads that wait would burn what other tests need
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    assert_recorded("plain muon", json.loads(done.stdout)["digests"]["plain muon"])


def test_two_processes_give_them_too(monkeypatch):
    def together():
        ended = in_ranks(Path.cwd(), main, 2)
        assert [status for status, _ in ended] == [0, 0], ended

    main = train.main
    monkeypatch.setattr(train, "main", together)
    found = golden.digests(golden.cases()["plain muon"], evaluated=False)
    assert_recorded("plain muon", found)
