"""What users of `dvc repro` and `dvc exp` rely on, with real DVC on small data."""

import json
import shutil

import pytest
import yaml
from dvc.repo import Repo

DOWNSTREAM = {
    "fetch__sha256__train__labels": ["fetch"],
    "prepare__seed": ["fetch", "prepare"],
    "model__dropout": ["train"],
    "train__seed": ["train"],
    "evaluate__calibration_bins": ["evaluate"],
}


def ran(output: str) -> list[str]:
    """The stages that DVC ran, in order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_second_repro_runs_nothing(repository, tmp_path):
    """a12 too: valid raw files are not touched."""
    checkout = repository.copy(tmp_path / "checkout")
    before = {p: p.stat().st_mtime_ns for p in (checkout.path / "data/raw").iterdir()}
    assert ran(checkout.dvc("repro").stdout) == []
    assert {p: p.stat().st_mtime_ns for p in (checkout.path / "data/raw").iterdir()} == before


@pytest.mark.slow
def test_forced_repro_leaves_the_lock_unchanged(repository, tmp_path):
    """c18, c22: same inputs, same bytes; the epochs are trained anew and not appended."""
    checkout = repository.copy(tmp_path / "checkout")
    output = checkout.dvc("repro", "-f", "train", "evaluate").stdout
    assert {"train", "evaluate"} <= set(ran(output))
    assert checkout.outputs() == repository.outputs()
    checkout.stage("train", check=True)
    assert checkout.outputs() == repository.outputs()


@pytest.mark.parametrize("key", DOWNSTREAM)
def test_a_parameter_changes_only_the_stage_that_reads_it(key, repository, tmp_path):
    checkout = repository.copy(tmp_path / "checkout")
    value = "0" * 64 if key.startswith("fetch") else 1 if key != "model__dropout" else 0.5
    checkout.set(**{key: value if key != "evaluate__calibration_bins" else 5})
    assert changed_stages(checkout) == {"check", *DOWNSTREAM[key]}


def changed_stages(checkout) -> set[str]:
    with Repo(str(checkout.path)) as repo:
        return {name.split(":")[-1] for name in repo.status()}


def test_a_module_changes_only_the_stages_that_are_made_of_it(repository, tmp_path):
    """c16, one module of each folder: editing a plot, a verdict or a report retrains nothing."""
    checkout = repository.copy(tmp_path / "checkout")
    expected = {
        "pipeline/files.py": {"check", "fetch", "prepare", "train", "evaluate"},
        "data/idx.py": {"fetch", "prepare"},
        "data/parameters.py": {"check", "fetch", "prepare"},
        "model/networks.py": {"train", "evaluate"},
        "training/trainer.py": {"train"},
        "evaluation/figures.py": {"evaluate"},
        "comparison/statistics.py": set(),
        "report/report.py": set(),
        "search/study.py": set(),
        "recipes/recipes.py": set(),
        "deployment/pictures.py": set(),
        "cli.py": set(),
    }
    folders = {path.name for path in (checkout.path / "src/fashion_mnist").glob("*/")}
    assert folders - {"__pycache__"} <= {name.split("/")[0] for name in expected}
    for module, stages in expected.items():
        path = checkout.path / "src/fashion_mnist" / module
        original = path.read_text()
        path.write_text(original + "# changed\n")
        assert changed_stages(checkout) == stages, module
        path.write_text(original)


def test_what_is_no_code_changes_no_stage(repository, tmp_path):
    """Compiled modules, Finder's and editors' files in a folder that stages depend on."""
    checkout = repository.copy(tmp_path / "checkout")
    for folder in ("src/fashion_mnist/pipeline", "src/fashion_mnist/data", "data/raw"):
        for name in ("__pycache__/files.cpython-311.pyc", ".DS_Store", "._files.py", "files.py~"):
            path = checkout.path / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"no code")
        for name in (".files.py.swp", "#files.py#", ".#files.py", ".files.py.123.tmp"):
            (checkout.path / folder / name).write_bytes(b"no code")
    assert changed_stages(checkout) == set()


def test_a_mistake_in_any_section_costs_nothing(repository, tmp_path):
    """b19: it stops at `check`; every output but that stage's own is still there."""
    checkout = repository.copy(tmp_path / "checkout")
    checkout.set(evaluate__batch_size="abc", train__epochs=3)
    result = checkout.dvc("repro", check=False)
    assert result.returncode != 0
    assert "evaluate.batch_size is the text 'abc': give a whole number ≥ 1" in result.stderr
    assert ran(result.stdout) == ["check"]
    checkout.dvc("checkout", "data/params.ok")
    assert checkout.outputs() == repository.outputs()


