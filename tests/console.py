"""Running `fashion-mnist` within the tests' process: importing pandas for each call is slow."""

import sys

import pytest

from fashion_mnist import cli
from fashion_mnist.pipeline import stage


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run a subcommand in the working folder; its exit status."""
    monkeypatch.setattr(sys, "argv", ["fashion-mnist", *map(str, arguments)])
    monkeypatch.setattr(stage.signal, "signal", lambda *_: None)  # the tests keep their handlers
    monkeypatch.delenv("DVC_STAGE", raising=False)
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
