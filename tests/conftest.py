"""What every test stands on: one thread, no settings of the caller's shell, a quiet hypothesis."""

import os

import hypothesis
import pytest
import torch

import stages  # noqa: F401  makes the checkout's root the working folder, once and for all tests

# No deadline: the first example pays for imports. The same examples in every run: a test that fails
# now and then tells nobody what broke. `make test-slow` tries many more.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("tests")

for name in ("FASHION_MNIST_DIR", "DVC_ROOT", "DVC_STAGE", "OMP_NUM_THREADS"):
    os.environ.pop(name, None)
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # of the processes that tests start


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
