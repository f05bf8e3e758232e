"""Whether variants are better than a baseline, and a summary of them as text and as JSON."""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

from fashion_mnist.comparison.results import (
    Predictions,
    check_same_test_set,
    read_predictions,
)
from fashion_mnist.comparison.seeds import (
    FEWEST,
    Difference,
    Floats,
    difference,
    holm,
    seeds_needed,
)
from fashion_mnist.comparison.statistics import SIGNIFICANCE
from fashion_mnist.comparison.summary import FIGURES, Summary, Variant, spread
from fashion_mnist.comparison.tables import WIDTH, fitted, table
from fashion_mnist.pipeline.errors import UserError

LOOKED_FOR = 0.002
"""The difference of accuracies for which the number of seeds is told."""


@dataclass(frozen=True)
class Verdict:
    """A variant beside the baseline.

    Attributes:
        grounds: in words: the difference with its interval, or why there is none.
        word: better, worse, not distinguishable, or None where nothing can be said.
        found: the difference of mean test accuracies; None where a recipe has one seed, or test
            predictions of either are missing or of another test set.
        p_value: that it equals the baseline, for all comparisons together.
        needed: seeds of each recipe to see `LOOKED_FOR`; None for none that would do.
    """

    grounds: str
    word: str | None = None
    found: Difference | None = None
    p_value: float | None = None
    needed: int | None = None

    def sentence(self, variant: str, baseline: str) -> str:
        """The verdict in plain words."""
        if self.word is None:
            return f"{variant}: {self.grounds}"
        link = "from" if self.word == "not distinguishable" else "than"
        return f"{variant} is {self.word} {link} {baseline}: {self.grounds}"


def judge(summary: Summary) -> list[Verdict | None]:
    """The verdict on each variant, in their order; None for the baseline and without one.

    Several variants are held to 5 % together.
    """
    baseline = summary.baseline
    if baseline is None:
        return [None] * len(summary.variants)
    measured = [
        None if variant is baseline else _measured(baseline, variant)
        for variant in summary.variants
    ]
    compared = [of for of in measured if isinstance(of, _Measured)]
    together = iter(holm([float(of.found.p_value) for of in compared]))
    return [
        of.verdict(next(together), len(compared)) if isinstance(of, _Measured) else of
        for of in measured
    ]


@dataclass(frozen=True)
class _Measured:
    """The difference to the baseline, from so many seeds of each on so many images.

    On `differing` of them the seeds' mean correctness differs.
    """

    found: Difference
    seeds: tuple[int, int]
    images: int
    differing: int

    def verdict(self, p_value: float, comparisons: int) -> Verdict:
        """The verdict by the p-value of all comparisons together."""
        found, word = self.found, "not distinguishable"
        if p_value < SIGNIFICANCE:
            word = "better" if found.value > 0 else "worse"
        together = f" for {comparisons} comparisons together (Holm)" if comparisons > 1 else ""
        if self.differing < FEWEST:
            needed = None
            outlook = f"they differ on {self.differing} images, too few to show a difference"
        else:
            needed = seeds_needed(found, LOOKED_FOR)
            seeds = "no number of seeds" if needed is None else f"{needed} seeds of each"
            outlook = f"to see a difference of {LOOKED_FOR} four times in five, {seeds} would do"
        return Verdict(
            f"test accuracy {found.value:+.4f}, 95 % interval {found.low:+.4f} to "
            f"{found.high:+.4f}, p = {p_value:.2g}{together}, from {self.seeds[0]} and "
            f"{self.seeds[1]} seeds on {self.images} images; {outlook}",
            word,
            found,
            p_value,
            needed,
        )


