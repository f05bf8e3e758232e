"""Running the shell blocks of a GitHub workflow in a clone, as a pull request's run would.

`make` and `cml` are stubs, first on the path: the one puts into the clone the results that the
pipeline would make, the other keeps what it is asked to post. Actions (`uses:`) are not run.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from results_repository import PROJECT

MAKE = """#!/bin/sh
echo "make $*" >> "$CALLS"
case "$1" in
  results) cp -r "$RESULTS"/. . ;;
  verified) echo "HEAD was looked at." > verified.txt; exit "$VERIFIED" ;;
esac
"""
CML = """#!/bin/sh
# Stands for CML 0.20.6: update changes the comment with the same title, or makes the first one.
echo "cml $*" >> "$CALLS"
test "$1 $2 $3" = "comment update --target=pr" || exit 64
test "$#" = 5 && test -n "$REPO_TOKEN" || exit 65
case "$4" in --watermark-title=?*) title="${4#--watermark-title=}" ;; *) exit 66 ;; esac
rm -rf "$COMMENTS/$title" && mkdir -p "$COMMENTS/$title"
cp "$5" "$COMMENTS/$title/report.md" && cp -r report "$COMMENTS/$title/"
"""


@dataclass
class Run:
    """One run of a job.

    Attributes:
        steps: names of the shell blocks that ran.
        failed: those of them that failed.
        output: what they printed.
        summary: what went to the step summary.
        calls: command lines of the stubs.
        comments: folders of the comments on the pull request, over all pushes, by title.
    """

    steps: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    output: str = ""
    summary: str = ""
    calls: list[str] = field(default_factory=list)
    comments: dict[str, Path] = field(default_factory=dict)


def load(name: str) -> dict:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    return yaml.safe_load((PROJECT / ".github/workflows" / name).read_text())


def run(
    job: dict,
    clone: Path,
    work: Path,
    make_results: Callable[[Path], None],
    *,
    fork: bool,
    verified: int = 0,
) -> Run:
    """Run the job's shell blocks in a clone.

    Args:
        job: of a workflow.
        clone: the checkout.
        work: a folder for stubs, comments and temporary files, one for all pushes.
        make_results: writes into a folder what `make repro` puts into the checkout.
        fork: whether the pull request comes from one.
        verified: the status with which `make verified` ends.
    """
    results, binaries, comments = (work / name for name in ("results", "bin", "comments"))
    for folder in (results, binaries, comments):
        folder.mkdir(parents=True, exist_ok=True)
    make_results(results)
    for name, content in (("make", MAKE), ("cml", CML)):
        (binaries / name).write_text(content)
        (binaries / name).chmod(0o755)
    _console_script(clone)
    calls, summary = work / "calls", work / "summary"
    for file in (calls, summary):
        file.write_text("")
    context = {
        "github.repository": "owner/project",
        "github.event.pull_request.head.repo.full_name": "fork/project"
        if fork
        else "owner/project",
        "github.base_ref": "main",
        "github.token": "a-token",
    }
    runner = {
        "HOME": str(work),
        "CI": "true",
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(summary),
        "CALLS": str(calls),
        "COMMENTS": str(comments),
        "RESULTS": str(results),
        "VERIFIED": str(verified),
        "DVC_NO_ANALYTICS": "1",
    }
    done = Run()
    for step in job["steps"]:
        if "run" not in step or not _holds(step.get("if"), context, done.failed):
            continue
        own = {key: _fill(str(value), context) for key, value in step.get("env", {}).items()}
        assert "${{" not in step["run"], "a value of the event must not become part of a command"
        shell = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=clone,
            env={**runner, **own},
            capture_output=True,
            text=True,
            check=False,
        )
        done.output += f"{step['name']}: {shell.stdout}{shell.stderr}\n"
        done.steps.append(step["name"])
        if shell.returncode != 0 and not step.get("continue-on-error"):
            done.failed.append(step["name"])
        if "id" in step:
            outcome = "failure" if shell.returncode else "success"
            context[f"steps.{step['id']}.outcome"] = outcome
    done.calls = calls.read_text().splitlines()
    done.summary = summary.read_text()
    done.comments = {folder.name: folder for folder in comments.iterdir()}
    return done


def _console_script(clone: Path) -> None:
    """What `make install` would put into .venv/bin, for this environment and the clone's code."""
    script = clone / ".venv/bin/fashion-mnist"
    script.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(
        PROJECT / "src",
        clone / "src",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
    )
    start = "from fashion_mnist.cli import main; main()"
    script.write_text(f'#!/bin/sh\nPYTHONPATH=src exec python -c "{start}" "$@"\n')
    script.chmod(0o755)


def _holds(condition: str | None, context: dict[str, str], failed: list[str]) -> bool:
    """After a failure only those steps run whose condition names the status (`!cancelled()`)."""
    terms = condition.removeprefix("${{").removesuffix("}}").split("&&") if condition else []
    terms = [term.strip() for term in terms]
    if "!cancelled()" in terms:
        terms.remove("!cancelled()")
    elif failed:
        return False
    return all(_compared(term, context) for term in terms)


def _compared(term: str, context: dict[str, str]) -> bool:
    left, operator, right = term.split()
    values = [
        side.strip("'") if side.startswith("'") else context.get(side, "skipped")
        for side in (left, right)
    ]
    return (values[0] == values[1]) == (operator == "==")


def _fill(text: str, context: dict[str, str]) -> str:
    return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: context[match[1]], text)
