"""The folder of the four verified files."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fashion_mnist.data import sources
from fashion_mnist.data.idx import FILES, sha256
from fashion_mnist.data.sources import GZIP
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError

LITTER = ("Thumbs.db", "desktop.ini")


def fetch_into(folder: Path, digests: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Make `folder` hold the four uncompressed files, and nothing else.

    Files that are right already are not touched. The others are written only when a source has
    supplied all four. What Finder, Explorer and the like leave is ignored, as DVC ignores it
    (.dvcignore): hidden files and `LITTER`.

    Args:
        folder: made where it is missing.
        digests: SHA-256 of the uncompressed content, in hexadecimal digits, by key of `FILES`.
        report: called with lines on what is wrong with files that are there, and where the data
            came from.

    Raises:
        UserError: no source has the data, or not the one that the user names, or the folder holds
            other files, which DVC would take for a part of the data set.
        OSError: the folder is not writable, or the disk is full; it is unchanged.
    """
    paths = {key: folder / name for key, name in FILES.items()}
    for path in paths.values():
        files.remove_leftovers(path)
    faults = {key: fault for key, path in paths.items() if (fault := _fault(path, digests[key]))}
    others = [p for p in sorted(folder.glob("[!.]*")) if p not in paths.values()]
    if others := [path for path in others if path.name not in LITTER]:
        raise UserError(_in_the_way(folder, others))
    if not faults:
        sources.read_named(digests)  # a mistake in the name is told now, not with the next data
        report(f"{folder} holds the right files already")
        return
    if any(path.exists() for path in paths.values()):
        for key, fault in faults.items():
            report(f"{paths[key]} {fault}")
    content = sources.fetch(digests, report)
    files.write({paths[key]: content[key] for key in faults})


def _fault(path: Path, digest: str) -> str:
    """What is wrong with a file, to be read after its name; empty where it is the right one."""
    if not path.exists():
        return "is missing"
    if path.is_dir():
        return "is a folder"
    found = sha256(path.read_bytes())
    if found == digest:
        return ""
    packed = " (it is still packed by gzip)" if _is_packed(path) else ""
    return f"has SHA-256 {found}, expected {digest}{packed}"


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def _in_the_way(folder: Path, others: list[Path]) -> str:
    packed = [path for path in others if path.suffix == ".gz" and path.is_file()]
    if advice := [
        f"gunzip {path}" if _is_packed(path) else f"mv {path} {path.with_suffix('')}"
        for path in packed
    ]:
        unpacked = f"{folder} may hold the four files unpacked and nothing else: "
        return unpacked + "; ".join(advice)
    return f"{folder} may hold the four files alone; move away " + ", ".join(map(str, others))
