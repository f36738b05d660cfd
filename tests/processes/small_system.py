"""A whole tree of processes without a database: supervisor, broker, one worker with toy tasks, two web processes.

Run as `python small_system.py FOLDER`. Each part writes its pid to FOLDER/<part>.pid whenever it starts; the toy tasks
write to FOLDER as well. The web application answers its own pid.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from celery import Celery

from modelyard.jobs.broker import Bell, create_broker
from modelyard.processes import logs
from modelyard.processes.children import Part
from modelyard.processes.embedded_broker import bind_broker, broker_url, serve_broker
from modelyard.processes.listening import bind_web, web_url
from modelyard.processes.supervisor import Supervisor
from modelyard.processes.web_child import serve
from modelyard.settings import Settings
from modelyard.worker.drain import DrainFlag
from modelyard.worker.main import WorkerHooks, run_worker


def toy_hooks(folder: Path) -> WorkerHooks:
    def register(app: Celery, flag: DrainFlag) -> None:
        @app.task(name="modelyard.quick")
        def quick(job_id: int) -> None:
            (folder / f"quick-{job_id}").touch()

        @app.task(name="modelyard.patient")
        def patient(job_id: int) -> None:
            (folder / f"patient-{job_id}.started").touch()
            while not flag.requested():
                time.sleep(0.01)
            (folder / f"patient-{job_id}.released").touch()

        @app.task(name="modelyard.held")
        def held(job_id: int) -> None:
            note = folder / f"held-{job_id}.part"
            note.write_text(str(os.getpid()))
            note.rename(folder / f"held-{job_id}.started")
            while not (folder / f"free-{job_id}").exists():
                time.sleep(0.01)
            (folder / f"held-{job_id}.ended").touch()

        @app.task(name="modelyard.stubborn")
        def stubborn(job_id: int) -> None:
            (folder / f"stubborn-{job_id}.started").touch()
            try:
                time.sleep(600)
            except SystemExit:
                (folder / f"stubborn-{job_id}.ended").touch()
                raise

    def main(_app: Celery, pool_pids: Callable[[], frozenset[int]]) -> None:
        (folder / "pool").write_text(" ".join(map(str, pool_pids())))
        write_pid(folder, "worker-ready")

    return WorkerHooks(register_tasks=register, on_child_start=lambda: None, on_main_start=main)


def toy_app(folder: Path, bell: Bell):
    """Answer with this process's pid; `/KIND/ID/QUEUE` rings for a job first, `/stall` never ends."""

    def app(environ, start_response):
        _, *words = environ["PATH_INFO"].split("/")
        if words == ["stall"]:
            (folder / "stalled").touch()
            time.sleep(600)
        if len(words) == 3:
            bell.ring(words[0], words[2], int(words[1]))
        body = str(os.getpid()).encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return app


def write_pid(folder: Path, name: str) -> None:
    part = folder / f"{name}.part"
    part.write_text(str(os.getpid()))
    part.rename(folder / f"{name}.pid")


def main(folder: Path) -> int:
    logs.configure(json=True)
    web, broker = bind_web("127.0.0.1", 0, processes=2), bind_broker()
    settings = Settings(home=folder, broker_url=broker_url(broker))

    def live(name: str, run: Callable[[], object]) -> None:
        write_pid(folder, name)
        run()

    def work() -> None:
        run_worker(settings, queues=["fast", "copy"], concurrency=3, hooks=toy_hooks(folder))

    def answer(place: int) -> None:
        serve(web.of(place), lambda: toy_app(folder, Bell(create_broker(broker_url(broker)), quiet_s=0.2)), threads=2)

    parts = [
        Part("broker", partial(live, "broker", lambda: serve_broker(broker)), outlives_others=True),
        Part("worker", partial(live, "worker", work), grace_s=settings.drain_s + 5),
        Part("web-1", partial(live, "web-1", lambda: answer(0)), grace_s=0.5),
        Part("web-2", partial(live, "web-2", lambda: answer(1)), grace_s=0.5),
    ]

    def started() -> None:
        (folder / "url.part").write_text(web_url(web, "127.0.0.1"))
        (folder / "url.part").rename(folder / "url")

    return Supervisor(parts).run(on_started=started)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
