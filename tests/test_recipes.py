"""The recipes are runs that the pipeline accepts, and what is told of them was recorded."""

import re
import shutil

import console
import machine
import pandas as pd
import pytest
import results
import results_repository
import variants
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.utils.hydra import apply_overrides
from small import PROJECT, params_text

from fashion_mnist.parameters import Parameters, flat
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.recipes import recipes

README = (PROJECT / "README.md").read_text(encoding="utf-8")
NAMES = recipes.names(PROJECT)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with the project's recipes and one of a test."""
    made = results_repository.make(tmp_path / "project").root
    shutil.copytree(PROJECT / "recipes", made / "recipes")
    (made / "recipes/tried.yaml").write_text("# Slower.\ntrain.lr: 1e-4\nmodel.name: plain\n")
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def recipe(root, monkeypatch, capsys):
    """`fashion-mnist recipe`: exit status, stdout and stderr."""

    def run(*arguments):
        return console.run(monkeypatch, "recipe", *arguments), *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_what_dvc_takes_and_check_accepts(recipe, root, name):
    """By the function of `dvc exp run -S`, on a workspace that holds another recipe."""
    status, out, _ = recipe(name)
    assert status == 0
    words = out.split()
    assert words[::2] == ["-S"] * (len(words) // 2)
    path = root / "params.yaml"
    path.write_text(params_text(**{"train.lr": 0.5, "model.name": "plain", "train.seed": 7}))
    apply_overrides(path, words[1::2])
    made = load(Parameters, path=path)
    assert made.train.seed == 7
    wanted = params_text(**recipes.differences(name, root), **{"train.seed": 7})
    path.write_text(wanted)
    assert made == load(Parameters, path=path)


def test_a_recipe_says_all_that_a_recipe_decides():
    """Or one that is run after another, or queued, inherits what the workspace holds."""
    sections = {"prepare", "model", "train"}
    every = {key for key in flat(Parameters().model_dump()) if key.split(".")[0] in sections}
    free = {"train.seed", "train.tensorboard", "prepare.classes"}
    assert recipes.settings("default", PROJECT).keys() == every - free


def test_without_a_name_all_are_listed_with_what_was_recorded_of_them_as_they_are(recipe, root):
    def run(name, threads, accuracy, seconds):
        made = recipes.digest(recipes.settings(name, root))
        return [name, made, threads, "a machine", accuracy, seconds]

    rows = [run("tried", 2, 0.9, 30), run("tried", 2, 0.92, 1030), run("tried", 1, 0.5, 7)]
    rows += [run("quick", 1, 0.9, 3)]
    columns = ["variant", "recipe", "threads", "machine", "accuracy", "seconds"]
    (root / "benchmarks").mkdir()
    pd.DataFrame(rows, columns=columns).to_csv(root / recipes.RUNS, index=False)
    (root / "recipes/quick.yaml").write_text("train.epochs: 3\n")  # another than was recorded
    listed = {line[0]: line[1:] for line in map(str.split, recipe()[1].splitlines())}
    assert list(listed)[1:] == [*NAMES, "tried"]
    assert listed["tried"] == ["0.9100", "±", "0.0141", "530", "2", "Slower."]
    assert listed["quick"] == ["-", "-", "-"]


def test_what_a_recipe_changes(recipe):
    lines = [line.split() for line in recipe("tried", "--diff")[1].splitlines()]
    assert lines == [
        ["parameter", "default", "tried"],
        ["train.lr", "0.001", "0.0001"],
        ["model.name", "lenet", "plain"],
    ]


@pytest.mark.parametrize(
    ("arguments", "content", "told"),
    [
        (
            ["fast"],
            "",
            "no recipe 'fast'; there are default, balanced, best, gpu, half, quick, tried",
        ),
        (["tried", "--dif", "--foo"], "", "unrecognized arguments: --foo"),
        (["tried", "quick"], "", "unrecognized arguments: quick"),
        (["tried"], "train.epochs: 0\n", "train.epochs is 0: give a whole number"),
        (["tried"], "train.epoch: 1\n", "unknown key train.epoch; did you mean `epochs`?"),
        (["tried"], "train.lr.low: 1\n", "unknown key train.lr.low: lr holds a value"),
        (["tried"], "train.seed: 1\n", "train.seed is no part of a recipe"),
        (["tried"], "evaluate.batch_size: 1\n", "evaluate.batch_size is no part of a recipe"),
    ],
)
def test_where_there_is_no_recipe_the_words_stop_dvc(recipe, root, arguments, content, told):
    """With no words DVC would train what params.yaml holds."""
    if content:
        (root / "recipes/tried.yaml").write_text(content)
    status, out, err = recipe(*arguments)
    assert status == 2
    assert told in err
    assert out.split() == ["no-recipe-see-the-error-above"]
    with pytest.raises(DvcException, match="no-recipe"):
        Repo(str(root)).stage.collect(out.strip())


def test_outside_a_clone_the_words_stop_dvc_as_well(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, _ = recipe("quick")
    assert (status, out.split()) == (2, ["no-recipe-see-the-error-above"])


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_tells_how_to_run_a_recipe(name):
    assert f"$ dvc exp run $(fashion-mnist recipe {name})" in README


def test_a_run_is_known_by_its_parameters(root):
    known = variants.known(root)
    assert list(known) == [*NAMES, "tried"]
    assert known["default"]["model.name"] == "lenet"
    assert known["quick"]["model.name"] == "plain"
    assert known["quick"]["train.augment.flip"] == "True"
    assert "train.seed" not in known["quick"]


def test_runs_of_a_recipe_as_it_was_before_are_left_out():
    today, before = {"train.epochs": "7"}, {"train.epochs": "6"}
    rows = [("quick", today, 0), ("quick", before, 1), ("gone", today, 2)]
    rows = [(name, recipes.digest(chosen), seed) for name, chosen, seed in rows]
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
    """On one thread for the default, on two for the others, as in its commands."""
    runs = pd.read_csv(variants.RUNS)
    seconds = runs.groupby(["variant", "threads"])["seconds"].median()
    for name in set(NAMES) - {"gpu"}:
        threads = 1 if name == "default" else 2
        ((cell, _),) = re.findall(
            rf"^\| {name} (?:\| [^|]* ){{2}}\| ([\d,]+) (\|)", README, re.MULTILINE
        )
        assert int(cell.replace(",", "")) == round(seconds[name, threads])


def test_the_figures_of_the_readme_are_among_the_recorded():
    told = re.findall(r"\d\.\d{4} ± \d\.\d{4}", README)
    assert told
    recorded = results.RESULTS.read_text() + (variants.HERE / "accuracy.txt").read_text()
    assert [figure for figure in told if figure not in recorded] == []
