"""Where the four files come from: a folder, torchvision's mirrors, or the Debian package.

Each source returns the uncompressed content of the four files, by key of `FILES`, or raises
`SourceError` with one line that says why not. What counts is the content's SHA-256, never the
source, a name, a size or the digest of a compressed file.
"""

import gzip
import io
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path

from fashion_mnist.data.idx import FILES, sha256
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parent import repository

VARIABLE = "FASHION_MNIST_DIR"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
MIRROR_SECONDS = 60.0  # for all four files of one mirror, 30 MB
SILENCE_SECONDS = 10.0  # without a byte from a mirror
APT_SECONDS = 180.0  # for each of apt's and dpkg's commands

BY_HAND = f"""supply the data by hand in one of three ways:
  - put the four files, plain or .gz, into a folder and name it in FASHION_MNIST_DIR
  - as root on Debian or Ubuntu: apt-get install {DEBIAN_PACKAGE}
  - put the four uncompressed files into data/raw"""

LARGEST = 1 << 30
"""Bytes of an uncompressed file at most: 1.3 million images."""
LARGEST_OFFICIAL = 1 << 26
"""Bytes of what a mirror sends, and of what it unpacks to; the largest file has 47 million."""

GZIP = b"\x1f\x8b"
"""The first bytes of every gzip file."""

Content = dict[str, bytes]


class SourceError(Exception):
    """A source cannot supply the data; the message is one line that says why."""


def fetch(digests: Mapping[str, str], report: Callable[[str], None]) -> Content:
    """The four files from the folder that the user names, else from the first source that has them.

    Args:
        digests: SHA-256 of the uncompressed content, in hexadecimal digits, by key of `FILES`.
        report: called with one line for each source that fails and for the one that is used.

    Raises:
        UserError: as `read_named`; or every source failed, for the reasons that `report` was
            given; the message has the ways to supply the data by hand.
    """
    if named := read_named(digests):
        report(f"from {VARIABLE}={os.environ[VARIABLE]}")
        return named
    for name, source in sources():
        try:
            content = source()
            verify(content, digests)
        except (SourceError, OSError) as reason:
            report(f"not from {name}: {' '.join(str(reason).split())}")
        else:
            report(f"from {name}")
            return content
    raise UserError(f"no source has the data, for the reasons above; {BY_HAND}")


def sources() -> list[tuple[str, Callable[[], Content]]]:
    """The sources in the order in which they are tried, each with its name."""
    return [
        (str(DEBIAN_FOLDER), lambda: read_folder(DEBIAN_FOLDER)),
        ("torchvision's mirrors", download),
        (f"the Debian package {DEBIAN_PACKAGE}", unpack_debian_package),
    ]


def read_named(digests: Mapping[str, str]) -> Content | None:
    """The four files from the folder that `VARIABLE` names; None where it names none.

    A relative name is the repository's, also where DVC runs an experiment in a copy of it.

    Raises:
        UserError: the folder does not hold them; who names one wants no other source instead.
    """
    if not (named := os.environ.get(VARIABLE)):
        return None
    try:
        content = read_folder(repository() / named)
        verify(content, digests)
    except (SourceError, OSError) as reason:
        raise UserError(
            f"{VARIABLE}={named}: {' '.join(str(reason).split())}; mend the folder, or unset "
            f"{VARIABLE} to let the other sources be tried"
        ) from None
    return content


def verify(content: Content, digests: Mapping[str, str]) -> None:
    """Compare each file's SHA-256 with the wanted one.

    Raises:
        SourceError: some differ; each is named with the expected and the actual digest, which can
            be pasted into `fetch.sha256` where the data is meant.
    """
    wrong = [
        f"{FILES[key]} has SHA-256 {sha256(content[key])}, expected {digest}"
        for key, digest in digests.items()
        if sha256(content[key]) != digest
    ]
    if wrong:
        raise SourceError("other content: " + "; ".join(wrong))


