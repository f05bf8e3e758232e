"""What dvc.lock records of the model in the workspace: its digest, parameters and results."""

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist.deployment.models import CHECKPOINT
from fashion_mnist.pipeline.errors import UserError

LOCK = "dvc.lock"


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
        UserError: dvc.lock is missing, damaged or without a stage, or a file of results is not
            the one that it records, so that they tell of another model.
    """
    try:
        stages = YAML(typ="safe").load((root / LOCK).read_text(encoding="utf-8"))["stages"]
        digests = {
            out["path"]: out["md5"]
            for name in ("train", "evaluate")
            for out in stages[name]["outs"]
        }
        parameters: dict[str, Any] = {}
        for name in ("fetch", "prepare", "train", "evaluate"):
            parameters |= stages[name]["params"]["params.yaml"]
        checkpoint = digests[CHECKPOINT]
        evaluated = {dep["path"]: dep["md5"] for dep in stages["evaluate"]["deps"]}[CHECKPOINT]
    except FileNotFoundError:
        raise UserError(f"{LOCK}: no such file in {root}; `dvc repro` makes it") from None
    except (YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{LOCK} records no complete run ({reason}); `dvc repro` mends it"
        ) from None
    if checkpoint != evaluated:
        raise UserError(f"{LOCK} records results of other weights; `dvc repro` mends it")

    def recorded(path: str) -> str:
        try:
            content = (root / path).read_bytes()
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; `dvc repro` makes it") from None
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != digests.get(path):
            raise UserError(f"{path} is not what {LOCK} records; `dvc repro` mends it")
        return content.decode()

    def table(path: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(recorded(path))))

    return Record(
        checkpoint,
        parameters,
        json.loads(recorded("metrics/evaluate.json")),
        json.loads(recorded("metrics/train.json")),
        table("plots/per_class.csv"),
        table("plots/reliability.csv"),
    )


def digest(path: Path) -> str:
    """MD5 of a file's content as dvc.lock records it, in hexadecimal digits."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
