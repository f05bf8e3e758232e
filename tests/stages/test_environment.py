"""Started by a Python that has no packages, as without the environment on the path."""

import subprocess
import sys

import pytest
from small import contents, copy_project


@pytest.mark.parametrize("stage", ["check", "fetch", "prepare", "train", "evaluate"])
def test_a_python_without_packages_is_told_and_nothing_is_written(stage, tmp_path):
    root = copy_project(tmp_path)
    before = contents(root)
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-m", f"stages.{stage}"],  # -S: without site-packages
        cwd=root,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "lacks numpy, psutil, pydantic" in line
    assert "activate the environment first (. .venv/bin/activate)" in line
    assert contents(root) == before
