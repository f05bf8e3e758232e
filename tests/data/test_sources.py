"""Every source: what it accepts, and the one line that it costs when it fails."""

import gzip
import os
import sys
import time
import tracemalloc

import pytest
from small import in_child
from torchvision.datasets import FashionMNIST

from fashion_mnist.data import sources
from fashion_mnist.data.idx import FILES
from fashion_mnist.data.raw import fetch_into
from fashion_mnist.pipeline.errors import UserError

pytestmark = pytest.mark.usefixtures("alone")


def write(folder, content, rename=str, compress=lambda content: content):
    folder.mkdir()
    for key, name in FILES.items():
        (folder / rename(name)).write_bytes(compress(content[key]))
    return folder


def fails(source, *words):
    with pytest.raises(sources.SourceError) as caught:
        source()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


# A folder


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folders_files_are_read_by_content_not_by_name(
    tmp_path, content, compress, dotted, ending
):
    """a11: also under the names that other unpackers give; plain files called .gz are read too."""

    def rename(name):
        return (name.replace("-idx", ".idx") if dotted else name) + ending

    assert sources.read_folder(write(tmp_path / "own", content, rename, compress)) == content


def test_each_missing_file_is_named(tmp_path, content):
    folder = write(tmp_path / "own", content)
    (folder / FILES["test_labels"]).unlink()
    (folder / FILES["test_images"]).rename(folder / "other")
    message = fails(lambda: sources.read_folder(folder), *list(FILES.values())[2:])
    assert FILES["train_images"] not in message
    fails(lambda: sources.read_folder(tmp_path / "none"), "no such folder")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda raw: gzip.compress(raw)[:5000], ["truncated or corrupt"]),
        (lambda raw: gzip.compress(raw)[:12], ["truncated or corrupt"]),
        (lambda raw: b"\x1f\x8b" + raw, ["truncated or corrupt"]),
        (lambda raw: gzip.compress(raw)[:-8] + bytes(8), ["truncated or corrupt"]),
        (lambda raw: gzip.compress(raw) + b"tail", ["truncated or corrupt"]),
        (lambda _: b"\n <!DOCTYPE html><html>403</html>", ["a web page"]),
    ],
    ids=["cut", "header", "no gzip", "checksum", "tail", "page"],
)
def test_a_damaged_file_is_named(tmp_path, content, damage, words):
    """a01 a02"""
    folder = write(tmp_path / "own", content)
    (folder / FILES["test_images"]).write_bytes(damage(content["test_images"]))
    fails(lambda: sources.read_folder(folder), FILES["test_images"], *words)


def test_a_file_that_unpacks_to_more_than_the_data_set_can_have(tmp_path, monkeypatch, content):
    monkeypatch.setattr(sources, "LARGEST", 15_000)
    folder = write(tmp_path / "own", content, compress=gzip.compress)
    fails(lambda: sources.read_folder(folder), FILES["train_images"], "15,000 bytes when unpacked")
    (folder / FILES["train_images"]).write_bytes(content["train_images"])
    fails(lambda: sources.read_folder(folder), f"{FILES['train_images']}: more than 15,000 bytes")


def test_what_unpacks_to_too_much_is_not_unpacked_whole():
    packed = gzip.compress(bytes(1 << 26), 1)
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than 1,048,576 bytes when unpacked"):
        sources.decompress(packed, 1 << 20)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 23


# The folder that the user names


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: folder.rename(folder.with_name("other")), "no such folder"),
        (lambda folder: (folder / FILES["test_labels"]).unlink(), "missing, plain or .gz"),
        (lambda folder: (folder / FILES["test_labels"]).write_bytes(b"\x1f\x8b"), "corrupt gzip"),
        (lambda folder: (folder / FILES["test_labels"]).write_bytes(b"9"), "has SHA-256"),
    ],
    ids=["no folder", "a file missing", "damaged", "other content"],
)
def test_a_named_folder_without_the_data_is_an_error(
    tmp_path, monkeypatch, content, digests, damage, words
):
    """a03 a06: also where other sources have them, or data/raw holds them already."""
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", write(tmp_path / "debian", content))
    write(tmp_path / "raw", content)
    damage(write(tmp_path / "own", content))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "own"))
    for there in ("raw", "none"):
        with pytest.raises(UserError, match=f"^FASHION_MNIST_DIR={tmp_path / 'own'}: ") as caught:
            fetch_into(tmp_path / there, digests, pytest.fail)
        assert words in str(caught.value)
        assert str(caught.value).endswith(
            "unset FASHION_MNIST_DIR to let the other sources be tried"
        )
    assert not (tmp_path / "none").exists()


