"""Portable arithmetic: chosen before anything is computed, or told why not."""

import os
import subprocess
import sys

import pytest
import torch

from fashion_mnist.model import arithmetic

CPU = torch.device("cpu")
PRINT_CHOICE = """
import os, sys, torch
from fashion_mnist.model import arithmetic
arithmetic.use(sys.argv[1], torch.device("cpu"))
print(*(os.environ.get(name) for name in arithmetic.VARIABLES))
print(torch.backends.cpu.get_cpu_capability())
"""


def in_a_process(choice, code=PRINT_CHOICE, **variables):
    environment = {k: v for k, v in os.environ.items() if k not in arithmetic.VARIABLES}
    return subprocess.run(
        [sys.executable, "-c", code, choice],
        env={**environment, "PYTHONPATH": "src", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_portable_holds_the_libraries_to_avx2_whatever_the_environment_says():
    if reason := arithmetic.hindrance(CPU):
        pytest.skip(reason)
    done = in_a_process("portable", ATEN_CPU_CAPABILITY="default", MKL_CBWR="COMPATIBLE")
    assert done.stdout.splitlines() == [
        "ATEN_CPU_CAPABILITY=default is overruled by portable arithmetic, which needs avx2",
        "avx2 AVX2 COMPATIBLE",
        "AVX2",
    ]


@pytest.mark.slow
def test_native_leaves_the_environment_as_it_is():
    assert in_a_process("native").stdout.splitlines()[0] == "None None None"


@pytest.mark.slow
def test_a_choice_that_comes_too_late_is_a_defect():
    """The libraries have chosen by then; to go on would break the promise without a word."""
    late = "import torch; torch.ones(9).exp()\n" + PRINT_CHOICE
    done = in_a_process("portable", late, ATEN_CPU_CAPABILITY="default")
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
    monkeypatch.setattr(arithmetic.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx2_supported", lambda: avx2)
    monkeypatch.setenv("MKL_CBWR", "as it was")
    arithmetic.use("portable", torch.device(device))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("arithmetic is native, so other machines will give other bytes: ")
    assert reason in line
    assert os.environ["MKL_CBWR"] == "as it was"
