"""The whole of params.yaml: each section's schema stands in the folder of its stage."""

from fashion_mnist.data.parameters import Fetch, Prepare
from fashion_mnist.evaluation.parameters import Evaluate
from fashion_mnist.model.parameters import Compute, Model
from fashion_mnist.pipeline.parameters import Section
from fashion_mnist.training.parameters import Train


class Parameters(Section):
    """Every setting of the pipeline: one section a stage, and `compute` for all."""

    fetch: Fetch = Fetch()
    prepare: Prepare = Prepare()
    model: Model = Model()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    compute: Compute = Compute()
