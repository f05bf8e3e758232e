"""A sweep over several machines: several clones, a bare Git repository and a folder as remote."""

import json
import os
import signal
import subprocess

import console
import pytest
from small import PROJECT

LIST = "-S train.seed=1 -S train.epochs=200\n-S train.seed=2 -S train.epochs=200\n"


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Run `scripts/sweep` on a list, with a DVC that only tells how it was called."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "dvc").write_text('#!/bin/sh\ncase "$2" in list) exit 0 ;; *) echo "$@" ;; esac\n')
    (binaries / "dvc").chmod(0o755)
    monkeypatch.setenv("PATH", str(binaries), prepend=os.pathsep)
    monkeypatch.setenv("SWEEP", str(tmp_path / "sweep"))
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    (tmp_path / "git").mkdir()
    (tmp_path / "git/file").touch()
    for command in (["git", "init", "-q"], ["git", "add", "file"], [*git, "commit", "-qm1"]):
        subprocess.run(command, cwd=tmp_path / "git", check=True)

    def run(content, line):
        (tmp_path / "lr.txt").write_text(content)
        words = [str(PROJECT / "scripts/sweep"), "git", "lr.txt", str(line)]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_a_job_runs_the_options_of_its_line(job):
    done = job("-S train.lr=1\n-S train.lr=2 -S train.seed=3", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "exp run --name lr-2 -S train.lr=2 -S train.seed=3",
        "exp push --no-cache origin lr-2",
    ]


def test_a_line_that_is_not_there_runs_nothing(job):
    for line in (2, 3):
        done = job("-S train.lr=1\n\n", line)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"has no options in line {line}" in done.stderr


@pytest.mark.parametrize("words", [(), ("git",), ("git", "lr.txt"), ("git", "lr.txt", "last")])
def test_without_its_arguments_it_prints_its_usage(words):
    command = [str(PROJECT / "scripts/sweep"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: scripts/sweep REPOSITORY LIST [N]")
    assert done.stderr.count("\n") == 1


def test_a_list_that_has_changed_is_not_taken_for_the_one_that_ran(job):
    assert job("-S train.lr=1\n", 1).returncode == 0
    done = job("-S train.lr=2\n", 1)
    assert (done.returncode, done.stdout) == (2, "")
    assert "was made for -S train.lr=1: give the list another name" in done.stderr


@pytest.mark.slow
def test_a_sweep_of_which_one_job_was_killed_and_run_again(
    repository, tmp_path, monkeypatch, capsys
):
    home = repository.copy(tmp_path / "home")
    home.dvc("remote", "add", "--default", "shared", str(tmp_path / "remote"))
    home.commit("a remote for data")
    home.git("clone", "-q", "--bare", ".", str(tmp_path / "git"))
    home.git("remote", "add", "origin", str(tmp_path / "git"))
    (tmp_path / "lr.txt").write_text(LIST)
    words = [str(home.path / "scripts/sweep"), str(tmp_path / "git"), str(tmp_path / "lr.txt")]
    environment = {**home.environment, "SWEEP": str(tmp_path / "sweep")}

    def job(line):
        return subprocess.Popen(
            words,
            env={**environment, "SLURM_ARRAY_TASK_ID": line},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    with job("1") as first:
        assert any(text.startswith("epoch 3/200") for text in first.stdout)
        os.killpg(first.pid, signal.SIGKILL)
    with job("1") as first, job("2") as second:
        printed = [one.stdout.read() for one in (first, second)]
    print(*printed)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "taking up the run after epoch" in printed[0]
    with job("2") as again:  # as a queue may do with what was over already
        assert "epoch" not in again.stdout.read()
    assert again.returncode == 0

    home.git("fetch", "-q", "origin", "refs/exps/*:refs/exps/*")
    monkeypatch.chdir(home.path)
    capsys.readouterr()
    assert console.run(monkeypatch, "summarize", "--json") == 0
    variants = json.loads(capsys.readouterr().out)
    (found,) = [variant["runs"] for variant in variants if not variant["baseline"]]
    assert found == {"lr-1": 1, "lr-2": 2}
    home.dvc("exp", "pull", "origin", "lr-1")  # with its weights, from the folder
    home.dvc("exp", "apply", "lr-1")
    weights = "checkpoints/best.safetensors"
    assert home.read(weights) == (tmp_path / "sweep/lr-1" / weights).read_bytes()
