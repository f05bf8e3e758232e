"""Write docs/parameters.md: every key of params.yaml, from the schemas, the comments and dvc.yaml.

python docs/parameters.py
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from fashion_mnist.comparison.tables import table  # noqa: E402, once the path is right
from fashion_mnist.pipeline import files  # noqa: E402
from fashion_mnist.pipeline.parameters import describe  # noqa: E402
from stages.check import File  # noqa: E402

PAGE = ROOT / "docs/parameters.md"
HEAD = """# Parameters

Written by `make docs` from the schemas, from `params.yaml` and its comments, and from `dvc.yaml`;
not to be edited. A default is the committed value. `dvc exp run -S KEY=VALUE` changes one for a
run, an editor for good. After any change the stage `check` reads the whole file first."""


def page() -> str:
    """The page as it should be."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    committed, why = YAML(typ="safe").load(text), comments(text)
    schema = File.model_json_schema()
    parts = [HEAD]
    for section, values in committed.items():
        again = f"A change runs {listed(rerun(section))} again."
        parts += [f"## {section}", f"{why[section]} {again}"]
        rows = [
            [f"`{key}`", allowed, f"`{default(value)}`", why[key]]
            for key, value, allowed in leaves(
                schema, schema["properties"][section], values, section
            )
        ]
        parts.append(table(["key", "value", "default", "meaning"], rows, markdown=True))
    return "\n\n".join(parts).replace("---:", "---") + "\n"


def leaves(
    whole: dict[str, Any], node: dict[str, Any], values: dict[str, Any], prefix: str
) -> Iterator[tuple[str, Any, str]]:
    """Dotted key, committed value and what is allowed, for each key below a section."""
    for name, inner in resolve(whole, node)["properties"].items():
        key, value, inner = f"{prefix}.{name}", values[name], resolve(whole, inner)
        if "properties" in inner:
            yield from leaves(whole, inner, value, key)
        else:
            yield key, value, describe(inner)


def resolve(whole: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A node of a JSON schema, or what it refers to."""
    return whole["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def default(value: Any) -> str:
    """A value as params.yaml writes it, a list with commas; a digest is cut."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) < 30 else f"{text[:8]}…"


def comments(text: str) -> dict[str, str]:
    """The comment above each key, by dotted key; without one, that of the key before it."""
    found, path, above, last = {}, [], [], ""
    for line in text.splitlines():
        comment, key = re.match(r" *# ?(.*)", line), re.match(r"( *)(\w+):", line)
        if comment:
            above.append(comment[1])
        elif key:
            path = [*path[: len(key[1]) // 2], key[2]]
            found[".".join(path)] = last = " ".join(above) or last
            above = []
        else:
            above = []
    return found


def rerun(section: str) -> list[str]:
    """The stages that read a section, and those that follow from their outputs."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    made: set[str] = set()
    found = []
    for name, stage in stages.items():
        if section in stage["params"] or made & set(stage["deps"]):
            found.append(name)
            outs = [*stage.get("outs", []), *stage.get("metrics", [])]
            made |= {out if isinstance(out, str) else next(iter(out)) for out in outs}
    return found


def listed(names: list[str]) -> str:
    """Names as they stand in a sentence."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


if __name__ == "__main__":
    files.write({PAGE: page().encode()})
    print(PAGE.relative_to(ROOT))
