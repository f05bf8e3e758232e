"""Other classes than the ten, through every stage, plot, comparison and report."""

import json

import console
import numpy as np
import pytest
import report_rules
import small
from checkout import SMALL

from fashion_mnist.pipeline import splits

THREE = ("a, b", 'say "c"/d', "衣類 " + "x" * 80)
FORTY_SEVEN = tuple(str(label) for label in range(47))


@pytest.mark.parametrize(
    "names", [THREE, pytest.param(FORTY_SEVEN, marks=pytest.mark.slow)], ids=["3", "47"]
)
def test_other_classes_end_to_end(repository, tmp_path, monkeypatch, capsys, names):
    checkout = repository.copy(tmp_path / "checkout")
    content = {}
    for seed, (split, each) in enumerate({"train": 6, "test": 2}.items()):
        labels = np.arange(each * len(names), dtype=np.uint8) % len(names)
        content[f"{split}_images"] = small.images_idx(small.images(labels % 10, seed))
        content[f"{split}_labels"] = small.labels_idx(labels)
    folder = tmp_path / "idx"
    folder.mkdir()
    for key, name in small.FILES.items():
        (folder / name).write_bytes(content[key])
    changes = {**SMALL, "prepare.classes": list(names), "prepare.validation_size": len(names)}
    text = small.params_text(small.digests_of(content), **changes)
    (checkout.path / "params.yaml").write_text(text, encoding="utf-8")
    checkout.environment = {**checkout.environment, "FASHION_MNIST_DIR": str(folder)}
    checkout.dvc("repro")

    test = splits.read(checkout.path / "data/prepared/test.safetensors")
    assert test.classes == names
    rows = checkout.read("plots/per_class.csv").decode().splitlines()[1:]
    assert len(rows) == len(names)
    for path in (checkout.path / "plots").glob("*.png"):
        assert path.stat().st_size < 100 * 1024, path
    page = json.loads(checkout.dvc("plots", "show", "--json").stdout)
    assert page.get("errors", []) == []
    assert page["data"]
    monkeypatch.chdir(checkout.path)
    assert console.run(monkeypatch, "compare", "main") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: the classes differ: main alone has 0 T-shirt/top, 1 Trouser, ")
    assert console.run(monkeypatch, "report", "--base", "main") == 0
    assert "**No verdict:** the classes differ" in report_rules.check(checkout.path)
    checkout.commit("other classes")
    capsys.readouterr()
    assert console.run(monkeypatch, "compare", "HEAD", "--json") == 0
    recalls = json.loads(capsys.readouterr().out)["recall"]
    assert {recall["class"] for recall in recalls} == set(splits.numbered(names))
