"""Whether other processors give the bytes of tests/golden.json, by emulation.

python benchmarks/processors.py [MODEL ...] [--runs NAME ...]

Debian's package qemu-user emulates them, some 60 times slower. Its version 7.2 crashes in the
rotation's kernel, so runs with rotation are compared on real processors alone, by `make test`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MODELS = {
    "Haswell": "Intel",
    "Skylake-Client": "Intel",
    "EPYC-Rome": "AMD",
    "EPYC-Milan": "AMD",
}
ROOT = Path(__file__).resolve().parent.parent


def digests(command: list[str], wanted: list[str]) -> dict[str, dict[str, str]] | None:
    """What tests/golden.py prints of the wanted runs, run by `command`; None where it crashed."""
    done = subprocess.run(
        [*command, sys.executable, "-m", "golden", "emulated", *wanted],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "tests"])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # warnings about instructions that are not emulated
        check=False,
    )
    return json.loads(done.stdout)["digests"] if done.returncode == 0 else None


def row(model: str, maker: str, found: dict[str, dict[str, str]] | None) -> str:
    """A line of the table: runs with the recorded digests, and the names of the others."""
    if found is None:
        return f"{model:16} {maker:6} crashed"
    recorded = json.loads((ROOT / "tests/golden.json").read_text())["digests"]
    other = [name for name, digest in found.items() if digest != recorded[name]]
    equal = f"{len(found) - len(other)} of {len(found)} equal"
    return f"{model:16} {maker:6} {equal}" + (f"; not {', '.join(other)}" if other else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=list(MODELS), metavar="MODEL")
    parser.add_argument("--runs", nargs="*", default=[], metavar="NAME", help="begin like this")
    arguments = parser.parse_args()
    models, wanted = arguments.models, arguments.runs
    if shutil.which("qemu-x86_64") is None:
        sys.exit("qemu-x86_64 is not here: apt-get install qemu-user")
    if (here := digests([], wanted)) == {}:
        sys.exit(f"no run begins like {' or '.join(wanted)}")
    lines = [row("this machine", "", here)]
    print(lines[0], flush=True)
    for model in models:
        found = digests(["qemu-x86_64", "-cpu", model], wanted)
        lines.append(row(model, MODELS.get(model, ""), found))
        print(lines[-1], flush=True)
    sys.exit(not all(line.endswith("equal") for line in lines))


if __name__ == "__main__":
    main()
