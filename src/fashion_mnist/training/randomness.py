"""Random numbers by purpose, so that one use never shifts another."""

import hashlib

import torch


def derive(seed: int, purpose: str, epoch: int = 0) -> int:
    """A seed of its own for each (seed, purpose, epoch), 0 to 2**63 - 1.

    An epoch can therefore be replayed alone, and a resumed run needs no stored random state.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str, epoch: int) -> torch.Generator:
    """A generator on the CPU, whose numbers are the same everywhere, seeded by `derive`."""
    return torch.Generator().manual_seed(derive(seed, purpose, epoch))
