"""What dvc.lock records of the model in the workspace: its digest, parameters and results."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from fashion_mnist.comparison.recorded import LOCK, check_whole
from fashion_mnist.comparison.revisions import WORKSPACE, Revision
from fashion_mnist.deployment.models import CHECKPOINT
from fashion_mnist.pipeline.errors import UserError

RESULTS = ("accuracy", "accuracy_low", "accuracy_high")


@dataclass(frozen=True)
class Record:
    """A model as dvc.lock and the files that it names by digest tell of it.

    Attributes:
        checkpoint: MD5 of the file of its weights, in hexadecimal digits.
        parameters: the sections of params.yaml that its stages ran with.
        evaluation, training: the metrics of the two stages, by name.
        classes, reliability: the tables of the test split, a mapping by column for each row.
    """

    checkpoint: str
    parameters: dict[str, Any]
    evaluation: dict[str, float]
    training: dict[str, float]
    classes: list[dict[str, str]]
    reliability: list[dict[str, str]]


def read(root: Path) -> Record:
    """The record of the workspace.

    Args:
        root: the folder of dvc.lock.

    Raises:
        UserError: dvc.lock is missing, damaged or without a stage, a file of results is not the
            one that it records, or it records results of other weights.
    """
    check_whole(Revision(WORKSPACE, None, root))
    stages = YAML(typ="safe").load((root / LOCK).read_text(encoding="utf-8"))["stages"]
    try:
        parameters: dict[str, Any] = {}
        for name in ("fetch", "prepare", "train", "evaluate"):
            parameters |= stages[name]["params"]["params.yaml"]
        (made,) = (out["md5"] for out in stages["train"]["outs"] if out["path"] == CHECKPOINT)
        (used,) = (dep["md5"] for dep in stages["evaluate"]["deps"] if dep["path"] == CHECKPOINT)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{LOCK} records no complete run; `dvc repro` mends it") from None
    if made != used:
        raise UserError(f"{LOCK} records results of other weights; `dvc repro` mends it")

    def table(path: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO((root / path).read_text(encoding="utf-8"))))

    return Record(
        made,
        parameters,
        json.loads((root / "metrics/evaluate.json").read_bytes()),
        json.loads((root / "metrics/train.json").read_bytes()),
        table("plots/per_class.csv"),
        table("plots/reliability.csv"),
    )


def results(path: Path, root: Path) -> dict[str, str]:
    """What a checkpoint reached on the test split: its accuracy, with the 95 % interval.

    Args:
        path: of the checkpoint.
        root: the folder of dvc.lock.

    Raises:
        UserError: as `read`, or dvc.lock records other weights than these.
    """
    recorded = read(root)
    if recorded.checkpoint != digest(path):
        raise UserError(f"{root / LOCK} records other weights")
    return {name: str(recorded.evaluation[name]) for name in RESULTS}


def digest(path: Path) -> str:
    """MD5 of a file's content as dvc.lock records it, in hexadecimal digits."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
