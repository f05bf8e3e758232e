"""A trained model by its file: a checkpoint, for which PyTorch is imported, or an ONNX file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from fashion_mnist.pipeline.errors import UserError, extra
from fashion_mnist.pipeline.splits import class_names

CHECKPOINT = "checkpoints/best.safetensors"
INPUT = "images"
OUTPUT = "logits"
"""Names of the one input and the one output of an exported graph."""
CLASSES = "classes"
"""Key of an exported file's metadata: the names of the classes, a JSON list."""
Logits = Callable[[np.ndarray], np.ndarray]

THREADS = 1
"""More gain little on images of 28×28, and lose much where another process wants the cores."""


@dataclass(frozen=True)
class Model:
    """What predicts.

    Attributes:
        classes: the names of the K classes, in the order of the logits.
        logits: maps images, uint8 N×28×28, N at least 1, to float32 N×K.
    """

    classes: tuple[str, ...]
    logits: Logits

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Of each class for each image, float64 N×K, from images as `logits` takes them.

        Raises:
            UserError: the model answers with NaN or infinity.
        """
        logits = self.logits(images).astype(np.float64)
        if not np.isfinite(logits).all():
            raise UserError("the model answers with numbers that are not finite")
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: np.ndarray = exponents / exponents.sum(axis=1, keepdims=True)
        return shares


def load(path: Path) -> Model:
    """Read a model: ONNX where the name ends in `.onnx`, a checkpoint otherwise.

    Raises:
        UserError: the file is missing, or is no model of this project; nothing in it is ever
            executed but the arithmetic of a graph.
    """
    classes, logits = _onnx(path) if path.suffix == ".onnx" else _checkpoint(path)
    images = np.stack([np.zeros((28, 28), np.uint8), np.eye(28, dtype=np.uint8) * 255])
    try:
        model, given = Model(class_names(classes), logits), logits(images)
        if given.shape != (2, len(model.classes)) or given.dtype != np.float32:
            raise ValueError(
                f"for 2 images it gives {given.dtype} of shape {given.shape}, and it names "
                f"{len(model.classes)} classes"
            )
        model.probabilities(images)
    except Exception as error:  # whatever the libraries raise where a graph does not fit
        raise UserError(f"{path}: not a model that can be used ({_line(error)})") from None
    return model


def load_revision(revision: str) -> Model:
    """The checkpoint of a branch, tag, commit or experiment, from DVC's cache or a remote.

    Raises:
        UserError: there is no such revision, or neither cache nor remote has its checkpoint.
    """
    import dvc.api
    from dvc.exceptions import DvcException
    from scmrepo.exceptions import SCMError

    from fashion_mnist.comparison import revisions

    root = revisions.find_root()
    sha = revisions.resolve(revision, root).sha
    try:
        content = dvc.api.read(CHECKPOINT, repo=str(root), rev=sha, mode="rb")
    except (DvcException, SCMError, OSError) as error:
        raise UserError(f"{revision}: {CHECKPOINT} cannot be read: {_line(error)}") from None
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{revision}, {Path(CHECKPOINT).name}".replace("/", "_")
        path.write_bytes(content)
        return load(path)


def _checkpoint(path: Path) -> tuple[object, Logits]:
    import torch

    from fashion_mnist.model import checkpoints
    from fashion_mnist.model.inference import predict_logits
    from fashion_mnist.pipeline.splits import normalise

    torch.set_num_threads(THREADS)
    checkpoint = checkpoints.read(path)

    def logits(images: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(normalise(images, checkpoint.mean, checkpoint.std))
        return predict_logits(checkpoint.network, inputs, len(images)).numpy()

    return list(checkpoint.classes), logits


def _onnx(path: Path) -> tuple[object, Logits]:
    with extra("export", "an ONNX file"):
        import onnxruntime

    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `fashion-mnist export {path}` makes it") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    try:
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
        classes = json.loads(session.get_modelmeta().custom_metadata_map[CLASSES])
        (taken,), (given,) = session.get_inputs(), session.get_outputs()
        if (taken.name, taken.type, given.name) != (INPUT, "tensor(uint8)", OUTPUT):
            raise ValueError(f"it maps {taken.name}, {taken.type}, to {given.name}")
    except Exception as error:  # whatever a damaged or foreign file makes the library raise
        raise UserError(
            f"{path}: not a model that `fashion-mnist export` wrote ({_line(error)})"
        ) from None
    return classes, lambda images: session.run([OUTPUT], {INPUT: images})[0]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
