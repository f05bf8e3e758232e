"""The original exercise as it was written: its network, its images, its loop."""

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fashion_mnist.pipeline.splits import Split

BATCH_SIZE = 64


class Original(nn.Module):
    """Rectifiers before pooling, log_softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
            *(nn.Linear(84, 10), nn.LogSoftmax(dim=1)),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class Images(Dataset):
    """A split as torchvision's data set gives it: one PIL image at a time, transformed."""

    def __init__(self, split: Split) -> None:
        self.pixels = (split.pixels() * 255).round().astype(np.uint8)
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomRotation(10),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((split.mean,), (split.std,)),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def loader(split: Split) -> DataLoader:
    """The exercise's batches."""
    return DataLoader(Images(split), batch_size=BATCH_SIZE, shuffle=True)


def train_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterable[tuple[Tensor, Tensor]]
) -> None:
    """An epoch as the exercise and most people write it, on the network's device."""
    criterion = nn.CrossEntropyLoss()
    device = next(network.parameters()).device
    network.train()
    total = 0.0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = criterion(network(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        total += loss.item()
