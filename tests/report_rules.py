"""What a report must be to survive CML and GitHub."""

import re
from pathlib import Path

BROKEN_BY_CML = {
    "an alert": r"^> \[!",
    "a task list": r"^\s*[-*] \[[ xX]\]",
    "strike-through": r"~~",
    "a formula": r"\$",
    "an escaped pipe": r"\\\|",
    "an HTML picture, which is not uploaded": r"<img",
    "a bare URL with &": r"(?<!\()https?://\S*&",
    "a folded part without a blank line after its summary": r"</summary>\n(?!\n)",
}


def check(folder: Path) -> str:
    """Assert that report.md of a folder is fit to be posted; its text."""
    text = (folder / "report.md").read_text()
    for what, pattern in BROKEN_BY_CML.items():
        assert not re.search(pattern, text, re.MULTILINE), what
    assert text.strip()
    assert len(text) < 60_000
    assert text.count("<details>") == text.count("</details>")
    assert len(re.findall("^```", text, re.MULTILINE)) % 2 == 0
    links = re.findall(r"(!?)\[([^\]]*)\]\(([^)]*)\)", text)
    assert len(links) < 10
    for picture, alternative, target in links:
        assert picture, f"CML would upload {target}"
        assert alternative
        assert not target.startswith(("/", "file:"))
        content = (folder / target).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 1_000_000
    assert not re.search(r"^\|[ :|-]+\|\n(?!\|)", text, re.MULTILINE), "a table without rows"
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1, "cells have shifted"
    return text
