"""The Makefile's recipes with stubs for the tools, run as macOS' make would run them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from results_repository import PROJECT

from fashion_mnist.comparison.commands import MUST_RUN, UNKNOWN

TOOLS = ("dvc", "fashion-mnist", "mypy", "pytest", "ruff")
STUB = """#!/bin/sh
echo "${0##*/} $*" >> calls
test "$(command -v python)" = "$PWD/.venv/bin/python" || exit 70
test "$1 $2" != "recipe quik" || exit 2
test "$1" != current || exit "$CURRENT"
test "$1" != repro || exit "$REPRO"
test "$1" != config || exec "$DVC" "$@"
test "$1" != pull || exit "$PULL"
"""
TARGETS = re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE)
NOT_FOUND = 127
SETS = ("run", "test", "lint")


@pytest.fixture
def folder(tmp_path):
    """The Makefile beside an environment of stubs."""
    binaries = tmp_path / ".venv/bin"
    binaries.mkdir(parents=True)
    for tool in (*TOOLS, "python"):
        (binaries / tool).write_text(STUB)
        (binaries / tool).chmod(0o755)
    for name in ("pyproject.toml", "Makefile"):
        shutil.copy(PROJECT / name, tmp_path)
    for name in ("recipes", "requirements", "scripts"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    for name in SETS:
        (tmp_path / f".venv/{name}.installed").touch()
    (tmp_path / "benchmarks").mkdir()
    return tmp_path


def run(folder: Path, *command: str, **statuses: int) -> tuple[int, list[str]]:
    """The status of a command whose PATH holds nothing of the project, and the stubs' calls."""
    (folder / "calls").write_text("")
    path = os.pathsep.join(p for p in os.defpath.split(os.pathsep) if p)
    wanted = {"current": 0, "repro": 0, "pull": 0, **statuses}
    environment = {name.upper(): str(status) for name, status in wanted.items()}
    environment |= {"PATH": path, "DVC": shutil.which("dvc") or ""}
    environment |= {f"DVC_{kind}_CONFIG_DIR": str(folder) for kind in ("GLOBAL", "SYSTEM")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    return done.returncode, (folder / "calls").read_text().splitlines()


# `results` has a test of its own: make runs a line with $(MAKE) in a dry run, too.
@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"help", "install", "results"}))
def test_a_recipe_finds_the_environment_without_an_exported_path(folder, target):
    """Make 3.81, as Apple builds it, starts simple commands with its own PATH."""
    # Within `make test` a further make would say which folder it enters
    command = ["make", "--dry-run", "--no-print-directory", target]
    printed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    # An outer shell's assignment is what `export PATH` would be; here there is none.
    lines = printed.stdout.replace("\\\n", "").splitlines()
    tool = re.compile(rf"(?!echo).*\b({'|'.join(TOOLS)}|python)\b")
    ours = [line for line in lines if tool.match(line)]
    assert ours
    for line in ours:
        status, calls = run(folder, "sh", "-c", line)
        assert status not in (NOT_FOUND, 70), line
        assert calls


