"""Write requirements/, as pyproject.toml wants it: `make lock`, or `make lock UPGRADE=1`.

Each file is the closure of one set of packages, for every system and Python at once, with the
SHA-256 of each package's files, in the form that pip reads too. A recorded version stays while
pyproject.toml allows it, unless all are to be upgraded.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from install import CPU_INDEX, ROOT, environment, pip_settings, without_index

LOCKS = ROOT / "requirements"
CPU = LOCKS / "torch-cpu.txt"
CUDA = re.compile(r"(torch|torchvision|triton|cuda-\w+|nvidia-[\w-]+)==")
"""What PyTorch without CUDA replaces, or does without."""


def main() -> None:
    """Write all files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    settings = environment(pip_settings(Path(sys.executable)), os.environ)
    options = ["--universal", "--python-version", project["project"]["requires-python"][2:]]
    files = [] if "--upgrade" in sys.argv else sorted(set(LOCKS.glob("*.txt")) - {CPU})
    recorded = "".join(path.read_text(encoding="utf-8") for path in files)

    wanted = sets(project)
    every = [requirement for requirements in wanted.values() for requirement in requirements]
    # First all at once: a package has one version in all sets.
    whole = compiled(every, recorded, settings, *options)
    for name, requirements in wanted.items():
        text = compiled(requirements, whole, settings, *options)
        header, *packages = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
        if name == "run":
            torch = [package for package in packages if CUDA.match(package)]
            packages = [package for package in packages if package not in torch]
            write(LOCKS / "torch.txt", "".join([header, *torch]))
            lock_cpu(header, torch, settings, *options)
        write(LOCKS / f"{name}.txt", "".join([header, *packages]))


def sets(project: Mapping[str, Any]) -> dict[str, list[str]]:
    """The requirements of each set, by the content of pyproject.toml."""
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    optional = [requirement for requirements in extras.values() for requirement in requirements]
    return {
        "build": project["build-system"]["requires"],
        "uv": groups["uv"],
        "run": project["project"]["dependencies"],
        "test": groups["test"] + optional,
        "lint": groups["lint"] + optional,
        **extras,
    }


def compiled(
    requirements: Iterable[str], recorded: str, settings: Mapping[str, str], *options: str
) -> str:
    """The lock of requirements; versions and digests that are recorded stay where they can."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        write(output, recorded)
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes"]
        command += ["--annotation-style", "line", "--custom-compile-command", "make lock"]
        command += [*options, "--output-file", str(output), "-"]
        wanted = "\n".join(requirements)
        subprocess.run(command, input=wanted, env=settings, text=True, check=True)
        return output.read_text(encoding="utf-8")


def lock_cpu(header: str, torch: list[str], settings: Mapping[str, str], *options: str) -> None:
    """Lock PyTorch without CUDA, which has an index of its own, at the versions of `torch`.

    Where that index cannot be reached and has not been, the versions alone are written.
    """
    found = re.findall(r"^((?:torch|torchvision)==\S+)", "".join(torch), re.MULTILINE)
    pins = [f"{pin}+cpu" for pin in found]
    recorded = CPU.read_text(encoding="utf-8") if CPU.exists() else ""
    if "--hash" in recorded and all(pin in recorded for pin in pins):
        return
    only = ("--no-deps", "--index-url", CPU_INDEX)
    try:
        write(CPU, compiled(pins, "", without_index(settings), *options, *only))
    except subprocess.CalledProcessError:
        print(f"{CPU.name} has no digests: {CPU_INDEX} cannot be reached", file=sys.stderr)
        write(CPU, header + "".join(f"{pin}\n" for pin in pins))


def write(path: Path, text: str) -> None:
    """Write a text file, if it is another: make installs what is newer than the installed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError:
        sys.exit("error: the lock could not be made, as shown above")
