"""A team and strangers share data and model through a DVC remote: a folder, and S3 on loopback."""

import ctypes
import hashlib
import json
import resource
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


def founded(repository, folder, *remote):
    """After what docs/sharing.md tells the author to do, with an experiment named `other`."""
    copy = repository.copy(folder / "author")
    made = replace(copy, environment={**copy.environment, **KEYS})
    (made.path / ".dvc/config").write_text(
        "['remote \"team\"']\n" + "\n".join(remote) + "\n[core]\nremote = team\nanalytics = false\n"
    )
    made.commit("a remote")
    made.git("tag", "-am", "the first", "classifier@v1.0.0")
    made.git("clone", "-q", "--bare", ".", str(folder / "origin.git"))
    made.git("remote", "add", "origin", str(folder / "origin.git"))
    made.dvc("exp", "run", "-q", "--temp", "-n", "other", "-S", "train.seed=1")
    made.dvc("push", "-q", "--run-cache")
    made.dvc("exp", "push", "-q", "origin", "other")
    return Team(made, folder / "origin.git")


@pytest.fixture(scope="module")
def folder_team(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    return founded(repository, folder, f"url = {folder / 'remote'}")


@pytest.fixture(scope="module")
def s3_team(repository, s3, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    return founded(repository, folder, f"url = s3://{BUCKET}/project", f"endpointurl = {s3}")


@pytest.fixture(params=["folder", "s3"])
def team(request):
    return request.getfixturevalue(f"{request.param}_team")


def ran(output: str) -> list[str]:
    """The stages that DVC ran, in order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_a_second_clone_computes_nothing(team, tmp_path):
    clone = team.clone(tmp_path / "clone")
    assert ran(clone.dvc("repro", "--pull").stdout) == []
    assert clone.outputs() == team.author.outputs()
    assert clone.git("status", "--short") == ""


def test_pull_brings_the_outputs(team, tmp_path):
    clone = team.clone(tmp_path / "clone")
    clone.dvc("pull", "-q")
    assert clone.outputs() == team.author.outputs()


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


def test_another_project_takes_the_model(team, tmp_path):
    """By each of the ways that docs/sharing.md shows."""
    elsewhere = replace(team.author, path=tmp_path)
    origin = str(team.origin)
    elsewhere.git("init", "-q")
    elsewhere.dvc("init", "-q")
    elsewhere.dvc("get", "-q", origin, CHECKPOINT, "-o", "got.safetensors")
    elsewhere.dvc("import", "-q", "--rev", "main", origin, CHECKPOINT, "-o", "imported.safetensors")
    elsewhere.dvc("artifacts", "get", origin, "classifier", "-o", "artifact.safetensors")
    model = team.author.read(CHECKPOINT)
    for name in ("got", "imported", "artifact"):
        assert elsewhere.read(f"{name}.safetensors") == model
    assert "rev: main" in elsewhere.read("imported.safetensors.dvc").decode()
    api = elsewhere.run(sys.executable, "-c", FROM_ELSEWHERE, origin, CHECKPOINT)
    assert api.stdout.split()[-1] == hashlib.sha256(model).hexdigest()


def failing(repository, *arguments, before=None, **environment):
    """A DVC command that must fail: what it says. `before` is called in its process."""
    done = subprocess.run(
        [Path(sys.executable).with_name("dvc"), *arguments],
        cwd=repository.path,
        env={**repository.environment, **environment},
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stderr
    print(done.stderr)
    return done.stderr


def obey_permissions():
    """Root, too, may then write only where the mode allows it."""
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE


def small_disk():
    """No file may grow beyond 200 kB: the weights do."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_folder_that_is_read_only_or_full_costs_nothing(repository, tmp_path):
    """It is told, the workspace stays, no half file is left, and the next push completes."""
    checkout, remote = repository.copy(tmp_path / "checkout"), tmp_path / "remote"
    checkout.dvc("remote", "add", "-d", "team", str(remote))
    remote.mkdir(mode=0o555)
    assert "Permission denied" in failing(checkout, "push", before=obey_permissions)
    remote.chmod(0o755)
    assert "File too large" in failing(checkout, "push", before=small_disk)
    assert checkout.outputs() == repository.outputs()
    checkout.dvc("push", "-q")
    for path in (path for path in (remote / "files/md5").rglob("[!.]*") if path.is_file()):
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        assert path.parent.name + path.name in (digest, f"{digest}.dir")
    shutil.rmtree(checkout.path / ".dvc/cache")
    shutil.rmtree(checkout.path / "checkpoints")
    checkout.dvc("pull", "-q")
    assert checkout.outputs() == repository.outputs()


def test_s3_that_is_away_or_asks_for_credentials_costs_nothing(repository, s3, tmp_path):
    checkout = repository.copy(tmp_path / "checkout")
    checkout.dvc("remote", "add", "-d", "team", f"s3://{BUCKET}/empty")
    checkout.dvc("remote", "modify", "team", "endpointurl", s3)
    no_keys = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": "us-east-1"}
    assert "Unable to locate credentials" in failing(checkout, "push", **no_keys)
    checkout.dvc("remote", "modify", "team", "url", f"s3://{BUCKET}-of-others/project")
    assert "does not exist" in failing(checkout, "push", **KEYS)
    checkout.dvc("remote", "modify", "team", "endpointurl", "http://127.0.0.1:9")
    assert "Could not connect" in failing(checkout, "push", **KEYS)
    assert checkout.outputs() == repository.outputs()


def test_gc_as_the_docs_name_it_keeps_what_branches_and_experiments_need(folder_team, tmp_path):
    """What nothing needs goes; the weights of every branch and experiment can be had as before."""
    author = folder_team.author
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
