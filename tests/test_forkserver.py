"""The quick commands of the tests do what those behind them on the path do."""

import os
import subprocess

import pytest
from forkserver import without

TOLD = """
import os, sys
print(sys.argv, os.getcwd(), os.environ["GIVEN"], "torch" in sys.modules, sys.stdin.read())
print("fashion_mnist" in sys.modules, file=sys.stderr)
"""
ENDS = {
    "": 0,
    "raise SystemExit(3)": 3,
    "raise SystemExit('so')": 1,
    "1 / 0": 1,
    "import os; os._exit(137)": 137,
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": 137,
}


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_arguments_folder_environment_and_streams_are_the_callers(tmp_path):
    environment = {**os.environ, "GIVEN": "a b"}
    done = run("python", "-c", TOLD, "x y", cwd=tmp_path, env=environment, input="in")
    assert done.stdout == f"['-c', 'x y'] {tmp_path} a b True in\n"
    assert done.stderr == "False\n"
    own = run("python", "-c", TOLD, cwd=tmp_path, env=without(environment), input="")
    assert own.stdout == f"['-c'] {tmp_path} a b False \n"


@pytest.mark.parametrize("code", ENDS)
def test_the_status_is_that_of_the_command(code):
    assert run("python", "-c", code).returncode == ENDS[code]


def test_dvc_and_modules(tmp_path):
    assert run("dvc", "root", cwd=tmp_path).returncode == 253
    assert "not inside of a DVC repository" in run("dvc", "root", cwd=tmp_path).stderr
    (tmp_path / "job.py").write_text("import sys; sys.exit(f'{__name__} {len(sys.argv)}')")
    assert run("python", "-m", "job", "1", cwd=tmp_path).stderr == "__main__ 2\n"
    (tmp_path / "job.py").write_text("import sys; print(sys.argv[1])")
    assert run("python", "job.py", "2", cwd=tmp_path).stdout == "2\n"
