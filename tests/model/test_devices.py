"""A device is met or refused, never replaced in silence; a lack of memory says what to lower."""

import pytest
import torch

from fashion_mnist.model import devices
from fashion_mnist.model.parameters import Compute
from fashion_mnist.pipeline.errors import UserError


def use(device, threads=1, arithmetic="portable"):
    return devices.use(Compute(device=device, threads=threads), arithmetic)


@pytest.fixture
def with_accelerator(monkeypatch):
    """A machine with two CUDA devices, as far as torch's accelerator API tells."""
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: cuda)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


@pytest.fixture
def without_accelerator(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: None)


@pytest.mark.usefixtures("without_accelerator")
def test_auto_is_the_cpu_where_there_is_nothing_else():
    """d01"""
    assert use("auto") == use("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("without_accelerator")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7", "mps", "xpu"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name):
    """d01"""
    with pytest.raises(UserError, match=rf"^the device {name} is not here; available: auto, cpu$"):
        use(name)


@pytest.mark.usefixtures("with_accelerator")
@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("auto", "cuda"),
        ("cpu", "cpu"),
        ("cuda", "cuda"),
        ("cuda:0", "cuda:0"),
        ("cuda:1", "cuda:1"),
    ],
)
def test_a_device_that_is_there_is_used(name, used):
    assert use(name) == torch.device(used)


def test_portable_arithmetic_leaves_apples_gpu_alone(monkeypatch):
    """It has no float64. Native arithmetic takes it."""
    mps = torch.device("mps")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: mps)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    assert use("auto") == torch.device("cpu")
    assert use("auto", arithmetic="native") == mps
    with pytest.raises(UserError, match="needs float64, which mps has not"):
        use("mps")


@pytest.mark.usefixtures("with_accelerator")
@pytest.mark.parametrize("name", ["cuda:2", "mps", "mps:0"])
def test_another_index_or_kind_is_refused(name):
    with pytest.raises(UserError, match=r"available: auto, cpu, cuda:0, cuda:1"):
        use(name)


@pytest.mark.parametrize("name", ["gpu", "CPU", "cuda:", "cuda:x", "cpu:0", "", "auto:1"])
def test_no_device_at_all_is_refused_as_a_parameter(name):
    """d01: by the schema, before any stage starts."""
    Compute(device="cuda:1")
    with pytest.raises(ValueError, match="device"):
        Compute(device=name)


@pytest.mark.parametrize("threads", [0, 1, 2, 3])
def test_the_thread_count_is_the_parameters_alone(monkeypatch, threads):
    """d18: 0 is one of each core."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    use("cpu", threads)
    assert torch.get_num_threads() == (threads or devices.cores())
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize(("arithmetic", "lines"), [("portable", 0), ("native", 1)])
def test_one_line_says_where_the_bytes_depend_on_it(capsys, arithmetic, lines):
    use("cpu", 1, arithmetic)
    told = f"arithmetic is {arithmetic}: threads, processes and device change the last digits\n"
    assert capsys.readouterr().out == told * lines


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. can't allocate memory: ..."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lack_of_memory_names_the_batch_size(error):
    """d27"""
    with (
        pytest.raises(UserError, match=r"^out of memory; lower train\.batch_size$"),
        devices.within_memory("train.batch_size"),
    ):
        raise error


def test_torchs_own_lack_of_memory_is_known():
    """d27: torch has no type of its own for it on the CPU."""
    with pytest.raises(UserError, match="out of memory"), devices.within_memory("a.b"):
        torch.empty(10**15)


def test_another_error_passes():
    with pytest.raises(RuntimeError, match="shape"), devices.within_memory("a.b"):
        raise RuntimeError("shape")
