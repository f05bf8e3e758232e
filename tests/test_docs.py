"""What is written for readers: pages made by commands are current, and links and targets exist."""

import importlib.util
import json
import re
import subprocess

import pytest
from ruamel.yaml import YAML
from small import PROJECT, params_text

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md"))]
MAKEFILE = (PROJECT / "Makefile").read_text()


@pytest.fixture(scope="module")
def written():
    """The module docs/pages.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("docs_pages", PROJECT / "docs/pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_of_parameters_and_metrics_are_what_the_code_says(written):
    """`make docs` writes them."""
    parameters, metrics = written.PARAMETERS_PAGE, written.METRICS_PAGE
    assert parameters.read_text(encoding="utf-8") == written.parameters_page()
    assert metrics.read_text(encoding="utf-8") == written.metrics_page()


def test_each_key_has_a_meaning_that_names_its_choices(written):
    for section, node in written.SCHEMA["properties"].items():
        for key, leaf, _ in written.leaves(section, node, node["default"]):
            said = written.meaning(leaf)
            assert [choice for choice in leaf.get("enum", []) if choice not in said] == [], key


def test_the_comments_of_params_yaml_are_the_schemas(written):
    """Whatever its values are. `make docs` writes them."""
    text = written.FILE.read_text(encoding="utf-8")
    made = written.commented(YAML(typ="safe").load(text))
    assert without_values(text) == without_values(made)


def without_values(text: str) -> list[str]:
    """Keys and comments alone."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("- ")]
    return [re.sub(r"^( *\w+:).*?(?:\s*(#.*))?$", r"\1 \2", line) for line in lines]


def test_make_docs_adds_a_new_key_and_keeps_the_values_that_are_there(written, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(params_text(**{"train.lr": 0.02}).replace("  ema: 0.0\n", ""))
    made = YAML(typ="safe").load(written.completed(path))
    assert made == YAML(typ="safe").load(params_text(**{"train.lr": 0.02}))


def test_a_stage_and_those_after_it_run_again(written):
    assert written.rerun("model") == ["train", "evaluate"]
    assert written.rerun("evaluate") == ["evaluate"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_and_make_targets_exist(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text)
    missing = [p for p in links if "://" not in p and not (page.parent / p).exists()]
    assert missing == []
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    named = re.findall(r"^(?:\$ )?make ([a-z][a-z-]*)|`make ([a-z][a-z-]*)", text, re.MULTILINE)
    assert {one or other for one, other in named} <= targets


def test_the_containers_install_for_the_cpu():
    container = json.loads((PROJECT / ".devcontainer/devcontainer.json").read_text())
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert container["postCreateCommand"].endswith("make install CPU=1")
    assert re.search(r"^RUN .*make install CPU=1$", dockerfile, re.MULTILINE)
    assert f" AS {container['build']['target']}\n" in dockerfile


WRITES = r"^\$ fashion-mnist .*?(?:--show |--html |export |card > |draw (?:--base \S+ )?)([\w./]+)"


def test_what_the_examples_write_is_ignored_by_git():
    written = [p for page in PAGES for p in re.findall(WRITES, page.read_text(), re.MULTILINE)]
    assert len(written) >= 6
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *(f"{path}/x" for path in written)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert ignored == [f"{path}/x" for path in written]
