"""The stage fetch: exit codes, and what lies in data/raw afterwards."""

import gzip
import os
import shutil

import pytest
from small import contents, write_idx
from torchvision.datasets import FashionMNIST

from fashion_mnist.data import sources
from fashion_mnist.data.idx import FILES, sha256


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Only the folder that a test names is open."""
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", tmp_path / "no datasets")
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path / "no programs"))


def identity(folder):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_valid_files_are_left_alone_with_every_source_closed(workspace):
    """a12"""
    before = identity(workspace.path / "data/raw")
    assert workspace.run("fetch") == (0, "data/raw holds the right files already\n")
    assert identity(workspace.path / "data/raw") == before


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: gzip.compress(raw)[:5000], "truncated or corrupt"),
        (lambda raw: raw[:5000], "has SHA-256"),
        (lambda _: b"<!DOCTYPE html><html>403</html>", "a web page"),
        (lambda raw: raw[:-1] + b"\x55", "has SHA-256"),
    ],
    ids=["a01 gzip", "a01 plain", "a02", "a03"],
)
def test_a_bad_folder_ends_with_a_message_and_no_file(workspace, monkeypatch, damage, words):
    """a01 a02 a03: exit status 2, every reason, and nothing that DVC could hash."""
    raw, own = workspace.path / "data/raw", workspace.path / "own"
    raw.rename(own)
    path = own / FILES["train_images"]
    path.write_bytes(damage(path.read_bytes()))
    monkeypatch.setenv("FASHION_MNIST_DIR", "own")
    status, printed = workspace.run("fetch")
    assert status == 2
    assert "Traceback" not in printed
    (line,) = printed.splitlines()
    assert line.startswith("error: FASHION_MNIST_DIR=own: ")
    assert FILES["train_images"] in line
    assert words in line
    assert not raw.exists() or contents(raw) == {}


def test_a_hold_out_that_is_too_large_is_told_before_prepare(workspace, finished):
    """DVC deletes the splits before it starts prepare, and would delete them in vain."""
    workspace.set(**{"prepare.validation_size": 80})
    status, printed = workspace.run("fetch")
    assert status == 2
    assert "prepare.validation_size is 80, but there are only 80 training images" in printed
    assert workspace.outputs() == finished.outputs()


def test_a_digest_of_bytes_that_are_no_images_is_told_before_prepare(workspace, monkeypatch):
    """Own digests match a broken file: to fetch it again would bring back the same bytes."""
    workspace.digests = write_idx(workspace.path / "own", train=80, test=40)
    path = workspace.path / "own" / FILES["test_images"]
    path.write_bytes(path.read_bytes()[:-1])
    workspace.digests["test_images"] = sha256(path.read_bytes())
    workspace.set()
    monkeypatch.setenv("FASHION_MNIST_DIR", "own")
    status, printed = workspace.run("fetch")
    assert status == 2
    *_, message = printed.splitlines()
    assert message.startswith(f"error: data/raw/{path.name}: truncated: ")
    assert message.endswith("mend the file that they came from and its digest")


def nobody():
    """A user who may not write where the modes say so; root may write anywhere."""
    if os.getuid() == 0:
        os.setuid(65534)


def closed_to_writing(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_source_is_only_read(workspace, finished, monkeypatch):
    """a14: its folder may be read-only."""
    raw = workspace.path / "data/raw"
    raw.rename(workspace.path / "own")
    raw.mkdir()
    raw.chmod(0o777)
    closed_to_writing(workspace.path / "own")
    monkeypatch.setenv("FASHION_MNIST_DIR", "own")
    assert workspace.run("fetch", nobody) == (0, "from FASHION_MNIST_DIR=own\n")
    assert contents(raw) == contents(finished.path / "data/raw")


def test_prepare_only_reads_the_raw_data(workspace, finished):
    """a14"""
    closed_to_writing(workspace.path / "data/raw")
    shutil.rmtree(workspace.path / "data/prepared")
    for folder in ("data", "metrics", "plots"):
        (workspace.path / folder).chmod(0o777)
    status, printed = workspace.run("prepare", nobody)
    assert status == 0, printed
    assert workspace.outputs() == finished.outputs()


def test_a_raw_folder_that_may_not_be_written_to_is_named(workspace, monkeypatch, tmp_path):
    """a14"""
    raw = workspace.path / "data/raw"
    write_idx(workspace.path / "own", train=80, test=40)
    (raw / FILES["test_labels"]).unlink()
    closed_to_writing(raw)
    monkeypatch.setenv("FASHION_MNIST_DIR", "own")
    before = identity(raw)
    status, printed = workspace.run("fetch", nobody)
    assert status == 2
    assert "error: Permission denied: data/raw/" in printed
    assert "Traceback" not in printed
    assert identity(raw) == before
