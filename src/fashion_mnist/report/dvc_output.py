"""What DVC says of two revisions: its own table of parameters and its own plots."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fashion_mnist.comparison import programs
from fashion_mnist.comparison.revisions import WORKSPACE
from fashion_mnist.pipeline.errors import UserError


def parameters(base: str, root: Path) -> str | None:
    """What `dvc params diff` finds between base and workspace.

    Args:
        base: a revision.
        root: the repository.

    Returns:
        A Markdown table, or None where nothing differs (DVC prints a header without rows then).

    Raises:
        UserError: DVC failed, or did not end in time.
    """
    lines = _dvc(root, "params", "diff", base, "--md").strip().splitlines()
    return "\n".join(lines) if len(lines) > 2 else None


def vega(base: str | None, root: Path) -> dict[str, dict[str, Any]]:
    """The Vega-Lite specifications that `dvc plots` draws of base and workspace.

    Args:
        base: a revision, which may lack some of the plots, or all; None for the workspace alone.
        root: the repository.

    Returns:
        A specification, data included, for each plot that either has, by its id in dvc.yaml.

    Raises:
        UserError: DVC failed, did not end in time, or cannot read dvc.yaml or dvc.lock of the
            workspace.
    """
    what = ["show"] if base is None else ["diff", base]
    with TemporaryDirectory() as pictures:  # `dvc plots` also writes images, which are not needed
        shown = json.loads(_dvc(root, "plots", *what, "--json", "--out", pictures))
    for error in shown.get("errors", []):  # DVC ends with 0; an error with a name is one file's
        if error["rev"] == WORKSPACE and "name" not in error:
            raise UserError(f"{WORKSPACE}: {error['msg']}")
    return {
        plot: entry["content"]
        for plot, entries in shown.get("data", {}).items()
        for entry in entries
        if entry["type"] == "vega"
    }


def _dvc(root: Path, *arguments: str) -> str:
    return programs.run(programs.DVC, *arguments, folder=root).decode()
