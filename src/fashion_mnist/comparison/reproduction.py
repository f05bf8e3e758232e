"""Whether results are the committed ones to the byte, and if not, why."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fashion_mnist.comparison import programs, recorded
from fashion_mnist.comparison.revisions import WORKSPACE, Revision
from fashion_mnist.pipeline.errors import UserError

Outcome = Literal["same", "other", "unknown"]
Lock = dict[str, Any]
"""The stages of a dvc.lock, by name, in their order."""


@dataclass(frozen=True)
class Rebuilt:
    """What rebuilding a revision's results has shown.

    Attributes:
        outcome: "same" bytes; "other" ones; "unknown" where it could not be shown.
        sentence: that says so, with the reason.
    """

    outcome: Outcome
    sentence: str


def beside_commit(workspace: Revision, head: Revision) -> str:
    """In one sentence, whether the workspace's results are the committed ones, and if not, why."""
    if recorded.fault(head):
        return f"{head.name} holds no whole results to compare these with"
    paths = recorded.result_paths(workspace)
    other = [p for p in (recorded.LOCK, *paths) if workspace.read(p) != head.read(p)]
    if not other:
        return "these are the committed results, to the byte"
    found = difference(*(recorded.read_stages(each, recorded.LOCK) for each in (head, workspace)))
    return f"these are not the committed results: {', '.join(other)} differ" + (
        f"; {found}" if found else ""
    )


def difference(old: Lock, new: Lock) -> str:
    """The first stage of two locks with other outputs or inputs, and the cause; empty for none."""
    for name in dict.fromkeys([*old, *new]):
        if name not in old or name not in new:
            return f"only one of the two has the stage {name}"
        if old[name] != new[name]:
            return f"the first stage that differs is {name}: {_cause(old[name], new[name])}"
    return ""


def _cause(old: dict[str, Any], new: dict[str, Any]) -> str:
    parameters = [_parameters(stage) for stage in (old, new)]
    keys = dict.fromkeys([*parameters[0], *parameters[1]])
    other = [key for key in keys if parameters[0].get(key) != parameters[1].get(key)]
    if other:
        return f"it ran with other parameters ({', '.join(other)})"
    inputs, outs = (
        [{entry["path"]: entry.get("md5") for entry in stage.get(kind, [])} for stage in (old, new)]
        for kind in ("deps", "outs")
    )
    paths = dict.fromkeys([*inputs[0], *inputs[1]])
    changed = [path for path in paths if inputs[0].get(path) != inputs[1].get(path)]
    if changed:
        kind = "code" if all(p.startswith(("src/", "stages/")) for p in changed) else "data"
        return f"it ran with other {kind} ({', '.join(changed)})"
    made = [path for path in outs[1] if outs[0].get(path) != outs[1][path]]
    if not made:
        return "its command or the list of its outputs is another"
    return f"from the same inputs it made other bytes ({', '.join(made)}); {_reason(parameters[1])}"


def _parameters(stage: dict[str, Any]) -> dict[str, str]:
    sections = stage.get("params", {}).values()
    return {key: value for each in sections for key, value in recorded.flat(each).items()}


def is_native(parameters: dict[str, str]) -> bool:
    """Whether a stage computed in native arithmetic, by its parameters."""
    return "native" in arithmetics(parameters)


def arithmetics(parameters: dict[str, str]) -> set[str]:
    """The kinds of arithmetic that a stage's parameters name."""
    return {value for key, value in parameters.items() if key.endswith(".arithmetic")}


def _reason(parameters: dict[str, str]) -> str:
    """Why the same inputs may have given other bytes here."""
    import torch

    from fashion_mnist.model import devices, kernels

    if is_native(parameters):
        return "its arithmetic is native, which differs between processors"
    if "avx2" in arithmetics(parameters):
        if hindrance := kernels.hindrance(devices.resolve("auto")):
            return hindrance
        return "its arithmetic is avx2, which differs between numbers of threads and of processes"
    tested = _tested_torch()
    if tested and torch.__version__.partition("+")[0] != tested:
        return f"PyTorch here is {torch.__version__}, and {tested} was tested"
    return "no reason is known: please report it, with the processor's name"


def _tested_torch() -> str | None:
    path = Path(__file__).parents[3] / "requirements/torch.txt"
    locked = re.search(r"^torch==(\S+)", path.read_text(), re.MULTILINE) if path.exists() else None
    return locked[1] if locked else None


def rebuild(revision: Revision, minutes: float) -> Rebuilt:
    """Run a revision's pipeline from nothing, in a temporary copy, and compare the bytes.

    The copy has neither DVC's cache nor its run cache, and its stages run the revision's own code
    in this environment. Data that lie in data/raw are used, since content decides. What DVC prints
    goes to stderr.

    Args:
        revision: of a commit.
        minutes: after which the pipeline is stopped and nothing is known.

    Raises:
        UserError: the revision has no whole results, or its pipeline fails.
    """
    if revision.sha is None:
        raise UserError("verify rebuilds the results of a commit, branch, tag or experiment")
    recorded.check_whole(revision)
    committed = recorded.read_stages(revision, recorded.LOCK)
    with _copy(revision) as folder:
        try:
            subprocess.run(
                [sys.executable, "-m", "dvc", "repro"],
                cwd=folder,
                env=_environment(revision.root),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),
                timeout=minutes * 60,
                check=True,
            )
        except subprocess.TimeoutExpired:
            reason = f"it was not rebuilt within {minutes:g} minutes"
            return Rebuilt("unknown", f"{revision.name} could not be verified: {reason}.")
        except subprocess.CalledProcessError:
            raise UserError(
                f"{revision.name} cannot be rebuilt: its pipeline failed, as shown above"
            ) from None
        made = Revision(WORKSPACE, None, folder)
        paths = recorded.result_paths(revision)
        same = all(made.read(path) == revision.read(path) for path in paths)
        rebuilt = recorded.read_stages(made, recorded.LOCK)
    if same and committed == rebuilt:
        return Rebuilt("same", f"{revision.name} was rebuilt here from nothing, to the byte.")
    why = difference(committed, rebuilt)
    if any(is_native(_parameters(stage)) for stage in committed.values()):
        return Rebuilt("unknown", f"{revision.name} could not be verified: {why}.")
    return Rebuilt("other", f"{revision.name} gives other bytes here: {why}.")


@contextmanager
def _copy(revision: Revision) -> Iterator[Path]:
    """The files of a revision in a folder of their own, for DVC without Git."""
    archived = ("archive", "--format=tar", str(revision.sha))
    files = programs.run(programs.GIT, *archived, folder=revision.root)
    with tempfile.TemporaryDirectory(prefix="fashion-mnist-verify-") as name:
        folder = Path(name)
        with tarfile.open(fileobj=io.BytesIO(files)) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
            archive.extractall(folder)
        for path in (recorded.LOCK, *recorded.result_paths(revision)):
            (folder / path).unlink()
        # A cache of its own too: a shared one would give back what ought to be made anew
        own = "[core]\n    no_scm = true\n[cache]\n    dir = cache\n"
        (folder / ".dvc/config.local").write_text(own)
        if (raw := revision.root / "data/raw").is_dir():
            shutil.copytree(raw, folder / "data/raw")  # fetch replaces what is not the commit's
        yield folder


def _environment(root: Path) -> dict[str, str]:
    """This environment for a DVC of its own: its `python` is the one that runs this."""
    found = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    found["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", "")])
    if named := found.get("FASHION_MNIST_DIR"):
        found["FASHION_MNIST_DIR"] = str(root / named)
    return found
