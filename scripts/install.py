"""Make .venv and install locked packages into it: `python scripts/install.py run test`.

`make` calls this; without make it is called by hand. It needs Python alone. pip, which comes with
Python, brings uv into the new environment, and uv installs the rest; where uv cannot be had, pip
does. requirements/SET.txt names every package of a set with its version and the SHA-256 of its
files: no mirror, cache or further index can change what is installed. Of the settings of pip and uv
those pass that say how to reach an index; the others, as `user` or `extra-index-url`, do not.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  whoever calls this may have an older one
    sys.exit("error: Python 3.11 or later is needed; name one: make PYTHON=python3.12")

ROOT = Path(__file__).resolve().parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Of PyTorch without CUDA for Linux; PyTorch for other systems has none anyway."""
Command = list[str | Path]
PARTS = {"build", "uv", "torch", "torch-cpu"}
"""Locks that are no sets: `run` needs them too."""
PIP_PASSES = {
    *("index-url", "no-index", "cert", "client-cert", "proxy", "trusted-host", "retries"),
    *("timeout", "default-timeout", "keyring-provider", "cache-dir", "no-cache-dir"),
}
UV_PASSES = {
    *("UV_NO_INDEX", "UV_OFFLINE", "UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS"),
    *("UV_SYSTEM_CERTS", "UV_HTTP_TIMEOUT", "UV_HTTP_RETRIES", "UV_CONCURRENT_DOWNLOADS"),
    *("UV_CACHE_DIR", "UV_NO_CACHE", "UV_LINK_MODE", "UV_COMPILE_BYTECODE"),
}


def main() -> None:
    """Install the sets that are named."""
    sets = {path.stem for path in (ROOT / "requirements").glob("*.txt")} - PARTS
    parser = argparse.ArgumentParser(description="Install locked packages into .venv.")
    named = ", ".join(sorted(sets))
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {named} (default: run)")
    parser.add_argument("--cpu", action="store_true", help="PyTorch without CUDA, from now on")
    parser.add_argument("--pip", action="store_true", help="without uv")
    arguments = parser.parse_args()
    unknown = ", ".join(sorted(set(arguments.sets) - sets))
    if unknown:
        parser.error(f"there is no set {unknown}, but {named}")
    try:
        install(ROOT, arguments.sets or ["run"], cpu=arguments.cpu, with_uv=not arguments.pip)
    except subprocess.CalledProcessError:
        sys.exit("error: the installation failed, as shown above")


def install(root: Path, sets: list[str], *, cpu: bool, with_uv: bool) -> None:
    """Install sets of root/requirements into root/.venv, which is made where it is missing.

    Raises:
        CalledProcessError: a command failed, and has printed why.
    """
    locks, venv = root / "requirements", root / ".venv"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists() or not any(python.parent.glob("pip*")):  # or it was not completed
        run([sys.executable, "-m", "venv", venv])
    settings = environment(pip_settings(python), os.environ)
    pip: Command = [python, "-I", "-m", "pip", "install"]
    # What builds is locked too: a package without a wheel would fetch its own.
    run([*pip, "--quiet", "--require-hashes", "-r", locks / "build.txt"], settings)
    tool = pip
    if with_uv:
        try:
            run([*pip, "--quiet", "--require-hashes", "-r", locks / "uv.txt"], settings)
            tool = [python, "-I", "-m", "uv", "pip", "install", "--python", python]
        except subprocess.CalledProcessError:
            print("uv cannot be had here: pip installs, which takes longer", file=sys.stderr)
    tool = [*tool, "--no-build-isolation"]

    names = list(sets)
    if "run" in sets:
        remembered = venv / "cpu"
        if cpu:
            remembered.touch()
        if remembered.exists() and sys.platform == "linux":
            # Alone, so that this index answers for PyTorch and for nothing else
            only = ("--no-deps", "--index-url", CPU_INDEX, "-r", locks / "torch-cpu.txt")
            run([*tool, *only], without_index(settings))
        else:
            names.append("torch")
    files: Command = [part for name in names for part in ("-r", locks / f"{name}.txt")]
    run([*tool, "--require-hashes", *files], settings)
    if "run" in sets:
        run([*tool, "--no-deps", "--editable", root], settings)


def run(command: Command, settings: Mapping[str, str] | None = None) -> None:
    """Run a command, under these environment variables alone.

    Raises:
        CalledProcessError: it failed.
    """
    subprocess.run([str(part) for part in command], env=settings, check=True)


def pip_settings(python: Path) -> dict[str, str]:
    """What pip's files and variables set for an installation, the strongest for each name."""
    command = [str(python), "-I", "-m", "pip", "config", "list"]
    told = {**os.environ, "PIP_USER": "0"}  # which set would list the user's own file alone
    listed = subprocess.run(command, env=told, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {}
    for section in ("global", "install", ":env:"):  # the later is the stronger
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.*)$", listed, re.MULTILINE):
            found[name] = str(ast.literal_eval(value))
    return found


def environment(pip: Mapping[str, str], outer: Mapping[str, str]) -> dict[str, str]:
    """The variables for pip and uv: the outer ones, with those settings of both that may pass.

    Args:
        pip: settings by name, as `pip_settings` gives them.
        outer: environment variables. What one of the tools is told of an index the other is, too.
    """
    passed = {name: value for name, value in pip.items() if name in PIP_PASSES}
    if "no-index" in passed and "find-links" in pip:  # all that there is, without a network
        passed["find-links"] = pip["find-links"]
    uv = {name: value for name, value in outer.items() if name in UV_PASSES}
    index = outer.get("UV_DEFAULT_INDEX") or outer.get("UV_INDEX_URL") or pip.get("index-url")
    if index:
        uv["UV_DEFAULT_INDEX"] = index
        passed.setdefault("index-url", index)
    told = {
        "UV_NO_INDEX": passed.get("no-index"),
        "UV_FIND_LINKS": ",".join(passed.get("find-links", "").split()),
        "UV_INSECURE_HOST": passed.get("trusted-host"),
        "UV_HTTP_TIMEOUT": passed.get("timeout") or passed.get("default-timeout"),
        "SSL_CERT_FILE": passed.get("cert"),
        "SSL_CLIENT_CERT": passed.get("client-cert"),
        "ALL_PROXY": passed.get("proxy"),
    }
    kept = {k: v for k, v in outer.items() if not k.startswith(("PIP_", "UV_", "PYTHON"))}
    own = {f"PIP_{name.upper().replace('-', '_')}": value for name, value in passed.items()}
    own |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {k: v for k, v in told.items() if v} | kept | uv | own | {"UV_NO_CONFIG": "1"}


def without_index(settings: Mapping[str, str]) -> dict[str, str]:
    """The variables without what would stand beside an index that the command line names."""
    other = {"PIP_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS"}
    other |= {"UV_DEFAULT_INDEX", "UV_NO_INDEX", "UV_FIND_LINKS"}
    return {name: value for name, value in settings.items() if name not in other}


if __name__ == "__main__":
    main()
