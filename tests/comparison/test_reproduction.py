"""Whether results are the committed ones to the byte, and if not, why."""

import copy
import sys

import pytest
import torch
from console import run
from ruamel.yaml import YAML

from fashion_mnist.comparison import reproduction
from fashion_mnist.comparison.revisions import resolve
from fashion_mnist.model import kernels
from fashion_mnist.pipeline.errors import UserError

LOCK = {
    "prepare": {
        "cmd": "python -m stages.prepare",
        "deps": [{"path": "data/raw", "md5": "r"}, {"path": "src/fashion_mnist/data", "md5": "c"}],
        "params": {"params.yaml": {"prepare": {"seed": 0}}},
        "outs": [{"path": "data/prepared/train.safetensors", "md5": "p"}],
    },
    "train": {
        "cmd": "python -m stages.train",
        "deps": [{"path": "data/prepared/train.safetensors", "md5": "p"}],
        "params": {"params.yaml": {"train": {"arithmetic": "portable", "seed": 0}}},
        "outs": [{"path": "checkpoints/best.safetensors", "md5": "w"}],
    },
}


def changed(stage, *path_and_value):
    """LOCK with one value of a stage replaced."""
    made = copy.deepcopy(LOCK)
    *path, key, value = path_and_value
    node = made[stage]
    for step in path:
        node = node[step]
    node[key] = value
    return made


AVX2 = changed("train", "params", "params.yaml", "train", {"arithmetic": "avx2"})


def test_equal_locks_do_not_differ():
    assert reproduction.difference(LOCK, copy.deepcopy(LOCK)) == ""


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (
            changed("train", "params", "params.yaml", {"train": {"arithmetic": "native"}}),
            "train: it ran with other parameters (train.arithmetic, train.seed)",
        ),
        (
            changed("prepare", "deps", 1, "md5", "other"),
            "prepare: it ran with other code (src/fashion_mnist/data)",
        ),
        (
            changed("prepare", "deps", 0, "md5", "other"),
            "prepare: it ran with other data (data/raw)",
        ),
        (changed("train", "cmd", "python train.py"), "train: its command or the list of its outp"),
        ({"prepare": LOCK["prepare"]}, "only one of the two has the stage train"),
    ],
    ids=["parameters", "code", "data", "command", "stage"],
)
def test_the_first_stage_that_differs_is_named_with_the_cause(new, words):
    assert words in reproduction.difference(LOCK, new)


@pytest.mark.parametrize(
    ("old", "hindrance", "version", "words"),
    [
        (
            changed("train", "params", "params.yaml", "train", {"arithmetic": "native"}),
            None,
            torch.__version__,
            "its arithmetic is native",
        ),
        (AVX2, "it needs x86-64", torch.__version__, "it needs x86-64"),
        (AVX2, None, torch.__version__, "avx2, which differs between numbers of threads"),
        (LOCK, "it needs x86-64", torch.__version__, "no reason is known: please report it"),
        (LOCK, None, "1.0", "PyTorch here is 1.0, and "),
        (LOCK, None, torch.__version__, "no reason is known: please report it"),
    ],
    ids=["native", "processor", "threads", "any processor", "version", "unknown"],
)
def test_other_bytes_from_the_same_inputs_have_a_likely_reason(
    monkeypatch, old, hindrance, version, words
):
    monkeypatch.setattr(kernels, "hindrance", lambda _: hindrance)
    monkeypatch.setattr(torch, "__version__", version)
    new = copy.deepcopy(old)
    new["train"]["outs"][0]["md5"] = "other"
    found = reproduction.difference(old, new)
    assert "train: from the same inputs it made other bytes (checkpoints/best" in found
    assert words in found


def verify(monkeypatch, capfd, checkout, *arguments):
    """Status and last line of `fashion-mnist verify` in a checkout."""
    for name, value in checkout.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(checkout.path)
    status = run(monkeypatch, "verify", *arguments)
    captured = capfd.readouterr()
    print(captured.err, file=sys.stderr)
    return status, (captured.err if status == 2 else captured.out).splitlines()[-1]


