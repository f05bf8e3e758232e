"""What the stages of the Fashion-MNIST pipeline are made of."""

__version__ = "1.0.0"
