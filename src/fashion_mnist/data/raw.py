"""The folder of the four verified files."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fashion_mnist.data import sources
from fashion_mnist.data.idx import FILES, sha256
from fashion_mnist.pipeline import files
from fashion_mnist.pipeline.errors import UserError


def fetch_into(folder: Path, digests: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Make `folder` hold the four uncompressed files, and nothing else.

    Files that are right already are not touched. The others are written only when a source has
    supplied all four.

    Args:
        folder: made where it is missing.
        digests: SHA-256 of the uncompressed content, in hexadecimal digits, by key of `FILES`.
        report: called with lines on what was found and where the data came from.

    Raises:
        UserError: no source has the data, or the folder holds other files, which DVC would take
            for a part of the data set.
        OSError: the folder is not writable, or the disk is full; it is unchanged.
    """
    paths = {key: folder / name for key, name in FILES.items()}
    for path in paths.values():
        files.remove_leftovers(path)
    if others := [str(p) for p in sorted(folder.glob("*")) if p not in paths.values()]:
        raise UserError(f"{folder} may hold the four files alone; move away " + ", ".join(others))
    wrong = [key for key, path in paths.items() if not _has(path, digests[key])]
    if not wrong:
        report(f"{folder} holds the right files already")
        return
    content = sources.fetch(digests, report)
    files.write({paths[key]: content[key] for key in wrong})


def _has(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path.read_bytes()) == digest
