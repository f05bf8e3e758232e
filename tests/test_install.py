"""What `make install` installs, and that nothing else can come in: without a network."""

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import install
import lock
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small import PROJECT

WANTED = lock.sets(tomllib.loads((PROJECT / "pyproject.toml").read_text()))
LOCKED = {path.stem: path.read_text() for path in lock.LOCKS.glob("*.txt")}
PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)
PIP = pytest.param("pip", marks=pytest.mark.slow)
HOSTILE = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_CONSTRAINT": "/nowhere/constraints.txt",
    "UV_CONSTRAINT": "/nowhere/constraints.txt",
    "UV_SYSTEM_PYTHON": "1",
    "UV_TORCH_BACKEND": "cu130",
}


@pytest.mark.parametrize("name", WANTED)
def test_the_lock_is_that_of_pyproject(name):
    """`make lock` makes it so; CI sees with a network that nothing is missing from the closure."""
    text = LOCKED[name] + (LOCKED["torch"] if name == "run" else "")
    pins = {canonicalize_name(found[1]): found[2] for found in PIN.finditer(text)}
    wanted = [Requirement(requirement) for requirement in WANTED[name]]
    missing = [r for r in wanted if pins.get(canonicalize_name(r.name), "0") not in r.specifier]
    assert missing == []


def test_nothing_is_locked_that_no_set_wants():
    assert set(LOCKED) == {*WANTED, "torch", "torch-cpu"}


def test_each_package_has_one_version_and_digests_and_no_address():
    versions = {}
    for name in LOCKED.keys() - {"torch-cpu"}:
        assert "://" not in LOCKED[name]
        for package in re.split(r"^(?=\w)", LOCKED[name], flags=re.MULTILINE)[1:]:
            found = PIN.match(package)
            assert versions.setdefault(found[1], found[2]) == found[2]
            assert " --hash=sha256:" in package


def test_pytorch_without_cuda_is_of_the_same_version():
    cpu, cuda = (dict(PIN.findall(LOCKED[name])) for name in ("torch-cpu", "torch"))
    assert cpu == {name: f"{cuda[name]}+cpu" for name in ("torch", "torchvision")}


@pytest.mark.parametrize("version", ["1", "2"])
def test_digests_of_pytorchs_own_index_stay_while_it_is_out_of_reach(
    tmp_path, monkeypatch, version
):
    """They are those of one version: another has its pins alone, until somebody reaches it."""

    def unreachable(*_):
        raise subprocess.CalledProcessError(2, "uv")

    monkeypatch.setattr(lock, "compiled", unreachable)
    monkeypatch.setattr(lock, "CPU", tmp_path / "torch-cpu.txt")
    recorded = "torch==1+cpu --hash=sha256:0\ntorchvision==1+cpu --hash=sha256:0\n"
    lock.CPU.write_text(recorded)
    lock.lock_cpu("", [f"torch=={version} \\\n", "triton==3 \\\n", "torchvision==1 \\\n"], {})
    pins = f"torch=={version}+cpu\ntorchvision==1+cpu\n"
    assert lock.CPU.read_text() == (recorded if version == "1" else pins)


def test_a_mirror_passes_to_both_and_what_changes_the_result_to_none():
    pip = {"index-url": "https://mirror/simple", "cert": "/ca.pem", "user": "true", "target": "/t"}
    pip |= {"extra-index-url": "https://other", "find-links": "/wheels", "timeout": "60"}
    outer = {"PATH": "/bin", "PIP_USER": "1", "UV_TORCH_BACKEND": "cpu", "UV_CACHE_DIR": "/c"}
    outer |= {"PYTHONPATH": "/packages", "UV_EXTRA_INDEX_URL": "https://other"}
    found = install.environment(pip, outer)
    tools = {name: value for name, value in found.items() if name.startswith(("PIP_", "UV_", "PY"))}
    assert tools == {
        "PIP_INDEX_URL": "https://mirror/simple",
        "PIP_CERT": "/ca.pem",
        "PIP_TIMEOUT": "60",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "UV_HTTP_TIMEOUT": "60",
        "UV_CACHE_DIR": "/c",
        "UV_NO_CONFIG": "1",
    }
    assert found["SSL_CERT_FILE"] == "/ca.pem"
    assert found["PATH"] == "/bin"


