"""Where a study is kept, and what its trials have in common."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ruamel.yaml import YAML

from fashion_mnist.parameters import MACHINE
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.search.space import EPOCHS, Space

FOLDER = ".search"
"""Where a study is kept, below the root, unless the user names another place."""


def open_study(name: str, storage: Path, space: Space, made_of: Mapping[str, str]) -> optuna.Study:
    """Begin a study, or go on with it.

    Args:
        storage: a file, Optuna's journal.
        made_of: digests of what the trials of a study have in common.

    Raises:
        UserError: the study was begun with something else, or cannot be kept there.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage.parent.mkdir(parents=True, exist_ok=True)
    # Of trials with other numbers of epochs one epoch tells nothing
    varies = EPOCHS in space.ranges or EPOCHS in space.choices
    try:
        study = optuna.create_study(
            study_name=name,
            storage=JournalStorage(JournalFileBackend(str(storage))),
            direction="maximize",
            pruner=optuna.pruners.NopPruner() if varies else optuna.pruners.MedianPruner(),
            load_if_exists=True,
        )
    except ValueError as error:  # no journal
        raise UserError(f"{storage} cannot keep a study: {error}") from None
    begun = study.user_attrs.get("made of") or dict(made_of)
    other = [part for part, digest in made_of.items() if begun.get(part) != digest]
    if other:
        raise UserError(
            f"the study {name} in {storage} was begun with other {' and '.join(other)}; "
            "--study names another"
        )
    study.set_user_attr("made of", begun)
    return study


def made_of(root: Path, space: Space, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the space, of the parameters that it leaves alone, and of the code of training."""
    flow = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    code = hashlib.sha256()
    used = {dep for stage in ("fetch", "prepare", "train") for dep in flow[stage]["deps"]}
    for dep in sorted(dep for dep in used if dep.startswith(("src/", "stages/"))):
        for path in sorted([root / dep, *(root / dep).rglob("*.py")]):
            if path.is_file():
                code.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    left = {k: v for k, v in parameters.items() if k not in ("evaluate", *MACHINE)}
    train = {k: v for k, v in left["train"].items() if f"train.{k}" not in MACHINE}
    return {
        "space": hashlib.sha256(repr(space).encode()).hexdigest(),
        "parameters": hashlib.sha256(json.dumps({**left, "train": train}).encode()).hexdigest(),
        "code": code.hexdigest(),
    }
