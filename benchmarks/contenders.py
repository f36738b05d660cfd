"""The servers that `registry.py` compares: each a process tree with a database full of the same data."""

import base64
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy
import urllib3
from sqlalchemy import Engine, func, select
from sqlmodel import col

from benchmarks.people import seed_people
from benchmarks.seeding import MLFLOW, Data, crowd_mlflow, crowd_modelyard, seed_mlflow, seed_modelyard
from benchmarks.trees import tree_cpu_s, tree_pss_mib
from benchmarks.workloads import PREFIX
from modelyard.database.engine import create_engine
from modelyard.database.tables import Job, ModelVersion, RegisteredModel
from tests.servers import PostgreSQL, free_port, start_leashed
from tests.systems import System
from tests.waiting import wait_until

START_S = 120
SETTLING_S = 0.5
# Of one core: sweeps and heartbeats go on.
SETTLED_SHARE = 0.1
# What a team would set on two cores, which the database shares.
BEST_OPTIONS = ("--workers", "2", "--gunicorn-opts", "--worker-class gthread --threads 4 --keep-alive 75")


class Contender:
    """A registry server over seeded data. `folder` is its own; on PostgreSQL the database server is its own too."""

    def __init__(self, name: str, folder: Path, data: Data, *, on_postgresql: bool) -> None:
        self.name = name
        self.folder = folder
        self.data = data
        self.postgresql = PostgreSQL(durable=True) if on_postgresql else None
        self.port = free_port()
        self.start_s = 0.0
        # With whose tokens it is asked; without any where it asks for none.
        self.tokens: list[str] = []
        folder.mkdir(parents=True)
        self._http = urllib3.PoolManager(retries=False, timeout=60)

    def start(self) -> None:
        """Seed the database, start the server and note how long it took until it answered a search."""
        if self.postgresql:
            self.postgresql.start()
        self._seed()
        began_s = time.perf_counter()
        self._launch()
        wait_until(self._answers, within_s=START_S, what=f"{self.name} (in {self.folder})")
        self.start_s = time.perf_counter() - began_s

    def stop(self) -> None:
        """End the server and its database."""
        self._end()
        self._http.clear()
        if self.postgresql:
            self.postgresql.remove()

    def call(self, method: str, route: str, body: object = None, **query: object) -> Any:
        """Ask one thing and return the JSON of the answer, whose status must be 200."""
        url = f"http://127.0.0.1:{self.port}{PREFIX}/{route}?{urlencode(query)}"
        answer = self._http.request(method, url, json=body, headers=self._headers())
        assert answer.status == 200, f"{self.name}: {method} {route}: {answer.status} {answer.data!r}"
        return json.loads(answer.data)

    def cpu_s(self) -> float:
        """Return the processor seconds used so far, those of its PostgreSQL included."""
        return tree_cpu_s(self._pid()) + (tree_cpu_s(self.postgresql.pid) if self.postgresql else 0)

    def pss_mib(self) -> float:
        """Return the memory of the server's tree, without its PostgreSQL."""
        return sum(tree_pss_mib(self._pid()).values())

    def page_token(self, route: str, *, share: float, page: int) -> str:
        """Return the token of the page of `route` before which `share` of all rows lie."""
        raise NotImplementedError

    def crowd_again(self) -> None:
        """Put the crowded model's versions back into Production."""
        raise NotImplementedError

    def is_at_rest(self) -> bool:
        """Whether nothing of what was asked still goes on in the background."""
        return True

    def has_settled(self) -> bool:
        """Whether the server has done what it does after its start, as far as its processor time tells.

        Some processes of a server answer while others still load, and take the cores from whoever is started next.
        """
        before_s = self.cpu_s()
        time.sleep(SETTLING_S)
        return self.cpu_s() - before_s < SETTLED_SHARE * SETTLING_S

    def _answers(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port}{PREFIX}/registered-models/search?max_results=1"
            return self._http.request("GET", url, headers=self._headers()).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[0]}"} if self.tokens else {}

    def _pid(self) -> int:
        raise NotImplementedError

    def _seed(self) -> None:
        raise NotImplementedError

    def _launch(self) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError


