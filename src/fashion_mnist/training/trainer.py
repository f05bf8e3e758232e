"""The epoch loop."""

import copy
import hashlib
import math
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn

from fashion_mnist.model.elementary import log_softmax
from fashion_mnist.model.inference import predict_logits
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.splits import Split
from fashion_mnist.training.batches import Batches
from fashion_mnist.training.optimisers import OPTIMIZERS
from fashion_mnist.training.parameters import Train
from fashion_mnist.training.pruning import sample_weights
from fashion_mnist.training.randomness import derive
from fashion_mnist.training.ranks import Group
from fashion_mnist.training.schedule import learning_rate
from fashion_mnist.training.step import Step, cuda_graph
from fashion_mnist.training.whitening import whiten

COLUMNS = (
    "epoch",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "lr",
)
"""The columns of the history, one row an epoch, counted from 1. Accuracies are shares of 1, losses
cross-entropies in nats without label smoothing, means over samples; `train_*` are those of the
augmented batches as they were trained on, each sample at its weight. `lr` is that of the epoch's
last step."""

VALIDATION_BATCH = 1000

Row = dict[str, int | float | None]
Weights = dict[str, Tensor]


class NotFinite(UserError):
    """A loss or a weight is not finite: the same run would end so again."""


class Trainer:
    """A network in training, with everything that its next epoch depends on.

    Attributes:
        history: a row of `COLUMNS` for each finished epoch.
        losses: of each training sample when it was last trained on, float32, on the CPU.
        doubts: a running mean of those losses, in which each epoch weighs twice as much as the one
            before, float32, on the CPU.
        said: the class that each training sample was last taken for, int64, on the CPU.
        best: weights after the best epoch (see `best_row`), on the CPU.
    """

    def __init__(
        self,
        network: nn.Module,
        training: Split,
        validation: Split,
        settings: Train,
        device: torch.device,
        group: Group | None = None,
    ) -> None:
        self.settings = settings
        self.group = group or Group()
        if settings.whitening:
            whiten(network, torch.from_numpy(training.images))
        self.network = network.to(device)
        self.averaged = copy.deepcopy(self.network) if settings.ema else None
        self.optimizer = OPTIMIZERS[settings.optimizer](self.network, settings)
        # What waits for other processes, or draws on the CPU, cannot be recorded
        drops = any(isinstance(m, nn.Dropout) and m.p > 0 for m in network.modules())
        alone = self.group.size == 1 and not (drops and settings.arithmetic == "portable")
        record = cuda_graph if device.type == "cuda" and alone else None
        self.step = Step(self.network, self.averaged, self.optimizer, settings, record, self.group)
        self.batches = Batches(training, settings, device, self.group)
        self.validation_images = torch.from_numpy(validation.images).to(device)
        self.validation_labels = torch.from_numpy(validation.labels)
        self.losses = torch.full((len(training.labels),), math.inf)
        self.doubts = self.losses.clone()
        self.said = torch.zeros(len(training.labels), dtype=torch.int64)
        self.history: list[Row] = []
        self.best: Weights = {}

    def epochs(self, on_step: Callable[[float], object] = lambda _: None) -> Iterator[Row]:
        """Train the remaining epochs; yield the row of each when its state is complete.

        Args:
            on_step: called after each step with the share of the epoch that is over.

        Raises:
            NotFinite: the message names the epoch and the batch.
            UserError: the processes of the training do not hold the same weights.
        """
        for epoch in range(len(self.history) + 1, self.settings.epochs + 1):
            row = {"epoch": epoch, **self._train(epoch, on_step), **self._validate()}
            self._check(row)
            self.history.append({column: row[column] for column in COLUMNS})
            if best_row(self.history) is self.history[-1]:
                self.best = self.weights()
            yield self.history[-1]

    def _check(self, row: Row) -> None:
        """Refuse what the last step of an epoch can still bring about, after the last loss."""
        finite = all(math.isfinite(value) for value in row.values() if value is not None)
        weights = [w for w in self._evaluated.state_dict().values() if w.is_floating_point()]
        if not (finite and all(bool(w.isfinite().all()) for w in weights)):
            raise NotFinite(
                f"the network is not finite after epoch {row['epoch']}: "
                f"lower train.lr, which is {self.settings.lr:g}"
            )
        self.group.require_same(
            lambda: digest(weights),
            f"the processes hold other weights after epoch {row['epoch']}: their machines do not "
            "compute alike, and must be of one kind",
        )

    def weights(self) -> Weights:
        """A copy on the CPU of the weights that are validated: the average where there is one."""
        return {name: tensor.cpu().clone() for name, tensor in self._evaluated.state_dict().items()}

    @property
    def _evaluated(self) -> nn.Module:
        return self.network if self.averaged is None else self.averaged

    def _train(self, epoch: int, on_step: Callable[[float], object] = lambda _: None) -> Row:
        """One epoch. No step copies from the device, and nothing is measured until it is over."""
        settings, group = self.settings, self.group
        weights = sample_weights(self.losses, settings, epoch)
        order = self.batches.order(epoch, None if weights is None else weights > 0)
        counts = torch.ones(len(order)) if weights is None else weights[order]
        weights = None if weights is None else weights.to(self.batches.images.device)
        # The schedule goes by the share of the epoch that is over, however many samples it has
        steps, here = len(self.batches), -(-len(order) // settings.batch_size)
        # One block for the epoch: a small one kept of each step would fragment the memory
        outputs = torch.empty(0)
        self.step.seed(derive(settings.seed, "dropout", epoch))
        self.network.train()
        for batch, (images, labels, index) in enumerate(self.batches.epoch(epoch, order)):
            lr = learning_rate((epoch - 1) * steps + batch * steps / here, steps, settings)
            start = batch * settings.batch_size
            samples = min(settings.batch_size, len(order) - start)
            own = None if weights is None else weights[index]
            output = self.step(images, labels, own, lr, samples)
            if batch == 0:
                outputs = output.new_zeros(len(order), output.shape[1])
            if samples >= group.size or group.rank == 0:
                outputs[start:][group.part(samples)] = output
            on_step((batch + 1) / here)
        if settings.arithmetic != "portable":
            group.take_over([*self.network.buffers(), *self._evaluated.buffers()])
        return {**self._measure(epoch, group.merge(outputs), order, counts), "lr": lr}

    def _measure(self, epoch: int, logits: Tensor, order: Tensor, counts: Tensor) -> Row:
        """Loss and accuracy of an epoch's samples, of which each counts for `counts`.

        Not on every accelerator: some have no float64. Without smoothing, as in validation.
        """
        device = logits.device if logits.is_cuda else torch.device("cpu")
        labels = self.batches.labels[order.to(self.batches.labels.device)].to(device)
        logits = logits.to(device)
        losses = -log_softmax(logits).gather(1, labels[:, None])[:, 0]
        if not (finite := losses.isfinite()).all():
            batch = int((~finite).to(torch.uint8).argmax()) // self.settings.batch_size + 1
            raise NotFinite(
                f"the loss is not finite at epoch {epoch}, batch {batch}: "
                f"lower train.lr, which is {self.settings.lr:g}"
            )
        said = logits.argmax(1)
        at, now = order, losses.float().cpu()
        before = self.doubts[at]
        self.losses[at] = now
        self.doubts[at] = torch.where(before.isinf(), now, (before + now) / 2)
        self.said[at] = said.cpu()
        all_counts, right = counts.tolist(), (said == labels).tolist()
        total = math.fsum(all_counts)
        weighted = (loss * n for loss, n in zip(losses.tolist(), all_counts, strict=True))
        return {
            "train_loss": math.fsum(weighted) / total,
            "train_accuracy": math.fsum(compress(all_counts, right)) / total,
        }

    def _validate(self) -> Row:
        labels = self.validation_labels
        if len(labels) == 0:
            return {"validation_loss": None, "validation_accuracy": None}
        logits = predict_logits(
            self._evaluated, self.validation_images, VALIDATION_BATCH, self.step.arithmetic
        ).cpu()
        losses = -log_softmax(logits).gather(1, labels[:, None])
        return {
            "validation_loss": math.fsum(losses.flatten().tolist()) / len(labels),
            "validation_accuracy": int((logits.argmax(1) == labels).sum()) / len(labels),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything the next epoch depends on: tensors on the CPU, plain numbers, strings."""
        return {
            "network": to_cpu(self.network.state_dict()),
            "averaged": None if self.averaged is None else to_cpu(self.averaged.state_dict()),
            "optimizer": to_cpu(self.optimizer.state_dict()),
            "losses": self.losses,
            "doubts": self.doubts,
            "said": self.said,
            "history": self.history,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        if not all(set(row) == set(COLUMNS) for row in state["history"]):
            raise ValueError("its history has other columns")
        self.network.load_state_dict(state["network"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step.forget()
        self.losses = state["losses"]
        self.doubts, self.said = state["doubts"], state["said"]
        self.history = state["history"]
        self.best = state["best"]


def best_row(history: list[Row]) -> Row | None:
    """The epoch with the highest validation accuracy; of equals the one with the lower loss.

    Of equals in both the earliest. Without validation the last epoch; None before the first.
    """
    if not history or history[-1]["validation_accuracy"] is None:
        return history[-1] if history else None
    return max(
        history, key=lambda row: (row["validation_accuracy"], -(row["validation_loss"] or 0))
    )


def digest(tensors: list[Tensor]) -> str:
    """SHA-256 of the tensors' bytes."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.cpu().numpy().tobytes())
    return found.hexdigest()


def to_cpu(state: Any) -> Any:
    """The same nested dictionaries and lists with every tensor copied to the CPU."""
    if isinstance(state, Tensor):
        return state.detach().cpu().clone()
    if isinstance(state, dict):
        return {key: to_cpu(value) for key, value in state.items()}
    if isinstance(state, list):
        return [to_cpu(value) for value in state]
    return state
