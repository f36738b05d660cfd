"""Planting a fault: the source is copied, a text of it replaced, and tests are run on the copy."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300
# The control runs all of the tests, the others those of one fault until the first fails.
CONTROL_PATIENCE_S = 1800
_FAILED = re.compile(r"^FAILED (?:tests/)?([^\[\n]+?)(?:\[| - |$)", re.MULTILINE)
_SHOWN_CHARACTERS = 3000


@dataclass(frozen=True)
class Fault:
    """A fault: `old`, found exactly once in `module`, is replaced by `new`. One of `tests` has to fail then."""

    name: str
    module: str
    old: str
    new: str
    tests: Sequence[str]


# The control: tests that fail on a sound source kill nothing.
NOTHING = Fault("nothing (the control)", "", "", "", ())


@dataclass(frozen=True)
class Verdict:
    """What tests said of a planted fault. `test` is the first that failed, `output` the end of what they printed."""

    name: str
    outcome: str
    test: str
    seconds: float
    output: str

    @property
    def expected(self) -> bool:
        """Whether that is as it should be: tests kill a fault, and nothing else."""
        return self.outcome == ("survived" if self.name == NOTHING.name else "killed")


def judge(fault: Fault, tests: Sequence[str]) -> Verdict:
    """Run tests on a copy of the source that has this fault."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="modelyard-mutant-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        _plant(fault, source)
        patience_s = CONTROL_PATIENCE_S if fault.name == NOTHING.name else PATIENCE_S
        status, output = _run(tests, source, patience_s)
    failed = _FAILED.search(output)
    outcome = {0: "survived", 1: "killed" if failed else "broken"}.get(status, "broken")
    test = failed[1] if failed and outcome == "killed" else ""
    return Verdict(fault.name, outcome, test, time.monotonic() - began_s, output[-_SHOWN_CHARACTERS:])


def _plant(fault: Fault, source: Path) -> None:
    if fault.name == NOTHING.name:
        return
    module = source / "modelyard" / fault.module
    text = module.read_text()
    if text.count(fault.old) != 1:
        raise SystemExit(
            f"The fault {fault.name!r} cannot be planted: its text is found {text.count(fault.old)} times in "
            f"{fault.module}, not once. Bring tests/mutants/faults.py up to date with the source."
        )
    module.write_text(text.replace(fault.old, fault.new))


def _run(tests: Sequence[str], source: Path, patience_s: float) -> tuple[int, str]:
    """Run tests until the first fails; return pytest's status and what it printed."""
    # PYTHONPATH stands before the folder that an editable install has added.
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    found = [sys.executable, "-c", "import modelyard; print(modelyard.__file__)"]
    imported = subprocess.run(found, env=environment, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    if not imported.startswith(str(source)):
        raise SystemExit(f"The tests would import {imported.strip()}, not the copy in {source}.")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "-m", "not more", *tests]
    command += ["-p", "no:cacheprovider", "--hypothesis-profile=mutants"]
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT, timeout=patience_s
        )
    except subprocess.TimeoutExpired as error:
        return 1, f"FAILED (no end within {patience_s:.0f} s)\n{error.stdout!r}"
    return ended.returncode, ended.stdout + ended.stderr
