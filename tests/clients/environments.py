"""The real clients, each in an environment of its own under `.envs`, built from its lock file.

`make test` builds the current ones, `make test-more` the old ones too.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).with_name("scripts")
SCRIPT_S = 180


class ClientEnvironment:
    """An environment with released clients; they find nothing there of ours, nor of the machine's user."""

    def __init__(self, name: str, home: Path) -> None:
        self.home = home
        self.bin = CHECKOUT / ".envs" / name / "bin"
        assert (self.bin / "python").exists(), f"{self.bin} is missing; `make test-more` builds it."

    def run(self, script: str, given: dict[str, object], **variables: str) -> Any:
        """Run `scripts/SCRIPT` with `given` on its standard input and return the JSON of its last line.

        Its working folder is the home; `variables` join its environment.
        Raises AssertionError with everything that it wrote when it fails.
        """
        done = subprocess.run(
            [self.bin / "python", SCRIPTS / script],
            input=json.dumps(given, default=str),
            env=self.environment(**variables),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SCRIPT_S,
            check=False,
        )
        assert done.returncode == 0, f"{script} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1])

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment variables for a program of these clients."""
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet", "PYTHONWARNINGS": "ignore"}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.home), "PYTHONUNBUFFERED": "1"} | quiet | variables
