"""A checkout of the project over a small data set, and commands that run in it."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from forkserver import without
from ruamel.yaml import YAML

SMALL = {
    "prepare.validation_size": 50,
    "train.epochs": 2,
    "compute.threads": 1,
    "compute.processes": 1,
    "compute.device": "cpu",
}


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
        return self.run("python", "-m", f"stages.{name}", check=check)

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


def start(checkout, *command, **options):
    """A command, and all that it starts, as processes of their own, which can be killed."""
    return subprocess.Popen(
        command,
        cwd=checkout.path,
        env=without(checkout.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,
    )


def read_until(process, text: str) -> str:
    """What the process has printed up to the line that holds `text`."""
    lines = []
    for line in process.stdout:
        print(line, end="")
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"the process ended without {text!r}")
