"""Digests of what the stages make of a small data set, to compare machines by.

`make golden` records them in tests/golden.json. Each is the SHA-256 of the outputs of one run of a
stage in portable arithmetic; evaluate's, whose drawing takes longest, once a network.
"""

import contextlib
import hashlib
import io
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from small import params_text, write_idx

from fashion_mnist.model.networks import NETWORKS
from fashion_mnist.training.optimisers import OPTIMIZERS
from stages import evaluate, prepare, train

FILE = Path(__file__).with_name("golden.json")
ALL_ON = {
    "prepare.validation_size": 20,
    "prepare.normalisation": "measured",
    "model.dropout": 0.2,
    "model.mirror_average": True,
    "train.epochs": 2,
    "train.batch_size": 16,
    "train.lr": 0.01,
    "train.weight_decay": 0.01,
    "train.schedule": "onecycle",
    "train.label_smoothing": 0.1,
    "train.ema": 0.9,
    "train.pruning": 0.3,
    "train.whitening": True,
    "train.augment.rotation": 10.0,
    "train.augment.flip": True,
    "train.augment.flip_alternating": False,
    "train.augment.crop_padding": 2,
    "train.augment.erasing": 0.5,
}


def cases() -> dict[str, dict[str, Any]]:
    """Parameters by name: every network with every optimiser, all options on."""
    return {
        f"{network} {optimizer}": {"model.name": network, "train.optimizer": optimizer}
        for network, optimizer in itertools.product(NETWORKS, OPTIMIZERS)
    }


def digests(parameters: dict[str, Any], *, evaluated: bool) -> dict[str, str]:
    """The digest of what each stage writes, run in this process in a folder of its own."""
    stages, before = [prepare, train, *([evaluate] if evaluated else [])], Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digest = write_idx(folder / "data/raw", train=80, test=40)
        (folder / "params.yaml").write_text(params_text(digest, **ALL_ON, **parameters))
        seen: set[Path] = set(folder.rglob("*"))
        found = {}
        try:
            os.chdir(folder)
            for stage in stages:
                with contextlib.redirect_stdout(io.StringIO()):
                    stage.main()
                made = {p for p in folder.rglob("*") if p.is_file() and ".resume" not in p.parts}
                total = hashlib.sha256()
                for path in sorted(made - seen):
                    content = hashlib.sha256(path.read_bytes()).hexdigest()
                    total.update(f"{path.relative_to(folder)} {content}\n".encode())
                found[stage.__name__.partition(".")[2]] = total.hexdigest()
                seen |= made
        finally:
            os.chdir(before)
    return found


def main() -> None:
    """Print the digests as JSON, and each run's name on stderr: under emulation it takes minutes.

    Arguments are names of the runs that are wanted, and KEY=VALUE of parameters that change no
    byte, such as compute.threads=2.
    """
    wanted = [argument for argument in sys.argv[1:] if "=" not in argument]
    settings = dict(argument.split("=") for argument in sys.argv[1:] if "=" in argument)
    changes = {key: int(value) if value.isdigit() else value for key, value in settings.items()}
    found: dict[str, Any] = {"torch": torch.__version__.partition("+")[0], "digests": {}}
    for name, parameters in cases().items():
        if wanted and name not in wanted:
            continue
        evaluated = parameters["train.optimizer"] == "adam"
        found["digests"][name] = digests({**parameters, **changes}, evaluated=evaluated)
        print(name, file=sys.stderr)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
