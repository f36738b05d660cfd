"""Numbers for Prometheus, counted in the database when they are asked for, so that each process shows the same."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func
from sqlmodel import col, select

from modelyard.database.session import autocommit
from modelyard.database.tables import Job
from modelyard.registry.workforce import alive_workers
from modelyard.web.site import Site


def metrics_text(site: Site) -> bytes:
    """Return all metrics in Prometheus' text format. Raises what the database raises."""
    with autocommit(site.engine) as connection:
        families = [_jobs(connection), _workers(connection, site.sweep_ms)]
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _jobs(connection: Connection) -> Metric:
    family = GaugeMetricFamily("modelyard_jobs", "Jobs by kind and status.", labels=["kind", "status"])
    counted = select(Job.kind, Job.status, func.count()).group_by(col(Job.kind), col(Job.status))
    for kind, status, count in connection.execute(counted):
        family.add_metric([kind, status], count)
    return family


def _workers(connection: Connection, sweep_ms: int) -> Metric:
    family = GaugeMetricFamily("modelyard_workers", "Workers seen lately, by queue.", labels=["queue"])
    for queue, count in alive_workers(connection, sweep_ms).items():
        family.add_metric([queue], count)
    return family
