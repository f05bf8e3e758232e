"""The console script itself."""

import os
import subprocess
import sys

import results_repository
from results_repository import PROJECT


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    """As in `fashion-mnist show | head -1`."""
    project = results_repository.make(tmp_path / "project")
    project.results()
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from fashion_mnist.cli import main; main()", "show"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
