"""What every test stands on, and a small repository that DVC has run once."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch
import yaml
from ruamel.yaml import YAML
from small import params_text, write_idx

import stages  # noqa: F401  makes the checkout's root the working folder, once and for all tests
from fashion_mnist.model import arithmetic

ROOT = Path(__file__).resolve().parent.parent
SMALL = {
    "prepare.validation_size": 50,
    "train.epochs": 2,
    "train.threads": 1,
    "train.shards": 1,
    "train.processes": 1,
    "train.device": "cpu",
    "evaluate.device": "cpu",
}

# No deadline: the first example pays for imports. The same examples in every run: a test that fails
# now and then tells nobody what broke. `make test-slow` tries many more.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("tests")

# Portable arithmetic has to be chosen before the process's first operation.
arithmetic.use("portable", torch.device("cpu"))
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


@dataclass
class Repository:
    """A checkout of the project over a small data set."""

    path: Path
    environment: dict[str, str]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout; its output is shown where the test fails."""
        result = subprocess.run(
            command,
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        print(f"$ {' '.join(command)}\n{result.stdout}{result.stderr}")
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("dvc", *arguments, check=check)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout

    def stage(self, name: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a stage as its own command, without DVC."""
        return self.run(sys.executable, "-m", f"stages.{name}", check=check)

    def set(self, **values: Any) -> None:
        """Change parameters; `__` stands for the dot in a key."""
        yaml_file = YAML()
        content = yaml_file.load(self.path / "params.yaml")
        for key, value in values.items():
            *sections, name = key.split("__")
            node = content
            for section in sections:
                node = node[section]
            node[name] = value
        yaml_file.dump(content, self.path / "params.yaml")

    def read(self, path: str) -> bytes:
        return (self.path / path).read_bytes()

    def commit(self, message: str = "results") -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def copy(self, path: Path) -> "Repository":
        """A copy with workspace, history and cache, to be changed at will."""
        shutil.copytree(self.path, path, symlinks=True)
        return Repository(path, self.environment)

    def forget_runs(self) -> None:
        """Forget what was run before, so that a stage has to run to give its outputs."""
        shutil.rmtree(self.path / ".dvc/cache/runs")
        (self.path / "dvc.lock").unlink()

    def experiment(self, name: str) -> dict[str, str] | None:
        """The tracked results of an experiment, by path; None while there is no such one."""
        refs = self.git("for-each-ref", "--format=%(refname)", f"refs/exps/**/{name}").split()
        if not refs:
            return None
        paths = self.git("ls-tree", "-r", "--name-only", refs[0], "metrics", "plots").split()
        return {
            path: self.git("show", f"{refs[0]}:{path}")
            for path in ["dvc.lock", *paths]
            if not path.endswith(".png")
        }

    def outputs(self) -> dict[str, bytes]:
        """The content of every declared output, by path, and of dvc.lock."""
        flow = yaml.safe_load(self.read("dvc.yaml"))["stages"]
        found = {"dvc.lock": self.read("dvc.lock")}
        for stage in flow.values():
            for kind in ("outs", "metrics", "plots"):
                for entry in stage.get(kind, []):
                    path = self.path / (entry if isinstance(entry, str) else next(iter(entry)))
                    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                        found[str(file.relative_to(self.path))] = file.read_bytes()
        return found


@pytest.fixture(scope="session")
def small_data(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A folder of small IDX files, and their digests."""
    folder = tmp_path_factory.mktemp("data")
    return folder, write_idx(folder)


@pytest.fixture(scope="session")
def environment(tmp_path_factory, small_data) -> dict[str, str]:
    """Of commands: this environment's tools first, the small data, one identity, nothing of DVC."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "GIT_", "PYTHON"))}
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))
    }
    return {
        **kept,
        **who,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
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
