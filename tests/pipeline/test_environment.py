"""Variables of the caller that would change what PyTorch computes."""

import os
import subprocess
import sys

import pytest
from small import PROJECT

from fashion_mnist.pipeline import environment


def test_harmful_variables_are_forgotten_and_named(monkeypatch, capsys):
    environment.prepare()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    monkeypatch.setenv("OMP_DYNAMIC", "")
    monkeypatch.setenv("OMP_PROC_BIND", "true")
    environment.prepare()
    assert not {"OMP_THREAD_LIMIT", "OMP_DYNAMIC"} & os.environ.keys()
    assert os.environ["OMP_PROC_BIND"] == "true"
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("OMP_THREAD_LIMIT, OMP_DYNAMIC: ignored")


@pytest.mark.parametrize("start", ["import stages", "from fashion_mnist.cli import main; main()"])
def test_they_are_forgotten_before_torch_reads_them(start):
    """By every stage, whose package this is, and every command."""
    program = (
        "import atexit, os, sys; sys.argv = ['fashion-mnist', 'card']; "
        "sys.modules['fashion_mnist.deployment.card'] = None; "
        "atexit.register(lambda: print('torch' in sys.modules, 'OMP_DYNAMIC' in os.environ)); "
    )
    done = subprocess.run(
        [sys.executable, "-c", program + start],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": "src", "OMP_DYNAMIC": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "False False\n"
    assert done.stderr.startswith("OMP_DYNAMIC: ignored")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_opened_before_a_file_gets_its_number(tmp_path, closed):
    program = (
        "import sys; from fashion_mnist.pipeline import environment; environment.prepare(); "
        "file = open('written', 'w'); print('out'); print('err', file=sys.stderr); "
        "sys.stdout.flush(); sys.stderr.flush(); sys.stdin.buffer.read(); "
        "file.write(str(file.fileno() > 2))"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (tmp_path / "written").read_text() == "True", done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
