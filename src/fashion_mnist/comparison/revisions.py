"""Files as they are in a Git revision, in a DVC experiment or in the workspace."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo

from fashion_mnist.comparison import programs
from fashion_mnist.comparison.programs import GIT
from fashion_mnist.pipeline.errors import UserError

WORKSPACE = "workspace"
"""What DVC calls the files that lie in the working folder."""


@dataclass(frozen=True)
class Revision:
    """A state of the repository.

    Attributes:
        name: as the user gave it.
        sha: of the commit; None for the workspace.
        root: the folder of dvc.yaml, which paths are relative to.
    """

    name: str
    sha: str | None
    root: Path

    def read(self, path: str) -> bytes | None:
        """The content of a file that Git tracks, or None where the revision lacks it.

        Raises:
            UserError: Git refuses to read the repository, as one of another user, or a partial
                clone lacks the file and cannot get it.
        """
        return self.read_all([path])[path]

    def read_all(self, paths: Sequence[str]) -> dict[str, bytes | None]:
        """As `read`, of several files by path, in one run of Git."""
        if self.sha is None:
            return {path: _content(self.root / path) for path in paths}
        asked = "".join(f"{self.sha}:./{path}\n" for path in paths).encode()
        told = BytesIO(programs.run(GIT, "cat-file", "--batch", folder=self.root, given=asked))
        found: dict[str, bytes | None] = {}
        for path in paths:
            size = told.readline().split()[-1]  # of "<object> blob <size>", or "<asked> missing"
            found[path] = None if size == b"missing" else told.read(int(size))
            if found[path] is not None:
                told.readline()
        return found

    def fetch_blobs(self) -> None:
        """Get the files that a partial clone lacks of a commit, which DVC would wait for in vain.

        Git fetches in one go what it is asked to compare, here with the empty tree.

        Raises:
            UserError: the server that has them gives no answer, or an error.
        """
        if self.sha is not None:
            empty = programs.run(GIT, "hash-object", "-t", "tree", "--stdin", folder=self.root)
            tree = empty.decode().strip()
            programs.run(GIT, "diff", "--shortstat", tree, self.sha, folder=self.root)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def find_root() -> Path:
    """The folder of the DVC repository that the working folder is in.

    Raises:
        UserError: it is in none.
    """
    try:
        return Path(Repo.find_root())
    except NotDvcRepoError as error:
        raise UserError(f"{error}; run this in a clone of the project") from None


def resolve(name: str, root: Path) -> Revision:
    """The revision of a branch, tag, commit, experiment, or of the word "workspace".

    Of experiments with one name that which starts from HEAD is meant.

    Raises:
        UserError: there is no Git repository, or nothing of that name in it, or the name means
            several commits, or Git refuses to read it, as one of another user.
    """
    if name == WORKSPACE:
        return Revision(name, None, root)
    check_is_readable(root)
    named = [found for found in _experiments(root) if found.name == name]
    from_head = [found for found in named if found.base == _commit("HEAD", root)]
    meant = {f"refs/exps/{e.base[:2]}/{e.base[2:]}/{name}": e.sha for e in from_head or named}
    refs = [f"refs/{kind}/{name}" for kind in ("heads", "tags", "remotes")]
    meant |= {ref: sha for ref in refs if (sha := _commit(ref, root))}
    if len(set(meant.values())) > 1:
        raise UserError(f"{name!r} has several meanings; give one of: {', '.join(sorted(meant))}")
    sha = next(iter(meant.values()), None) or _commit(name, root)
    if sha is None:
        raise UserError(
            f"unknown revision {name!r}; `git branch -a` and `git tag` list names, "
            "`dvc exp list -A` experiments; what only the remote has comes with `git fetch`"
        )
    return Revision(name, sha, root)


def experiments(root: Path, *, everywhere: bool) -> list[Revision]:
    """The experiments that start from HEAD, or those of every commit, by name.

    Raises:
        UserError: as `resolve`; also where there is no commit.
    """
    head = resolve("HEAD", root).sha
    found = [each for each in _experiments(root) if everywhere or each.base == head]
    return sorted(
        (Revision(each.name, each.sha, root) for each in found), key=lambda revision: revision.name
    )


def check_is_readable(root: Path) -> None:
    """Let Git itself say why it cannot read a repository: `safe.directory` is its own to know.

    Raises:
        UserError: there is none, or Git refuses to read it.
    """
    try:
        _git(root, "rev-parse", "--git-dir")
    except UserError as reason:
        raise UserError(
            f"revisions are Git's, so only `git clone` brings them, but in {root} {reason}"
        ) from None


class _Experiment(NamedTuple):
    """What DVC keeps as refs/exps/<2 digits>/<38 digits of the commit it starts from>/<name>."""

    name: str
    base: str
    sha: str


def _experiments(root: Path) -> list[_Experiment]:
    lines = _git(root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").split("\n")
    refs = [re.fullmatch(r"(\w+) refs/exps/([0-9a-f]{2})/([0-9a-f]+)/(.+)", line) for line in lines]
    return [_Experiment(ref[4], ref[2] + ref[3], ref[1]) for ref in refs if ref]


def _commit(name: str, root: Path) -> str | None:
    with suppress(UserError):
        return _git(root, "rev-parse", "--verify", f"{name}^{{commit}}").strip()
    return None


def _git(root: Path, *arguments: str) -> str:
    return programs.run(GIT, *arguments, folder=root).decode()