def test_a_hold_out_that_is_too_large_costs_no_output(repository, tmp_path):
    """fetch knows how many images there are, and runs before DVC deletes what prepare has made."""
    checkout = repository.copy(tmp_path / "checkout")
    checkout.set(prepare__validation_size=200)
    result = checkout.dvc("repro", check=False)
    assert result.returncode != 0
    assert "there are only 200 training images: give at most 199" in result.stderr
    assert ran(result.stdout) == ["check", "fetch"]
    assert checkout.outputs() == repository.outputs() | {"dvc.lock": checkout.read("dvc.lock")}


def test_what_finder_leaves_in_the_data_changes_nothing(repository, tmp_path):
    checkout = repository.copy(tmp_path / "checkout")
    (checkout.path / "data/raw/.DS_Store").write_bytes(b"theirs")
    assert ran(checkout.dvc("repro").stdout) == []
    checkout.dvc("repro", "-f", "-s", "fetch")
    assert checkout.read("dvc.lock") == repository.read("dvc.lock")


def test_experiment_changes_a_parameter_and_its_results(repository, tmp_path):
    """b01, b22: the exponent without a dot is a number everywhere; the epochs are as asked for."""
    checkout = repository.copy(tmp_path / "checkout")
    lr = ["-S", "train.lr=0.000001"]
    output = checkout.dvc("exp", "run", "-n", "small", "-S", "train.epochs=3", *lr).stdout
    assert ran(output) == ["check", "train", "evaluate"]
    rows = checkout.read("plots/history.csv").decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]
    assert {row.split(",")[-1] for row in rows[1:]} == {"1e-06"}
    lock = yaml.safe_load(checkout.read("dvc.lock"))["stages"]["train"]
    assert float(lock["params"]["params.yaml"]["train"]["lr"]) == 1e-06

    diff = json.loads(checkout.dvc("metrics", "diff", "--json").stdout)
    assert "validation_accuracy" in diff["metrics/train.json"]
    shown = checkout.dvc("exp", "show", "--csv", "--only-changed").stdout
    assert "small" in shown

    before = checkout.outputs()
    checkout.git("checkout", "-q", ".")
    checkout.dvc("checkout", "-q")
    again = checkout.dvc("exp", "run", "-n", "again", "-S", "train.epochs=3", *lr).stdout
    assert "Stage 'train' is cached" in again
    assert checkout.outputs() == before


@pytest.mark.slow
def test_temporary_experiment_runs_its_own_code(repository, tmp_path):
    """The copy imports its own src/, with the uncommitted change, and not the installed package."""
    checkout = repository.copy(tmp_path / "checkout")
    source = checkout.path / "src/fashion_mnist/training/run.py"
    source.write_text(source.read_text().replace('f"epoch {row', 'f"own code: epoch {row'))
    output = checkout.dvc("exp", "run", "--temp", "-n", "temporary", "-S", "train.epochs=1").stdout
    assert "own code: epoch 1/1" in output
    assert "temporary" in checkout.dvc("exp", "list", "--name-only").stdout


def test_queued_experiments_run(repository, tmp_path):
    """c05, c25: one that fails ends its log with the reason, and does not hinder another."""
    checkout = repository.copy(tmp_path / "checkout")
    parameters = {"good": "train.seed=1", "bad": "train.lr=-1"}
    for name, changed in parameters.items():
        checkout.dvc("exp", "run", "--queue", "-n", name, "-S", changed)
    checkout.dvc("queue", "start", "-j", "2")
    logs = {name: checkout.dvc("queue", "logs", "-f", name).stdout for name in parameters}
    assert "epoch 2/2" in logs["good"]
    assert "train.lr is -1: give a number ≥ 1e-12" in logs["bad"]
    while not checkout.experiment("good"):
        assert checkout.dvc("queue", "status").stdout  # the worker is storing it
    checkout.dvc("queue", "stop", "--kill")
    assert "plots/predictions.csv" in checkout.experiment("good")


