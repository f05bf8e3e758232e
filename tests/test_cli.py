"""The console script itself."""

import os
import subprocess
import sys

from results_repository import PROJECT


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    """As in `fashion-mnist show | head -1`."""
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/train.json").write_text("{}")
    (tmp_path / "metrics/evaluate.json").write_text(
        '{"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1}'
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from fashion_mnist.cli import main; main()", "show"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