def _measured(baseline: Variant, variant: Variant) -> _Measured | Verdict:
    """The difference, or the verdict that there is none."""
    lonely = [of for of, v in (("it", variant), ("the baseline", baseline)) if len(v.by_seed) < 2]
    if lonely:
        return Verdict(
            f"one seed of {' and one of '.join(lonely)}; no interval over seeds can be given"
        )
    try:
        old, new = _correct([baseline, variant])
    except UserError as reason:
        return Verdict(f"no comparison; {reason}")
    images = old.shape[-1]
    if images < 2:
        return Verdict("one test image; no interval over images can be given")
    differing = int(np.count_nonzero(new.mean(0) - old.mean(0)))
    return _Measured(difference(old, new), (len(new), len(old)), images, differing)


def _correct(variants: Sequence[Variant]) -> list[Floats]:
    """Of each variant, seeds × images: the share of the seed's runs that are right.

    Raises:
        UserError: a run has no predictions, or those of another test set.
    """
    first: Predictions | None = None
    found = []
    for variant in variants:
        rows = []
        for runs in variant.by_seed.values():
            predictions = [read_predictions(run.revision) for run in runs]
            first = first or predictions[0]
            for other in predictions:
                check_same_test_set(first, other)
            rows.append(np.mean([made.correct.to_numpy(float) for made in predictions], axis=0))
        found.append(np.stack(rows))
    return found


def text(summary: Summary, verdicts: Sequence[Verdict | None], *, markdown: bool = False) -> str:
    """What the variants share, a row for each, and a sentence for each but the baseline.

    A row holds the number of seeds, and mean ± standard deviation over them of each figure.
    """
    header = ["variant", "seeds", *(figure.replace("_", " ") for figure in FIGURES)]
    rows, sentences, baseline = [], [], ""
    for number, variant in enumerate(summary.variants, 1):
        name = f"{number}: {variant.name}"
        if variant is summary.baseline:
            name, baseline = f"{name} (baseline)", f"{number}, the baseline"
        figures = [spread(variant.values(figure)) for figure in FIGURES]
        rows.append([name, str(len(variant.by_seed)), *figures])
    for number, verdict in enumerate(verdicts, 1):
        if verdict is not None:
            sentences.append(f"{verdict.sentence(str(number), baseline)}.")
    above = [f"{key}={value} (baseline {was})" for key, (value, was) in summary.shared.items()]
    parts = [f"All but the baseline: {', '.join(above)}."] if above else []
    if markdown:
        return "\n\n".join([*parts, table(header, rows, markdown=True), *sentences])
    lines = [textwrap.fill(part, WIDTH, break_on_hyphens=False) for part in parts]
    verdict_lines = [
        textwrap.fill(one, WIDTH, subsequent_indent="   ", break_on_hyphens=False)
        for one in sentences
    ]
    shown = [*lines, table(header, fitted(header, rows)), "\n".join(verdict_lines)]
    return "\n\n".join(part for part in shown if part)


def as_json(summary: Summary, verdicts: Sequence[Verdict | None]) -> str:
    """Everything, for other programs; a standard deviation of a single seed is null."""
    content = [
        {
            "variant": variant.name,
            "baseline": variant is summary.baseline,
            "runs": {run.name: run.seed for run in variant.runs},
            **{
                figure: {
                    "count": len(values),
                    "mean": mean(values) if values else None,
                    "standard_deviation": stdev(values) if len(values) > 1 else None,
                }
                for figure in FIGURES
                for values in [variant.values(figure)]
            },
            "against_baseline": verdict and _record(verdict, variant.name),
        }
        for variant, verdict in zip(summary.variants, verdicts, strict=True)
    ]
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _record(verdict: Verdict, variant: str) -> dict[str, object]:
    found = verdict.found
    return {
        "verdict": verdict.word,
        "sentence": verdict.sentence(variant, "the baseline"),
        "difference": None if found is None else float(found.value),
        "interval_95": None if found is None else [float(found.low), float(found.high)],
        "p_holm": verdict.p_value,
        f"seeds_to_see_{LOOKED_FOR}": verdict.needed,
    }