@pytest.mark.slow
def test_plots_are_shown_and_compared(repository, tmp_path):
    """c15, e10: every plot is drawn for both revisions, also where one had no validation split."""
    checkout = repository.copy(tmp_path / "checkout")
    checkout.set(prepare__validation_size=0, train__epochs=1)
    checkout.dvc("repro")
    checkout.commit()
    flow = yaml.safe_load(checkout.read("dvc.yaml"))
    entries = [plot for stage in flow["stages"].values() for plot in stage.get("plots", [])]
    declared = {name for plot in [*entries, *flow["plots"]] for name in plot}
    assert {"Loss", "Accuracy", "plots/misclassified.png", "plots/history.csv"} <= declared
    header = checkout.read("plots/history.csv").decode().splitlines()[0]
    assert header == "epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,lr"
    for command in (["show"], ["diff", "HEAD~1"]):
        result = checkout.dvc("plots", *command, "--json")
        drawn = json.loads(result.stdout)["data"]
        assert {name.removeprefix("dvc.yaml::") for name in drawn} == declared
        assert "failed" not in result.stderr


@pytest.mark.slow
def test_a_conflicting_lock_is_made_anew_without_training(repository, tmp_path):
    """c21: `rm dvc.lock && dvc repro` takes all results from the run cache."""
    checkout = repository.copy(tmp_path / "checkout")
    (checkout.path / "dvc.lock").unlink()
    output = checkout.dvc("repro").stdout
    assert "train" not in ran(output)
    assert checkout.outputs() == repository.outputs()


@pytest.mark.slow
def test_works_without_git(repository, tmp_path):
    """c08: in an image without .git."""
    checkout = repository.copy(tmp_path / "checkout")
    shutil.rmtree(checkout.path / ".git")
    checkout.dvc("config", "core.no_scm", "true")
    checkout.dvc("repro", "-f", "evaluate")
    assert checkout.outputs() == repository.outputs()


@pytest.mark.slow
def test_runs_from_a_folder_below_and_from_outside(repository, tmp_path):
    """c20: outputs land below the checkout's root, wherever the command was started."""
    checkout = repository.copy(tmp_path / "checkout")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**checkout.environment, "PYTHONPATH": str(checkout.path)}
    outside = type(checkout)(elsewhere, environment)
    outside.stage("evaluate", check=True)
    assert not any(elsewhere.iterdir())
    below = type(checkout)(checkout.path / "src", checkout.environment)
    below.dvc("repro", "../dvc.yaml")
    assert checkout.outputs() == repository.outputs()
    assert {p.name for p in below.path.iterdir()} == {
        p.name for p in (repository.path / "src").iterdir()
    }


@pytest.mark.slow
@pytest.mark.parametrize("links", ["hardlink", "symlink"])
def test_nothing_writes_through_a_link_into_the_cache(links, repository, tmp_path):
    """c03: outputs that are links to read-only files of the cache are replaced, not written to."""
    checkout = repository.copy(tmp_path / "checkout")
    checkout.dvc("config", "cache.type", links)
    checkout.dvc("checkout", "--relink")
    cached = {
        p: p.read_bytes() for p in (checkout.path / ".dvc/cache/files").rglob("*") if p.is_file()
    }
    linked = checkout.path / "checkpoints/best.safetensors"
    assert linked.is_symlink() if links == "symlink" else linked.stat().st_nlink > 1
    checkout.set(prepare__seed=1, train__epochs=3)
    for stage in ("prepare", "train", "evaluate"):
        checkout.stage(stage, check=True)
    assert {p: p.read_bytes() for p in cached} == cached
    assert checkout.read("checkpoints/best.safetensors") != repository.read(
        "checkpoints/best.safetensors"
    )
