"""params.yaml: what is refused, with which message, and that DVC reads the same values."""

import itertools
import math
from functools import reduce

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import (
    YAMLFileCorruptedError,
    dumps_yaml,
    load_yaml,
    loads_yaml,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from small import CLASSES, PROJECT, params_text

from fashion_mnist.data.parameters import Prepare
from fashion_mnist.evaluation.parameters import Evaluate
from fashion_mnist.model.parameters import Compute
from fashion_mnist.parameters import Parameters
from fashion_mnist.pipeline.errors import UserError
from fashion_mnist.pipeline.parameters import load
from fashion_mnist.training.parameters import Train

OWN = PROJECT / "params.yaml"
PLAIN = params_text()


def leaves(schema=None, prefix=()):
    """Each key of the schema that holds a value: (section, ..., key) -> its JSON schema."""
    whole = Parameters.model_json_schema()
    schema = schema or whole
    found = {}
    for name, node in schema["properties"].items():
        if "$ref" in node:
            node = whole["$defs"][node["$ref"].rsplit("/", 1)[1]]
            found |= leaves(node, (*prefix, name))
        else:
            found[(*prefix, name)] = node
    return found


LEAVES = leaves()
KEYS = {".".join(path): schema for path, schema in LEAVES.items()}


def line_of(key, lines):
    """The index of a dotted key's line."""
    at = -1
    for depth, part in enumerate(key.split(".")):
        start = f"{'  ' * depth}{part}:"
        at = next(i for i in range(at + 1, len(lines)) if lines[i].startswith(start))
    return at


def end_of(at, lines):
    """The index after the key at line `at`, whose value may be a section or a list."""
    start = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    own = (start + " ", start + "- ")
    return next((i for i in range(at + 1, len(lines)) if not lines[i].startswith(own)), len(lines))


def with_line(key, *replacements, text=PLAIN):
    """params.yaml with the line of `key` replaced by lines in which KEY stands for 'key:'."""
    lines = text.splitlines()
    at = line_of(key, lines)
    indent, name = "  " * key.count("."), key.rsplit(".", 1)[-1]
    new = [indent + line.replace("KEY", f"{name}:") for line in replacements]
    return "\n".join([*lines[:at], *new, *lines[end_of(at, lines) :]]) + "\n"


def refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load(Parameters, path=path)
    return str(caught.value)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("params") / "params.yaml"


def test_the_projects_own_file_is_accepted():
    load(Parameters, path=OWN)


def test_every_default_is_one_that_the_schema_accepts(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(PLAIN)
    compute = Compute(device="cpu", threads=1)  # which tests give all runs
    assert load(Parameters, path=path) == Parameters(compute=compute)


# Every key × every kind of mistake

MISTAKES = {
    "null": ["", "null", "~"],
    "list for scalar": ["[]", "[1]", "[a, 2]"],
    "mapping for scalar": ["{}", "{a: 1}"],
    "nan": [".nan", ".NaN"],
    "infinity": [".inf", "-.inf", "1e999"],
    "quoted number": ['"1"', "'0.5'", '"1e-3"'],
    "a word for a boolean": ["yes", "no", "on", "off", "NO", '"no"', "y"],
    "text": ["fast", '""', "' '", "2024-01-02", "auto cpu"],
}
"""Values that no key of the file accepts."""


def wrong_types(schema):
    """Values of a type that `schema` does not have, though another key may."""
    return {
        "integer": ["1.0", "2.5", "1e1", "true", "false", "64.0"],
        "number": ["true", "false"],
        "boolean": ["0", "1", "1.0"],
        "string": ["0", "1", "0.5", "true", "1e-3"],
        "array": ["0", "1", "0.5", "true", "1e-3"],
    }[schema["type"]]


def out_of_range(schema):
    """Values of the right type just outside what `schema` allows, and far outside."""
    step = 1 if schema["type"] == "integer" else 1e-3
    values = [
        *(schema[bound] - step for bound in ["minimum"] if bound in schema),
        *(schema[bound] + step for bound in ["maximum"] if bound in schema),
        *(schema[bound] for bound in ["exclusiveMinimum", "exclusiveMaximum"] if bound in schema),
    ]
    if values:
        values += [-(10**30), 10**30] if schema["type"] == "integer" else [-1e30, 1e30]
    return [str(value) for value in values] + (
        ["lenet2", "gpu"] if "string" in schema.values() else []
    )


def mistakes(schema):
    """(kind, text of a value) of every value that the key must refuse."""
    kinds = {**MISTAKES, "wrong type": wrong_types(schema), "out of range": out_of_range(schema)}
    if schema["type"] == "array":
        kinds["list for scalar"] = ["[]", "[a]", "a"]
    return [(kind, value) for kind, values in kinds.items() for value in values]


def expected_words(schema):
    """What a message must say is allowed, found without the code under test."""
    if "enum" in schema:
        return schema["enum"]
    if schema["type"] == "boolean":
        return ["true or false"]
    bounds = [v for k, v in schema.items() if "imum" in k.lower()]
    words = [str(int(bound)) if bound == int(bound) else str(bound) for bound in bounds]
    return words or [schema["accepts"]]


def appears_as(value):
    """How a message must show a parsed value, found without the code under test."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


@pytest.mark.parametrize("column", range(max(len(mistakes(schema)) for schema in KEYS.values())))
def test_a_wrong_value_is_refused_by_key_value_and_what_is_allowed(tmp_path, column):
    """b02 b03 b04 b07 b09 b10 b16: every key of the file × every kind of wrong value.

    All keys are wrong at once, since reading the file costs the most, and each has its own line.
    """
    text, wrong = PLAIN, {}
    for key, schema in KEYS.items():
        if column < len(mistakes(schema)):
            wrong[key] = mistakes(schema)[column]
            text = with_line(key, f"KEY {wrong[key][1]}", text=text)
    messages = refused(tmp_path, text).splitlines()
    assert len(messages) == len(wrong)
    for message, (key, (kind, value)) in zip(messages, wrong.items(), strict=True):
        parsed = YAML(typ="safe").load(f"a: {value}")["a"]
        words = [f"{key} is ", appears_as(parsed), "give ", *expected_words(KEYS[key])]
        assert [word for word in words if word not in message] == [], (kind, value, message)


def test_the_count_of_wrong_values():
    """The figure of issue 5, item 6: printed by `pytest -s -k count_of_wrong_values`."""
    single = sum(len(mistakes(schema)) for schema in KEYS.values())
    repeated = len(KEYS) + len(Parameters.model_fields) + 2
    print(
        f"\n{len(KEYS)} keys: {single} wrong values, {len(KEYS)} missing, "
        f"{2 * len(KEYS)} misspelt, {repeated} repeated: "
        f"{single + 3 * len(KEYS) + repeated} combinations"
    )
    assert single > 30 * len(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_named(tmp_path, key):
    (message,) = refused(tmp_path, with_line(key)).splitlines()
    assert f"{key} is missing" in message
    for word in expected_words(KEYS[key]):
        assert word in message


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "instead"])
def test_a_misspelt_key_is_refused_with_the_nearest_right_one(tmp_path, key, beside):
    """b05: the value of a key that nobody reads never goes unnoticed."""
    *_, name = key.split(".")
    lines = PLAIN.splitlines()
    at = line_of(key, lines)
    value = lines[at].split(":", 1)[1] or f" [{', '.join(map(repr, CLASSES))}]"
    new = [f"KEY{value}"] * beside + [f"{name[:-1]}:{value}"]
    message = refused(tmp_path, with_line(key, *new))
    assert f"unknown key {key[:-1]}; did you mean `{name}`? (known: " in message


@pytest.mark.parametrize("name", ["foo", "learning_rate", "n"])
def test_what_resembles_no_key_is_not_guessed_at(tmp_path, name):
    message = refused(tmp_path, with_line("train.lr", "KEY 0.001", f"{name}: 1"))
    assert f"unknown key train.{name} (known: seed, epochs, " in message
    assert "did you mean" not in message


def test_a_rate_that_is_zero_in_float32_is_refused(tmp_path):
    """It is above zero for DVC and for pydantic, and trains nothing."""
    for rate in ("1e-320", "1e-46", "0.0"):
        message = refused(tmp_path, with_line("train.lr", f"KEY {rate}"))
        assert "train.lr is " in message
        assert "give a number ≥ 1e-12" in message


@pytest.mark.parametrize("key", [*KEYS, *Parameters.model_fields, "fetch.sha256", "train.augment"])
def test_a_repeated_key_is_refused_with_its_line(tmp_path, key):
    """b12: PyYAML would keep the last without a word."""
    lines = PLAIN.splitlines()
    at = line_of(key, lines)
    end = end_of(at, lines)
    message = refused(tmp_path, "\n".join([*lines[:end], *lines[at:]]) + "\n")
    assert f"line {end + 1}" in message
    assert f'"{key.rsplit(".", 1)[-1]}"' in message


@pytest.mark.parametrize("number", ["0.5", "5e-1", "5E-1", "0.05e+1", "500e-3"])
def test_an_exponent_needs_no_dot(tmp_path, number):
    """b01 b02: 1e-06, as DVC writes it back, is a number for the code as it is for DVC."""
    text, floats = PLAIN, [key for key, schema in KEYS.items() if schema["type"] == "number"]
    for key in floats:
        text = with_line(key, f"KEY {number}", text=text)
    path = tmp_path / "params.yaml"
    path.write_text(text)
    params = load(Parameters, path=path)
    values = [reduce(getattr, key.split("."), params) for key in floats]
    assert values == [0.5] * len(floats)
    assert {type(value) for value in values} == {float}


NAMES = st.one_of(
    st.sampled_from(
        ["a, b", 'a "b"', "a/b", "ꦏ", "a: b", "# a", "- a", "no", "~x", "'", "日本 語"]
    ),
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=300),
)


@given(st.lists(NAMES, min_size=2, max_size=256, unique=True))
def test_any_different_names_are_classes(scratch, names):
    scratch.write_text(params_text(**{"prepare.classes": names}), encoding="utf-8")
    assert load(Prepare, "prepare", scratch).classes == names


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("[a, b, c, b]", "prepare.classes: 'b' is the name of both 1 and 3: give a list of 2 to "),
        ("[a, 7, true]", "prepare.classes.1 is 7: give a name: text of one line, in quotes"),
        ("[a, '']", "prepare.classes.1 is the text '': give a name"),
        ("[a, ' b']", "prepare.classes.1 is the text ' b': give a name"),
        ('[a, "\\x1bb"]', "prepare.classes.1 is the text '\\x1bb': give a name"),
        ('[a, "b\\0"]', "prepare.classes.1 is the text 'b\\x00': give a name"),
        ('[a, "b\\nc"]', "prepare.classes.1 is the text 'b\\nc': give a name"),
        ("[a, [b]]", "prepare.classes.1 is ['b']: give a name"),
        ("[a, null]", "prepare.classes.1 is empty (null): give a name"),
        ("[a]", "prepare.classes is ['a']: give a list of 2 to 256 names"),
        (str(["a"] * 257), "prepare.classes is ['a', 'a', 'a'"),
    ],
)
def test_names_that_are_none_are_refused_by_position_and_value(tmp_path, classes, message):
    assert message in refused(tmp_path, with_line("prepare.classes", f"KEY {classes}"))


def test_all_mistakes_are_told_at_once(tmp_path):
    text = params_text(**{"train.lr": -1, "evaluate.batch_size": "abc"})
    first, second = refused(tmp_path, text).splitlines()
    assert "train.lr" in first
    assert "evaluate.batch_size" in second


def test_a_big_bound_is_told_to_the_last_digit(tmp_path):
    assert "< 4294967296" in refused(tmp_path, with_line("train.seed", "KEY 4294967296"))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("15", "train.augment"),
        ("[]", "train.augment"),
        ("{rotation: '15', flip: true}", "train.augment.rotation"),
        ("text", "train.augment"),
        ("null", "train.augment"),
    ],
)
def test_a_nested_section_of_another_shape_is_refused_by_its_full_key(tmp_path, value, key):
    """b10"""
    lines = PLAIN.splitlines()
    at = line_of("train.augment", lines)
    text = "\n".join([*lines[:at], f"  augment: {value}", *lines[at + 6 :]])
    assert f"{key} is " in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty", "every section is missing"]),
        ("# nothing\n", ["empty"]),
        ("- 1\n", ["top level must be a mapping", "[1]"]),
        ("text\n", ["top level must be a mapping"]),
        ("train:\n", ["fetch is missing", "train is empty (null)", "a mapping with the keys seed"]),
        ("train: 3\n", ["train is 3", "a mapping"]),
        ("train:\n\tlr: 0.01\n", ["line 2", "tab", "spaces"]),
        ("train: {lr: 0.1\n", ["line"]),
        ("train: *nowhere\n", ["line 1", "nowhere"]),
        ("train: !!python/object/apply:os.system [x]\n", ["line 1"]),
        ("a: 1\n---\nb: 2\n", ["line 2"]),
        ("# YAML\n%YAML 1.1\n---\na: on\n", ["line 2", "%YAML 1.1", "not allowed"]),
        ("train: '\n", ["line"]),
        (
            "train:\n  1: 2\n  null: 3\n",
            ["unknown key train.1 (known", "unknown key train.None (known"],
        ),
        ("train:\n  lr: 2024-13-45\n", ["month"]),
        (
            "train:\n  epochs: 0x" + "1" * 5000 + "\n",
            ["train.epochs is a whole number of 19997 bits"],
        ),
        ("a: &x [*x]\n", ["unknown key a"]),
        ("a: \x07\n", ["no YAML"]),
        ("a: " + "[" * 1000, ["nested too deeply"]),
        ("train:\n  epochs: " + "1" * 5000 + "\n", ["digits"]),
        ("? [1, 2]\n: 3\n", ["unknown key (1, 2) (known"]),
        ("? {a: 1}\n: 3\n", ["line 1"]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_file_of_another_shape_is_one_clear_message(tmp_path, text, words):
    """b11 b18"""
    message = refused(tmp_path, text)
    for word in words:
        assert word in message
    assert str(tmp_path / "params.yaml") in message


@pytest.mark.parametrize("content", [b"train: \xff\n", PLAIN.encode("utf-16")])
def test_bytes_that_are_no_text_are_refused(tmp_path, content):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(UserError, match="not UTF-8"):
        load(Parameters, path=tmp_path / "params.yaml")
    with pytest.raises(UserError, match="no such file"):
        load(Parameters, path=tmp_path / "nothing.yaml")


def test_a_stage_reads_its_own_section_alone(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(params_text(**{"evaluate.batch_size": "abc"}))
    assert load(Train, "train", path).epochs == 5
    with pytest.raises(UserError, match=r"evaluate\.batch_size is the text 'abc'"):
        load(Evaluate, "evaluate", path)
    path.write_text("train:\n")
    with pytest.raises(UserError, match="the section `evaluate` is missing"):
        load(Evaluate, "evaluate", path)


# What the code reads is what DVC reads

WORDS = """yes no on off Yes NO y n true True TRUE false null Null ~ .5 5. 1_000 0o17 017 0x1F 0b1
1:30 1:30:00 2024-01-02 2024-01-02T03:04:05 1e3 1e-06 +1 -0 .inf -.INF .nan .NaN = <<"""

SCALARS = st.one_of(
    st.text(st.sampled_from("0123456789eE+-._xobaf:~'\" nyNYtrusl#"), max_size=12),
    st.floats().map(repr),
    st.integers().map(str),
    st.tuples(st.integers(-999, 999), st.integers(-20, 20)).map(lambda p: f"{p[0]}e{p[1]}"),
    st.sampled_from(WORDS.split()),
)


def by_dvc(path):
    """What DVC reads, or None where it refuses the file."""
    try:
        return load_yaml(str(path))
    except YAMLFileCorruptedError:
        return None


def same(ours, theirs):
    """Equal in value and type; NaN equals NaN."""
    if type(ours) is not type(theirs):
        return isinstance(ours, float) and type(theirs) is int and ours == theirs  # lr: 1
    if isinstance(ours, float) and math.isnan(ours):
        return math.isnan(theirs)
    return ours == theirs


TRIED = itertools.count()


def check_against_dvc(path, key, text):
    """Whatever the file holds, the code's value is DVC's, or the file is refused with a message."""
    next(TRIED)
    path.write_text(with_line(key, "KEY " + text), encoding="utf-8")
    theirs = by_dvc(path)
    try:
        ours = load(Parameters, path=path)
    except UserError as error:
        if not any(word in str(error) for word in (key, "line", "YAML", "cannot be read")):
            raise AssertionError(f"{error} says not where") from error
        return
    for part in key.split("."):
        ours, theirs = getattr(ours, part), theirs[part]
    assert same(ours, theirs)


def check_fuzz(scratch, examples):
    @settings(max_examples=examples)
    @given(st.sampled_from(sorted(KEYS)), SCALARS)
    @example("train.lr", "1e-06")
    @example("train.augment.flip", "no")
    @example("train.epochs", "1_0")
    def check(key, text):
        check_against_dvc(scratch, key, text)

    check()
    print(f"scalars compared with DVC's reader: {next(TRIED)}")


@pytest.mark.parametrize("examples", [150, pytest.param(4_000, marks=pytest.mark.slow)])
def test_what_the_code_reads_is_what_dvc_reads(scratch, examples):
    check_fuzz(scratch, examples)


MARK = "\ufeff"
OCTAL = with_line("train.seed", "KEY 010")  # 10, and 8 under a directive
NASTY = {
    "plain": OCTAL,
    "mark": MARK + OCTAL,
    "two marks": MARK * 2 + OCTAL,
    "mark after a comment": "# x\n" + MARK + OCTAL,
    "directive": "%YAML 1.1\n---\n" + OCTAL,
    "mark and directive": MARK + "%YAML 1.1\n---\n" + OCTAL,
    "directive after a carriage return": "# x\r%YAML 1.1\r---\r" + OCTAL,
    "directive after a next line": "# x\x85%YAML 1.1\x85---\x85" + OCTAL,
    "tag directive": "%TAG ! tag:yaml.org,2002:\n---\n" + with_line("train.seed", "KEY !int 010"),
    "document's start": "---\n" + OCTAL,
    "document's end": OCTAL + "...\n",
    "second document": OCTAL + "...\n%YAML 1.1\n---\na: 010\n",
    "anchor": with_line("train.seed", "KEY &s 010", text=with_line("train.epochs", "KEY 7")),
    "alias": with_line("prepare.seed", "KEY &s 010", text=with_line("train.seed", "KEY *s")),
    "anchor given twice": with_line("prepare.seed", "KEY &s 1").replace("seed: 0", "seed: &s 0"),
    "merged mapping": OCTAL.replace("train:", "<<: &x {seed: 1}\ntrain:\n  <<: *x"),
    "tagged number": with_line("train.seed", "KEY !!int '010'"),
    "tagged octal": with_line("train.seed", "KEY !!int '0o10'"),
    "tagged float": with_line("train.lr", "KEY !!float 010"),
    "tagged text": with_line("train.optimizer", "KEY !!str sgd"),
    "tagged boolean": with_line("train.tensorboard", "KEY !!bool yes"),
    "binary": with_line("train.optimizer", "KEY !!binary c2dk"),
    "base 60": with_line("train.seed", "KEY 1:30"),
    "grouped": with_line("train.seed", "KEY 1_000"),
    "line separator": OCTAL.replace("train:", "train:\u2028"),
    "mark within": with_line("train.seed", f"KEY {MARK}010"),
    "name with a mark": OCTAL.replace("- ", f"- {MARK}", 1),
    "name with a next line": OCTAL.replace("- ", "- x\x85", 1),
    "name beyond 16 bits": OCTAL.replace("- ", "- 👕", 1),
    "half a pair": OCTAL.replace("- ", '- "\\ud83d"\n  - ', 1),
    "carriage returns": OCTAL.replace("\n", "\r"),
    "both line ends": OCTAL.replace("\n", "\r\n"),
}
"""Whole files whose value depends on the reader, or might."""


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@pytest.mark.parametrize("name", NASTY)
def test_the_code_uses_the_values_that_dvc_records(scratch, name):
    """Or refuses the file; compared down to the last key with what dvc.lock gives back."""
    scratch.write_bytes(NASTY[name].encode())
    try:
        used = load(Parameters, path=scratch).model_dump()
    except UserError:
        assert name not in ("plain", "mark", "both line ends")
    else:
        assert used == loads_yaml(dumps_yaml(load_yaml(str(scratch))))


def test_the_file_is_read_as_dvc_reads_it_down_to_the_last_key():
    ours = load(Parameters, path=OWN).model_dump()
    assert ours == load_yaml(str(OWN))


@pytest.mark.parametrize("key", KEYS)
def test_dvc_changes_one_key_of_the_file_and_no_comment(scratch, key):
    """By the function of `dvc exp run -S`; a diff of an experiment is to be readable."""
    scratch.write_text(OWN.read_text())
    apply_overrides(scratch, [f"{key}={'[a, b]' if KEYS[key]['type'] == 'array' else 77}"])
    (name, before), (other, after) = map(without(key), (OWN.read_text(), scratch.read_text()))
    assert before == after
    assert comment(name) == comment(other)


def without(key):
    """Of a text: the line of a key, and all lines but that one and those of its list."""

    def split(text):
        lines = text.splitlines()
        at = line_of(key, lines)
        return lines[at], lines[:at] + lines[end_of(at, lines) :]

    return split


def comment(line):
    return line.partition("#")[2]


def test_portable_bytes_cannot_be_promised_of_bfloat16(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(params_text(**{"train.precision": "bfloat16", "train.arithmetic": "portable"}))
    with pytest.raises(UserError, match=r"precision is bfloat16.* portable: make one float32"):
        load(Parameters, path=path)
    path.write_text(params_text(**{"train.precision": "bfloat16", "train.arithmetic": "native"}))
    load(Parameters, path=path)
