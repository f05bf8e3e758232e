"""Files are written whole or not at all, and hold what strict readers accept."""

import csv
import errno
import io
import json
import os
import re
import resource
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small import contents, in_child

from fashion_mnist.pipeline import files

NEW = {"a/one.json": b"new one" * 1000, "b/two.csv": b"new two" * 2000, "b/three": b""}


@pytest.fixture
def old(tmp_path):
    """A folder in which every path of NEW has an old content already."""
    for name in NEW:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"old " + name.encode())
    return contents(tmp_path)


def write_new():
    files.write({Path(name): content for name, content in NEW.items()})


def fail_at(count, error):
    """Make the `count`-th file that is forced to the disk fail, as it does on a full one."""
    calls = []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) == count:
            raise error

    os.fsync = fsync


def test_all_paths_get_their_content_and_folders_are_made(tmp_path):
    files.write({tmp_path / name: content for name, content in NEW.items()})
    assert contents(tmp_path) == NEW


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("count", range(1, len(NEW) + 1))
def test_a_failure_at_any_file_changes_none(tmp_path, old, code, count):
    error = OSError(code, os.strerror(code))
    status, printed = in_child(tmp_path, write_new, lambda: fail_at(count, error))
    assert status == 2
    path = list(NEW)[count - 1]
    assert printed.startswith(f"error: {os.strerror(code)}: {path}; ")
    assert len(printed.splitlines()) == 1
    assert contents(tmp_path) == old


