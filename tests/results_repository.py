"""A small Git and DVC repository with handmade results, for tests of what reads revisions."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from small import NAMES, params_text

from fashion_mnist.pipeline import files

PROJECT = Path(__file__).resolve().parent.parent
IDENTITY = {
    "GIT_AUTHOR_NAME": "A Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.com",
    "GIT_COMMITTER_NAME": "A Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
ACTUAL = tuple(NAMES[index % 10] for index in range(200))
"""True classes of the test split: twenty of each."""
POINTS = {
    "classes": ("train", "class"),
    "suspects": ("loss", "label"),
    "near_seen": ("distance", "actual"),
    "corruptions": ("accuracy", "corruption"),
}
PICTURES = ("augmented", "misclassified", "samples", "suspects")


@dataclass(frozen=True)
class ResultsRepository:
    """The folder of a repository, and what can be done in it."""

    root: Path

    def git(self, *arguments: str) -> str:
        """Run git; its output."""
        return subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **IDENTITY},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def write(self, path: str, content: bytes | str) -> None:
        """Put a file into the workspace."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)

    def results(
        self,
        wrong: Sequence[int] = (),
        *,
        actual: Sequence[str] = ACTUAL,
        names: Sequence[str] = NAMES,
        epochs: int = 3,
        seed: int = 0,
        lr: float = 0.001,
        validation_accuracy: float = 0.9,
        code: str = "aa",
        **settings: object,
    ) -> None:
        """Write what a run of the pipeline would: `wrong` images are taken for the next class."""
        predicted = [
            names[(names.index(label) + 1) % len(names)] if index in wrong else label
            for index, label in enumerate(actual)
        ]
        right = [one == other for one, other in zip(actual, predicted, strict=True)]
        rows = [[i, a, p, 0.75] for i, (a, p) in enumerate(zip(actual, predicted, strict=True))]
        self.write(
            "plots/predictions.csv",
            files.csv_bytes(["index", "actual", "predicted", "confidence"], rows),
        )
        accuracy = sum(right) / len(right)
        evaluated = {"accuracy": accuracy, "accuracy_low": 0.0, "accuracy_high": 1.0, "loss": 0.4}
        self.write("metrics/evaluate.json", files.json_bytes(evaluated))
        self.write(
            "metrics/train.json",
            files.json_bytes({"best_epoch": epochs, "validation_accuracy": validation_accuracy}),
        )
        self.write("metrics/data.json", files.json_bytes({"train_images": 55_000}))
        history = [[n, 1 / n, 0.8, 1.1 / n, 0.79, lr] for n in range(1, epochs + 1)]
        columns = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr"]
        self.write("plots/history.csv", files.csv_bytes(["epoch", *columns], history))
        classes = [[label, 0.9, 0.8 + 0.01 * n, 0.85, 20] for n, label in enumerate(names)]
        self.write(
            "plots/per_class.csv",
            files.csv_bytes(["class", "precision", "recall", "f1", "support"], classes),
        )
        bins = [[0.55, 0.5, 40], [0.75, 0.8, 60], [0.95, 0.97, 100]]
        self.write(
            "plots/reliability.csv", files.csv_bytes(["confidence", "accuracy", "count"], bins)
        )
        for path, (x, y) in POINTS.items():
            rows = [[accuracy, name] for name in names]
            self.write(f"plots/{path}.csv", files.csv_bytes([x, y], rows))
        for name in PICTURES:
            shutil.copy(PROJECT / "plots/misclassified.png", self.root / f"plots/{name}.png")
        self.write("dvc.lock", lock(seed, lr, epochs, code, settings))
        self.record()
        self.write("params.yaml", params_text(**{"train.lr": lr}))

    def record(self) -> None:
        """Let dvc.lock record the metrics and plots that lie in the workspace."""
        content = json.loads((self.root / "dvc.lock").read_text())
        content["stages"]["evaluate"]["outs"] = [
            {"path": f"{folder}/{path.name}", "hash": "md5", "md5": md5(path.read_bytes())}
            for folder in ("metrics", "plots")
            for path in sorted((self.root / folder).iterdir())
        ]
        self.write("dvc.lock", json.dumps(content))

    def commit(self, message: str = "results") -> str:
        """Commit the whole workspace; the SHA."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def experiment(self, name: str, base: str | None = None) -> None:
        """Keep the workspace as DVC keeps an experiment, and go back to HEAD."""
        base = base or self.git("rev-parse", "HEAD")
        self.git("add", "--all")
        tree = self.git("write-tree")
        commit = self.git("commit-tree", tree, "-p", base, "-m", f"dvc: {name}")
        self.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", commit)
        self.git("reset", "--quiet", "--hard")


def md5(content: bytes) -> str:
    """As dvc.lock has it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def lock(seed: int, lr: float, epochs: int, code: str, settings: dict[str, object]) -> str:
    """A dvc.lock (JSON is YAML) with what `summarize` reads of it."""
    digest = settings.pop("test_images", "ff" * 32)
    train = {"seed": seed, "lr": lr, "epochs": epochs, "augment": {"flip": True}} | settings
    sha256 = {"sha256": {"test": {"images": digest}}}
    stages = {
        "fetch": {
            "cmd": "python -m stages.fetch",
            "params": {"params.yaml": {"fetch": sha256}},
        },
        "prepare": {
            "cmd": "python -m stages.prepare",
            "deps": [{"path": "data/raw", "hash": "md5", "md5": "dd" * 16 + ".dir"}],
            "params": {"params.yaml": {"prepare": {"seed": 0}}},
        },
        "train": {
            "cmd": "python -m stages.train",
            "deps": [
                {"path": "stages/train.py", "hash": "md5", "md5": code * 16},
                {"path": "data/prepared/train.safetensors", "hash": "md5", "md5": "ee" * 16},
            ],
            "params": {"params.yaml": {"train": train, "model": {"name": "lenet"}}},
        },
        "evaluate": {"cmd": "python -m stages.evaluate"},
    }
    return json.dumps({"schema": "2.0", "stages": stages})


def make(root: Path) -> ResultsRepository:
    """A repository on the branch main with the project's dvc.yaml, no results."""
    repository = ResultsRepository(root)
    root.mkdir(parents=True, exist_ok=True)
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.write("params.yaml", params_text())
    for path in ("dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(PROJECT / path, root / path)
    shutil.copytree(
        PROJECT / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "*.local")
    )
    return repository
