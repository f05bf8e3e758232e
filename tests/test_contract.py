"""The contract of dvc.yaml: what a stage declares is what it reads and writes."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from fashion_mnist import __version__
from fashion_mnist.pipeline import files

ROOT = Path(__file__).resolve().parent.parent
FLOW = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = FLOW["stages"]
COMPUTE = {"train": ["compute"], "evaluate": ["compute"]}
"""The one section that stages read and none declares: in portable arithmetic it changes no byte."""

RUN_AND_LIST_MODULES = """
import json, runpy, sys
from pathlib import Path
stage = sys.argv.pop(1)
try:
    runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
except SystemExit as end:
    if end.code:
        raise
import stages
names = [name for name in sys.modules if name.split(".")[0] in ("stages", "fashion_mnist")]
paths = [Path(sys.modules[name].__file__).relative_to(stages.ROOT) for name in names]
paths.append(Path(f"stages/{stage}.py"))
Path(sys.argv[1]).write_text(json.dumps(sorted({str(path) for path in paths})))
"""


def outputs(stage: str) -> set[str]:
    """The declared outputs of a stage, of every kind."""
    entries = [e for kind in ("outs", "metrics", "plots") for e in STAGES[stage].get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def files_below(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def below(module: str, deps: list[str]) -> bool:
    """Whether a module is one of the deps, or lies in a folder that is."""
    return any(Path(module).is_relative_to(dep) for dep in deps)


def decides_nothing(module: str) -> bool:
    """An `__init__.py` that is a docstring, and maybe the version: it need not be declared."""
    body = ast.unparse(ast.parse((ROOT / module).read_text()).body[1:])
    return Path(module).name == "__init__.py" and body in ("", f"__version__ = {__version__!r}")


@pytest.mark.parametrize("stage", STAGES)
def test_stage_needs_and_makes_what_it_declares(stage, repository, tmp_path):
    """It runs on its deps and params alone, imports nothing else, and writes exactly its outs."""
    deps = STAGES[stage]["deps"]
    checkout = tmp_path / "checkout"
    packages = [str(p.relative_to(ROOT)) for p in ROOT.glob("src/fashion_mnist/**/__init__.py")]
    for dep in [*(p for p in packages if decides_nothing(p) and not below(p, deps)), *deps]:
        source, target = repository.path / dep, checkout / dep
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    sections = yaml.safe_load((repository.path / "params.yaml").read_text())
    if STAGES[stage]["params"] != [{"params.yaml": None}]:  # which stands for all of it
        read = [*STAGES[stage]["params"], *COMPUTE.get(stage, [])]
        sections = {name: sections[name] for name in read}
    checkout.joinpath("params.yaml").write_text(yaml.safe_dump(sections))
    before = files_below(checkout)
    listing = tmp_path / "modules.json"

    subprocess.run(
        ["python", "-c", RUN_AND_LIST_MODULES, stage, str(listing)],
        cwd=checkout,
        env={**repository.environment, "PYTHONPATH": "."},
        check=True,
    )

    modules = set(json.loads(listing.read_text()))
    undeclared = {module for module in modules if not below(module, deps)}
    assert all(decides_nothing(module) for module in undeclared), undeclared
    code = [dep for dep in deps if dep.startswith(("src/", "stages/"))]
    assert all(any(below(module, [dep]) for module in modules) for dep in code)  # none is idle
    if stage == "train":  # which takes longest: its folders hold nothing that it does not import
        held = {str(p.relative_to(ROOT)) for dep in code for p in (ROOT / dep).rglob("*.py")}
        assert held <= modules
    written = {
        next((out for out in outputs(stage) if Path(path).is_relative_to(out)), path)
        for path in files_below(checkout) - before
    }
    assert written == outputs(stage)


def test_stage_reads_each_section_that_it_declares(repository, tmp_path):
    """And `compute`: without one of them it fails."""
    checkout = repository.copy(tmp_path / "checkout")
    text = "\n" + checkout.read("params.yaml").decode()
    for stage, declared in STAGES.items():
        read = [*declared["params"], *COMPUTE.get(stage, [])]
        for section in [s for s in read if isinstance(s, str)]:
            (checkout.path / "params.yaml").write_text(text.replace(f"\n{section}:", "\nother:"))
            result = checkout.stage(stage)
            assert result.returncode == 2
            assert f"the section `{section}` is missing" in result.stderr


def test_no_stage_depends_on_how_it_is_computed():
    """Another number of threads reruns nothing but the check of params.yaml."""
    assert not any("compute" in stage["params"] for stage in STAGES.values())


def test_every_stage_depends_on_the_check():
    """Directly or through others: each depends on an output of one that does."""
    checked = {"data/params.ok"}
    for stage in list(STAGES)[1:]:
        assert checked & set(STAGES[stage]["deps"]), stage
        checked |= outputs(stage)


def test_only_raw_data_persists_and_nothing_always_changes():
    """Either would take the stage out of the run cache."""
    entries = [
        (path, options)
        for stage in STAGES.values()
        for kind in ("outs", "metrics", "plots")
        for entry in stage.get(kind, [])
        if isinstance(entry, dict)
        for path, options in entry.items()
    ]
    assert [path for path, options in entries if options.get("persist")] == ["data/raw"]
    assert not any(stage.get("always_changed") for stage in STAGES.values())


def test_metrics_and_plots_lie_in_git():
    """c24: `cache: false`, and ignored by no .gitignore, so that no remote is needed to compare."""
    for stage in STAGES.values():
        for entry in [*stage.get("metrics", []), *stage.get("plots", [])]:
            ((path, options),) = entry.items()
            assert options["cache"] is False
            ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False)
            assert ignored.returncode == 1, path


@pytest.mark.parametrize("tool", ["git", "dvc"])
def test_what_a_killed_write_leaves_is_committed_by_nobody(tool):
    """`git add -A` passes it over, and a folder that DVC hashes is the same with and without."""
    declared = [Path(path) for stage in STAGES for path in outputs(stage)]
    paths = [*declared, Path("report.md"), Path("data/raw/train-images-idx3-ubyte")]
    names = [str(files.temporary_of(path)) for path in paths]
    check = [*([sys.executable, "-m"] if tool == "dvc" else []), tool, "check-ignore", *names]
    found = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert found.splitlines() == names


def test_outputs_that_are_not_cached_are_metrics_or_plots():
    """A plain out with `cache: false` turns the run cache off for its whole stage."""
    for stage in STAGES.values():
        for entry in stage.get("outs", []):
            assert isinstance(entry, str) or "cache" not in next(iter(entry.values())), entry


def plot_definitions() -> list[tuple[str, dict, dict[str, list[str]]]]:
    """Each plot's id, its options, and the columns that it draws, by file."""
    found = []
    for entry in FLOW["plots"]:
        ((name, options),) = entry.items()
        ys = {f: [y] if isinstance(y, str) else y for f, y in options["y"].items()}
        found.append(
            (name, options, {file: [*columns, options["x"]] for file, columns in ys.items()})
        )
    for stage in STAGES.values():
        for entry in stage.get("plots", []):
            ((name, options),) = entry.items()
            if name.endswith(".csv"):
                found.append((name, options, {name: [options["x"], options["y"]]}))
    return found


def test_every_plot_names_columns_that_exist(repository):
    for name, _, columns in plot_definitions():
        for file, names in columns.items():
            header = (repository.path / file).read_text().splitlines()[0].split(",")
            assert set(names) <= set(header), name


def test_every_plot_has_a_title_and_labels():
    for name, options, _ in plot_definitions():
        assert {"title", "x_label", "y_label", "template"} <= set(options), name


def test_curves_are_drawn_against_the_epoch():
    """e10: not against the number of the row."""
    curves = [
        options["x"] for _, options, columns in plot_definitions() if "plots/history.csv" in columns
    ]
    assert set(curves) == {"epoch"}


def test_plot_ids_select_one_plot_each():
    """`--targets ID` matches prefixes, as a regular expression."""
    ids = [name for name, _, _ in plot_definitions()]
    for name in ids:
        assert [other for other in ids if re.match(name, other)] == [name]
