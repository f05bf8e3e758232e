"""A team and strangers share data and model through a DVC remote: S3 on loopback."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import console
import pytest
import yaml
from moto.server import ThreadedMotoServer

from fashion_mnist.deployment.models import CHECKPOINT

BUCKET = "team"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
}


@pytest.fixture(scope="module")
def s3():
    """The address of a server that speaks S3, with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    names = {name.lower(): value for name, value in KEYS.items() if "KEY" in name}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **names)
    client.create_bucket(Bucket=BUCKET)
    yield address
    server.stop()


@dataclass(frozen=True)
class Team:
    """An author who has pushed all, and the origin that others clone."""

    author: Any
    origin: Path

    def clone(self, path: Path) -> Any:
        subprocess.run(["git", "clone", "-q", str(self.origin), str(path)], check=True)
        return replace(self.author, path=path)


@pytest.fixture(scope="module")
def team(repository, s3, tmp_path_factory):
    """After what docs/sharing.md tells the author to do, with an experiment named `other`."""
    folder = tmp_path_factory.mktemp("team")
    copy = repository.copy(folder / "author")
    made = replace(copy, environment={**copy.environment, **KEYS})
    (made.path / ".dvc/config").write_text(
        f"['remote \"team\"']\nurl = s3://{BUCKET}/project\nendpointurl = {s3}\n"
        "[core]\nremote = team\nanalytics = false\n"
    )
    made.commit("a remote")
    made.git("tag", "-am", "the first", "classifier@v1.0.0")
    made.git("clone", "-q", "--bare", ".", str(folder / "origin.git"))
    made.git("remote", "add", "origin", str(folder / "origin.git"))
    made.dvc("exp", "run", "-q", "--temp", "-n", "other", "-S", "train.seed=1")
    made.dvc("push", "-q", "--run-cache")
    made.dvc("exp", "push", "-q", "origin", "other")
    return Team(made, folder / "origin.git")


def ran(output: str) -> list[str]:
    """The stages that DVC ran, in order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


@pytest.mark.slow
def test_a_second_clone_computes_nothing(team, tmp_path):
    clone = team.clone(tmp_path / "clone")
    assert ran(clone.dvc("repro", "--pull").stdout) == []
    assert clone.outputs() == team.author.outputs()
    assert clone.git("status", "--short") == ""


@pytest.mark.slow
def test_an_experiment_travels_and_is_compared(team, tmp_path, monkeypatch, capsys):
    clone = team.clone(tmp_path / "clone")
    clone.dvc("exp", "pull", "-q", "origin", "other")
    monkeypatch.chdir(clone.path)
    capsys.readouterr()
    assert console.run(monkeypatch, "compare", "main", "other", "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "not distinguishable"
    lock = yaml.safe_load(team.author.experiment("other")["dvc.lock"])
    weights = {out["path"]: out["md5"] for out in lock["stages"]["train"]["outs"]}[CHECKPOINT]
    assert (clone.path / f".dvc/cache/files/md5/{weights[:2]}/{weights[2:]}").is_file()


@pytest.mark.slow
def test_predict_takes_the_model_of_a_revision_from_the_remote(
    team, tmp_path, monkeypatch, capsys, pixels
):
    """Of an experiment too; without a change of the workspace."""
    from PIL import Image

    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    clone = team.clone(tmp_path / "clone")
    clone.git("fetch", "-q", "origin", "refs/exps/*:refs/exps/*")
    monkeypatch.chdir(clone.path)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)

    def predicted(*arguments):
        capsys.readouterr()
        assert console.run(monkeypatch, "predict", "--json", *arguments, tmp_path / "a.png") == 0
        return json.loads(capsys.readouterr().out)[0]["best"]

    model = team.author.path / CHECKPOINT
    assert predicted("-r", "main") == predicted("--model", model)
    assert predicted("-r", "other") != predicted("--model", model)
    assert not (clone.path / CHECKPOINT).exists()


def test_a_revision_that_is_nowhere(repository, tmp_path, monkeypatch, capsys):
    """A name that is none, and one whose weights neither cache nor remote has."""
    checkout = repository.copy(tmp_path / "checkout")
    shutil.rmtree(checkout.path / ".dvc/cache")
    monkeypatch.chdir(checkout.path)
    for revision, said in (
        ("nope", "unknown revision 'nope'"),
        ("main", f"main: {CHECKPOINT} cannot be read"),
    ):
        capsys.readouterr()
        assert console.run(monkeypatch, "predict", "-r", revision, "a.png") == 2
        err = capsys.readouterr().err
        assert err.startswith(f"error: {said}")
        assert len(err.splitlines()) == 1


FROM_ELSEWHERE = """
import hashlib, sys, dvc.api
with dvc.api.open(sys.argv[2], repo=sys.argv[1], rev="main", mode="rb") as file:
    print(hashlib.sha256(file.read()).hexdigest())
"""


@pytest.mark.slow
def test_another_project_takes_the_model(team, tmp_path):
    """By each of the ways that docs/sharing.md shows."""
    elsewhere = replace(team.author, path=tmp_path)
    origin = str(team.origin)
    elsewhere.git("init", "-q")
    elsewhere.dvc("init", "-q")
    elsewhere.dvc("import", "-q", "--rev", "main", origin, CHECKPOINT, "-o", "imported.safetensors")
    elsewhere.dvc("artifacts", "get", origin, "classifier", "-o", "artifact.safetensors")
    model = team.author.read(CHECKPOINT)
    for name in ("imported", "artifact"):
        assert elsewhere.read(f"{name}.safetensors") == model
    api = elsewhere.run(sys.executable, "-c", FROM_ELSEWHERE, origin, CHECKPOINT)
    assert api.stdout.split()[-1] == hashlib.sha256(model).hexdigest()


@pytest.mark.slow
def test_gc_as_the_docs_name_it_keeps_what_branches_and_experiments_need(team, tmp_path):
    """What nothing needs goes; the weights of every branch and experiment can be had as before."""
    author = team.author
    checkout = author.copy(tmp_path / "checkout")
    digest = hashlib.md5(b"of no revision").hexdigest()
    waste = checkout.path / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    waste.parent.mkdir(exist_ok=True)
    waste.write_bytes(b"of no revision")
    checkout.git("switch", "-qc", "elsewhere", "main")
    checkout.dvc("gc", "-f", "--all-branches", "--all-tags", "--all-experiments")
    assert not waste.exists()
    for lock in (author.read("dvc.lock"), author.experiment("other")["dvc.lock"]):
        for stage in yaml.safe_load(lock)["stages"].values():
            for out in stage["outs"]:
                cached = checkout.path / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
                assert cached.is_file() or out["path"].startswith(("metrics/", "plots/")), out
    assert checkout.experiment("other") == author.experiment("other")
    assert checkout.outputs() == author.outputs()
