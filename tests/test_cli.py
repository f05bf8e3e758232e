"""The console script itself."""

import os
import re
import subprocess
import sys

import console
import pytest
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


@pytest.mark.parametrize(
    "words",
    [
        ("search", "space.yaml", "--trials", "-1"),
        ("search", "space.yaml", "--trials", "0"),
        ("search", "space.yaml", "--trials", "1.5"),
        ("search", "space.yaml", "--seeds", "-3"),
        ("search", "space.yaml", "--hours", "nan"),
        ("search", "space.yaml", "--hours", "-0.5"),
        ("verify", "--minutes", "-1"),
        ("verify", "--minutes", "0"),
        ("verify", "--minutes", "nan"),
        ("verify", "--minutes", "inf"),
        ("verify", "--minutes", "soon"),
    ],
    ids=" ".join,
)
def test_a_number_that_makes_no_sense_is_refused_with_the_range(monkeypatch, capsys, words):
    assert console.run(monkeypatch, *words) == 2
    *_, option, value = words
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.search(rf"error: argument {option}: '{value}': give a .*number [>≥] \d, ≤ \d+", said)


def test_a_misspelt_command_names_the_nearest(monkeypatch, capsys):
    assert console.run(monkeypatch, "comapre", "main") == 2
    assert "unknown command 'comapre'; did you mean compare? (known: show" in (
        capsys.readouterr().err
    )
    assert console.run(monkeypatch, "xyz") == 2
    assert "unknown command 'xyz' (known: show" in capsys.readouterr().err


COMPLETE = """
source completion
COMP_WORDS=(fashion-mnist "$@")
COMP_CWORD=$#
_shtab_fashion_mnist
printf '%s\n' "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_options_files_and_revisions(tmp_path, monkeypatch, capsys):
    assert console.run(monkeypatch, "completion", "bash") == 0
    project = results_repository.make(tmp_path / "project")
    project.results()
    project.commit()
    project.git("branch", "mine")
    project.write("completion", capsys.readouterr().out)

    def completed(*words):
        command = ["bash", "-c", COMPLETE, "bash", *words]
        done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert completed("comp") == ["compare", "completion"]
    assert {"--base", "--verified"} <= set(completed("report", "--"))
    assert completed("report", "--base", "m") == ["main", "mine"]
    assert completed("compare", "m") == ["main", "mine"]
    assert completed("search", "par") == ["params.yaml"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_completion_too(monkeypatch, capsys, shell):
    assert console.run(monkeypatch, "completion", shell) == 0
    script = capsys.readouterr().out
    assert "fashion-mnist" in script
    assert "summarize" in script
    assert "git for-each-ref" in script


START = "from fashion_mnist.cli import main; main()"


def test_names_that_an_ascii_locale_lacks_are_understood(tmp_path):
    project = results_repository.make(tmp_path / "project")
    project.results(range(9))
    project.commit()
    project.git("branch", "größe-模型")
    project.results(range(2))
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", START, "draw", "out", "--base", "größe-模型"],
        cwd=project.root,
        env={**os.environ, **locale, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (project.root / "out/loss.png").exists()
