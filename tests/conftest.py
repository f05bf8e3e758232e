"""What every test stands on, and a small repository that DVC has run once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import forkserver
import hypothesis
import pytest
import torch
from checkout import SMALL, Repository
from small import params_text, write_idx

import stages  # noqa: F401  makes the checkout's root the working folder, once and for all tests
from fashion_mnist.comparison import programs

ROOT = Path(__file__).resolve().parent.parent

# No deadline: the first example pays for imports. The same examples in every run: a test that fails
# now and then tells nobody what broke. `make test-all` tries many more.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("tests")

# No fork may train where the first backward pass came after an export to ONNX.
torch.zeros((), requires_grad=True).backward()
for name in (
    *("FASHION_MNIST_DIR", "DVC_ROOT", "DVC_STAGE", "OMP_NUM_THREADS"),
    *("MPLBACKEND", "MATPLOTLIBRC", "MPLCONFIGDIR"),
):
    os.environ.pop(name, None)  # what the caller's shell happens to have


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("default")


@pytest.fixture(scope="session", autouse=True)
def _quick_commands() -> Iterator[None]:
    """At the head of PATH; behind them those of this environment."""
    before, own = os.environ["PATH"], Path(sys.executable).parent
    with forkserver.running() as quick:
        os.environ["PATH"] = os.pathsep.join(map(str, (quick, own, before)))
        programs.DVC = (str(quick / "dvc"),)
        programs.SECONDS[programs.DVC] = 300
        yield
    os.environ["PATH"] = before


@pytest.fixture(scope="session")
def small_data(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A folder of small IDX files, and their digests."""
    folder = tmp_path_factory.mktemp("data")
    return folder, write_idx(folder)


@pytest.fixture(scope="session")
def environment(_quick_commands, tmp_path_factory, small_data) -> dict[str, str]:
    """Of commands: the small data, one identity, nothing of DVC's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_", "PYTHON"))}
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
    }
    return {
        **kept,
        **who,
        "FASHION_MNIST_DIR": str(small_data[0]),
        "HOME": str(tmp_path_factory.mktemp("home")),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DVC_NO_ANALYTICS": "1",
    }


@pytest.fixture(scope="session")
def repository(tmp_path_factory, environment, small_data) -> Repository:
    """After `git init`, `dvc repro` and a commit of the results. Not to be changed: copy it."""
    path = tmp_path_factory.mktemp("repository") / "checkout"
    for name in tracked():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for made in ("dvc.lock", "metrics", "plots"):
        shutil.rmtree(path / made, ignore_errors=True)
        (path / made).unlink(missing_ok=True)
    (path / "params.yaml").write_text(params_text(small_data[1], **SMALL))
    made = Repository(path, environment)
    made.git("init", "-q", "-b", "main")
    made.commit("the project over small data")
    made.dvc("repro")
    made.commit("its results")
    return made


def tracked() -> list[str]:
    """The project's files as Git has them, new ones that are not ignored included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [name for name in names.split("\0") if name and (ROOT / name).is_file()]
