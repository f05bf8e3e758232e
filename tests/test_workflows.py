"""The project's CI: its files against schemas and zizmor; the report's shell blocks, run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import report_rules
import results_repository
import workflow_runner
import yaml
from results_repository import PROJECT, ResultsRepository

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
GITLAB = PROJECT / ".gitlab-ci.yml"
TITLE = "DVC report"


def steps(name: str) -> list[dict]:
    """All steps of a workflow's jobs."""
    return [step for job in workflow_runner.load(name)["jobs"].values() for step in job["steps"]]


def using(name: str, action: str) -> dict:
    """The one step of a workflow that uses an action."""
    (found,) = [step for step in steps(name) if step.get("uses", "").startswith(f"{action}@")]
    return found


def tool(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment."""
    binary = Path(sys.executable).with_name(command[0])
    return subprocess.run(
        [str(binary), *command[1:]], cwd=PROJECT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", WORKFLOWS),
        ("gitlab-ci", [GITLAB]),
        ("dependabot", [PROJECT / ".github/dependabot.yml"]),
        ("citation-file-format", [PROJECT / "CITATION.cff"]),
    ],
)
def test_files_follow_their_schema(schema, files):
    done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files))
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing():
    done = tool("zizmor", "--offline", "--no-progress", str(PROJECT / ".github"))
    assert done.returncode == 0, done.stdout


def test_hadolint_finds_nothing():
    """Beside this environment's Python on 64-bit Linux; other systems have no wheel of it."""
    if not Path(sys.executable).with_name("hadolint").exists():
        pytest.skip("hadolint is not installed here")
    done = tool("hadolint", "Dockerfile")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_nothing_may_be_written(path):
    workflow = workflow_runner.load(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)
    checkouts = [step for step in steps(path.name) if "actions/checkout@" in step.get("uses", "")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False] * len(checkouts)


def test_report_may_comment_and_has_the_whole_history():
    (job,) = workflow_runner.load("report.yml")["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert using("report.yml", "actions/checkout")["with"]["fetch-depth"] == 0
    with_token = [step["name"] for step in job["steps"] if "token" in str(step.get("env"))]
    assert with_token == ["Comment"]


def commands(job: str) -> list[str]:
    """The shell lines of a job of the tests."""
    found = workflow_runner.load("test.yml")["jobs"][job]["steps"]
    return [line for step in found for line in step.get("run", "").splitlines()]


def test_lint_lock_and_tests_run_on_each_python_that_torch_has_wheels_for():
    """And on one of them, and in the project's own check, what is marked slow too."""
    job = workflow_runner.load("test.yml")["jobs"]["test"]
    lowest, *_ = job["strategy"]["matrix"]["python-version"]
    assert f'requires-python = ">={lowest}"' in (PROJECT / "pyproject.toml").read_text()
    lint, lock, check, test = commands("test")[2:]
    assert (lint, lock) == ("make lint", "make lock")
    assert re.fullmatch(r"make \$\{\{ .+ == '3\.\d+' && 'test-all' \|\| 'test' \}\}", test)
    script = (PROJECT / ".ci/run").read_text()
    assert check in script
    assert {"make test-all", "make repro"} <= set(re.findall(r"make [a-z-]+", script))


def test_make_has_the_targets_that_ci_names():
    named = set(re.findall(r"make ([a-z]+)", GITLAB.read_text()))
    for path in WORKFLOWS:
        named |= set(re.findall(r"make ([a-z]+)", path.read_text()))
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert named <= set(targets)


@pytest.fixture
def gitlab(tmp_path):
    """Run the script of GitLab's report with stubs; its status, and what it called."""
    script = yaml.safe_load(GITLAB.read_text())["report"]["script"]
    stub = '#!/bin/sh\necho "${0##*/} $*" >> calls\n'

    def ran(*, token="a-token", report=0, download=0, verified=0):
        results = {
            "make": 0,
            "git": 0,
            "curl": download,
            ".venv/bin/fashion-mnist": report,
            "cml": 0,
        }
        for name, status in results.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            verify = f'case "$1" in verified) exit {verified} ;; esac\n' if name == "make" else ""
            path.write_text(f"{stub}{verify}exit {status}\n")
            path.chmod(0o755)
        (tmp_path / "calls").unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(script)],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "REPO_TOKEN": token, "CML": "url"},
            check=False,
        )
        return done.returncode, [
            line.split()[0] for line in (tmp_path / "calls").read_text().splitlines()
        ]

    return ran


MADE = ["make", "make", "make", "git", "fashion-mnist"]


def test_gitlab_comments_with_a_token_alone(gitlab):
    assert gitlab() == (0, [*MADE, "curl", "cml"])
    assert gitlab(token="") == (0, MADE)
    script = yaml.safe_load(GITLAB.read_text())["report"]["script"]
    assert "cml comment update --target=pr --publish-native" in script[-2]


