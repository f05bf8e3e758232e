"""The recipes of a repository, and what was recorded of them.

recipes/NAME.yaml holds, by dotted key, what a recipe changes of the schema's defaults:

train.epochs: 24
train.optimizer: muon
"""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fashion_mnist.comparison.summary import spread
from fashion_mnist.comparison.tables import ABSENT
from fashion_mnist.parameters import MACHINE, SEED, Parameters, changed, flat
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import read, validate

Value = bool | int | float | str
Settings = dict[str, Value]
"""Parameters by dotted key, as `dvc exp run -S` takes them."""

FOLDER = "recipes"
DEFAULT = "default"
"""The recipe that changes nothing; it has no file."""

SECTIONS = ("prepare", "model", "train")
FREE = ("prepare.classes", SEED, *MACHINE)
"""On what data, where and how often a recipe runs: no part of it."""

RUNS = "benchmarks/runs.csv"
"""The recorded runs of recipes: a row for each, which `benchmarks/variants.py` writes."""


@dataclass(frozen=True)
class Recorded:
    """What runs of a recipe gave, on one machine with one number of threads.

    Attributes:
        accuracy: on the test split, mean and standard deviation over seeds.
        seconds: of training, the median.
        threads: of the CPU.
    """

    accuracy: str = ABSENT
    seconds: str = ABSENT
    threads: str = ABSENT


def names(root: Path) -> list[str]:
    """Every recipe of a repository, the default first."""
    return [DEFAULT, *sorted(path.stem for path in (root / FOLDER).glob("*.yaml"))]


def subject(name: str, root: Path) -> str:
    """A recipe in one sentence: the comment at the head of its file."""
    if name == DEFAULT:
        return "The network of the original exercise."
    first, *_ = (root / FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines() or [""]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def differences(name: str, root: Path) -> Settings:
    """What a recipe changes of the defaults.

    Raises:
        UserError: there is no such recipe, or it sets what is no part of one or not allowed.
    """
    if name not in names(root):
        raise UserError(f"no recipe {name!r}; there are {', '.join(names(root))}")
    if name == DEFAULT:
        return {}
    path = root / FOLDER / f"{name}.yaml"
    found = read(path)
    parameters: dict[str, Any] = Parameters().model_dump()
    for key, value in found.items():
        if str(key).startswith(FREE) or str(key).split(".")[0] not in SECTIONS:
            raise UserError(f"{path}: {key} is no part of a recipe")
        try:
            parameters = changed(parameters, key, value)
        except ValueError as reason:
            raise UserError(f"{path}: {reason}") from None
    validate(Parameters, parameters, path)
    return found


def settings(name: str, root: Path) -> Settings:
    """All that a recipe decides, whatever params.yaml holds.

    Raises:
        UserError: as `differences`.
    """
    defaults = flat({s: v for s, v in Parameters().model_dump().items() if s in SECTIONS})
    decided = {key: value for key, value in defaults.items() if key not in FREE}
    return decided | differences(name, root)


def options(settings: Settings) -> list[str]:
    """The words of `dvc exp run` that make these settings."""
    texts = {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in settings.items()
    }
    return [word for key, text in texts.items() for word in ("-S", f"{key}={text}")]


def digest(settings: Settings) -> str:
    """By which a recipe is told from what it was before."""
    told = "".join(f"{key}={value}\n" for key, value in sorted(settings.items()))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def recorded(name: str, root: Path) -> Recorded:
    """What was recorded of a recipe as it is today, where it ran most often."""
    if not (root / RUNS).exists():
        return Recorded()
    today = digest(settings(name, root))
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    with (root / RUNS).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["variant"], row["recipe"]) == (name, today):
                groups.setdefault((row["threads"], row["machine"]), []).append(row)
    if not groups:
        return Recorded()
    (threads, _), rows = max(groups.items(), key=lambda group: len(group[1]))
    seconds = [float(row["seconds"]) for row in rows if row["seconds"]]
    return Recorded(
        accuracy=spread([float(row["accuracy"]) for row in rows]),
        seconds=f"{median(seconds):,.0f}" if seconds else ABSENT,
        threads=threads,
    )
