"""Write the pages of parameters and metrics, and the comments of params.yaml, from the code.

python docs/pages.py
"""

import io
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from fashion_mnist.comparison.tables import table  # noqa: E402, once the path is right
from fashion_mnist.evaluation.metrics import METRICS as EVALUATION  # noqa: E402
from fashion_mnist.parameters import Parameters  # noqa: E402
from fashion_mnist.pipeline import files  # noqa: E402
from fashion_mnist.pipeline.parameters import describe, read, validate  # noqa: E402
from fashion_mnist.training.metrics import METRICS as TRAINING  # noqa: E402

PARAMETERS_PAGE = ROOT / "docs/parameters.md"
METRICS_PAGE = ROOT / "docs/metrics.md"
FILE = ROOT / "params.yaml"
PARAMETERS_HEAD = """# Parameters

Written by `make docs` from the schemas (`parameters.py` in the folders of `src/fashion_mnist`) and
from `dvc.yaml`; not to be edited. `params.yaml` holds the values that a run uses: `dvc exp run -S
KEY=VALUE` changes one for a run, an editor for good. After any change the stage `check` reads the
whole file first."""
METRICS_HEAD = """# Metrics

Written by `make docs` from `METRICS` in `evaluation/metrics.py` and `training/metrics.py`; not to
be edited. `fashion-mnist compare` and the comment on a pull request judge a change by the
direction; a metric without one is shown and not judged. The figures of `metrics/data.json` describe
the data."""
FILE_HEAD = """\
# Every setting of the pipeline, and the only place where a run is configured:
#   dvc exp run -S train.epochs=20
# DVC writes the file back in this form, so that a run changes one line. The comments are those of
# the schemas: `make docs` writes them, and adds a new key with its default.
"""
Node = dict[str, Any]
SCHEMA: Node = Parameters.model_json_schema()


def parameters_page() -> str:
    """docs/parameters.md as it should be."""
    parts = [PARAMETERS_HEAD]
    for section, node in SCHEMA["properties"].items():
        parts += [f"## {section}", f"{meaning(node)} A change runs {listed(rerun(section))} again."]
        rows = [
            [f"`{key}`", describe(leaf), f"`{shown(value)}`", meaning(leaf)]
            for key, leaf, value in leaves(section, node, node["default"])
        ]
        parts.append(table(["key", "value", "default", "meaning"], rows, markdown=True))
    return "\n\n".join(parts).replace("---:", "---") + "\n"


def metrics_page() -> str:
    """docs/metrics.md as it should be."""
    parts = [METRICS_HEAD]
    for path, metrics in (("evaluate", EVALUATION), ("train", TRAINING)):
        rows = [[f"`{m.key}`", m.title, m.direction.replace("none", "")] for m in metrics]
        parts += [
            f"## metrics/{path}.json",
            table(["key", "metric", "better"], rows, markdown=True),
        ]
    return "\n\n".join(parts).replace("---:", "---") + "\n"


def leaves(key: str, node: Node, default: Any) -> Iterator[tuple[str, Node, Any]]:
    """Dotted key, schema and default of each value at or below a key."""
    properties = resolved(node).get("properties")
    if properties is None:
        yield key, node, default
    else:
        for name, inner in properties.items():
            yield from leaves(f"{key}.{name}", inner, default[name])


def resolved(node: Node) -> Node:
    """A node of the schema, or what it refers to."""
    found: Node = SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node
    return found


def meaning(node: Node) -> str:
    """The description of a key, or of the section that it holds, in one line."""
    return " ".join(resolved(node)["description"].split())


def shown(value: Any) -> str:
    """A value as params.yaml writes it, a list with commas; a digest is cut."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) < 30 else f"{text[:8]}…"


def completed(path: Path) -> str:
    """params.yaml with its own values, and the defaults of keys that it lacks."""
    return commented(validate(Parameters, read(path), path).model_dump())


def commented(values: Node) -> str:
    """params.yaml with these values and the meaning of each key above it, unless it was said.

    After a list the meaning stands at the end of the line: DVC replaces a list, and what
    follows it up to the next key goes with it.
    """
    buffer = io.StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(values, buffer)
    lines, path, said = [FILE_HEAD.rstrip()], [], set()
    for line in buffer.getvalue().splitlines():
        if key := re.match(r"( *)(\w+):", line):
            depth = len(key[1]) // 2
            path = [*path[:depth], key[2]]
            node = SCHEMA
            for name in path:
                node = resolved(node)["properties"][name]
            why, after_list = meaning(node), lines[-1].lstrip().startswith("- ")
            if not depth and not after_list:
                lines.append("")
            if why not in said and after_list:
                line = f"{line}  # {why}"
            elif why not in said:
                lines += textwrap.wrap(
                    why, 98, initial_indent=f"{key[1]}# ", subsequent_indent=f"{key[1]}# "
                )
            said.add(why)
        lines.append(line)
    return "\n".join(lines) + "\n"


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
    quoted = [f"`{name}`" for name in names] or ["nothing"]
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


if __name__ == "__main__":
    written = {PARAMETERS_PAGE: parameters_page(), METRICS_PAGE: metrics_page()}
    written[FILE] = completed(FILE)
    files.write({path: text.encode() for path, text in written.items()})
    print(*(path.relative_to(ROOT) for path in written))
