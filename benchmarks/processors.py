"""Whether other processors give the bytes of tests/golden.json, by emulation.

python benchmarks/processors.py [PROCESSOR ...] [--runs NAME ...]

PROCESSOR is a model of x86-64 that Debian's package qemu-user knows, or aarch64. It is some 60
times slower than a real one. For aarch64 Debian's arm64 packages and wheels of an older PyTorch are
unpacked into .emulated/ first, 650 MB, by apt-get and pip.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

PROCESSORS = {
    "Nehalem": "Intel without AVX",
    "Haswell": "Intel with AVX2",
    "EPYC-Milan": "AMD with AVX2",
    "aarch64": "ARM",
}
RUNS = ["lenet adam", "plain muon", "resnet sgd"]
"""By default: each network, three optimisers, every stage."""

ROOT = Path(__file__).resolve().parent.parent
ARM = ROOT / ".emulated/aarch64"
PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6"),
    *("libstdc++6", "libgcc-s1", "libgomp1", "zlib1g", "libexpat1", "libssl3", "libffi8"),
    *("libbz2-1.0", "liblzma5", "libsqlite3-0", "libuuid1"),
)
WHEELS = (
    *("torch==2.8.0", "numpy", "safetensors", "psutil", "pillow", "ruamel.yaml.clib"),
    *("matplotlib", "contourpy", "kiwisolver"),
)
PURE = (
    *("pydantic", "annotated_types", "typing_extensions.py", "typing_inspection", "ruamel"),
    *("tqdm", "sympy", "mpmath", "networkx", "jinja2", "filelock", "fsspec", "cycler"),
    *("pyparsing", "packaging", "markupsafe", "dateutil", "six.py", "fontTools"),
)
"""Packages without machine code, as the environment has them."""


def unpack_arm() -> list[str]:
    """The command that runs an ARM Python with all that the golden runs import."""
    root, site = ARM / "root", ARM / "site"
    if not site.exists():
        for name in ("packages", "wheels"):
            (ARM / name).mkdir(parents=True, exist_ok=True)
        run(["dpkg", "--add-architecture", "arm64"])
        run(["apt-get", "update", "-q"])
        run(["apt-get", "download", *(f"{name}:arm64" for name in PACKAGES)], ARM / "packages")
        for package in (ARM / "packages").iterdir():
            run(["dpkg", "-x", str(package), str(root)])
        import pydantic_core

        wanted = [*WHEELS, f"pydantic-core=={pydantic_core.__version__}"]
        platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in (17, 28)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += [*platforms, "--only-binary=:all:", "--python-version=3.11", *wanted]
        run(command, ARM / "wheels")
        unfinished = ARM / "unfinished"
        for wheel in (ARM / "wheels").iterdir():
            zipfile.ZipFile(wheel).extractall(unfinished)
        installed = Path(sysconfig.get_path("purelib"))
        for name in PURE:
            source = installed / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, unfinished / name)
        unfinished.rename(site)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), "src", "tests", "."])
    return ["qemu-aarch64", "-L", str(root), str(root / "usr/bin/python3.11")]


def run(command: list[str], folder: Path = ROOT) -> None:
    """Run a command in a folder, or end with its status."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, cwd=folder, check=True)


def command_for(processor: str) -> list[str]:
    """What runs Python on a processor; on this machine where it is empty."""
    os.environ["PYTHONPATH"] = os.pathsep.join(["src", "tests", "."])
    if processor == "aarch64":
        return unpack_arm()
    return [*(["qemu-x86_64", "-cpu", processor] if processor else []), sys.executable]


def row(processor: str, wanted: list[str], recorded: dict[str, str]) -> str:
    """A line of the table: runs with the recorded digests, and the names of the others."""
    done = subprocess.run(
        [*command_for(processor), "-m", "golden", *wanted],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # warnings about instructions that are not emulated
        check=False,
    )
    title = f"{processor or 'this machine':14} {PROCESSORS.get(processor, ''):18}"
    if done.returncode:
        return f"{title} crashed"
    found = json.loads(done.stdout)
    digests = found["digests"]
    other = [name for name, digest in digests.items() if digest != recorded[name]]
    equal = f"PyTorch {found['torch']:8} {len(digests) - len(other)} of {len(digests)} equal"
    return f"{title} {equal}" + (f"; not {', '.join(other)}" if other else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("processors", nargs="*", default=list(PROCESSORS), metavar="PROCESSOR")
    parser.add_argument("--runs", nargs="*", default=RUNS, metavar="NAME")
    arguments = parser.parse_args()
    if shutil.which("qemu-x86_64") is None:
        sys.exit("qemu-x86_64 is not here: apt-get install qemu-user")
    recorded = json.loads((ROOT / "tests/golden.json").read_text())["digests"]
    if unknown := set(arguments.runs) - recorded.keys():
        sys.exit(f"no run is called {', '.join(sorted(unknown))}; there are {', '.join(recorded)}")
    lines = []
    for processor in ("", *arguments.processors):
        lines.append(row(processor, arguments.runs, recorded))
        print(lines[-1], flush=True)
    sys.exit(not all(line.endswith("equal") for line in lines))


if __name__ == "__main__":
    main()