def rows_before(count: int, share: float, page: int) -> int:
    """Return how many of `count` rows lie before the page at `share`; a whole page follows."""
    return min(int(count * share), count - page)


class Modelyard(Contender):
    """`modelyard up` that registers by reference, as MLflow does, with its default settings else."""

    def __init__(self, name: str, folder: Path, data: Data, *, on_postgresql: bool, with_people: bool = False) -> None:
        super().__init__(name, folder, data, on_postgresql=on_postgresql)
        self.with_people = with_people
        self.system: System | None = None
        self.engine: Engine | None = None

    def page_token(self, route: str, *, share: float, page: int) -> str:
        """Walk there: the tokens say behind which row a page begins, and nobody else can make one."""
        left = rows_before(self._count(route), share, page)
        token: dict[str, object] = {}
        while left:
            size = min(left, page)
            token = {"page_token": self.call("GET", route, max_results=size, **token)["next_page_token"]}
            left -= size
        return str(token["page_token"])

    def crowd_again(self) -> None:
        assert self.engine is not None
        crowd_modelyard(self.engine)

    def is_at_rest(self) -> bool:
        assert self.engine is not None
        with self.engine.connect() as connection:
            unfinished = select(func.count()).select_from(Job).where(col(Job.finished_at_ms).is_(None))
            return not connection.scalar(unfinished)

    def _count(self, route: str) -> int:
        assert self.engine is not None
        table = RegisteredModel if route.startswith("registered-models") else ModelVersion
        with self.engine.connect() as connection:
            return int(connection.scalar(select(func.count()).select_from(table)) or 0)

    def _pid(self) -> int:
        assert self.system is not None
        assert self.system.process is not None
        return self.system.process.pid

    def _seed(self) -> None:
        home = self.folder / "home"
        home.mkdir()
        url = self.postgresql.url() if self.postgresql else f"sqlite:///{home / 'modelyard.db'}"
        self.engine = create_engine(url)
        seed_modelyard(self.engine, self.data)
        settings: dict[str, str] = {"database_url": url} if self.postgresql else {}
        if self.with_people:
            self.tokens = seed_people(self.engine)
            settings["auth"] = "token"
        self.system = System(self.folder, registration="reference", log_level="warning", **settings)
        self.port = self.system.port

    def _launch(self) -> None:
        assert self.system is not None
        self.system.launch()

    def _end(self) -> None:
        if self.system:
            self.system.stop()
        if self.engine:
            self.engine.dispose()


class Mlflow(Contender):
    """`mlflow server`: on SQLite with no option but the port, on PostgreSQL with its best settings."""

    process: subprocess.Popen[bytes] | None = None
    engine: Engine | None = None

    def page_token(self, route: str, *, share: float, page: int) -> str:
        """Make one: MLflow's tokens count rows, which it then reads and throws away."""
        count = len(self.data.names()) if route.startswith("registered-models") else self.data.version_count()
        return base64.b64encode(json.dumps({"offset": rows_before(count, share, page)}).encode()).decode()

    def crowd_again(self) -> None:
        assert self.engine is not None
        crowd_mlflow(self.engine)

    def _pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def _seed(self) -> None:
        url = self._url("psycopg2")
        # Not by Modelyard's engine, which would switch this SQLite file to write-ahead logging for good.
        self.engine = sqlalchemy.create_engine(self._url("psycopg"))
        seed_mlflow(self.engine, url, self.data, self.folder)

    def _url(self, driver: str) -> str:
        if self.postgresql:
            return self.postgresql.url().replace("postgresql:", f"postgresql+{driver}:")
        # Where `mlflow server` looks by itself, since it is started in this folder.
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def _launch(self) -> None:
        command = [str(MLFLOW / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(self.port)]
        if self.postgresql:
            command += ["--backend-store-uri", self._url("psycopg2"), *BEST_OPTIONS]
        environment = {
            "PATH": f"{MLFLOW}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        log = self.folder / "log"
        self.process = start_leashed(command, log, environment=environment, new_session=True, folder=self.folder)

    def _end(self) -> None:
        if self.process:
            # It starts processes of its own, which share its session.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self.engine:
            self.engine.dispose()
