"""SPACE.yaml: what is refused before anything runs, and what a trial may get."""

import optuna
import pytest

from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.recipes.recipes import options
from fashion_mnist.search.space import read_space


@pytest.fixture
def space(tmp_path):
    def make(text):
        path = tmp_path / "space.yaml"
        path.write_text(text)
        return read_space(path, Parameters().model_dump())

    return make


def test_ranges_choices_and_fixed_values(space):
    made = space(
        "train.lr: {low: 0.001, high: 0.1, log: true}\n"
        "train.batch_size: {low: 32, high: 256}\n"
        "train.optimizer: [adamw, sgd]\n"
        "train.augment.flip: [true, false]\n"
        "train.epochs: 3\n"
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = [made.suggest(study.ask()) for _ in range(50)]
    assert {one["train.epochs"] for one in found} == {3}
    assert {one["train.optimizer"] for one in found} == {"adamw", "sgd"}
    assert {one["train.augment.flip"] for one in found} == {True, False}
    assert all(0.001 <= one["train.lr"] <= 0.1 for one in found)
    assert all(len(f"{one['train.lr']:e}".split("e")[0].rstrip("0")) <= 4 for one in found)
    assert {type(one["train.batch_size"]) for one in found} == {int}
    # an even spread over logarithms: half of them below the geometric mean
    assert 15 <= sum(one["train.lr"] < 0.01 for one in found) <= 35


def test_a_rounded_value_stays_in_its_range(space):
    made = space("train.lr: {low: 0.0012345, high: 0.0012346}")
    study = optuna.create_study()
    assert 0.0012345 <= made.suggest(study.ask())["train.lr"] <= 0.0012346


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.lrr: [0.1]", "unknown key train.lrr; did you mean `lr`?"),
        ("train.lr.peak: [0.1]", "unknown key train.lr.peak: lr holds a value"),
        ("lr: [0.1, 0.2]", "unknown key lr"),
        ("train.lr: {low: -1, high: 1}", "train.lr is -1: give a number"),
        ("train.lr: {low: 0.1, high: 1000}", "train.lr is 1000: give a number"),
        ("train.lr: {low: 0.1, high: 0.1}", "train.lr: low is 0.1, which is not below 0.1"),
        ("train.lr: {low: 0.1}", "train.lr.high is missing: give a number"),
        ("train.lr: {low: 0.1, top: 1}", "unknown key train.lr.top"),
        ("train.lr: {low: a, high: 1}", "train.lr.low is the text 'a': give a number"),
        ("train.dropout: {low: 0, high: 0.5, log: true}", "a logarithmic range begins above 0"),
        ("train.batch_size: {low: 1.5, high: 8}", "train.batch_size is 1.5: give a whole number"),
        ("train.optimizer: [adam, adamm]", "train.optimizer is the text 'adamm': give one of"),
        ("train.optimizer: {low: 1, high: 2}", "train.optimizer is 1: give one of"),
        ("train.optimizer: []", "train.optimizer has no values to choose from"),
        ("train.epochs: 3", "nothing to choose: give a range or a list of values"),
        ("train.seed: [0, 1]", "train.seed is no part of a recipe"),
        ("evaluate.batch_size: [100, 200]", "evaluate.batch_size is no part of a recipe"),
        ("prepare.validation_size: [100, 200]", "prepare.validation_size is no part of a recipe"),
        ("train: {low: 0, high: 1}", "train is 0: give a mapping with the keys"),
        ("", "the file is empty"),
        ("- a", "the top level must be a mapping"),
        ("train.lr: [0.1\n", "space.yaml, line 2"),
    ],
)
def test_a_mistake_is_one_clear_message(text, message, space):
    with pytest.raises(UserError) as raised:
        space(text)
    assert message in str(raised.value)
    assert "space.yaml" in str(raised.value)


@pytest.mark.parametrize("lines", [slice(None), slice(None, None, -1)])
def test_what_is_fixed_decides_what_else_is_allowed(space, lines):
    """Wherever it stands in the file."""
    text = ["train.arithmetic: native", "train.precision: [float32, bfloat16]"]
    assert space("\n".join(text[lines])).choices == {"train.precision": ["float32", "bfloat16"]}


def test_options_are_words_of_dvc():
    settings = {"train.lr": 1e-05, "train.augment.flip": True, "model.name": "plain"}
    assert options(settings) == [
        *("-S", "train.lr=1e-05"),
        *("-S", "train.augment.flip=true"),
        *("-S", "model.name=plain"),
    ]
