"""From a network's logits to metrics, tables and pictures."""
