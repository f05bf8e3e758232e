"""What DVC says of two revisions: its own tables and its own plots."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fashion_mnist.comparison import commands
from fashion_mnist.comparison.revisions import WORKSPACE
from fashion_mnist.pipeline.errors import UserError

COLOURS = ("#13adc7", "#945dd6")
"""Of base and workspace: DVC's own two, which it gives out by what a plot happens to hold."""

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
        UserError: DVC failed, or did not end in time.
    """
    precision = ["--precision", PRECISION] if kind == "metrics" else []
    lines = _dvc(root, kind, "diff", base, "--md", *precision).strip().splitlines()
    return "\n".join(lines) if len(lines) > 2 else None


def vega(base: str | None, root: Path) -> dict[str, dict[str, Any]]:
    """The Vega-Lite specifications that `dvc plots` draws of base and workspace.

    Args:
        base: a revision, which may lack some of the plots, or all; None for the workspace alone.
        root: the repository.

    Returns:
        A specification, data included, for each plot that either has, by its id in dvc.yaml. The
        base comes first and has the same colour in all of them.

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
        plot: entry["content"] if base is None else _base_first(entry["content"], base)
        for plot, entries in shown.get("data", {}).items()
        for entry in entries
        if entry["type"] == "vega"
    }


def _base_first(part: Any, base: str) -> Any:
    """A part of a specification in which whatever is encoded by revision has the base first."""
    if isinstance(part, list):
        return [_base_first(element, base) for element in part]
    if not isinstance(part, dict):
        return part
    part = {key: _base_first(value, base) for key, value in part.items()}
    order = [base, WORKSPACE]
    if part.get("field") == "rev" and "sort" in part:
        part["sort"] = order
    if part.get("domain") and "range" in part and set(part["domain"]) <= set(order):
        colour = dict(zip(order, COLOURS, strict=True))
        part["domain"] = [revision for revision in order if revision in part["domain"]]
        part["range"] = [colour[revision] for revision in part["domain"]]
    return part


def _dvc(root: Path, *arguments: str) -> str:
    return commands.run(commands.DVC, *arguments, folder=root).decode()
