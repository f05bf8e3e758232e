"""The state of a run that was interrupted, to be taken up by the one that would do the same."""

import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from fashion_mnist.pipeline import files
from fashion_mnist.training.ranks import Group

FORGET_AFTER_DAYS = 30
PARTS = ("parameters", "data", "code", "PyTorch")


def fingerprint(parameters: Mapping[str, Any], data: list[Path], checkout: Path) -> str:
    """Digests, joined by hyphens, of all that decides what a run does: one for each of `PARTS`.

    Args:
        parameters: of the run, with the device that was resolved.
        data: the files that are trained on.
        checkout: the code is every module that is loaded from below it.
    """
    code, torchs = hashlib.sha256(), hashlib.sha256(torch.__version__.encode())
    for path in sorted(loaded_modules(checkout)):
        code.update(str(path.relative_to(checkout)).encode() + b"\0" + path.read_bytes() + b"\0")
    content = hashlib.sha256()
    for path in data:
        with path.open("rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    settings = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    return "-".join(digest.hexdigest()[:16] for digest in (settings, content, code, torchs))


def loaded_modules(checkout: Path) -> set[Path]:
    """The source files of every module of this project that the process has imported."""
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in ("fashion_mnist", "stages", "__main__")
    ]
    sources = [getattr(module, "__file__", None) for module in modules]
    paths = {Path(source).resolve() for source in sources if source}
    return {path for path in paths if path.is_relative_to(checkout)}


class ResumeFile:
    """The state of one run, whole or not there.

    `.resume/<fingerprint>.pt` while it trains. When it is over and DVC has still to record its
    outputs, `.resume/<fingerprint>.<MD5 of its last weights>.pt`: DVC that is killed before it has
    written dvc.lock deletes the outputs at its next start.

    Of several processes rank 0 alone keeps the file; what it holds goes to all.
    """

    def __init__(self, folder: Path, fingerprint: str, group: Group | None = None) -> None:
        self.path = folder / f"{fingerprint}.pt"
        self.group = group or Group()

    def save(self, state: dict[str, Any]) -> None:
        """Replace the state. Two runs of one fingerprint at once do not harm each other."""
        if self.group.rank == 0:
            buffer = io.BytesIO()
            torch.save(state, buffer)
            files.write({self.path: buffer.getvalue()})

    def load(self) -> dict[str, Any] | None:
        """The state, or None with one line that says why a run starts afresh.

        Only tensors and plain values are accepted, so nothing in the file is ever executed.
        """
        content = self.group.share(self._content)
        if content is None:
            return None
        try:
            return dict(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
        except Exception as error:  # whatever a damaged or foreign file makes torch raise
            self.warn(error)
            return None

    def _content(self) -> bytes | None:
        files.remove_leftovers(self.path)
        for finished in self.path.parent.glob(f"{self.path.stem}.*.pt"):
            with suppress(FileNotFoundError):  # recorded meanwhile
                finished.replace(self.path)
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            self._say_why()
            return None

    def warn(self, error: Exception) -> None:
        """Say that the file cannot be used, and why."""
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"warning: {self.path} is damaged ({reason}); starting afresh", file=sys.stderr)

    def finish(self, weights: bytes) -> None:
        """The run is over and its outputs are written, `weights` among them.

        Started by hand, the state is removed. Started by DVC, it waits for `forget_recorded`.
        """
        if self.group.rank == 0 and "DVC_STAGE" in os.environ:
            kept = self.path.with_suffix(f".{hashlib.md5(weights).hexdigest()}.pt")
            with suppress(FileNotFoundError):  # another run of the same has finished first
                self.path.replace(kept)
        self.delete()

    def delete(self) -> None:
        """Remove the state of a run, and states that nobody has wanted for long."""
        if self.group.rank > 0:
            return
        self.path.unlink(missing_ok=True)
        files.remove_leftovers(self.path.with_name("*.pt"))
        for other in self.path.parent.glob("*.pt"):
            with suppress(FileNotFoundError):  # another run's, finished meanwhile
                if time.time() - other.stat().st_mtime > FORGET_AFTER_DAYS * 86400:
                    other.unlink()

    def _say_why(self) -> None:
        # Only a run that was interrupted is one that somebody may expect to go on.
        names = [p.stem.split("-") for p in self.path.parent.glob("*.pt") if "." not in p.stem]
        others = [name for name in names if len(name) == len(PARTS)]
        if not others:
            return
        mine = self.path.stem.split("-")
        differing = [
            [part for part, a, b in zip(PARTS, mine, other, strict=True) if a != b]
            for other in others
        ]
        fewest = min(differing, key=len)
        print(
            f"starting afresh: {self.path.parent} holds only runs with other {' and '.join(fewest)}"
        )
