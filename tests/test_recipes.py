"""The recipes are runs that the pipeline accepts, and what is told of them was recorded."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import machine
import pandas as pd
import pytest
import results
import variants
from pydantic import BaseModel
from ruamel.yaml import YAML
from small import PROJECT, params_text

from fashion_mnist.comparison.recorded import flat
from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline.parameters import load

RECIPES = sorted((PROJECT / "recipes").iterdir())
README = (PROJECT / "README.md").read_text(encoding="utf-8")
FREE = {f"train.{key}" for key in ("seed", "device", "threads", "processes", "tensorboard")}
FREE |= {"prepare.classes"}
"""Where and how often a recipe runs, and on what data: no part of it."""


def keys(schema: type[BaseModel], prefix: str) -> Iterator[str]:
    """The dotted keys of a section of params.yaml."""
    for name, field in schema.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}"


def values(recipe: Path) -> dict[str, object]:
    """What a recipe sets, by dotted key, one key a line."""
    lines = recipe.read_text().splitlines()
    changes = dict(re.fullmatch(r"-S (\S+?)=(\S+)", line).groups() for line in lines)
    assert len(changes) == len(lines)
    return {key: YAML(typ="safe").load(value) for key, value in changes.items()}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_says_all_that_a_recipe_decides(recipe):
    """Or one that is run after another, or queued, inherits what the workspace holds."""
    sections = (
        keys(Parameters.model_fields[s].annotation, s) for s in ("prepare", "model", "train")
    )
    assert set(values(recipe)) == {key for section in sections for key in section} - FREE


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_what_dvc_takes_and_check_accepts(recipe, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(params_text(**values(recipe)))
    load(Parameters, path=path)


def test_the_default_recipe_brings_the_committed_parameters_back():
    committed = flat(YAML(typ="safe").load(PROJECT / "params.yaml"))
    recipe = {key: str(value) for key, value in values(PROJECT / "recipes/default").items()}
    assert recipe.items() <= committed.items()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_readme_tells_how_to_run_a_recipe(recipe):
    assert f"$ dvc exp run $(cat recipes/{recipe.name})" in README


def test_a_run_is_known_by_its_parameters(tmp_path):
    shutil.copytree(PROJECT / "recipes", tmp_path / "recipes")
    (tmp_path / "params.yaml").write_text(params_text())
    known = variants.recipes(tmp_path)
    assert list(known) == ["params.yaml", *(path.name for path in RECIPES)]
    assert known["params.yaml"]["model.name"] == "lenet"
    assert known["quick"]["model.name"] == "plain"
    assert known["quick"]["train.augment.flip"] == known["params.yaml"]["train.augment.flip"]
    assert not any("seed" in key and key.startswith("train") for key in known["quick"])


def test_runs_of_a_recipe_as_it_was_before_are_left_out():
    today, before = {"train.epochs": "7"}, {"train.epochs": "6"}
    rows = [("quick", today, 0), ("quick", before, 1), ("gone", today, 2)]
    rows = [(name, variants.digest(recipe), seed) for name, recipe, seed in rows]
    runs = pd.DataFrame(rows, columns=["variant", "recipe", "seed"])
    kept = variants.of_today(runs, {"quick": today})
    assert kept["seed"].tolist() == [0]


def test_the_table_holds_means_over_seeds():
    run = {"variant": "quick", "threads": 1, "epochs": 6, "machine": "a machine"}
    run |= {"parameters": 1234, "multiply_adds": 5_670_000, "ece": 0.01}
    seeds = [(0, 10.0, 0.92, 0.91), (1, 30.0, 0.94, 0.93), (2, 14.0, 0.93, 0.92)]
    columns = ["seed", "seconds", "validation_accuracy", "accuracy"]
    runs = pd.DataFrame([run | dict(zip(columns, seed, strict=True)) for seed in seeds])
    assert results.variants_table(runs).splitlines()[2] == (
        "| quick | 1,234 | 5.67 M | 6 | 1 | 14 | 3 | 0.9300 ± 0.0100 | 0.9200 ± 0.0100 "
        "| 0.9145 to 0.9252 | 0.0100 | a machine |"
    )


def test_the_table_mixes_no_machines():
    """Their seconds differ, and where the arithmetic is native their accuracies do."""
    run = {"variant": "quick", "threads": 1, "epochs": 6, "parameters": 1, "multiply_adds": 1}
    run |= {"validation_accuracy": 0.9, "accuracy": 0.9, "ece": 0.01}
    told = [("one", 0, 10.0), ("other", 0, 30.0), ("one", 1, 14.0), ("-", 2, None)]
    columns = ["machine", "seed", "seconds"]
    runs = pd.DataFrame([run | dict(zip(columns, row, strict=True)) for row in told])
    rows = [line.split(" | ") for line in results.variants_table(runs).splitlines()[2:]]
    assert [(row[5], row[6], row[-1]) for row in rows] == [
        ("12", "2", "one |"),
        ("30", "1", "other |"),
        ("-", "1", "- |"),
    ]


def test_a_trial_is_told_by_the_mean_over_its_hold_outs():
    trial = {"recipe": "quick", "trial": "train.lr=0.1", "parameters": 1234, "epochs": 6}
    trial |= {"multiply_adds": 5_670_000}
    held_out = [(1, 10.0, 0.92), (2, 30.0, 0.94), (3, 14.0, 0.93)]
    columns = ["seed", "seconds", "validation_accuracy"]
    trials = pd.DataFrame([trial | dict(zip(columns, row, strict=True)) for row in held_out])
    assert results.trials_table(trials).splitlines()[2] == (
        "| quick | train.lr=0.1 | 1,234 | 5.67 M | 6 | 18 | 3 | 0.9300 ± 0.0100 |"
    )


def test_growth_is_that_of_the_seconds_over_that_of_the_images():
    rows = [("train", 100, 10.0, 1.5, 1.0, 0.4), ("train", 400, 44.0, 3.0, 1.0, 1.6)]
    rows.append(("evaluate", 100, 2.0, 1.1, 1.0, 0.4))
    columns = ["stage", "images", "seconds", "peak", "bare", "float32"]
    measured = pd.DataFrame(rows, columns=columns).assign(machine="a machine")
    assert results.scale_table(measured).splitlines()[2:] == [
        "| train | 100 | 10.0 |  | 0.50 GB | 1.25 | a machine |",
        "| train | 400 | 44.0 | 1.10 | 2.00 GB | 1.25 | a machine |",
        "| evaluate | 100 | 2.0 |  | 0.10 GB | 0.25 | a machine |",
    ]


def test_processors_of_one_name_are_told_apart():
    told = "processor : 0\ncpu family\t: 25\nmodel\t\t: {}\nmodel name\t: AMD EPYC\n\n"
    assert machine.describe(told.format(17) * 2) == "2 cores of AMD EPYC (family 25, model 17)"
    assert machine.describe(told.format(1)) == "1 cores of AMD EPYC (family 25, model 1)"
    assert machine.describe("processor : 0\nBogoMIPS : 50.00\n") == ""


def test_the_results_are_what_the_script_makes_of_the_recorded_runs():
    """No figure in them was typed in."""
    made, there = results.text(pd.read_csv(variants.RUNS)), results.RESULTS.read_text()
    assert made.splitlines() == there.splitlines()  # two long texts take pytest minutes to compare


def test_the_readme_tells_the_seconds_of_each_recipe_as_recorded():
    """On one thread for the committed parameters, on two for the others, as in its commands."""
    runs = pd.read_csv(variants.RUNS)
    seconds = runs.groupby(["variant", "threads"])["seconds"].median()
    wanted = {("the committed parameters", 1): "params.yaml"}
    wanted |= {
        (recipe.name, 2): recipe.name for recipe in RECIPES if recipe.name not in ("default", "gpu")
    }
    for (name, threads), variant in wanted.items():
        ((cell, _),) = re.findall(
            rf"^\| {name} (?:\| [^|]* ){{2}}\| ([\d,]+) (\|)", README, re.MULTILINE
        )
        assert int(cell.replace(",", "")) == round(seconds[variant, threads])


def test_the_figures_of_the_readme_are_among_the_recorded():
    told = re.findall(r"\d\.\d{4} ± \d\.\d{4}", README)
    assert told
    recorded = results.RESULTS.read_text() + (variants.HERE / "accuracy.txt").read_text()
    assert [figure for figure in told if figure not in recorded] == []
