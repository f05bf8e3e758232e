"""Whether a new classifier is better than an old one on the same test images."""

from dataclasses import dataclass

import pandas as pd

from fashion_mnist.comparison.results import Predictions, check_same_test_set
from fashion_mnist.comparison.statistics import (
    SIGNIFICANCE,
    Pairs,
    difference_interval,
    mcnemar_exact,
    smallest_difference,
)


@dataclass(frozen=True)
class Comparison:
    """How two revisions' predictions of one test split differ.

    Attributes:
        old, new: the revisions' names.
        pairs: images by who gets them right.
        p_value: of McNemar's exact test.
        low, high: a 95 % interval for new accuracy less old.
        visible: the smallest difference that this test set could have shown with a probability
            of 80 %; None where it could have shown none.
        same: whether both give each image the same class.
        recalls: a row for each class that occurs, largest change first; columns `old`, `new`,
            `difference`, `count`.
        gained, lost: images that only the new one gets right, or only the old one, by index;
            columns `actual` and `predicted`, the latter by the one that is wrong.
    """

    old: str
    new: str
    pairs: Pairs
    p_value: float
    low: float
    high: float
    visible: float | None
    same: bool
    recalls: pd.DataFrame
    gained: pd.DataFrame
    lost: pd.DataFrame

    @property
    def verdict(self) -> str:
        """Of the new one: better, worse, or not distinguishable."""
        if self.p_value >= SIGNIFICANCE:
            return "not distinguishable"
        return "better" if self.pairs.difference > 0 else "worse"

    @property
    def sentence(self) -> str:
        """The verdict in plain words."""
        pairs = self.pairs
        if self.same:
            return (
                f"{self.new} and {self.old} are the same on this test set: each of {pairs.count} "
                f"images gets the same class, accuracy {pairs.new:.4f}."
            )
        link = {"better": "is better than", "worse": "is worse than"}.get(
            self.verdict, "is not distinguishable from"
        )
        return (
            f"{self.new} {link} {self.old} on this test set: "
            f"accuracy {pairs.old:.4f} → {pairs.new:.4f}."
        )

    @property
    def grounds(self) -> str:
        """What the verdict rests on."""
        pairs = self.pairs
        return (
            f"Difference {pairs.difference:+.4f}, 95 % interval {self.low:+.4f} to "
            f"{self.high:+.4f}. Of {pairs.count} images {self.old} alone gets {pairs.only_old} "
            f"right, {self.new} alone {pairs.only_new}: p = {self.p_value:.2g} by McNemar's exact "
            f"test. {self._visible}"
        )

    @property
    def _visible(self) -> str:
        if self.visible is None:
            return "So few images that one alone gets right could have shown no difference."
        return (
            "The smallest difference that this test set could have shown, four times in five: "
            f"{self.visible:.4f}."
        )


def compare(old: Predictions, new: Predictions) -> Comparison:
    """Compare two sets of predictions image by image.

    Raises:
        UserError: they are of different test sets.
    """
    check_same_test_set(old, new)
    was, now = old.correct, new.correct
    pairs = Pairs(
        both=int((was & now).sum()),
        only_new=int((~was & now).sum()),
        only_old=int((was & ~now).sum()),
        neither=int((~was & ~now).sum()),
    )
    low, high = difference_interval(pairs)
    return Comparison(
        old=old.revision,
        new=new.revision,
        pairs=pairs,
        p_value=mcnemar_exact(pairs),
        low=low,
        high=high,
        visible=smallest_difference(pairs),
        same=old.table["predicted"].equals(new.table["predicted"]),
        recalls=_recalls(old, new),
        gained=old.table[~was & now],
        lost=new.table[was & ~now],
    )


def _recalls(old: Predictions, new: Predictions) -> pd.DataFrame:
    actual = old.table["actual"]
    table = pd.DataFrame({"old": old.correct, "new": new.correct}).groupby(actual).mean()
    table["difference"] = table["new"] - table["old"]
    table["count"] = actual.value_counts()
    largest_first = table["difference"].round(12).abs().sort_values(ascending=False, kind="stable")
    return table.loc[largest_first.index]
