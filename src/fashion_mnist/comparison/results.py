"""What a revision reports: its metrics and its predictions of the test split."""

import io
import json
from dataclasses import dataclass

import pandas as pd

from fashion_mnist.comparison import recorded
from fashion_mnist.comparison.revisions import Revision
from fashion_mnist.pipeline.errors import UserError

METRICS = ("metrics/evaluate.json", "metrics/train.json")
PREDICTIONS = "plots/predictions.csv"
COLUMNS = ["index", "actual", "predicted"]
NAMED = 3  # classes that a message names

Metrics = dict[str, float]
"""Figures by name."""


def read_metrics(revision: Revision) -> Metrics:
    """All metrics of a revision, those of the test split first; empty where it has none.

    Raises:
        UserError: a file is no JSON object, as after a merge with conflicts.
    """
    metrics: Metrics = {}
    for path, content in revision.read_all(METRICS).items():
        if content is None:
            continue
        try:
            figures = dict(json.loads(content))
        except (TypeError, ValueError) as error:
            raise UserError(f"{revision.name}: {path} is no JSON object ({error})") from None
        metrics |= {name: figure for name, figure in figures.items() if _is_number(figure)}
    return metrics


def _is_number(figure: object) -> bool:
    return isinstance(figure, int | float) and not isinstance(figure, bool)


@dataclass(frozen=True)
class Predictions:
    """Predictions of the test split.

    Attributes:
        revision: the name of the revision that made them.
        table: a row for each image, by its index in the split; columns `actual` and `predicted`
            hold labels such as "6 Shirt".
        images: SHA-256 of the IDX file with the test images; None where dvc.lock does not tell.
    """

    revision: str
    table: pd.DataFrame
    images: str | None = None

    @property
    def correct(self) -> pd.Series:
        """Whether each image is classified correctly, bool, by index."""
        return self.table["actual"] == self.table["predicted"]


def read_predictions(revision: Revision) -> Predictions:
    """The predictions that a revision keeps.

    Raises:
        UserError: it has none, or they are not what the stage evaluate writes.
    """
    content = revision.read(PREDICTIONS)
    if content is None:
        raise UserError(
            f"{revision.name} has no {PREDICTIONS}; `dvc repro` writes it, and it is committed "
            "together with dvc.lock"
        )
    try:
        table = pd.read_csv(
            io.BytesIO(content), usecols=COLUMNS, dtype={"actual": str, "predicted": str}
        )
    except ValueError as error:  # pandas' parser errors are ValueErrors too
        raise UserError(f"{revision.name}: {PREDICTIONS} cannot be read: {error}") from None
    if table.empty or table.isna().any(axis=None) or table["index"].duplicated().any():
        raise UserError(
            f"{revision.name}: {PREDICTIONS} is damaged: no rows, empty cells or an index twice"
        )
    return Predictions(
        revision.name, table.set_index("index").sort_index(), _digest_of_images(revision)
    )


def _digest_of_images(revision: Revision) -> str | None:
    try:
        fetch = recorded.read_stages(revision, recorded.LOCK)["fetch"]
        return str(fetch["params"]["params.yaml"]["fetch"]["sha256"]["test"]["images"])
    except (KeyError, TypeError, ValueError):
        return None


def check_same_test_set(old: Predictions, new: Predictions) -> None:
    """Pairs need the same images on both sides.

    Raises:
        UserError: the two differ in their classes, in the number of images, in their indices or
            true classes, or in the images.
    """
    advice = "only predictions of the same test set can be compared"
    was, now = (set(predictions.table["actual"]) for predictions in (old, new))
    if was != now:
        alone = [
            f"{predictions.revision} alone has {', '.join(sorted(names)[:NAMED])}"
            + f" and {len(names) - NAMED} more" * (len(names) > NAMED)
            for predictions, names in ((old, was - now), (new, now - was))
            if names
        ]
        raise UserError(f"the classes differ: {'; '.join(alone)}; {advice}")
    if len(old.table) != len(new.table):
        raise UserError(
            f"{old.revision} predicts {len(old.table)} images and {new.revision} "
            f"{len(new.table)}; {advice}"
        )
    if not old.table.index.equals(new.table.index):
        raise UserError(
            f"{old.revision} and {new.revision} number their images differently; {advice}"
        )
    other = old.table["actual"] != new.table["actual"]
    if other.any():
        raise UserError(
            f"the true classes of {old.revision} and {new.revision} differ at {other.sum()} "
            f"images, first at index {other.idxmax()}; {advice}"
        )
    if old.images and new.images and old.images != new.images:
        raise UserError(
            f"the test images of {old.revision} and {new.revision} differ "
            f"(fetch.sha256.test.images); {advice}"
        )
