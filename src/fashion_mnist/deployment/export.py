"""A checkpoint as an ONNX file that needs nothing of this project."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fashion_mnist.deployment import record
from fashion_mnist.deployment.models import CLASSES, INPUT, OUTPUT
from fashion_mnist.model import checkpoints
from fashion_mnist.pipeline.errors import extra


class Whole(nn.Module):
    """A network with its normalisation before it: uint8 N×28×28 to logits, float32 N×K."""

    def __init__(self, checkpoint: checkpoints.Checkpoint) -> None:
        super().__init__()
        self.network = checkpoint.network
        self.mean, self.std = checkpoint.mean, checkpoint.std

    def forward(self, images: Tensor) -> Tensor:
        normalised = (images.float() / 255 - self.mean) / self.std
        logits: Tensor = self.network(normalised[:, None])
        return logits


def to_onnx(path: Path, results: Mapping[str, str]) -> bytes:
    """An ONNX file of a checkpoint, the same bytes every time.

    Its input `images` is uint8, N×28×28, 0 (black) to 255, any N; its output `logits` float32,
    N×K. The metadata hold `classes` (a JSON list, in the order of the logits), `input` and
    `output` in words, `weights_md5` (of the checkpoint's file, as in dvc.lock), and the results.

    Args:
        path: of the checkpoint.
        results: as `record.results` gives them, or none.

    Raises:
        UserError: the checkpoint cannot be read, or the packages are not installed.
    """
    with extra("export", "an export"):
        import onnx
        import onnxscript  # noqa: F401  what torch's exporter stands on

    checkpoint = checkpoints.read(path)
    with _quiet():
        program = torch.onnx.export(
            Whole(checkpoint).eval(),
            (torch.zeros(2, 28, 28, dtype=torch.uint8),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # as it is with dynamo=True
    model = program.model_proto
    for part in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]  # where the exporter was called from: paths of this machine
    onnx.helper.set_model_props(model, metadata(path, results, checkpoint.classes))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def metadata(path: Path, results: Mapping[str, str], classes: tuple[str, ...]) -> dict[str, str]:
    """What the file tells of itself; see `to_onnx`."""
    return {
        CLASSES: json.dumps(classes, ensure_ascii=False),
        "input": f"{INPUT}: uint8, N×28×28, grey, the background 0 (black), the garment up to 255",
        "output": f"{OUTPUT}: float32, N×{len(classes)}; softmax makes probabilities of them",
        "weights_md5": record.digest(path),
        **results,
    }


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter and its libraries print and log of their progress."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
