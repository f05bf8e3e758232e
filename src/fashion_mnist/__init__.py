"""What the stages of the Fashion-MNIST pipeline are made of."""
