"""A comparison as text, as Markdown and as JSON."""

import json
from collections.abc import Hashable
from typing import Any

import pandas as pd

from fashion_mnist.comparison.compare import Comparison
from fashion_mnist.comparison.metrics import changes, differing
from fashion_mnist.comparison.results import Metrics
from fashion_mnist.comparison.tables import number, table

SHOWN = 10
"""Images of each kind that text and Markdown name; JSON names all."""


def text(
    comparison: Comparison, metrics: tuple[Metrics, Metrics], *, markdown: bool = False
) -> str:
    """The verdict first, then metrics, recall by class, and images that changed sides.

    Of two that are the same in all of these the verdict says it all.
    """
    old, new = comparison.old, comparison.new
    figures = differing(*metrics, (old, new), markdown=markdown)
    if comparison.same and not figures:
        return comparison.sentence
    parts = [
        comparison.sentence,
        comparison.grounds,
        *filter(None, [figures]),
        recalls(comparison, markdown=markdown),
        _images(f"only {new} gets right", f"{old} says", comparison.gained, markdown),
        _images(f"only {old} gets right", f"{new} says", comparison.lost, markdown),
    ]
    return "\n\n".join(parts)


def recalls(comparison: Comparison, *, markdown: bool) -> str:
    """The change of each class's recall, largest first."""
    header = ["recall of", comparison.old, comparison.new, "difference"]
    rows = [
        [str(name), number(row["old"]), number(row["new"]), number(row["difference"], signed=True)]
        for name, row in comparison.recalls.iterrows()
    ]
    return table(header, rows, markdown=markdown)


def _images(kind: str, says: str, images: pd.DataFrame, markdown: bool) -> str:
    heading = f"Test images that {kind}: {len(images)}"
    if images.empty:
        return heading
    rows = [
        [str(index), *row[["actual", "predicted"]]] for index, row in images.head(SHOWN).iterrows()
    ]
    parts = [heading, table(["index", "true class", says], rows, markdown=markdown)]
    if len(images) > SHOWN:
        parts.append(f"and {len(images) - SHOWN} more, which --json lists")
    return ("\n\n" if markdown else "\n").join(parts)


def as_json(comparison: Comparison, metrics: tuple[Metrics, Metrics]) -> str:
    """Everything, for other programs; null stands for a value that a revision lacks."""
    pairs = comparison.pairs
    content = {
        "old": comparison.old,
        "new": comparison.new,
        "verdict": comparison.verdict,
        "sentence": comparison.sentence,
        "accuracy": {
            "old": pairs.old,
            "new": pairs.new,
            "difference": pairs.difference,
            "interval_95": [comparison.low, comparison.high],
            "mcnemar_p": comparison.p_value,
            "smallest_visible": comparison.visible,
        },
        "images": {
            "both": pairs.both,
            "only_new": pairs.only_new,
            "only_old": pairs.only_old,
            "neither": pairs.neither,
        },
        "metrics": [
            {
                "name": change.metric.key,
                "old": change.old,
                "new": change.new,
                "difference": change.difference,
                "direction": change.metric.direction,
            }
            for change in changes(*metrics)
        ],
        "recall": _records(comparison.recalls, "class"),
        "gained": _records(comparison.gained, "index"),
        "lost": _records(comparison.lost, "index"),
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _records(frame: pd.DataFrame, key: str) -> list[dict[Hashable, Any]]:
    named = frame.rename_axis(key).reset_index()
    return named.astype(object).where(named.notna(), None).to_dict("records")