def test_a_named_folder_that_may_not_be_looked_into_is_one_line(tmp_path, content, digests):
    folder = write(tmp_path / "own", content)
    folder.chmod(0)

    def main():
        os.environ["FASHION_MNIST_DIR"] = str(folder)
        sources.fetch(digests, print)

    status, printed = in_child(tmp_path, main, lambda: os.getuid() or os.setuid(65534))
    folder.chmod(0o755)
    (line,) = printed.splitlines()
    assert status == 2
    assert line.startswith(f"error: FASHION_MNIST_DIR={folder}: ")
    assert "Permission denied" in line


# Digests


def test_other_content_is_refused_with_both_digests(content, digests):
    """a03: digits under the garments' names; the message gives what to paste."""
    digits = {**content, "train_images": content["train_images"][:-1] + b"\xff"}
    message = fails(lambda: sources.verify(digits, digests), "train-images-idx3-ubyte")
    assert digests["train_images"] in message
    assert "t10k" not in message


def test_swapped_files_are_refused(content, digests):
    """a09"""
    swapped = {
        **content,
        "train_images": content["train_labels"],
        "train_labels": content["train_images"],
    }
    fails(lambda: sources.verify(swapped, digests), "train-images", "train-labels")


# The mirrors


def mirrors(monkeypatch, *addresses):
    monkeypatch.setattr(FashionMNIST, "mirrors", list(addresses))


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("forbidden", ["403"]),
        ("page", ["a web page"]),
        ("cut", ["truncated", "bytes of", "arrived"]),
        ("short", ["truncated", "train-images-idx3-ubyte.gz"]),
        ("bomb", ["more than 67,108,864 bytes when unpacked"]),
        ("endless", ["more than 67,108,864 bytes of"]),
    ],
)
def test_a_bad_mirror_is_one_reason(monkeypatch, server, way, words):
    """a02 a05 a06"""
    mirrors(monkeypatch, f"{server}/{way}/")
    fails(sources.download, f"{server}/{way}/", *words)


def test_a_silent_and_a_slow_mirror_take_bounded_time(monkeypatch, server, silent):
    """a06: torchvision's own download would wait for ever."""
    monkeypatch.setattr(sources, "MIRROR_SECONDS", 1.0)
    mirrors(monkeypatch, silent, f"{server}/slow/")
    start = time.monotonic()
    fails(sources.download, "timed out", "not complete after 1 s")
    assert time.monotonic() - start < 60  # seconds; 4 are needed, and minutes for all bytes


def test_the_next_mirror_is_tried(monkeypatch, server, silent, closed, content):
    mirrors(monkeypatch, f"{server}/forbidden/", closed, silent, f"{server}/good/")
    assert sources.download() == content


# The Debian package


def tool(tmp_path, name, code):
    """An executable called `name` on the path, in Python, whose own path may have a space in it."""
    path = tmp_path / "bin" / name
    path.with_suffix(".py").write_text(f"import os, signal, sys\n{code}\n")
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -SE "$0.py" "$@"\n')
    path.chmod(0o755)


LEAVE_PACKAGE = "'download' in sys.argv and open('dataset-fashion-mnist_1_all.deb', 'w').close()"


def unpacking(folder):
    """What dpkg-deb -x does: the files of `folder` under the place where Debian has them."""
    return f"""
import shutil
_, option, package, target = sys.argv
assert option == "-x" and os.path.exists(package)
shutil.copytree({str(folder)!r}, target + {str(sources.DEBIAN_FOLDER)!r})
"""