@pytest.mark.parametrize(
    ("words", "installed"),
    [
        ("repro", ["run"]),
        ("test", ["run", "test"]),
        ("lint", ["run", "lint"]),
        ("install EXTRAS=search", ["run", "search"]),
        ("repro CPU=1", ["--cpu run"]),
        ("repro CPU=0", ["run"]),
    ],
)
def test_a_target_installs_what_it_needs(folder, words, installed):
    """And no variable of the environment changes that: some systems set CPU to x86_64."""
    for name in SETS:
        (folder / f".venv/{name}.installed").unlink()
    printed = subprocess.run(
        ["make", "--dry-run", *words.split()],
        cwd=folder,
        env={"PATH": os.defpath, "CPU": "x86_64", "EXTRAS": "export", "UPGRADE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"^python3 scripts/install.py +(.*)$", printed.stdout, re.M) == installed


def test_pytorch_without_cuda_is_taken_also_where_all_is_installed(folder):
    command = ["make", "--dry-run", "install", "CPU=1"]
    printed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert "install.py --cpu run" in printed.stdout


@pytest.mark.parametrize(
    ("current", "repro", "status", "calls"),
    [
        (0, 0, 0, ["current", "show"]),
        (MUST_RUN, 0, 0, ["current", "repro", "show"]),
        (MUST_RUN, 255, 2, ["current", "repro"]),  # the pipeline fails
        (1, 0, 2, ["current"]),  # the check itself does
        (2, 0, 2, ["current"]),
        (NOT_FOUND, 0, 2, ["current"]),
    ],
)
def test_results_are_made_unless_they_are_current(folder, current, repro, status, calls):
    ended, called = run(folder, "make", "results", current=current, repro=repro)
    assert ended == status
    assert [call.split()[1] for call in called] == calls


@pytest.mark.parametrize(
    ("remote", "pull", "calls"),
    [("", 0, ["config"]), ("team", 0, ["config", "pull"]), ("team", 255, ["config", "pull"])],
    ids=["no remote", "a remote", "a remote that fails"],
)
def test_a_remote_may_help_and_cannot_hinder(folder, remote, pull, calls):
    """Asked of DVC itself: it ends with 0 where no remote is set, which a stub had otherwise."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text(
        "[core]\nno_scm = true\n" + f"remote = {remote}\n" * bool(remote)
    )
    ended, called = run(folder, "make", "pull", pull=pull)
    assert ended == 0
    assert [call.split()[1] for call in called] == calls


def test_a_benchmark_that_fails_leaves_its_old_table(folder):
    """The status of `| tee` was tee's."""
    (folder / "benchmarks/loop.txt").write_text("recorded")
    (folder / ".venv/bin/python").write_text("#!/bin/sh\necho half\nexit 1\n")
    assert run(folder, "make", "bench")[0] == 2
    assert (folder / "benchmarks/loop.txt").read_text() == "recorded"


GNU_ONLY = {
    "sed -i": r"\bsed\b[^|;&\n]* -i",
    "grep -P": r"\bgrep\b[^|;&\n]* -\w*P",
    "readlink -f": r"\breadlink -f",
    "date -d": r"\bdate -d",
    "xargs -r": r"\bxargs\b[^|;&\n]* -r",
    "sort -V": r"\bsort\b[^|;&\n]* -\w*V",
}


@pytest.mark.parametrize(
    "name", ["Makefile", "README.md", ".gitlab-ci.yml", ".github/workflows/report.yml"]
)
def test_shell_blocks_need_no_gnu_tools(name):
    text = (PROJECT / name).read_text()
    assert [flag for flag, pattern in GNU_ONLY.items() if re.search(pattern, text)] == []


@pytest.mark.parametrize(
    ("current", "verify", "said", "status"),
    [
        (0, 0, "verify has spoken", 0),
        (0, 1, "verify has spoken", 2),
        (0, UNKNOWN, "verify has spoken", 0),
        (MUST_RUN, 0, "The results were made by this run", 0),
        (2, 0, "could not be verified: the log says why", 2),
    ],
    ids=["the same", "other bytes", "too long", "not current", "error"],
)
def test_verified_says_what_is_the_case_and_fails_where_bytes_are_others(
    tmp_path, current, verify, said, status
):
    """The report's second line is what it wrote; make ends with 2 where a command fails."""
    stub = tmp_path / ".venv/bin/fashion-mnist"
    stub.parent.mkdir(parents=True)
    stub.write_text(
        f'#!/bin/sh\ncase "$1" in current) exit {current} ;; esac\n'
        f"echo verify has spoken\nexit {verify}\n"
    )
    stub.chmod(0o755)
    makefile = (PROJECT / "Makefile").read_text().replace("verified: install", "verified:")
    (tmp_path / "Makefile").write_text(makefile)
    (tmp_path / "verified.txt").write_text("of an earlier run")
    done = subprocess.run(["make", "verified"], cwd=tmp_path, capture_output=True, check=False)
    assert said in (tmp_path / "verified.txt").read_text()
    assert "earlier" not in (tmp_path / "verified.txt").read_text()
    assert done.returncode == status


def test_a_misspelt_recipe_queues_nothing_in_its_place(folder):
    status, calls = run(folder, "make", "variants", "VARIANTS=quik")
    assert status == 2
    assert not any("range(3)" in call or "queue start" in call for call in calls)
