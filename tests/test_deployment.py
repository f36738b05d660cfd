"""The images' program and the services of compose.yaml, run as processes on PostgreSQL and Valkey."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import urllib3

from tests.dockerfiles import CHECKOUT, run_stage, stages_of, values_of
from tests.servers import PostgreSQL, Valkey, free_port, start_leashed
from tests.test_compose import REQUIRED, load_compose
from tests.waiting import wait_until

pytestmark = pytest.mark.more

UPLOAD = "/databricks/mlflow/tmp-external-source/0123456789abcdef0123456789abcdef/sample"
AUTHORIZED = {"Authorization": f"Bearer {REQUIRED['MODELYARD_ADMIN_TOKEN']}"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the build stage's lines were run; its program is `opt/modelyard/bin/modelyard`."""
    root = tmp_path_factory.mktemp("image")
    run_stage(stages_of("web.Dockerfile")[0], root)
    return root


class Deployment:
    """The services of compose.yaml, one process each; `volume` is what they share."""

    def __init__(self, image: Path, volume: Path, database_url: str, broker_url: str) -> None:
        self.program = image / "opt/modelyard/bin/modelyard"
        self.volume = volume
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.services = load_compose(REQUIRED | {"MODELYARD_PUBLIC_URL": self.url})["services"]
        self.addresses = {"MODELYARD_DATABASE_URL": database_url, "MODELYARD_BROKER_URL": broker_url}
        (variables,) = values_of(stages_of("web.Dockerfile")[-1], "ENV")
        self.image_settings = dict(word.split("=", 1) for word in shlex.split(variables))
        self.image_settings |= {"MODELYARD_HOME": str(volume), "MODELYARD_PORT": str(self.port)}

    def environment(self, service: str) -> dict[str, str]:
        """What the container of `service` would see, with the addresses of this machine."""
        given = self.services[service]["environment"]
        settings = {name: str(value) for name, value in given.items() if value is not None}
        return self.image_settings | settings | self.addresses

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """Start the program with the command of `service`."""
        command = [str(self.program), *self.services[service]["command"]]
        return start_leashed(command, self.volume / f"{service}.log", environment=self.environment(service))

    def is_well(self, service: str, part: str) -> bool:
        """Whether the image's health check is content."""
        command = [self.program, "health", part]
        return subprocess.run(command, env=self.environment(service), capture_output=True, check=False).returncode == 0


@pytest.fixture
def deployment(image: Path, tmp_path: Path, postgresql: PostgreSQL, valkey: Valkey) -> Iterator[Deployment]:
    name = postgresql.create_database()
    yield Deployment(image, tmp_path, postgresql.url(name), valkey.url)
    postgresql.drop_database(name)


def test_the_image_holds_a_program_that_starts_and_no_installer(image: Path) -> None:
    program = image / "opt/modelyard/bin/modelyard"

    version = subprocess.run([program, "--version"], env={}, capture_output=True, text=True, check=True)

    assert re.fullmatch(r"\d+\.\d+\.\d+\n", version.stdout)
    assert not list(image.glob("opt/modelyard/bin/pip*"))
    assert not list(image.glob("opt/modelyard/lib/python3*/site-packages/setuptools"))


def test_the_image_holds_every_file_of_the_package(image: Path) -> None:
    installed = next(image.glob("opt/modelyard/lib/python3*/site-packages/modelyard"))

    assert files_below(installed) == files_below(CHECKOUT / "src/modelyard")


def files_below(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if "__pycache__" not in path.parts)


def test_the_services_of_compose_make_an_uploaded_model_ready(deployment: Deployment) -> None:
    assert deployment.start("migrate").wait(60) == 0
    with ExitStack() as stack:
        running = {name: deployment.start(name) for name in ("web", "worker-fast", "worker-copy")}
        for process in running.values():
            stack.callback(process.wait, 45)
            stack.callback(process.terminate)
        wait_until(lambda: deployment.is_well("web", "web"), within_s=30, what="the web server's health check")
        wait_until(lambda: deployment.is_well("worker-copy", "worker"), within_s=30, what="the workers' health check")

        status = register_upload(deployment.url)

    assert status == "READY"
    assert [process.returncode for process in running.values()] == [0, 0, 0]


def register_upload(url: str) -> str:
    """Upload a small model as databricks clients do, register it and return the status it ends with."""
    with urllib3.PoolManager(headers=AUTHORIZED) as http:
        assert http.request("POST", f"{url}/dbfs{UPLOAD}/MLmodel", body=b"flavors: {}\n").status == 200
        api = f"{url}/api/2.0/mlflow"
        assert http.request("POST", f"{api}/registered-models/create", json={"name": "m"}).status == 200
        created = http.request("POST", f"{api}/model-versions/create", json={"name": "m", "source": f"dbfs:{UPLOAD}"})
        assert created.status == 200, created.data

        def final_status() -> str:
            answer = http.request("GET", f"{api}/model-versions/get", fields={"name": "m", "version": "1"})
            status: str = answer.json()["model_version"]["status"]
            return "" if status == "PENDING_REGISTRATION" else status

        return wait_until(final_status, within_s=30, what="the version's final status")
