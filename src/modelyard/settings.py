"""Every setting of Modelyard: its name, type, default and one line of help. Read once, then frozen.

The environment variable of a setting is its name in capitals behind `MODELYARD_`.
`docs/settings.md` is generated from this class; a test compares them.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from modelyard.errors import ConfigurationError


class Settings(BaseSettings):
    """The configuration of one process. Paths are absolute; `None` means "derived", as the help says."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    home: Path = Field(Path("~/.modelyard"), description="Folder of everything that Modelyard keeps on this machine.")
    host: str = Field("127.0.0.1", description="Address that the web server listens on.")
    port: int = Field(5080, ge=0, le=65535, description="Port that the web server listens on; 0 takes a free one.")
    url: str | None = Field(
        None, description="Server that `modelyard job` and `modelyard schedule` ask. Default: http://HOST:PORT."
    )
    token: SecretStr | None = Field(None, description="Token that these commands send. Default: ADMIN_TOKEN.")
    public_url: str | None = Field(
        None, description="Address in every URL that leaves the server. Default: http://HOST:PORT."
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host and Origin names answered, comma-separated. Default: loopback names, PUBLIC_URL's and HOST.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of proxies whose X-Forwarded-For tells the caller's address, "
        "comma-separated.",
    )

    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL, sqlite:/// or postgresql://. Default: SQLite under HOME."
    )
    broker_url: SecretStr | None = Field(
        None, description="redis:// URL of a Redis or Valkey. Default: the embedded broker of `modelyard up`."
    )
    store_url: str | None = Field(
        None,
        description="Managed store: a folder, or s3://BUCKET[/PREFIX], gs://…, abfss://… (extra `cloud`). "
        "Default: `store` under HOME; a bucket without a prefix gets the registry's id.",
    )

    registration: Literal["copy", "reference"] = Field(
        "copy", description="copy: a version is READY when its files are in the store. reference: nothing is read."
    )
    source_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description=f"Folders whose files may be registered by path, separated by `{os.pathsep}`."
    )
    source_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Buckets, or folders of them, whose objects may be registered: s3://BUCKET/FOLDER, gs://…, "
        "abfss://…, separated by commas.",
    )
    tracking_uri: str | None = Field(
        None, description="MLflow tracking server that runs:/, models:/m-… and mlflow-artifacts:/ sources mean."
    )
    tracking_token: SecretStr | None = Field(None, description="Bearer token for the tracking server.")
    tracking_username: str | None = Field(None, description="User name for the tracking server.")
    tracking_password: SecretStr | None = Field(None, description="Password for the tracking server.")
    tracking_shared: bool = Field(
        False, description="Says that every user may read what the tracking credentials can; needed with AUTH=token."
    )
    source_max_files: int = Field(100_000, ge=1, description="Most files of one version.")
    source_max_depth: int = Field(64, ge=1, description="Deepest folder nesting of one version.")
    source_max_file_bytes: int = Field(1 << 40, ge=1, description="Largest file of a version, in bytes.")
    source_max_bytes: int = Field(4 << 40, ge=1, description="Most bytes of one version.")
    source_plain_files: bool = Field(False, description="Lets folders without an MLmodel be registered, too.")
    dedup_trust_days: int = Field(
        30, ge=0, description="Days for which a stored blob is believed without hashing it again when met once more."
    )

    trash_days: int = Field(
        7, ge=0, description="Days for which what was deleted can be restored; 0 purges it at once."
    )
    grace_hours: float = Field(
        24,
        ge=0,
        description="Hours for which bytes that nobody refers to stay in the store; longer than a download lasts, and "
        "than the oldest backup of the database that you would restore.",
    )
    verify_bytes_per_s: int = Field(
        50 << 20, ge=0, description="Most bytes a second read by a verification of the whole store; 0 means no limit."
    )

    auth: Literal["none", "token"] | None = Field(
        None,
        description="none: everybody is `local`. token: a token is required. Default: none on loopback, else token.",
    )
    admin_token: SecretStr | None = Field(None, description="Token of the first administrator (AUTH=token).")
    secret_key: SecretStr | None = Field(
        None,
        description="Key that signs links and page tokens; several separated by commas, newest first. "
        "Default: generated under HOME.",
    )

    create_wait_s: float = Field(
        2.0, ge=0, le=30, description="Longest time that a create answer waits for its copy, in seconds."
    )
    max_pending_versions: int = Field(
        0, ge=0, description="Versions in PENDING_REGISTRATION at once, beyond it 429; 0 means no limit."
    )
    max_body_bytes: int = Field(16 << 20, ge=1024, description="Largest JSON body accepted, in bytes.")
    max_upload_bytes: int = Field(64 << 30, ge=1024, description="Largest file accepted by upload, in bytes.")
    upload_hours: int = Field(24, ge=1, description="Hours for which an uploaded file waits to be registered.")

    download_redirects: bool = Field(
        False,
        description="Answers downloads by a redirect to a signed address of the store's bucket. Only where every "
        "client follows redirects and reaches the bucket.",
    )

    web_processes: int = Field(2, ge=1, le=64, description="Web processes.")
    web_threads: int = Field(4, ge=1, le=256, description="Threads of each web process.")
    fast_concurrency: int = Field(1, ge=1, le=64, description="Children of `up`'s worker for short jobs.")
    copy_concurrency: int = Field(2, ge=1, le=64, description="Children of `up`'s worker for copies.")

    lease_s: float = Field(30, ge=0.5, description="Time for which a claimed job belongs to its worker, in seconds.")
    sweep_s: float = Field(5, ge=0.1, description="Period of the sweep, in seconds.")
    job_attempts: int = Field(5, ge=1, description="Attempts of a job before it is FAILED.")
    job_days: int = Field(30, ge=1, description="Days for which a finished job is kept; one that FAILED stays longer.")
    drain_s: float = Field(30, ge=0, description="Time that a stopping worker gives its jobs, in seconds.")
    stall_s: float = Field(300, ge=1, description="Time without progress after which a worker's child ends itself.")

    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: for people on a terminal, JSON otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("source_roots", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(Path(part).expanduser().absolute() for part in value.split(os.pathsep) if part)
        return value

    @field_validator("source_buckets", mode="before")
    @classmethod
    def _split_buckets(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("admin_token", mode="after")
    @classmethod
    def _one_word(cls, value: SecretStr | None) -> SecretStr | None:
        # A header with such a token is read as one with several, and would never open the door.
        if value is not None and any(sign in value.get_secret_value() for sign in ", \t\n"):
            raise ValueError("a token holds no blanks and no commas; take one from `openssl rand -hex 32`")
        return value

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @property
    def database(self) -> str:
        """The database's URL, the default filled in."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'modelyard.db'}"

    @property
    def store(self) -> str:
        """Where the managed store lies, the default filled in."""
        return self.store_url or str(self.home / "store")

    @property
    def address(self) -> str:
        """The address under which this machine reaches the web server of these settings, without a slash at its end."""
        return f"http://{reachable(self.host)}:{self.port}"

    @property
    def on_loopback(self) -> bool:
        """Whether the web server can only be reached from this machine."""
        return is_loopback(self.host)

    @property
    def auth_mode(self) -> Literal["none", "token"]:
        """`auth`, or what follows from the address: only a loopback server is open by default."""
        return self.auth or ("none" if self.on_loopback else "token")


def reachable(host: str) -> str:
    """Return how this machine reaches a server that listens on `host`, as a URL spells it."""
    # Whoever listens on every address listens on the loopback one of that family, and of no other.
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host.strip("[]"), host.strip("[]"))  # noqa: S104
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    """Whether `host` is a name or address of this machine's loopback interface."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings() -> Settings:
    """Read the environment.

    Raises ConfigurationError with one line a mistake, naming the variable, what was found and what was expected.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "MODELYARD_" + "_".join(str(part) for part in problem["loc"]).upper()
            found = "a value that is not shown" if _is_secret(problem["loc"]) else repr(problem["input"])
            lines.append(f"{name}: {problem['msg']} (found {found}).")
        raise ConfigurationError("\n".join(lines)) from None


def _is_secret(location: tuple[int | str, ...]) -> bool:
    field = Settings.model_fields.get(str(location[0])) if location else None
    return field is None or "SecretStr" in str(field.annotation)
