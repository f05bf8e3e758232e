"""Files as they are in a Git revision, in a DVC experiment or in the workspace."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import dvc.scm
from dvc.exceptions import NotDvcRepoError
from dvc.repo import Repo
from dvc.repo.experiments.utils import exp_refs

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
            UserError: Git refuses to read the repository, as one of another user.
        """
        if self.sha is None:
            try:
                return (self.root / path).read_bytes()
            except FileNotFoundError:
                return None
        if not self._git("ls-tree", self.sha, "--", path):
            return None
        return self._git("cat-file", "blob", f"{self.sha}:./{path}")

    def _git(self, *arguments: str) -> bytes:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, check=False)
        if done.returncode != 0:
            raise UserError(f"{self.name}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout


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

    Raises:
        UserError: there is no Git repository, or nothing of that name in it.
    """
    if name == WORKSPACE:
        return Revision(name, None, root)
    git = _git(root)
    try:
        return Revision(name, dvc.scm.resolve_rev(git, name), root)
    except dvc.scm.RevError:
        raise UserError(
            f"unknown revision {name!r}; `git branch -a` and `git tag` list names, "
            "`dvc exp list -A` experiments; what only the remote has comes with `git fetch`"
        ) from None


def experiments(root: Path, *, everywhere: bool) -> list[Revision]:
    """The experiments that start from HEAD, or those of every commit, by name.

    Raises:
        UserError: there is no Git repository, or no commit in it.
    """
    git, head = _git(root), resolve("HEAD", root).sha
    return sorted(
        (
            Revision(found.name, git.get_ref(str(found)), root)
            for found in exp_refs(git)
            if everywhere or found.baseline_sha == head
        ),
        key=lambda revision: revision.name,
    )


def _git(root: Path) -> "dvc.scm.Git":
    try:
        return dvc.scm.SCM(root)
    except dvc.scm.SCMError:
        raise UserError(
            f"{root} is in no Git repository; revisions are Git's, so only `git clone` brings them"
        ) from None
