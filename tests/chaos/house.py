"""What the storm blows on: a database, a broker, two web servers and three workers, each a process of its own."""

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

import urllib3
from sqlalchemy import Engine

from modelyard.database.engine import create_engine
from modelyard.database.migrations.apply import upgrade
from modelyard.jobs.broker import Bell, create_broker
from tests.chaos.services import Service
from tests.chaos.sources import Sources
from tests.chaos.trapdoor import TRAPDOOR
from tests.servers import PostgreSQL, Valkey, free_port
from tests.waiting import wait_until

LEASE_S: Final = 3.0
SWEEP_S: Final = 1.0
WORKERS: Final = 3
START_S: Final = 60


class House:
    """A whole Modelyard in separate processes. Without `sweep` its workers never sweep: the control."""

    def __init__(self, database: str, *, sweep: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="modelyard-chaos-"))
        self.trapdoor = self.folder / "trapdoor"
        self.broker = Valkey()
        self.postgresql = PostgreSQL() if database == "postgresql" else None
        self.sources = Sources(self.folder / "sources")
        self._sweep = sweep

    def open(self, rng: random.Random) -> None:
        """Start everything and wait until the web servers answer."""
        self.sources.make_big(rng)
        self.broker.start()
        self.database_url = self._make_database()
        self.engine: Engine = create_engine(self.database_url)
        self.bell = Bell(create_broker(self.broker.url), quiet_s=SWEEP_S)
        self.webs = [self._web(n) for n in (1, 2)]
        self.workers = [self._worker(n) for n in range(1, WORKERS + 1)]
        self.revive()
        wait_until(self.answers, within_s=START_S, what=f"the web servers (logs: {self.folder})")
        wait_until(self._work, within_s=START_S, what=f"the workers (logs: {self.folder})")

    def close(self, *, keep_files: bool) -> None:
        """Stop everything; with `keep_files` the logs, the database and the store stay in `folder`."""
        for service in self.services:
            service.stop(within_s=10)
        self.engine.dispose()
        if keep_files and self.postgresql is not None:
            shutil.copy(self.postgresql.log, self.folder / "postgresql.log")
        self.broker.remove()
        if self.postgresql is not None:
            self.postgresql.remove()
        shutil.rmtree(self.sources.root, ignore_errors=True)
        if not keep_files:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def services(self) -> list[Service]:
        """Every process that is kept alive."""
        return [*self.webs, *self.workers]

    @property
    def store(self) -> Path:
        """The managed store's folder."""
        return self.folder / "home" / "store"

    def revive(self) -> None:
        """Start what is down."""
        for service in self.services:
            service.revive()

    def calm_down(self) -> None:
        """End everything that still disturbs: thaw, start again, disarm."""
        self.trapdoor.unlink(missing_ok=True)
        for service in self.services:
            service.thaw()
        if self.postgresql is not None and self.postgresql.process is None:
            self.postgresql.start()
        if self.broker.process is None:
            self.broker.start()
        else:
            self.broker.thaw()

    def answers(self) -> bool:
        """Whether every web server says that it is ready."""
        http = urllib3.PoolManager(retries=False, timeout=2)
        try:
            return all(http.request("GET", f"{url}/readyz").status == 200 for url in self.urls)
        except urllib3.exceptions.HTTPError:
            return False
        finally:
            http.clear()

    @property
    def urls(self) -> list[str]:
        """The addresses of the web servers."""
        return [f"http://127.0.0.1:{web.environment['MODELYARD_PORT']}" for web in self.webs]

    def logs(self) -> list[Path]:
        """The files in which the processes log."""
        return [service.log for service in self.services]

    def _work(self) -> bool:
        return all(len(worker.children()) >= 2 for worker in self.workers)

    def _make_database(self) -> str:
        if self.postgresql is None:
            (self.folder / "home").mkdir()
            url = f"sqlite:///{self.folder / 'home' / 'modelyard.db'}"
        else:
            self.postgresql.start()
            url = self.postgresql.url(self.postgresql.create_database())
        engine = create_engine(url)
        upgrade(engine)
        engine.dispose()
        return url

    def _web(self, number: int) -> Service:
        command = [sys.executable, "-m", "modelyard", "web"]
        if number == 1:
            command = [sys.executable, "-I", str(Path(__file__).with_name("trapdoor.py")), "web"]
        settings = {"port": free_port(), "web_processes": 2, "web_threads": 4, "create_wait_s": 0.2}
        return self._service(f"web-{number}", command, settings)

    def _worker(self, number: int) -> Service:
        program = ["-m", "modelyard"] if self._sweep else ["-I", str(Path(__file__).with_name("sweepless.py"))]
        return self._service(
            f"worker-{number}", [sys.executable, *program, "worker", "--concurrency", "2"], {"drain_s": 4}
        )

    def _service(self, name: str, command: list[str], settings: dict[str, object]) -> Service:
        settings |= {
            "home": self.folder / "home",
            "database_url": self.database_url,
            "broker_url": self.broker.url,
            "source_roots": self.sources.root,
            "lease_s": LEASE_S,
            "sweep_s": SWEEP_S,
            "log_format": "json",
        }
        own = {f"MODELYARD_{key.upper()}": str(value) for key, value in settings.items()}
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), TRAPDOOR: str(self.trapdoor)} | own
        return Service(name, command, environment, self.folder / f"{name}.log")
