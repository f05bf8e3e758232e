"""The recipes are runs that the pipeline accepts, and what is told of them was recorded."""

import re
import shutil

import machine
import pandas as pd
import pytest
import variants
from ruamel.yaml import YAML
from small import PARAMS, PROJECT, params_text

from fashion_mnist.pipeline.parameters import load
from stages.check import File

RECIPES = sorted((PROJECT / "recipes").iterdir())
README = (PROJECT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_what_dvc_takes_and_check_accepts(recipe, tmp_path):
    words = recipe.read_text().split()
    assert set(words[::2]) == {"-S"}
    changes = dict(word.split("=") for word in words[1::2])
    values = {key: YAML(typ="safe").load(value) for key, value in changes.items()}
    path = tmp_path / "params.yaml"
    path.write_text(params_text(**values))
    load(File, path=path)
    assert params_text(**values) != params_text()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_readme_tells_how_to_run_a_recipe(recipe):
    assert f"$ dvc exp run -n {recipe.name} $(cat recipes/{recipe.name})" in README


def test_a_run_is_known_by_its_parameters(tmp_path):
    shutil.copytree(PROJECT / "recipes", tmp_path / "recipes")
    shutil.copy(PARAMS, tmp_path / "params.yaml")
    known = variants.recipes(tmp_path)
    assert list(known) == ["params.yaml", *(path.name for path in RECIPES)]
    assert known["params.yaml"]["model.name"] == "lenet"
    assert known["quick"]["model.name"] == "plain"
    assert known["quick"]["train.augment.flip"] == known["params.yaml"]["train.augment.flip"]
    assert not any("seed" in key and key.startswith("train") for key in known["quick"])


def test_the_table_holds_means_over_seeds():
    run = {"variant": "quick", "threads": 1, "epochs": 6, "machine": "a machine"}
    run |= {"parameters": 1234, "multiply_adds": 5_670_000, "ece": 0.01}
    seeds = [(0, 10.0, 0.92, 0.91), (1, 30.0, 0.94, 0.93), (2, 14.0, 0.93, 0.92)]
    columns = ["seed", "seconds", "validation_accuracy", "accuracy"]
    runs = pd.DataFrame([run | dict(zip(columns, seed, strict=True)) for seed in seeds])
    assert variants.variants_table(runs).splitlines()[2] == (
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
    rows = [line.split(" | ") for line in variants.variants_table(runs).splitlines()[2:]]
    assert [(row[5], row[6], row[-1]) for row in rows] == [
        ("12", "2", "one |"),
        ("30", "1", "other |"),
        ("-", "1", "- |"),
    ]


def test_processors_of_one_name_are_told_apart():
    told = "processor : 0\ncpu family\t: 25\nmodel\t\t: {}\nmodel name\t: AMD EPYC\n\n"
    assert machine.describe(told.format(17) * 2) == "2 cores of AMD EPYC (family 25, model 17)"
    assert machine.describe(told.format(1)) == "1 cores of AMD EPYC (family 25, model 1)"
    assert machine.describe("processor : 0\nBogoMIPS : 50.00\n") == ""


def test_the_results_are_what_the_script_makes_of_the_recorded_runs():
    """No figure in them was typed in."""
    assert variants.text(pd.read_csv(variants.RUNS)) == variants.RESULTS.read_text()


def test_the_figures_of_the_readme_are_among_the_recorded():
    told = re.findall(r"\d\.\d{4} ± \d\.\d{4}", README)
    assert told
    recorded = variants.RESULTS.read_text() + (variants.HERE / "accuracy.txt").read_text()
    assert [figure for figure in told if figure not in recorded] == []
