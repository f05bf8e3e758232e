"""What is written for readers: pages made by commands are current, and links and targets exist."""

import importlib.util
import json
import re

import pytest
from small import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md"))]
MAKEFILE = (PROJECT / "Makefile").read_text()


@pytest.fixture(scope="module")
def parameters():
    """The module docs/parameters.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("docs_parameters", PROJECT / "docs/parameters.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_parameters_is_what_the_schemas_say(parameters):
    """`make docs` writes it."""
    assert parameters.PAGE.read_text(encoding="utf-8") == parameters.page()


def test_each_key_has_a_default_and_a_meaning(parameters):
    rows = [line.split(" | ") for line in parameters.page().splitlines() if line[:3] == "| `"]
    assert len(rows) > 30
    assert all(len(row) == 4 and all(cell.strip(" |") for cell in row) for row in rows)


def test_a_stage_and_those_after_it_run_again(parameters):
    assert parameters.rerun("model") == ["train", "evaluate"]
    assert parameters.rerun("evaluate") == ["evaluate"]


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
