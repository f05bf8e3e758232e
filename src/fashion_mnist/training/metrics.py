"""The metrics that training reports, those of the best epoch.

The loss and accuracy of training have no better: augmentation moves them too.
"""

from fashion_mnist.pipeline.metric import Metric

METRICS = (
    Metric("best_epoch", "Best epoch", digits=0),
    Metric("train_loss", "Training loss (nats)"),
    Metric("train_accuracy", "Training accuracy"),
    Metric("validation_loss", "Validation loss (nats)", "lower"),
    Metric("validation_accuracy", "Validation accuracy", "higher"),
    Metric("parameters", "Parameters", digits=0),
    Metric("multiply_adds", "MACs for one image", digits=0),
)