def test_an_index_that_uv_alone_is_told_of_is_pips_too():
    found = install.environment({}, {"UV_INDEX_URL": "https://mirror/simple"})
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert "PIP_INDEX_URL" not in install.without_index(found)


def wheel(folder: Path, name: str, version: str = "1", more: str = "") -> str:
    """Write a wheel; the line of a lock that lets it in."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        for file, text in {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }.items():
            archive.writestr(f"{name}-{version}.dist-info/{file}", text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with tiny locks, without a network, among settings that would lead elsewhere."""
    root, wheels, cpu = (tmp_path / name for name in ("project", "wheels", "cpu/torch"))
    for folder in (root / "requirements", wheels, cpu, tmp_path / "uv"):
        folder.mkdir(parents=True)
    for name in ("build", "run", "torch", "test"):
        (root / f"requirements/{name}.txt").write_text(wheel(wheels, name))
    (root / "requirements/torch-cpu.txt").write_text(
        wheel(cpu, "torch", "1+cpu", "Requires-Dist: not-asked-for-there\n")
    )
    (cpu / "index.html").write_text('<a href="torch-1+cpu-py3-none-any.whl">torch-1+cpu</a>')
    monkeypatch.setattr(install, "CPU_INDEX", cpu.parent.as_uri())

    wheel(tmp_path, "project")
    built = str(tmp_path / "project-1-py3-none-any.whl")
    (root / "backend.py").write_text(
        "import os, shutil\n"
        "def build_editable(folder, *_):\n"
        f"    return os.path.basename(shutil.copy({built!r}, folder))\n"
    )
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    tools = packages(root) / "tools.pth"
    tools.write_text(sysconfig.get_path("purelib"))  # with this environment's pip and uv
    (root / ".venv/bin/pip").touch()

    (root / ".venv/pip.conf").write_text(
        f"[global]\nuser = true\nroot = /nowhere\nno-index = true\nfind-links = {wheels}\n"
    )
    (tmp_path / "uv/uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    own = {"HOME": tmp_path, "XDG_CONFIG_HOME": tmp_path}
    own |= {"UV_CACHE_DIR": tmp_path / "cache", "PYTHONPATH": wheels}
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    for name, value in {**HOSTILE, **own}.items():
        monkeypatch.setenv(name, str(value))
    return root


def packages(root: Path) -> Path:
    (found,) = (root / ".venv").glob("lib/python*/site-packages")
    return found


def installed(root: Path) -> set[str]:
    """The packages of an environment, each with its version."""
    return {path.stem for path in packages(root).glob("*.dist-info")}


@pytest.fixture(params=["uv", PIP, "no uv"])
def tool(request, project):
    """What installs: `with_uv`, and whether uv can be had."""
    name, version = "absent", "1"
    if request.param == "uv":
        pytest.importorskip("uv")
        name, version = "uv", metadata.version("uv")
    (project / "requirements/uv.txt").write_text(f"{name}=={version} --hash=sha256:{64 * '0'}")
    return request.param


def test_settings_of_the_user_change_nothing(project, tool, capfd):
    install.install(project, ["run", "test"], cpu=False, with_uv=tool != "pip")
    assert installed(project) == {"build-1", "run-1", "torch-1", "test-1", "project-1"}
    assert ("uv cannot be had here" in capfd.readouterr().err) == (tool == "no uv")


@pytest.mark.parametrize("tool", ["uv", PIP], indirect=True)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyTorch has no CUDA")
def test_pytorch_without_cuda_comes_from_its_index_and_stays(project, tool):
    install.install(project, ["run"], cpu=True, with_uv=tool != "pip")
    assert installed(project) == {"build-1", "run-1", "torch-1+cpu", "project-1"}
    install.install(project, ["run"], cpu=False, with_uv=tool != "pip")  # after a git pull
    assert "torch-1+cpu" in installed(project)


@pytest.mark.parametrize("tool", ["uv", PIP], indirect=True)
def test_a_wheel_with_another_digest_is_refused(project, tool, capfd):
    with zipfile.ZipFile(project.parent / "wheels/run-1-py3-none-any.whl", "a") as archive:
        archive.writestr("more.py", "")
    with pytest.raises(subprocess.CalledProcessError):
        install.install(project, ["run"], cpu=False, with_uv=tool != "pip")
    said = capfd.readouterr().err.lower()
    assert "hash mismatch" in said or "do not match the hashes" in said
    assert installed(project) == {"build-1"}
