"""Logs of every process: one line an event, for people on a terminal, JSON otherwise, and no secret in any.

Our own events and those of the standard library's loggers (Celery, granian, Alembic) take the same way out.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, TextIO

import orjson
import structlog
from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_NAMES: Final = re.compile(
    r"token|password|passwd|secret|authorization|cookie|api_?key|signature", re.IGNORECASE
)
_SECRET_TEXTS: Final = (
    # user:password@ of a URL
    (re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)"), r"\1:***"),
    (re.compile(r"\b(Bearer|bearer|Basic)\s+[A-Za-z0-9._~+/=-]{4,}"), r"\1 ***"),
    (
        re.compile(r"(?<=[?&])((?:[\w.-]*(?:token|signature|password|secret|key)|sig)=)[^&\s\"']+", re.IGNORECASE),
        r"\1***",
    ),
)
# Every text above holds one of these, and nearly no line does.
_SUSPICIOUS: Final = re.compile(r"://|[Bb]earer|Basic|[?&]")
_QUIETER: Final = {
    "kombu": logging.WARNING,
    "amqp": logging.WARNING,
    "celery": logging.WARNING,
    "alembic": logging.WARNING,
    "fakeredis": logging.WARNING,
    "_granian": logging.WARNING,
    "urllib3": logging.WARNING,
}


def configure(
    *, level: str = "info", json: bool | None = None, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Send every log of this process to `stream` (stderr by default).

    `json=None` decides by the stream: people read terminals, programs the rest. `secrets` are values that must never
    appear, wherever they would stand.
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        # People read the clock on their wall.
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            Redaction(secrets),
            *_renderers(as_json, colors=stream.isatty()),
        ],
    )
    _replace_handlers(formatter, stream, level)


def secrets_of(settings: BaseModel) -> list[str]:
    """Return every secret value among `settings`, lists parted at their commas."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    return [part for value in values if isinstance(value, SecretStr) for part in value.get_secret_value().split(",")]


class Redaction:
    """A structlog processor that blanks secrets by the name of their field, by their look, and by their value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one secret may begin with another. Very short ones would blank ordinary words.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {name: self._clean(name, value) for name, value in event.items()}

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        if _SUSPICIOUS.search(text):
            for pattern, blanked in _SECRET_TEXTS:
                text = pattern.sub(blanked, text)
        return text

    def _clean(self, name: str, value: object) -> object:
        if value is not None and not isinstance(value, (bool, int, float)) and _names_a_secret(name):
            return "***"
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(key): self._clean(str(key), inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._clean("", inner) for inner in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self.text(str(value))


@lru_cache(1024)
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _json_line(event: EventDict, **_options: object) -> str:
    try:
        return orjson.dumps(event, default=str).decode()
    except TypeError:
        # Integers of more than 64 bits, halves of surrogate pairs: no reason to lose a line.
        return json.dumps(event, default=str, ensure_ascii=False)


def _renderers(as_json: bool, *, colors: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.JSONRenderer(serializer=_json_line)]
    return [_drop_logger, structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, pad_level=False)]


def _drop_logger(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("logger", None)
    return event


def _replace_handlers(formatter: logging.Formatter, stream: TextIO, level: str) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name, least in _QUIETER.items():
        other = logging.getLogger(name)
        other.handlers, other.propagate = [], True
        other.setLevel(max(least, root.level) if root.level > logging.DEBUG else logging.DEBUG)