@pytest.mark.slow
def test_a_commit_is_rebuilt_to_the_byte(monkeypatch, capfd, repository, tmp_path):
    """From nothing: with a cache of its own, and beside other parameters in the workspace."""
    checkout = repository.copy(tmp_path / "checkout")
    shared = tmp_path / "shared"  # a run of the same lies in it
    checkout.dvc("cache", "dir", str(shared))
    checkout.commit()
    checkout.dvc("repro", "--force")
    checkout.set(train__epochs=1)
    files = {path for path in shared.rglob("*") if path.is_file()}
    assert files
    before = checkout.outputs()
    assert verify(monkeypatch, capfd, checkout) == (
        0,
        "HEAD was rebuilt here from nothing, to the byte.",
    )
    assert checkout.outputs() == before
    assert {path for path in shared.rglob("*") if path.is_file()} == files
    assert "is cached" not in capfd.readouterr().out


@pytest.mark.slow
def test_a_commit_whose_weights_are_others_is_told_by_its_first_stage(
    monkeypatch, capfd, repository, tmp_path
):
    checkout = repository.copy(tmp_path / "checkout")
    lock = YAML(typ="safe").load(checkout.path / "dvc.lock")
    (best,) = (o for o in lock["stages"]["train"]["outs"] if o["path"].endswith("best.safetensors"))
    forged = checkout.read("dvc.lock").replace(best["md5"].encode(), b"a" * 32)
    (checkout.path / "dvc.lock").write_bytes(forged)
    checkout.commit()
    status, line = verify(monkeypatch, capfd, checkout)
    assert status == 1
    assert line.startswith(
        "HEAD gives other bytes here: the first stage that differs is train: from the same inputs "
        "it made other bytes (checkpoints/best.safetensors"
    )


def test_what_takes_too_long_is_unknown(monkeypatch, capfd, repository, tmp_path):
    checkout = repository.copy(tmp_path / "checkout")
    status, line = verify(monkeypatch, capfd, checkout, "--minutes", "0.001")
    assert (status, line) == (
        3,
        "HEAD could not be verified: it was not rebuilt within 0.001 minutes.",
    )


def test_a_commit_without_whole_results_is_refused(monkeypatch, capfd, repository, tmp_path):
    checkout = repository.copy(tmp_path / "checkout")
    checkout.git("rm", "-q", "metrics/evaluate.json")
    checkout.commit()
    status, line = verify(monkeypatch, capfd, checkout)
    assert status == 2
    assert "metrics/evaluate.json is missing" in line


def test_show_says_whether_the_results_are_the_committed_ones(
    monkeypatch, capsys, repository, tmp_path
):
    checkout = repository.copy(tmp_path / "checkout")
    monkeypatch.chdir(checkout.path)
    assert run(monkeypatch, "show") == 0
    assert capsys.readouterr().out.endswith("these are the committed results, to the byte\n")
    head, workspace = (resolve(name, checkout.path) for name in ("HEAD", "workspace"))
    lock = checkout.read("dvc.lock").decode()
    epochs = "          epochs: 2\n"
    assert lock.count(epochs) >= 1
    (checkout.path / "dvc.lock").write_text(lock.replace(epochs, "          epochs: 3\n"))
    found = reproduction.beside_commit(workspace, head)
    assert found.startswith("these are not the committed results: dvc.lock differ; ")
    assert "train.epochs" in found


def test_a_revision_that_is_none_is_refused(monkeypatch, capfd, repository, tmp_path):
    checkout = repository.copy(tmp_path / "checkout")
    status, line = verify(monkeypatch, capfd, checkout, "nowhere")
    assert status == 2
    assert "unknown revision 'nowhere'" in line
    with pytest.raises(UserError, match="results of a commit"):
        reproduction.rebuild(resolve("workspace", checkout.path), 1)
