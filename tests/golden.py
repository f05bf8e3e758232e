"""Digests of what the stages make of a small data set, to compare processors by.

`make golden` records them in tests/golden.json. Each is the SHA-256 of the outputs of one run of a
stage in portable arithmetic; evaluate's, whose drawing takes longest, once a network. They hold for
the version of PyTorch that they were made with.
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
    "train.augment.flip": True,
    "train.augment.flip_alternating": False,
    "train.augment.crop_padding": 2,
    "train.augment.erasing": 0.5,
    "train.device": "cpu",
    "train.arithmetic": "portable",
    "evaluate.device": "cpu",
    "evaluate.threads": 1,
    "evaluate.arithmetic": "portable",
}


def cases(*, rotation: bool) -> dict[str, dict[str, Any]]:
    """Parameters by name: every network with every optimiser on one and two threads.

    And each network once more with rotation.
    """
    networks, optimizers = ("lenet", "plain", "resnet"), ("adam", "adamw", "muon", "sgd")
    made = {
        f"{network} {optimizer} {threads}": {
            "model.name": network,
            "train.optimizer": optimizer,
            "train.threads": threads,
            "train.augment.rotation": 0.0,
        }
        for network, optimizer, threads in itertools.product(networks, optimizers, (1, 2))
    }
    if rotation:
        for network in networks:
            rotated = {**made[f"{network} adam 1"], "train.augment.rotation": 10.0}
            made[f"{network} rotated"] = rotated
    return made


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

    With the argument `emulated` without rotation, whose kernel QEMU 7.2 cannot run. Other arguments
    are beginnings of names, of which the runs are wanted.
    """
    wanted = tuple(argument for argument in sys.argv[1:] if argument != "emulated") or ("",)
    found: dict[str, Any] = {"torch": torch.__version__.partition("+")[0], "digests": {}}
    for name, parameters in cases(rotation="emulated" not in sys.argv).items():
        if not name.startswith(wanted):
            continue
        found["digests"][name] = digests(parameters, evaluated="adam 1" in name)
        print(name, file=sys.stderr)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
