"""data/raw holds the four right files, or what it held before."""

import gzip
import itertools
import struct
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import PROJECT, contents, write_idx

from fashion_mnist.data import sources
from fashion_mnist.data.idx import FILES
from fashion_mnist.data.raw import fetch_into
from fashion_mnist.pipeline.errors import UserError

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def own(alone, tmp_path, monkeypatch):
    """A source that holds the right files."""
    write_idx(tmp_path / "own", train=20, test=10)
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path / "own"))


def by_name(content):
    return {FILES[key]: value for key, value in content.items()}


def identity(folder):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.usefixtures("own")
def test_the_folder_gets_the_four_files(tmp_path, digests, content):
    lines = []
    fetch_into(tmp_path / "raw", digests, lines.append)
    assert contents(tmp_path / "raw") == by_name(content)
    assert lines == [f"from FASHION_MNIST_DIR={tmp_path / 'own'}"]


def test_right_files_are_not_touched_and_nothing_is_asked(tmp_path, digests, monkeypatch):
    """a12"""
    write_idx(tmp_path / "raw", train=20, test=10)
    before = identity(tmp_path / "raw")
    monkeypatch.setattr(sources, "fetch", lambda *_: pytest.fail("a source was asked"))
    fetch_into(tmp_path / "raw", digests, print)
    assert identity(tmp_path / "raw") == before


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda _: b"", "has SHA-256 e3b0c44298fc"),
        (lambda raw: raw[:-1] + b"\x55", "has SHA-256 "),
        (gzip.compress, "(it is still packed by gzip)"),
        (None, "is missing"),
    ],
    ids=["empty", "one byte", "gzip", "missing"],
)
def test_only_what_is_wrong_is_replaced_and_what_was_wrong_is_told(
    tmp_path, digests, content, damage, fault
):
    raw = tmp_path / "raw"
    write_idx(raw, train=20, test=10)
    before = identity(raw)
    wrong, lines = raw / FILES["test_labels"], []
    wrong.write_bytes(damage(wrong.read_bytes())) if damage else wrong.unlink()
    fetch_into(raw, digests, lines.append)
    assert contents(raw) == by_name(content)
    assert len(lines) == 2
    assert lines[0].startswith(f"{wrong} ")
    assert fault in lines[0]
    assert damage is None or f"expected {digests['test_labels']}" in lines[0]
    del before[wrong.name]
    assert before.items() <= identity(raw).items()


