"""What a verdict must be read with: other causes than the change."""

from collections.abc import Iterator

from fashion_mnist.comparison.summary import Run
from fashion_mnist.parameters import SEED

ARITHMETIC = ("train.arithmetic", "evaluate.arithmetic", "train.precision")
DATA = ("data/raw", "src/fashion_mnist/data", "stages/prepare.py")
CODE = ("src/fashion_mnist/model", "src/fashion_mnist/pipeline", "src/fashion_mnist/training")

EVALUATION = ("src/fashion_mnist/evaluation", "stages/evaluate.py")


def cautions(base: Run, new: Run) -> list[str]:
    """Sentences on what else than its parameters tells a run from its base, and on single seeds."""
    differing = {
        key for key in base.recipe | new.recipe if base.recipe.get(key) != new.recipe.get(key)
    }
    causes = list(_causes(differing))
    if base.seed != new.seed:
        causes.insert(0, f"{SEED} ({base.seed} → {new.seed})")
    found = []
    if causes:
        found.append(
            f"Besides the parameters {_listed(causes)} changed as well: "
            "the difference may be theirs."
        )
    if "native" in {run.recipe.get("train.arithmetic") for run in (base, new)}:
        found.append("Native arithmetic: another processor acts like another seed.")
    found.append(
        "One seed each: another seed may turn a small difference round; `fashion-mnist summarize` "
        "judges over several."
    )
    return found


def _causes(differing: set[str]) -> Iterator[str]:
    if any(key.startswith(DATA) for key in differing):
        yield "the data or how they are prepared"
    if any(key.startswith((*CODE, "stages/train.py", "stages/__init__.py")) for key in differing):
        yield "the code of training"
    if any(key.startswith(EVALUATION) for key in differing):
        yield "the code of evaluation"
    yield from (key for key in ARITHMETIC if key in differing)


def _listed(causes: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(causes[:-1]), causes[-1]]))
