"""What a verdict is read with."""

import pytest

from fashion_mnist.comparison.summary import Run
from fashion_mnist.report.judgement import cautions

RECIPE = {
    "train.lr": "0.001",
    "train.arithmetic": "portable",
    "data/raw": "aa",
    "src/fashion_mnist/data": "bb",
    "src/fashion_mnist/training": "cc",
    "src/fashion_mnist/evaluation": "dd",
    "stages/train.py": "ee",
}


def run(seed=0, **changes):
    return Run("a run", seed, RECIPE | changes, {"accuracy": 0.9})


def test_a_change_of_parameters_alone_is_only_of_one_seed():
    (only,) = cautions(run(), run(**{"train.lr": "0.01"}))
    assert only.startswith("One seed each")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("data/raw", "the data or how they are prepared"),
        ("src/fashion_mnist/data", "the data or how they are prepared"),
        ("src/fashion_mnist/training", "the code of training"),
        ("stages/train.py", "the code of training"),
        ("src/fashion_mnist/evaluation", "the code of evaluation"),
        ("train.arithmetic", "train.arithmetic"),
        ("evaluate.arithmetic", "evaluate.arithmetic"),
        ("train.precision", "train.precision"),
    ],
)
def test_what_else_changed_is_told_first(key, told):
    first, *_ = cautions(run(), run(**{key: "other"}))
    assert first.startswith(f"Besides the parameters {told} changed as well")


def test_all_causes_stand_in_one_sentence():
    first, *_ = cautions(run(), run(seed=1, **{"data/raw": "x", "stages/train.py": "x"}))
    assert first.startswith(
        "Besides the parameters train.seed (0 → 1), the data or how they are prepared and the code "
        "of training changed as well"
    )


def test_native_arithmetic_makes_the_processor_a_cause():
    native = {"train.arithmetic": "native"}
    found = cautions(run(**native), run(**native))
    assert found[0] == "Native arithmetic: another processor acts like another seed."
