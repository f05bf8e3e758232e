"""What a metric is. The stage that makes it has its row, and all that shows it reads the row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

V = TypeVar("V")


@dataclass(frozen=True)
class Metric:
    """A row of a stage's table of metrics.

    Attributes:
        key: its name in metrics/*.json.
        title: its name for readers.
        direction: which values are better; "none" where neither is.
        digits: shown after the point.
    """

    key: str
    title: str
    direction: Literal["higher", "lower", "none"] = "none"
    digits: int = 4

    def shown(self, value: float, *, signed: bool = False) -> str:
        """The value with its digits; with three significant ones where they would show zero."""
        sign = "+" if signed and value else ""
        text = f"{value:{sign},.{self.digits}f}"
        return text if not value or text.strip("+-0.") else f"{value:{sign}.3g}"

    def judged(self, difference: float) -> str:
        """ "better" or "worse", or nothing where there is no such thing."""
        if self.direction == "none" or not difference:
            return ""
        return "better" if (difference > 0) == (self.direction == "higher") else "worse"


def in_order(metrics: Sequence[Metric], figures: Mapping[str, V]) -> dict[str, V]:
    """Figures by key in the order of their rows.

    Raises:
        ValueError: a figure has no row; its key is named.
    """
    if missing := figures.keys() - {metric.key for metric in metrics}:
        raise ValueError(f"METRICS has no row for {', '.join(sorted(missing))}")
    return {metric.key: figures[metric.key] for metric in metrics if metric.key in figures}
