"""What a verdict is read with."""

import pytest

from fashion_mnist.comparison.summary import Run
from fashion_mnist.report.judgement import cautions, metrics_table

RECIPE = {
    "train.lr": "0.001",
    "train.threads": "1",
    "train.arithmetic": "portable",
    "train.device": "auto",
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
        ("train.threads", "train.threads"),
        ("train.arithmetic", "train.arithmetic"),
        ("train.device", "train.device"),
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


def test_each_metric_is_judged_by_its_direction():
    base = {"accuracy": 0.9, "accuracy_low": 0.88, "accuracy_high": 0.92, "ece": 0.02, "loss": 0.4}
    base |= {"train_loss": 0.5, "parameters": 100, "same": 1}
    new = {"accuracy": 0.91, "accuracy_low": 0.89, "accuracy_high": 0.93, "ece": 0.03, "loss": 0.3}
    new |= {"train_loss": 0.4, "parameters": 200, "same": 1}
    made = metrics_table(base, new, ("main", "this pull request"))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made.splitlines()]
    assert rows[0] == ["metric", "main", "this pull request", "change", ""]
    assert rows[2:] == [
        ["accuracy", "0.9 (0.88 to 0.92)", "0.91 (0.89 to 0.93)", "+0.01", "better"],
        ["ece", "0.02", "0.03", "+0.01", "worse"],
        ["loss", "0.4", "0.3", "-0.1", "better"],
        ["train_loss", "0.5", "0.4", "-0.1", ""],
        ["parameters", "100", "200", "+100", ""],
    ]


def test_a_metric_that_one_side_lacks_is_shown_without_a_judgement():
    made = metrics_table({"accuracy": 0.9}, {"accuracy": 0.9, "ece": 0.1}, ("a", "b"))
    assert made.splitlines()[2:] == ["| ece | - | 0.1 | - |  |"]


def test_no_difference_makes_no_table():
    assert metrics_table({"accuracy": 0.9}, {"accuracy": 0.9}, ("a", "b")) is None