def test_gitlab_ends_where_the_download_fails(gitlab):
    assert gitlab(download=22) == (22, [*MADE, "curl"])


def test_gitlab_posts_a_report_of_missing_results_and_fails(gitlab):
    assert gitlab(report=2) == (2, [*MADE, "curl", "cml"])
    assert gitlab(report=2, token="") == (2, MADE)


def test_gitlab_posts_what_could_not_be_verified_and_fails(gitlab):
    assert gitlab(verified=2) == (2, [*MADE, "curl", "cml"])
    assert gitlab(verified=2, token="") == (2, MADE)


STEPS = ["Install", "Rebuild the committed results", "Pull", "Run the pipeline", "Write the report"]


@pytest.fixture
def upstream(tmp_path):
    """The repository on the server: main holds results with twenty mistakes."""
    made = results_repository.make(tmp_path / "upstream")
    made.results(wrong=range(20))
    made.commit()
    return made


@pytest.fixture
def push(upstream, tmp_path):
    """Push a change of the parameters as a branch, and run the workflow on a clone of it."""
    (job,) = workflow_runner.load("report.yml")["jobs"].values()

    def pushed(wrong, *, lr=0.003, fork=False, missing=None, verified=0):
        upstream.git("switch", "--quiet", "-C", "change", "main")
        parameters = (upstream.root / "params.yaml").read_text()
        upstream.write("params.yaml", parameters.replace("  lr: 0.001", f"  lr: {lr}"))
        upstream.commit("another learning rate")
        clone = ResultsRepository(tmp_path / "clone")
        shutil.rmtree(clone.root, ignore_errors=True)
        upstream.git("clone", "--quiet", str(upstream.root), str(clone.root))
        clone.git("switch", "--quiet", "--detach", "origin/change")

        def make_results(folder):
            ResultsRepository(folder).results(wrong=wrong, lr=lr)
            if missing:
                (folder / missing).unlink()

        ran = workflow_runner.run(
            job, clone.root, tmp_path / "work", make_results, fork=fork, verified=verified
        )
        assert bool(ran.failed) == bool(missing or verified), ran.output
        report_rules.check(clone.root)
        return ran

    return pushed


def test_a_second_push_updates_the_one_comment(push):
    first = push(wrong=range(5))
    assert first.steps == [*STEPS, "Comment"]
    assert first.calls[-1] == f"cml comment update --target=pr --watermark-title={TITLE} report.md"
    text = report_rules.check(first.comments[TITLE])
    assert text.startswith("## Results of origin/main (")
    assert "**This pull request is better than origin/main (" in text
    assert "| params.yaml | train.lr | 0.001         | 0.003       |" in text

    second = push(wrong=range(60), lr=0.01)
    assert list(second.comments) == [TITLE]
    text = report_rules.check(second.comments[TITLE])
    assert "**This pull request is worse than origin/main (" in text
    assert "| 0.01 " in text


def test_a_fork_gets_a_summary_and_no_comment(push):
    """Here also without any difference."""
    ran = push(wrong=range(20), lr=0.001, fork=True)
    assert ran.steps == STEPS
    assert not ran.comments
    assert 'report/loss.png in the artifact "report"' in ran.summary
    assert "![" not in ran.summary
    assert "**This pull request and origin/main (" in ran.summary
    assert "No metric differs." in ran.summary
    assert "No parameter differs." in ran.summary


@pytest.mark.slow
def test_other_bytes_are_told_in_the_comment_and_the_run_is_red(push):
    """The report's second line says what came of rebuilding the committed results."""
    ran = push(wrong=range(5), verified=1)
    assert ran.failed == ["Fail where the committed results are not those of the commit"]
    text = report_rules.check(ran.comments[TITLE])
    assert text.splitlines()[2] == "HEAD was looked at."


def test_missing_results_are_told_in_the_comment_and_the_run_is_red(push):
    """The committed file of the base lies there: it is not the one of this run."""
    ran = push(wrong=range(5), missing="metrics/evaluate.json")
    assert ran.failed == ["Write the report"]
    assert ran.steps[-1] == "Comment"
    said = "**No verdict:** the results of this pull request are incomplete: metrics/evaluate.json"
    assert said in report_rules.check(ran.comments[TITLE])
    assert said in ran.summary


@pytest.mark.slow
def test_a_base_without_results(upstream, push):
    upstream.git("rm", "-r", "--quiet", "plots", "metrics", "dvc.lock")
    upstream.commit("no results")
    text = report_rules.check(push(wrong=range(5)).comments[TITLE])
    assert re.search(
        r"\*\*No verdict:\*\* origin/main \(\w{7}\) has no plots/predictions.csv", text
    )
    assert "misclassified_base" not in text
    row = next(line for line in text.splitlines() if "| Accuracy" in line)
    assert [cell.strip() for cell in row.split("|")][2:4] == ["-", "0.9750 (0.0000 to 1.0000)"]
