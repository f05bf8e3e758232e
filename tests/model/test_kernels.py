"""The arithmetic avx2: chosen before anything is computed, or told why not."""

import os
import subprocess
import sys

import pytest
import torch

from fashion_mnist.model import devices, kernels
from fashion_mnist.model.parameters import Compute

CPU = torch.device("cpu")
PRINT_CHOICE = """
import os, sys, torch
from fashion_mnist.model import devices, kernels
from fashion_mnist.model.parameters import Compute
devices.use(Compute(device="cpu"), sys.argv[1])
print(*(os.environ.get(name) for name in kernels.VARIABLES))
print(torch.backends.cpu.get_cpu_capability())
"""


def in_a_process(choice, code=PRINT_CHOICE, **variables):
    environment = {k: v for k, v in os.environ.items() if k not in kernels.VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", code, choice],
        env={**environment, "PYTHONPATH": "src", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_avx2_holds_the_libraries_to_avx2_whatever_the_environment_says():
    if reason := kernels.hindrance(CPU):
        pytest.skip(reason)
    done = in_a_process("avx2", ATEN_CPU_CAPABILITY="default", MKL_CBWR="COMPATIBLE")
    assert done.stdout.splitlines() == [
        "ATEN_CPU_CAPABILITY=default is overruled by the arithmetic avx2, which needs avx2",
        "arithmetic is avx2: threads, processes and device change the last digits",
        "avx2 AVX2 COMPATIBLE",
        "AVX2",
    ]


@pytest.mark.parametrize("choice", ["portable", "native"])
def test_the_others_leave_the_environment_as_it_is(monkeypatch, choice):
    for name in kernels.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    devices.use(Compute(device="cpu", threads=1), choice)
    assert not kernels.VARIABLES.keys() & os.environ.keys()


@pytest.mark.slow
def test_a_choice_that_comes_too_late_is_a_defect():
    """The libraries have chosen by then; to go on would break the promise without a word."""
    late = "import torch; torch.ones(9).exp()\n" + PRINT_CHOICE
    done = in_a_process("avx2", late, ATEN_CPU_CAPABILITY="default")
    assert "must be chosen before the first operation" in done.stderr


@pytest.mark.parametrize(
    ("machine", "avx2", "device", "reason"),
    [
        ("aarch64", True, "cpu", "needs x86-64, and this processor is aarch64"),
        ("x86_64", False, "cpu", "needs AVX2, which this processor lacks"),
        ("x86_64", True, "cuda:1", "is the CPU's, and this runs on cuda:1"),
    ],
)
def test_where_it_cannot_be_had_the_run_goes_on_and_says_why(
    monkeypatch, capsys, machine, avx2, device, reason
):
    monkeypatch.setattr(kernels.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: avx2)
    monkeypatch.setenv("MKL_CBWR", "as it was")
    kernels.use(torch.device(device))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("arithmetic is native, so other machines will give other bytes: ")
    assert reason in line
    assert os.environ["MKL_CBWR"] == "as it was"
