"""Writing files whole or not at all, in formats that give the same bytes everywhere."""

import csv
import errno
import io
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

Value = str | int | float | bool | None
"""What a metric or the cell of a table may be; None is an empty cell."""


def write(contents: Mapping[Path, bytes | Iterable[bytes | memoryview]]) -> None:
    """Replace every path's content, given whole or in parts.

    The bytes go to temporary files in the same folders and to the disk; only when all are there
    does each take the name of its path, one after the other. A reader, a full disk or a kill
    therefore meets the old content of a file or the new, never a part. Taking the name also never
    writes through a link into DVC's cache. What killed processes left while writing the same paths
    is removed.

    Raises:
        OSError: a folder is not writable, a folder stands in a file's place, or the disk is full;
            it names the path, and nothing has changed. Or a file keeps its name, since it is
            immutable or, on some systems, held open; then the paths before it are new.
    """
    for path in contents:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporaries = {path: temporary_of(path) for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path)
            with _naming(path), temporaries[path].open("wb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
        for path, temporary in temporaries.items():
            with _naming(path):
                temporary.replace(path)
    finally:
        for temporary in temporaries.values():
            with suppress(OSError):  # the first error is the one to tell
                temporary.unlink()


def temporary_of(path: Path) -> Path:
    """Where this process writes what is to become `path`; Git and DVC ignore such names."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name `path` in an OSError: that of write or fsync names none, others the temporary file."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes left while writing `path`."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        owner = re.fullmatch(r".*\.(\d+)\.tmp", leftover.name)
        if owner and not _is_writing(int(owner[1]), leftover):
            leftover.unlink(missing_ok=True)


def _is_writing(pid: int, temporary: Path) -> bool:
    """Whether the process can have made the file: numbers are given out again after a reboot.

    A start is known to about a second, hence the two seconds.
    """
    try:
        return psutil.Process(pid).create_time() < temporary.stat().st_mtime + 2
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False
    except psutil.AccessDenied:
        return True


def json_bytes(metrics: Mapping[str, Value]) -> bytes:
    """A flat JSON object; floats are rounded to six significant digits.

    Raises:
        TypeError: a value is not a plain Python str, int, float, bool or None.
        ValueError: a number is not finite; strict readers refuse NaN and Infinity.
    """
    rounded = {key: _plain(key, value) for key, value in metrics.items()}
    return (json.dumps(rounded, indent=2, allow_nan=False) + "\n").encode()


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """A CSV table with line feeds; floats are rounded to six significant digits.

    A cell with a comma, a quote or a line end is quoted; None is an empty cell.

    Raises:
        TypeError, ValueError: as `json_bytes`; ValueError also for a row of another length.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    for row in rows:
        table.writerow([_plain(column, cell) for column, cell in zip(header, row, strict=True)])
    return text.getvalue().encode()


def significant(number: float, digits: int = 6) -> float:
    """Round to significant digits: small values keep theirs, long tails go."""
    return float(f"{number:.{digits}g}")


def _plain(key: str, value: Value) -> Value:
    if type(value) not in (str, int, float, bool, type(None)):
        raise TypeError(f"{key}: {type(value).__name__} is not a plain Python value")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{key}: {value} is not finite")
        return significant(value)
    return value
