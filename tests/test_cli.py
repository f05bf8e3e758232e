"""The console script itself."""

import os
import re
import subprocess
import sys

import console
import results_repository
import yaml
from results_repository import PROJECT

from fashion_mnist import __version__


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


def test_the_version_is_that_of_the_project(monkeypatch, capsys):
    assert console.run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"fashion-mnist {__version__}\n"
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["version"] == __version__
    assert f"\n## {__version__}\n" in (PROJECT / "CHANGELOG.md").read_text()


def test_the_help_of_each_command_says_what_it_prints(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert console.run(monkeypatch, "--help") == 0
    names = re.findall(r"^    ([a-z]+)\b", capsys.readouterr().out, re.MULTILINE)
    assert len(names) >= 5
    for name in names:
        assert console.run(monkeypatch, name, "--help") == 0
        description, _, _ = capsys.readouterr().out.partition("options:")
        assert re.search("[Pp]rints? ", " ".join(description.split())), name
