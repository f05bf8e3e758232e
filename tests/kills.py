"""Kill a run of the whole pipeline at a random moment, and see that the next run mends everything.

The moments, signals and victims are drawn from a seed. `make kills` runs many.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from forkserver import without

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
VICTIMS = ("stage", "group", "dvc")
CUT = ("dvc.lock", ".dvc/tmp/rwlock")
"""What DVC does not write in one piece; docs/trouble.md has the way out."""


@dataclass
class Report:
    """What came of the kills."""

    kills: int = 0
    recovered: int = 0
    taken_up: int = 0
    cut: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.kills} kills, {self.recovered} recoveries, {self.taken_up} of them took up a "
            f"training, {self.cut} without a file that DVC was writing, "
            f"{len(self.faults)} faults",
            *self.faults,
        ]
        return "\n".join(lines)


def kill_and_recover(repository, folder: Path, count: int, seed: int, epochs: int) -> Report:
    """Kill `count` runs of a copy of `repository`, one after the other; report what differed.

    Every kill is followed by `dvc repro`, whose outputs must be byte-equal to those of a run that
    was not interrupted, with no process, temporary file or state left over, and no epoch trained
    twice but the one that was broken.
    """
    draw = random.Random(seed)
    fresh = repository.copy(folder / "fresh")
    fresh.set(train__epochs=epochs)
    reference = replace(fresh.copy(folder / "reference"), environment=without(fresh.environment))
    start = time.monotonic()
    reference.dvc("repro", "-f")
    duration = time.monotonic() - start
    wanted, files = reference.outputs(), listing(reference.path)
    report = Report()
    for number in range(count):
        checkout = fresh.copy(folder / f"kill-{number + 1}")
        checkout.forget_runs()
        sent, victim = draw.choice(SIGNALS), draw.choice(VICTIMS)
        moment = draw.uniform(0.05, 0.95) * duration
        name = f"kill {number + 1}: {sent.name} to the {victim} after {moment:.2f} s"
        finished = interrupt(checkout, sent, victim, moment)
        report.kills += 1
        recovery = checkout.dvc("repro", check=False)
        for path in CUT if sent == signal.SIGKILL and victim != "stage" else ():
            if recovery.returncode and f"{path}'" in recovery.stderr:
                report.cut += 1
                (checkout.path / path).unlink()
                recovery = checkout.dvc("repro", check=False)
        faults = []
        if recovery.returncode:
            faults.append(f"the next run failed: {recovery.stderr[-500:]}")
        elif (outputs := checkout.outputs()) != wanted:
            differing = [path for path in wanted if outputs.get(path) != wanted[path]]
            faults.append(f"other bytes in {', '.join(differing)}")
        if left := set(listing(checkout.path)) ^ set(files):
            faults.append(f"files left or missing: {', '.join(sorted(left))}")
        if alive := processes_in(checkout.path):
            faults.append(f"still running: {alive}")
        if taken := re.search(r"taking up the run after epoch (\d+)", recovery.stdout):
            report.taken_up += 1
            if int(taken[1]) < finished:
                faults.append(f"epoch {finished} was finished, but taken up after {taken[1]}")
        elif finished and "Running stage 'train'" in recovery.stdout:
            faults.append(f"epoch {finished} was finished, but the training began anew")
        report.faults += [f"{name}: {fault}" for fault in faults]
        report.recovered += not faults
        print(f"{name}; epoch {finished} finished; {'; '.join(faults) or 'recovered'}", flush=True)
        shutil.rmtree(checkout.path)
    return report


def interrupt(checkout, sent: signal.Signals, victim: str, moment: float) -> int:
    """Start `dvc repro -f`, send the signal after `moment` seconds, wait until all have ended.

    Returns:
        The last epoch that the killed run reported as finished, 0 where it had not come so far or
        had trained to the end.
    """
    with tempfile.TemporaryFile("w+") as log:
        dvc = subprocess.Popen(
            ["dvc", "repro", "-f"],
            cwd=checkout.path,
            env=without(checkout.environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            dvc.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            send(dvc, sent, victim)
        family = processes_in(checkout.path)
        dvc.wait(timeout=60)
        psutil.wait_procs(family, timeout=60)
        log.seek(0)
        text = log.read()
    epochs = [int(epoch) for epoch in re.findall(r"^epoch (\d+)/", text, re.MULTILINE)]
    return 0 if "Running stage 'evaluate'" in text or not epochs else epochs[-1]


def send(dvc: subprocess.Popen, sent: signal.Signals, victim: str) -> None:
    if victim == "group":
        os.killpg(dvc.pid, sent)
    elif victim == "dvc":
        dvc.send_signal(sent)
    else:
        for child in psutil.Process(dvc.pid).children(recursive=True):
            if "stages." in " ".join(child.cmdline()):
                child.send_signal(sent)
                return
        dvc.send_signal(sent)  # between two stages


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in `folder`, zombies left out."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def listing(folder: Path) -> list[str]:
    """Every file of a checkout but those of Git and DVC."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(name) for name in names if name.parts[0] not in (".git", ".dvc"))
