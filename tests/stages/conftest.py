"""A workspace in which every stage has run once, to be copied, changed and run in again."""

import shutil

import pytest
from small import in_child, in_ranks, params_text, write_idx

from stages import check, evaluate, fetch, prepare, train

STAGES = {
    "check": check.main,
    "fetch": fetch.main,
    "prepare": prepare.main,
    "train": train.main,
    "evaluate": evaluate.main,
}
SMALL = {
    "prepare.validation_size": 20,
    "model.width": 0.25,
    "model.dropout": 0.2,
    "train.epochs": 3,
    "train.batch_size": 16,
    "compute.threads": 1,
    "compute.processes": 1,
    "compute.device": "cpu",
}


class Workspace:
    """A folder with params.yaml and data/raw, and what stages have made in it."""

    def __init__(self, path, digests):
        self.path = path
        self.digests = digests

    def set(self, **changes):
        """Write params.yaml anew, with changes by dotted key."""
        text = params_text(self.digests, **{**SMALL, **changes})
        (self.path / "params.yaml").write_text(text)

    def run(self, name, before=lambda: None):
        """Exit status and output of a stage."""
        return in_child(self.path, STAGES[name], before)

    def run_together(self, size, before=lambda _: None):
        """Exit statuses and outputs of the stage train's processes, by rank."""
        return in_ranks(self.path, train.main, size, before)

    def outputs(self):
        """Every file but params.yaml and the raw data, by its path."""
        return {
            str(path.relative_to(self.path)): path.read_bytes()
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and path.name != "params.yaml" and path.parent.name != "raw"
        }

    def copy(self, path):
        shutil.copytree(self.path, path)
        path.chmod(0o755)  # some tests go on as a user to whom pytest's folders are closed
        return Workspace(path, self.digests)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """After all stages. Not to be changed: copy it, or use `workspace`."""
    path = tmp_path_factory.mktemp("finished")
    made = Workspace(path, write_idx(path / "data/raw", train=80, test=40))
    made.set()
    for name in STAGES:
        status, printed = made.run(name)
        assert status == 0, printed
    return made


@pytest.fixture
def workspace(finished, tmp_path):
    return finished.copy(tmp_path / "workspace")


@pytest.fixture
def fresh(finished, tmp_path):
    """Parameters and raw data alone."""
    made = finished.copy(tmp_path / "fresh")
    for name in ("data/prepared", "checkpoints", "metrics", "plots"):
        shutil.rmtree(made.path / name)
    return made