def test_the_package_is_fetched_and_unpacked_without_installing_it(tmp_path, content):
    """Nothing is left behind, and apt uses no folder but its own temporary one."""
    check = "assert sys.argv.count('-o') == 3 and 'Dir::State::lists=' in ' '.join(sys.argv)"
    tool(tmp_path, "apt-get", f"{check}\n{LEAVE_PACKAGE}")
    folder = write(tmp_path / "package", content, "{}.gz".format, gzip.compress)
    tool(tmp_path, "dpkg-deb", unpacking(folder))
    assert sources.unpack_debian_package() == content


@pytest.mark.parametrize(
    ("apt", "words"),
    [
        (None, ["no apt-get on this machine"]),
        ("sys.exit('W: warned\\nE: Unable to locate package')", ["ended with 1: E: Unable to loc"]),
        ("os.write(2, b'E: \\xff'); sys.exit(100)", ["ended with 100: E: "]),
        ("sys.exit(3)", ["ended with 3: no message"]),
        ("pass", ["left no package"]),
        (LEAVE_PACKAGE, ["dpkg-deb ended with 2: broken archive"]),
        ("signal.pause()", ["apt-get took more than"]),
    ],
)
def test_an_apt_that_fails_is_one_reason_in_bounded_time(tmp_path, monkeypatch, apt, words):
    if apt:
        tool(tmp_path, "apt-get", apt)
    tool(tmp_path, "dpkg-deb", "os.write(2, b'broken archive'); sys.exit(2)")
    monkeypatch.setattr(sources, "APT_SECONDS", 0.3 if apt == "signal.pause()" else 60)
    fails(sources.unpack_debian_package, *words)


# All of them, in order


def fetch(digests):
    lines = []
    return sources.fetch(digests, lines.append), lines


def test_the_first_source_with_the_right_content_is_used(
    tmp_path, monkeypatch, content, digests, server
):
    """a03 a06: one line for each source that failed, one for that which is used."""
    digits = {key: value[:-1] + b"\x09" for key, value in content.items()}
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", write(tmp_path / "own", digits))
    mirrors(monkeypatch, f"{server}/forbidden/")
    tool(tmp_path, "apt-get", LEAVE_PACKAGE)
    tool(tmp_path, "dpkg-deb", unpacking(write(tmp_path / "package", content)))
    found, lines = fetch(digests)
    assert found == content
    starts = [f"not from {tmp_path / 'own'}: ", "not from torchvision's", "from the Debian"]
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_a_broken_torchvision_closes_the_mirrors_alone(monkeypatch, digests):
    """It is often built for another torch than the one that is there."""
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    lines = []
    with pytest.raises(UserError):
        sources.fetch(digests, lines.append)
    assert "torchvision cannot be imported" in lines[1]
    assert "no apt-get" in lines[2]


def test_when_all_fail_each_reason_is_told_once_and_the_three_ways(
    monkeypatch, digests, server, silent, closed
):
    """a06"""
    mirrors(monkeypatch, f"{server}/forbidden/", closed, silent)
    lines = []
    with pytest.raises(UserError) as caught:
        sources.fetch(digests, lines.append)
    told = "\n".join([*lines, str(caught.value)])
    reasons = [
        "no such folder",
        "HTTP Error 403",
        "refused",
        "timed out",
        "no apt-get on this machine",
    ]
    ways = ["name it in FASHION_MNIST_DIR", "apt-get install", "into data/raw"]
    for words in reasons + ways:
        assert told.count(words) == 1


def test_an_empty_name_of_a_folder_is_none(monkeypatch, digests):
    monkeypatch.setenv("FASHION_MNIST_DIR", "")
    assert sources.read_named(digests) is None


def test_a_relative_folder_is_the_repositorys_also_in_a_copy(
    tmp_path, monkeypatch, content, digests
):
    """DVC names the repository in DVC_ROOT where it runs an experiment in a copy."""
    (tmp_path / "repository").mkdir()
    write(tmp_path / "repository/own", content)
    copy = tmp_path / "repository/.dvc/tmp/exps/standalone/one"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "repository"))
    monkeypatch.setenv("FASHION_MNIST_DIR", "own")
    assert sources.read_named(digests) == content
