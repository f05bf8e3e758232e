"""The stage prepare: what bad data end with, and the counts that it tells."""

import io
import itertools
import struct
from contextlib import redirect_stdout

import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st
from small import contents

from fashion_mnist.data.idx import FILES
from fashion_mnist.pipeline import splits
from fashion_mnist.pipeline.errors import UserError
from stages import prepare


@pytest.mark.parametrize("size", [0, 20, 79])
def test_the_counts_are_told_and_add_up(fresh, size):
    """a16"""
    fresh.set(**{"prepare.validation_size": size})
    assert fresh.run("prepare") == (
        0,
        f"train: {80 - size} images, validation: {size} images, test: 40 images\n",
    )
    for name, count in {"train": 80 - size, "validation": size, "test": 40}.items():
        split = splits.read(fresh.path / f"data/prepared/{name}.safetensors")
        assert split.images.shape == (count, 1, 28, 28)


def test_a_hold_out_that_is_too_large_is_refused(workspace, finished):
    workspace.set(**{"prepare.validation_size": 80})
    status, printed = workspace.run("prepare")
    assert status == 2
    assert "prepare.validation_size is 80, but there are only 80 training images" in printed
    assert workspace.outputs() == finished.outputs()


def test_swapped_files_are_told_by_their_magic_numbers(workspace, finished):
    """a09"""
    raw = workspace.path / "data/raw"
    one, two = (raw / FILES[key] for key in ("train_images", "train_labels"))
    one.rename(raw / "third")
    two.rename(one)
    (raw / "third").rename(two)
    status, printed = workspace.run("prepare")
    assert status == 2
    assert printed.startswith(
        "error: data/raw/train-images-idx3-ubyte: magic 2049, expected 2051; `dvc repro` fetches "
    )
    assert workspace.outputs() == finished.outputs()


def test_counts_that_differ_are_told(workspace, finished):
    """a10"""
    path = workspace.path / "data/raw" / FILES["train_labels"]
    path.write_bytes(small.labels_idx(small.labels(79)))
    status, printed = workspace.run("prepare")
    assert status == 2
    assert "80 images" in printed
    assert "79 labels" in printed
    assert workspace.outputs() == finished.outputs()


DAMAGES = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 16_000)),
    st.tuples(st.just("replace"), st.binary(max_size=64)),
    st.tuples(st.just("header"), st.integers(0, 3), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("byte"), st.integers(0, 16_000), st.integers(0, 255)),
    st.tuples(st.just("append"), st.binary(min_size=1, max_size=9)),
    st.tuples(st.just("swap"), st.sampled_from(sorted(FILES))),
    st.tuples(st.just("remove")),
)


def damaged(content, key, damage):
    """The bytes that a damage makes of the file `key`, or None for no file."""
    raw, (kind, *rest) = content[key], damage
    if kind == "header":
        at = 4 * rest[0]
        return raw[:at] + struct.pack(">I", rest[1]) + raw[at + 4 :]
    if kind == "byte":
        at = rest[0] % len(raw)
        return raw[:at] + bytes([rest[1]]) + raw[at + 1 :]
    return {
        "cut": lambda: raw[: rest[0]],
        "replace": lambda: rest[0],
        "append": lambda: raw + rest[0],
        "swap": lambda: content[rest[0]],
        "remove": lambda: None,
    }[kind]()


def fuzz(tmp_path, monkeypatch, examples):
    tried, accepted = itertools.count(), []
    content = small.content(train=20, test=10)
    raw, made = tmp_path / "data/raw", tmp_path / "data/prepared"
    small.write_idx(raw, train=20, test=10)
    (tmp_path / "params.yaml").write_text(small.params_text(**{"prepare.validation_size": 5}))
    monkeypatch.chdir(tmp_path)
    prepare.main()
    good = contents(made)

    @settings(max_examples=examples)
    @given(st.sampled_from(sorted(FILES)), DAMAGES)
    def check(key, damage):
        next(tried)
        path = raw / FILES[key]
        new = damaged(content, key, damage)
        path.unlink() if new is None else path.write_bytes(new)
        try:
            prepare.main()
        except UserError as error:
            if not str(error).startswith("data/raw/") or "\n" in str(error):
                raise AssertionError(f"no clear message: {error}") from error
            assert contents(made) == good
        else:
            assert set(contents(made)) == set(good)
            accepted.append(key)
            path.write_bytes(content[key])
            prepare.main()
            assert contents(made) == good
        finally:
            path.write_bytes(content[key])

    with redirect_stdout(io.StringIO()):
        check()
    print(f"\nraw folders prepared: {next(tried)}, {len(accepted)} with other values alone")


@pytest.mark.parametrize("examples", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_any_damage_is_told_and_the_splits_stay(tmp_path, monkeypatch, examples):
    """Issue 5, item 5: `pytest -s -k any_damage` prints how many were tried."""
    fuzz(tmp_path, monkeypatch, examples)