@pytest.mark.parametrize("size", [0, 1, 6999, 7000, 13_999])
def test_a_write_that_stops_at_byte_n_changes_nothing(tmp_path, old, size):
    limit = (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    status, printed = in_child(
        tmp_path, write_new, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    )
    assert status == 2
    assert re.match(r"error: File too large: (a/one\.json|b/two\.csv); .*ulimit", printed)
    assert contents(tmp_path) == old


def test_a_full_disk_changes_nothing(tmp_path):
    """Issue 5, item 4, on a file system of 16 KiB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine allows no mount; the tests above stand in")
    try:
        (tmp_path / "out").write_bytes(b"old")
        status, printed = in_child(
            tmp_path, lambda: files.write({Path("more"): b"", Path("out"): bytes(64_000)})
        )
        assert (status, printed.splitlines()) == (
            2,
            [
                "error: No space left on device: out; free some space and run again; "
                "no file is half-written"
            ],
        )
        assert contents(tmp_path) == {"out": b"old"}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("count", range(1, len(NEW) + 1))
def test_a_kill_within_a_write_leaves_every_file_as_it_was(tmp_path, old, count):
    """d04: half the bytes are there when the process is gone."""

    def die():
        calls = []

        def fsync(descriptor):
            calls.append(descriptor)
            if len(calls) == count:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
                os._exit(137)

        os.fsync = fsync

    assert in_child(tmp_path, write_new, die) == (137, "")
    left = contents(tmp_path)
    assert {name: left[name] for name in old} == old
    assert set(left) != set(old), "the test met no half-written file"
    in_child(tmp_path, write_new)
    assert contents(tmp_path) == NEW, "the next write removes what the killed one left"


def test_a_file_that_keeps_its_name_is_named_and_every_file_is_whole(tmp_path, monkeypatch):
    """As one that is immutable, or held open on Windows: it shows when the first is new already."""
    first, second = tmp_path / "first", tmp_path / "second"
    files.write({first: b"old", second: b"old"})
    replace = Path.replace

    def refuses(path, target):
        if target == second:
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuses)
    with pytest.raises(PermissionError) as caught:
        files.write({first: b"new", second: b"new"})
    assert caught.value.filename == str(second)
    assert contents(tmp_path) == {"first": b"new", "second": b"old"}


def test_a_file_that_another_process_is_writing_is_left_alone(tmp_path):
    theirs = tmp_path / f".out.{os.getppid()}.tmp"
    theirs.write_bytes(b"theirs")
    files.write({tmp_path / "out": b"mine"})
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hardlink", "symlink"])
def test_nothing_is_written_through_a_link_into_a_cache(tmp_path, link):
    """c03: the workspace's file is a read-only link to the file in DVC's cache."""
    cached = tmp_path / "cache"
    cached.write_bytes(b"cached")
    cached.chmod(0o444)
    link(cached, tmp_path / "out")
    files.write({tmp_path / "out": b"new"})
    assert (cached.read_bytes(), (tmp_path / "out").read_bytes()) == (b"cached", b"new")
    assert not (tmp_path / "out").is_symlink()


@pytest.mark.parametrize(
    ("in_the_way", "words"),
    [
        ("b/two.csv/folder", "Is a directory: b/two.csv"),
        ("b", "File exists: b"),
        ("a", "exists: a"),
    ],
)
def test_what_stands_in_a_files_place_is_named_and_nothing_is_written(tmp_path, in_the_way, words):
    path = tmp_path / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    status, printed = in_child(tmp_path, write_new)
    assert status == 2
    assert words in printed
    assert "move away" in printed
    assert contents(tmp_path) == {in_the_way: b"x"}


def test_a_folder_without_permission_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o555)
    tmp_path.chmod(0o777)
    status, printed = in_child(tmp_path, write_new, lambda: os.getuid() or os.setuid(65534))
    assert status == 2
    assert printed.startswith("error: Permission denied: a/one.json; ")  # not a temporary name
    assert contents(tmp_path) == {}


# JSON and CSV


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0000148, "1.48e-05"),
        (0.041855331510305405, "0.0418553"),
        (0.86, "0.86"),
        (1e-300, "1e-300"),
        (123456789.0, "123457000.0"),
        (0.0, "0.0"),
    ],
)
def test_numbers_are_rounded_to_six_significant_digits(number, written):
    """e09: a small value is never 0.0, and no long tail of digits is written."""
    assert files.json_bytes({"a": number}) == f'{{\n  "a": {written}\n}}\n'.encode()
    assert files.csv_bytes(["a"], [[number]]) == f"a\n{written}\n".encode()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_never_written(number):
    """c14"""
    with pytest.raises(ValueError, match=r"loss: .* is not finite"):
        files.json_bytes({"loss": number})
    with pytest.raises(ValueError, match=r"loss: .* is not finite"):
        files.csv_bytes(["loss"], [[number]])


@pytest.mark.parametrize(
    "value",
    [np.float32(1), np.float64(1), np.int64(1), np.bool_(True), torch.tensor(1.0), [1], {"b": 1}],
    ids=lambda value: type(value).__name__,
)
def test_only_plain_values_are_written(value):
    """d17: a wrong type fails where the file is made, not in its reader."""
    with pytest.raises(TypeError, match=r"a: .* is not a plain Python value"):
        files.json_bytes({"a": value})
    with pytest.raises(TypeError, match=r"a: .* is not a plain Python value"):
        files.csv_bytes(["a"], [[value]])


def test_plain_values_survive_a_strict_reader():
    metrics = {"a": 1, "b": 0.5, "c": "T-shirt/top", "d": True, "e": None}
    assert json.loads(files.json_bytes(metrics), parse_constant=pytest.fail) == metrics


def test_a_missing_value_is_an_empty_cell_and_every_row_has_the_headers_length():
    """d31"""
    assert files.csv_bytes(["a", "b"], [[1, None], [None, "x"]]) == b"a,b\n1,\n,x\n"
    with pytest.raises(ValueError, match="shorter"):
        files.csv_bytes(["a", "b"], [[1]])
    with pytest.raises(ValueError, match="longer"):
        files.csv_bytes(["a"], [[1, 2]])


def test_cells_with_commas_quotes_and_other_scripts_come_back(tmp_path):
    """As Python's reader, which DVC uses, and pandas' read them."""
    rows = [["0 a, b", 'say "c"'], ["1 d/e", "衣類 ꦏ"], ["2 two\nlines", " ' "]]
    content = files.csv_bytes(["actual", "predicted"], rows)
    assert list(csv.reader(io.StringIO(content.decode())))[1:] == rows
    assert pd.read_csv(io.BytesIO(content), dtype=str).to_numpy().tolist() == rows
    assert files.csv_bytes(["a", "b"], [["T-shirt/top", 1]]) == b"a,b\nT-shirt/top,1\n"


def test_a_leftover_whose_process_number_was_given_out_again_is_removed(tmp_path):
    """A number alone proves nothing: the file is older than the process that has it now."""
    path = tmp_path / "metrics.json"
    stale, live = (
        path.with_name(f".metrics.json.{pid}.tmp") for pid in (os.getpid(), os.getppid())
    )
    for file in (stale, live):
        file.write_bytes(b"half")
    os.utime(stale, (0, 0))
    files.remove_leftovers(path)
    assert [p.name for p in tmp_path.iterdir()] == [live.name]
