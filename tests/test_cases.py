"""The table of cases names tests that are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS / "CASES.md").read_text()


def test_every_test_of_the_table_exists():
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", TABLE)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (TESTS / path).read_text()
    ]
    assert named
    assert missing == []


def test_every_case_that_a_test_names_is_in_the_table():
    case = re.compile(r"\b[a-f]\d\d\b(?!\.)")
    in_table = set(re.findall(r"^\| ([a-f]\d\d) \|", TABLE, re.MULTILINE))
    for path in TESTS.rglob("test_*.py"):
        docstrings = " ".join(re.findall(r'"""(.*?)"""', path.read_text(), re.DOTALL))
        assert set(case.findall(docstrings)) <= in_table, path