@pytest.mark.parametrize("there", [{}, {"train-images-idx3-ubyte": b"half"}])
def test_without_a_source_nothing_changes(tmp_path, digests, there):
    """a03 a05: no partial file, since DVC hashes whatever lies there."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for name, content in there.items():
        (raw / name).write_bytes(content)
    lines = []
    with pytest.raises(UserError, match="no source has the data"):
        fetch_into(raw, digests, lines.append)
    assert contents(raw) == there
    told = [line for line in lines if line.startswith(str(raw))]
    assert len(told) == (4 if there else 0)  # on a first run nobody wonders that nothing is there


@pytest.mark.usefixtures("own")
def test_other_files_are_named_not_removed(tmp_path, digests):
    write_idx(tmp_path / "raw", train=20, test=10)
    (tmp_path / "raw/notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"move away .*notes\.txt"):
        fetch_into(tmp_path / "raw", digests, print)
    assert (tmp_path / "raw/notes.txt").read_text() == "mine"


def test_files_that_are_still_packed_are_to_be_unpacked(tmp_path, digests):
    """data/raw takes them uncompressed: DVC hashes what lies there."""
    raw = tmp_path / "raw"
    write_idx(raw, train=20, test=10)
    for path in sorted(raw.iterdir())[:2]:
        (raw / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UserError) as caught:
        fetch_into(raw, digests, print)
    assert str(caught.value).endswith(
        f"gunzip {raw}/t10k-images-idx3-ubyte.gz; gunzip {raw}/t10k-labels-idx1-ubyte.gz"
    )


def test_a_plain_file_that_is_called_gz_is_to_be_renamed(tmp_path, digests):
    raw = tmp_path / "raw"
    write_idx(raw, train=20, test=10)
    path = raw / FILES["test_labels"]
    path.rename(f"{path}.gz")
    with pytest.raises(UserError, match=rf"nothing else: mv {path}\.gz {path}$"):
        fetch_into(raw, digests, print)


LEFT_BY_OTHERS = [
    ".DS_Store",
    "._train-images-idx3-ubyte",
    ".directory",
    "Thumbs.db",
    "desktop.ini",
]


def test_what_others_leave_is_in_nobodys_way(tmp_path, digests):
    """Finder writes a .DS_Store into every folder that it opens."""
    write_idx(tmp_path / "raw", train=20, test=10)
    for name in LEFT_BY_OTHERS:
        (tmp_path / "raw" / name).write_bytes(b"theirs")
    lines = []
    fetch_into(tmp_path / "raw", digests, lines.append)
    assert lines == [f"{tmp_path / 'raw'} holds the right files already"]
    assert (tmp_path / "raw/.DS_Store").read_bytes() == b"theirs"


def test_what_fetch_ignores_is_what_dvc_ignores():
    """Else it would change the hash of data/raw."""
    names = [f"data/raw/{name}" for name in LEFT_BY_OTHERS]
    command = [
        sys.executable,
        "-m",
        "dvc",
        "check-ignore",
        *names,
        "data/raw",
        "data/raw/notes.txt",
    ]
    found = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == names


@pytest.mark.usefixtures("own")
def test_what_a_killed_fetch_left_is_removed(tmp_path, digests, content):
    (tmp_path / "raw").mkdir()
    (tmp_path / f"raw/.train-images-idx3-ubyte.{2**22 + 1}.tmp").write_bytes(b"half")
    fetch_into(tmp_path / "raw", digests, print)
    assert contents(tmp_path / "raw") == by_name(content)


DAMAGES = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 16_000)),
    st.tuples(st.just("replace"), st.binary(max_size=64)),
    st.tuples(st.just("header"), st.integers(0, 3), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("flip"), st.integers(0, 20_000)),
    st.tuples(st.just("append"), st.binary(min_size=1, max_size=9)),
    st.tuples(st.just("gzip cut"), st.integers(0, 20_000)),
    st.tuples(st.just("gzip flip"), st.integers(0, 20_000)),
    st.tuples(st.just("gzip"), st.binary(max_size=40)),
    st.tuples(st.just("swap"), st.sampled_from(sorted(FILES))),
)


def damaged(content, key, damage):
    """What a damage makes of the content of the file `key`."""
    kind, *rest = damage
    raw = content[key]
    packed = gzip.compress(raw, mtime=0)

    def flip(data, at):
        at %= len(data)
        return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]

    return {
        "cut": lambda: raw[: rest[0]],
        "replace": lambda: rest[0],
        "header": lambda: raw[: 4 * rest[0]] + struct.pack(">I", rest[1]) + raw[4 * rest[0] + 4 :],
        "flip": lambda: flip(raw, rest[0]),
        "append": lambda: raw + rest[0],
        "gzip cut": lambda: packed[: rest[0]],
        "gzip flip": lambda: flip(packed, rest[0]),
        "gzip": lambda: b"\x1f\x8b" + rest[0],
        "swap": lambda: content[rest[0]],
    }[kind]()


def fuzz(tmp_path, monkeypatch, content, digests, examples):
    tried, fetched = itertools.count(), []
    own, raw = tmp_path / "own", tmp_path / "raw"
    write_idx(own, train=20, test=10)
    monkeypatch.setenv("FASHION_MNIST_DIR", str(own))

    @settings(max_examples=examples)
    @given(st.sampled_from(sorted(FILES)), DAMAGES)
    def check(key, damage):
        next(tried)
        path, lines = own / FILES[key], []
        path.write_bytes(damaged(content, key, damage))
        try:
            fetch_into(raw, digests, lines.append)
        except UserError as error:
            if lines or FILES[key] not in str(error):
                raise AssertionError(f"no clear message: {lines} {error}") from error
            assert contents(raw) == {}
        else:
            assert contents(raw) == by_name(content)
            fetched.append(key)
        finally:
            path.write_bytes(content[key])
            for left in raw.glob("*"):
                left.unlink()

    raw.mkdir()
    check()
    print(f"\nfolders fetched from: {next(tried)}, of which {len(fetched)} had the right content")


def test_any_damage_ends_with_the_right_files_or_none(tmp_path, monkeypatch, content, digests):
    """Issue 5, item 5: `pytest -s -k any_damage` prints how many were tried."""
    fuzz(tmp_path, monkeypatch, content, digests, 100)


@pytest.mark.slow
def test_any_damage_ends_with_the_right_files_or_none_at_length(
    tmp_path, monkeypatch, content, digests
):
    fuzz(tmp_path, monkeypatch, content, digests, 3000)