def read_folder(folder: Path) -> Content:
    """The four files of a folder, plain or gzip, named officially or as other unpackers do.

    Raises:
        SourceError: the folder or a file is missing, unreadable, cut off or larger than `LARGEST`.
    """
    if not folder.is_dir():
        raise SourceError("no such folder")
    found = {key: _find(folder, name) for key, name in FILES.items()}
    paths = {key: path for key, path in found.items() if path is not None}
    missing = [name for key, name in FILES.items() if key not in paths]
    if missing:
        raise SourceError("missing, plain or .gz: " + ", ".join(missing))
    content = {}
    for key, path in paths.items():
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError(f"more than {LARGEST:,} bytes")
            content[key] = decompress(path.read_bytes(), LARGEST)
        except OSError as error:
            raise SourceError(f"{path.name}: {error.strerror or error}") from None
        except ValueError as error:
            raise SourceError(f"{path.name}: {error}") from None
    return content


def _find(folder: Path, name: str) -> Path | None:
    """The file `name`, also as `train-images.idx3-ubyte`, plain before .gz."""
    dotted = name.replace("-idx", ".idx")
    candidates = [folder / f"{base}{end}" for base in (name, dotted) for end in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def decompress(content: bytes, most: int) -> bytes:
    """The content of a gzip file, `most` bytes at most; other bytes are returned as they are.

    Raises:
        ValueError: the gzip stream is cut off, corrupt or too long, or the bytes are a web page.
    """
    if content[:2] == GZIP:
        try:
            with gzip.open(io.BytesIO(content)) as file:
                unpacked: bytes = file.read(most + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"truncated or corrupt gzip ({error})") from None
        if len(unpacked) > most:
            raise ValueError(f"more than {most:,} bytes when unpacked")
        return unpacked
    if content.lstrip()[:1] == b"<":
        raise ValueError("a web page, no data")
    return content


def download() -> Content:
    """The four files from the first of torchvision's mirrors that has them all.

    torchvision's own download sets no time limit and keeps what arrived in part; only its list of
    mirrors and file names is used.

    Raises:
        SourceError: no mirror answered in time with all files; one reason a mirror.
    """
    try:
        from torchvision.datasets import FashionMNIST  # seconds to import, and seldom needed
    except (ImportError, RuntimeError) as error:  # it was built for another torch
        raise SourceError(f"torchvision cannot be imported: {error}") from None

    reasons = []
    for mirror in FashionMNIST.mirrors:
        deadline = time.monotonic() + MIRROR_SECONDS
        try:
            return {
                key: decompress(_get(f"{mirror}{name}.gz", deadline), LARGEST_OFFICIAL)
                for key, name in FILES.items()
            }
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{mirror} {' '.join(str(error).split()) or type(error).__name__}")
    raise SourceError("; ".join(reasons))


def _get(url: str, deadline: float) -> bytes:
    """The body of a response, all of it or an exception, before `deadline` (monotonic seconds)."""
    parts, size = [], 0
    with urllib.request.urlopen(url, timeout=SILENCE_SECONDS) as response:
        announced = response.headers.get("Content-Length")
        while part := response.read1(1 << 16):
            parts.append(part)
            size += len(part)
            if size > LARGEST_OFFICIAL:
                raise ValueError(f"more than {LARGEST_OFFICIAL:,} bytes of {url}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not complete after {MIRROR_SECONDS:g} s")
    body = b"".join(parts)
    if announced is not None and len(body) != int(announced):
        raise ValueError(f"truncated: {len(body)} of {announced} bytes of {url} arrived")
    return body


def unpack_debian_package() -> Content:
    """The four files of the Debian package, fetched and unpacked without installing it.

    The lists and the cache are private and temporary, so this works for every user and changes
    nothing on the machine.

    Raises:
        SourceError: there is no apt, or one of its commands fails or takes too long.
    """
    missing = [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        raise SourceError(f"no {missing[0]} on this machine")
    with tempfile.TemporaryDirectory(prefix="fashion-mnist-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # apt fetches as a user of its own
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        apt = [
            "apt-get",
            *("-q", "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"),
            *("-o", "APT::Sandbox::User=root"),
        ]
        _command([*apt, "update"], folder)
        _command([*apt, "download", DEBIAN_PACKAGE], folder)
        packages = list(folder.glob(f"{DEBIAN_PACKAGE}_*.deb"))
        if not packages:
            raise SourceError("apt-get download left no package")
        _command(["dpkg-deb", "-x", str(packages[0]), f"{folder}/content"], folder)
        return read_folder(folder / "content" / DEBIAN_FOLDER.relative_to("/"))


def _command(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"{command[0]} took more than {APT_SECONDS:g} s") from None
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise SourceError(f"{command[0]} ended with {done.returncode}: {reason}")
