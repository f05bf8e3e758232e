"""The ten classes of Fashion-MNIST."""

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""Names in label order, as the data set's authors give them."""

LABELS = tuple(f"{label} {name}" for label, name in enumerate(CLASSES))
"""Names led by their label: DVC's plots sort classes as text, and these sort in label order."""
