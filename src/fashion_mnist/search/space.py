"""SPACE.yaml: which parameters a search may change, and within which bounds.

train.lr: {low: 0.001, high: 0.05, log: true}    a range
train.optimizer: [adamw, sgd]                     values to choose from
train.epochs: 10                                  another value than that of params.yaml
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from fashion_mnist.parameters import MACHINE, SEED, Parameters, changed
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import Section, read, validate
from fashion_mnist.recipes.recipes import Settings, Value

EPOCHS = "train.epochs"
CLOSED = ("fetch", "evaluate", "prepare.validation_size", "prepare.seed", SEED, *MACHINE)
"""Keys and sections that a search leaves alone: validation could not judge them, or would no longer
be the same."""


class Range(Section):
    """From the lowest value to the highest, both included; on a scale of logarithms if `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Space:
    """What a search may change.

    Attributes:
        ranges: by dotted key; the ends are whole numbers where the parameter is one.
        choices: values by dotted key.
        fixed: values that every trial has.
    """

    ranges: dict[str, Range]
    choices: dict[str, list[Value]]
    fixed: Settings
    whole: frozenset[str]

    def suggest(self, trial: optuna.Trial) -> Settings:
        """A trial's values, the fixed ones included; numbers of three significant digits."""
        found = dict(self.fixed)
        for key, values in self.choices.items():
            chosen: Value = trial.suggest_categorical(key, values)  # type: ignore[assignment]
            found[key] = chosen
        for key, ends in self.ranges.items():
            if key in self.whole:
                found[key] = trial.suggest_int(key, int(ends.low), int(ends.high), log=ends.log)
            else:
                exact = trial.suggest_float(key, ends.low, ends.high, log=ends.log)
                found[key] = min(max(float(f"{exact:.3g}"), ends.low), ends.high)
        return found


def read_space(path: Path, parameters: Mapping[str, Any]) -> Space:
    """Read SPACE.yaml, and try every end of a range and every choice against the schema.

    Args:
        parameters: the content of params.yaml, valid, which the space changes.

    Raises:
        UserError: the file cannot be read, a key is unknown or closed to a search, a value is of
            the wrong type or out of range, or there is nothing to choose.
    """
    ranges: dict[str, Range] = {}
    choices: dict[str, list[Value]] = {}
    fixed: Settings = {}
    contents = read(path)
    # What is fixed first: it decides what else is allowed
    for key, content in sorted(contents.items(), key=lambda item: isinstance(item[1], dict | list)):
        if not isinstance(key, str) or key.startswith(CLOSED):
            raise UserError(
                f"{path}: {key} is no part of a recipe that validation could judge; leave it out"
            )
        if isinstance(content, dict):
            ranges[key] = _range(path, key, content)
            tried: list[Any] = [content["low"], content["high"]]
        elif isinstance(content, list):
            if not content:
                raise UserError(f"{path}: {key} has no values to choose from")
            tried = choices[key] = content
        else:
            fixed[key] = content
            parameters = _changed(path, parameters, key, content)
            tried = []
        for value in tried:
            validate(Parameters, _changed(path, parameters, key, value), path)
    validate(Parameters, parameters, path)
    if not ranges and not choices:
        raise UserError(f"{path}: nothing to choose: give a range or a list of values")
    whole = {key for key in ranges if isinstance(value_of(parameters, key), int)}
    return Space(ranges, choices, fixed, frozenset(whole))


def _range(path: Path, key: str, content: dict[str, Any]) -> Range:
    found = validate(Range, content, path, (key,))
    if not found.low < found.high:
        raise UserError(f"{path}: {key}: low is {found.low:g}, which is not below {found.high:g}")
    if found.log and found.low <= 0:
        raise UserError(f"{path}: {key}: a logarithmic range begins above 0, not at {found.low:g}")
    return found


def _changed(path: Path, parameters: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    try:
        return changed(parameters, key, value)
    except ValueError as reason:
        raise UserError(f"{path}: {reason}") from None


def value_of(parameters: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key."""
    node: Any = parameters
    for name in key.split("."):
        node = node[name]
    return node
