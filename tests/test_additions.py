"""A network and a metric are added as CONTRIBUTING says, and the pipeline takes them up."""

import json
import os
import subprocess

from small import copy_project, run_stage

MODEL, EVALUATION = "src/fashion_mnist/model", "src/fashion_mnist/evaluation"


def test_a_network_takes_two_files_and_a_metric_one(tmp_path, small_data):
    folder, digests = small_data
    changes = {"prepare.validation_size": 50, "train.epochs": 1, "model.name": "narrow"}
    root = copy_project(tmp_path / "checkout", digests, **changes)
    edit(root / f"{MODEL}/parameters.py", '"resnet"]', '"resnet", "narrow"]')
    function = (
        "def narrow(width, dropout, classes):\n    return plain(width / 2, dropout, classes)\n"
    )
    edit(root / f"{MODEL}/networks.py", "\nNETWORKS: ", f"\n{function}\n\nNETWORKS: ")
    edit(root / f"{MODEL}/networks.py", '"resnet": resnet,', '"resnet": resnet, "narrow": narrow,')
    row = 'METRICS = (\n    Metric("wrong", "Wrong answers", "lower", digits=0),'
    edit(root / f"{EVALUATION}/metrics.py", "METRICS = (", row)
    figure = '"wrong": count - right, "accuracy": right'
    edit(root / f"{EVALUATION}/metrics.py", '"accuracy": right', figure)

    environment = {**os.environ, "FASHION_MNIST_DIR": str(folder)}
    for stage in ("check", "fetch", "prepare", "train", "evaluate"):
        ended = run_stage(root, stage, env=environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    figures = json.loads((root / "metrics/evaluate.json").read_text())
    assert figures["wrong"] == round((1 - figures["accuracy"]) * 60)
    base = '{"wrong": 61}, {"wrong": 60}, ("base", "new")'
    judge = f"from fashion_mnist.comparison.metrics import differing; print(differing({base}))"
    told = subprocess.run(
        ["python", "-c", judge],
        cwd=root,
        env=environment | {"PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[1].split() == ["Wrong", "answers", "61", "60", "-1", "better"]


def edit(path, old, new):
    """Replace the one place where a text stands."""
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))
