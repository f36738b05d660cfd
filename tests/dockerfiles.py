"""Dockerfiles read and run without a container engine: their lines one by one, with a folder for the root."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
Lines = list[tuple[str, str]]


def stages_of(name: str) -> list[Lines]:
    """Return the stages of a Dockerfile, each a list of (instruction, rest of the line)."""
    text = re.sub(r"^#.*\n", "", (CHECKOUT / name).read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    stages: list[Lines] = []
    for line in filter(None, text.splitlines()):
        instruction, rest = line.split(" ", 1)
        if instruction == "FROM":
            stages.append([])
        stages[-1].append((instruction, rest))
    return stages


def values_of(stage: Lines, wanted: str) -> list[str]:
    return [rest for instruction, rest in stage if instruction == wanted]


def run_stage(stage: Lines, root: Path) -> None:
    """Do what COPY and RUN of `stage` say, with `root` for the container's `/`."""
    for instruction, rest in stage:
        if instruction == "COPY":
            *sources, target = shlex.split(rest)
            copy_into(sources, root / target.lstrip("/"), into_folder=target.endswith("/"))
        elif instruction == "RUN":
            command = re.sub(r"(?<![\w.])/(opt|build)\b", f"{root}/\\1", rest)
            command = re.sub(r"^python ", f"{sys.executable} ", command)
            done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{rest}\n{done.stdout}\n{done.stderr}"


def copy_into(sources: list[str], target: Path, *, into_folder: bool) -> None:
    for source in (CHECKOUT / name for name in sources):
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            destination = target / source.name if into_folder else target
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, destination)
