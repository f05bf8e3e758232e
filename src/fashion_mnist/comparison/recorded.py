"""Whether results are those that dvc.lock records, and whether it records what lies here.

A revision's results are the metrics and plots that dvc.yaml declares. They are whole when each is
the file that dvc.lock records, by its MD5; a file that is missing, cut or left by an interrupted
run is not. They are current when dvc.lock also records the code, parameters and data that lie here.
"""

import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.repo import Repo
from dvc.stage import Stage
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fashion_mnist import parameters
from fashion_mnist.comparison.revisions import Revision
from fashion_mnist.pipeline.errors import UserError

FLOW, LOCK = "dvc.yaml", "dvc.lock"
KINDS = ("metrics", "plots")
CODE = ("src/", "stages/", "its command")
"""How the names of changes begin that are the code's; all others are the data's."""
NAMED = 5
SAID = {"deleted": "is missing", "modified": "has changed", "new": "is not in dvc.lock"}
"""DVC's words for a file or a parameter that differs from dvc.lock, in ours."""


def fault(revision: Revision, kinds: Sequence[str] = KINDS) -> str:
    """What keeps a revision's results from being whole, in one sentence; empty when they are.

    Args:
        revision: of which dvc.yaml, dvc.lock and results are read.
        kinds: which of the keys of a stage in dvc.yaml name the results to look at.

    Raises:
        UserError: Git cannot read the revision.
    """
    try:
        paths, lock = result_paths(revision, kinds), read_stages(revision, LOCK)
        md5s = {out["path"]: out["md5"] for s in lock.values() for out in s.get("outs", [])}
        contents = revision.read_all(paths)
        found = [s for path in paths if (s := _fault(path, contents[path], md5s.get(path)))]
    except ValueError as reason:
        found = [str(reason)]
    except (AttributeError, KeyError, TypeError, StopIteration):
        found = [f"{FLOW} or {LOCK} is not what DVC writes"]
    if not found:
        return ""
    return (
        f"the results of {revision.name} are incomplete: {', '.join(found)}; `dvc repro` makes "
        f"them, and they are committed together with {LOCK}"
    )


def check_whole(revision: Revision, kinds: Sequence[str] = KINDS) -> None:
    """Refuse results of which some are missing, cut, or left by an interrupted run.

    Raises:
        UserError: with the sentence that `fault` gives, or as `fault`.
    """
    if found := fault(revision, kinds):
        raise UserError(found)


def result_paths(revision: Revision, kinds: Sequence[str] = KINDS) -> list[str]:
    """The files of metrics and plots that a revision's dvc.yaml declares, in its order.

    Raises:
        UserError: dvc.yaml is missing or cannot be read.
    """
    stages = read_stages(revision, FLOW).values()
    entries = [entry for stage in stages for kind in kinds for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def read_stages(revision: Revision, path: str) -> dict[str, Any]:
    """The stages of a revision's dvc.yaml or dvc.lock, by name.

    Raises:
        UserError: the file is missing or cannot be read.
    """
    content = revision.read(path)
    if content is None:
        raise ValueError(f"{path} is missing")
    try:
        return _stages(content)
    except (YAMLError, KeyError, TypeError, ValueError):
        raise ValueError(f"{path} cannot be read") from None


@lru_cache(maxsize=64)
def _stages(content: bytes) -> dict[str, Any]:
    """Kept, since a tenth of a second is long where a hundred experiments have one dvc.yaml."""
    return dict(YAML(typ="safe").load(io.BytesIO(content))["stages"])


def _fault(path: str, content: bytes | None, md5: str | None) -> str:
    if content is None:
        return f"{path} is missing"
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        return f"{path} is not the one that {LOCK} records"
    return ""


@dataclass(frozen=True)
class Change:
    """One of the reasons why a stage must run.

    Attributes:
        stage: its name.
        what: the path, parameter or command that differs from dvc.lock.
        file: of the parameter; empty for all else.
        fate: the predicate of the sentence, such as "has changed".
    """

    stage: str
    what: str
    file: str
    fate: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.what}{f' of {self.file}' * bool(self.file)} {self.fate}"


def outdated(root: Path) -> list[str]:
    """Why the pipeline must run for its results to be those of what lies here; empty if not.

    dvc.lock is held against the working tree by DVC's own functions, stage by stage: the command,
    every folder and file of code, every parameter, and the metrics and plots, which must all be
    there. What DVC keeps in its cache (data, tensors, weights) may be absent, as in a fresh clone,
    if the stage that makes it and those that read it recorded the same content. Whatever cannot be
    read is a reason to run: `dvc repro` then says what is wrong and fails.

    Args:
        root: the folder of dvc.yaml.
    """
    try:
        return [str(change) for change in _changes(root)]
    except DvcException as error:
        return [str(error)]


def changed_since(revision: Revision) -> str:
    """What has changed since the results of the workspace were made, in one sentence.

    Empty where nothing has changed, and for a commit. Each kind names `NAMED` keys at most.
    """
    if revision.sha is not None:
        return ""
    kinds: dict[str, dict[str, None]] = {}
    try:
        for change in _changes(revision.root):
            kind = "code" if change.what.startswith(CODE) else "data"
            kinds.setdefault(change.file or kind, {})[change.what] = None
    except DvcException as error:
        return str(error)
    found = [
        f"{kind} has changed since ({', '.join(list(keys)[:NAMED])}{', …' * (len(keys) > NAMED)})"
        for kind, keys in kinds.items()
    ]
    return f"{'; '.join(found)}: `dvc repro`" if found else ""


def tell_what_has_changed(*given: Revision) -> None:
    """Print `changed_since` of the workspace on stderr: stdout may be Markdown or JSON."""
    for revision in dict.fromkeys(given):
        if changed := changed_since(revision):
            print(changed, file=sys.stderr)


def _changes(root: Path) -> list[Change]:
    with Repo(str(root)) as repo:
        stages = list(repo.index.stages)
        made = {out.fs_path: out for stage in stages for out in stage.outs if out.use_cache}
        return [change for stage in stages for change in _changes_of(stage, made)]


def _changes_of(stage: Stage, made: dict[str, Output]) -> Iterator[Change]:
    name = stage.name
    if stage.changed_stage():
        yield Change(name, "its command", "", "has changed")
    if stage.is_callback or stage.always_changed:
        yield Change(name, "it", "", "runs always")
    for item in [*stage.deps, *stage.outs]:
        for path, status in item.workspace_status().items():
            source = made.get(item.fs_path)
            agreed = source and item.hash_info and item.hash_info == source.hash_info
            if status == "deleted" and agreed:
                continue  # cached, not checked out, and the same to all who name it
            if isinstance(status, dict):
                for key, is_ in _keys(item, status).items():
                    yield Change(name, key, path, SAID[is_])
            else:
                yield Change(name, path, "", SAID[status if item.hash_info else "new"])


def _keys(item: ParamsDependency, sections: dict[str, str]) -> dict[str, str]:
    """The single parameters that differ, where DVC names the section; what of each in its words."""
    found: dict[str, str] = {}
    for section, is_ in sections.items():
        was, now = (
            flat({section: values[section]} if section in values else {})
            for values in (item.hash_info.value or {}, item.read_params())
        )
        differ = {
            key: "deleted" if key not in now else "modified" if key in was else "new"
            for key in was | now
            if was.get(key) != now.get(key)
        }
        found |= differ or {section: is_}
    return found


def flat(section: dict[str, Any]) -> dict[str, str]:
    """Nested parameters by dotted key, values as text."""
    return {key: str(value) for key, value in parameters.flat(section).items()}
