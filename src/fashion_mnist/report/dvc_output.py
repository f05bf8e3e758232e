"""What DVC says of two revisions: its own tables and its own plots."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fashion_mnist.errors import UserError

PRECISION = "8"
"""Decimals. Metrics have six significant digits: of a change from 1.2e-5 to 1.3e-5 some remain."""


def table(kind: str, base: str, root: Path) -> str | None:
    """What `dvc metrics diff` or `dvc params diff` finds between base and workspace.

    Args:
        kind: metrics or params.
        base: a revision.
        root: the repository.

    Returns:
        A Markdown table, or None where nothing differs (DVC prints a header without rows then).

    Raises:
        UserError: DVC failed.
    """
    precision = ["--precision", PRECISION] if kind == "metrics" else []
    lines = _dvc(root, kind, "diff", base, "--md", *precision).strip().splitlines()
    return "\n".join(lines) if len(lines) > 2 else None


def vega(base: str, root: Path, plots: list[str]) -> dict[str, dict[str, Any]]:
    """The Vega-Lite specifications that `dvc plots diff` draws of base and workspace.

    Args:
        base: a revision; it may lack some of the plots, or all.
        root: the repository.
        plots: ids, as in dvc.yaml.

    Returns:
        A specification, data included, for each plot that either has.

    Raises:
        UserError: DVC failed.
    """
    shown = json.loads(_dvc(root, "plots", "diff", base, "--json", "--targets", *plots))
    drawn = shown.get("data", {})
    return {
        plot: entry["content"]
        for plot in plots
        for entry in drawn.get(plot, [])
        if entry["type"] == "vega"
    }


def _dvc(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.strip() or f"status {done.returncode}"
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {reason}")
    return done.stdout
