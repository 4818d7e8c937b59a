"""What `nsledger serve` can be told: one struct, from which flags, environment and docs follow.

Precedence: flag, then environment (`NSLEDGER_<KEY>`), then the TOML file, then the default.
"""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Final, Literal

import msgspec

from nsledger import bounds
from nsledger.errors import WrongUsageError
from nsledger.ledger import files

DEFAULT_FILE: Final = "/etc/nsledger/nsledger.toml"

_OCTET: Final = r"\.(25[0-5]|2[0-4]\d|1?\d?\d)"
_PORT: Final = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"

Text = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(gt=0, le=1_000_000_000)]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
LongSeconds = Annotated[float, msgspec.Meta(ge=0, le=366 * 86_400)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every key of nsledger.toml, with its default."""

    listen: Annotated[
        Text, msgspec.Meta(description="Unix socket that the kubelet's runtime endpoint names.")
    ] = "/run/nsledger/cri.sock"
    upstream: Annotated[
        Text, msgspec.Meta(description="Unix socket of the container runtime (CRI).")
    ] = "/run/containerd/containerd.sock"
    ledger: Annotated[Text, msgspec.Meta(description="Directory of the ledger.")] = (
        "/var/lib/nsledger/ledger"
    )
    spool: Annotated[
        Text, msgspec.Meta(description="Directory in which the OCI hook leaves its records.")
    ] = "/run/nsledger/spool"
    annotate: Annotated[
        bool,
        msgspec.Meta(
            description=(
                "Add nsledger.dev/ annotations to RunPodSandbox and CreateContainer; "
                "without, every request goes through as the bytes it was."
            )
        ),
    ] = True
    write_ahead: Annotated[
        Literal["memory", "write", "sync"],
        msgspec.Meta(
            description=(
                "What a request waits for: its record kept in memory that survives the daemon, or "
                "written to the ledger, or also synced (survives a power cut). Memory is a file "
                "beside the socket, which has to be on a tmpfs as /run is; it is as write if that "
                'is not so, or with failure_policy = "fail".'
            )
        ),
    ] = "memory"
    hold_limit_s: Annotated[
        Seconds,
        msgspec.Meta(description="The longest that a request waits for its record, in seconds."),
    ] = 0.1
    failure_policy: Annotated[
        Literal["ignore", "fail"],
        msgspec.Meta(
            description=(
                "When a request cannot be recorded: let it pass and record a gap, or refuse it."
            )
        ),
    ] = "ignore"
    status_timeout_s: Annotated[
        Seconds,
        msgspec.Meta(description="Deadline of the daemon's own calls to the runtime, in seconds."),
    ] = 2.0
    reconcile_interval_s: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=86400,
            description=(
                "Seconds between two comparisons with what the runtime lists and /proc says, "
                "the first at start; 0 is never."
            ),
        ),
    ] = 60.0
    drain_timeout_s: Annotated[
        Seconds,
        msgspec.Meta(description="The longest that SIGTERM waits for running calls, in seconds."),
    ] = 30.0
    checkpoint_key: Annotated[
        Text,
        msgspec.Meta(
            description=(
                "Private key that signs checkpoints of the ledger (`nsledger keygen`); "
                "without a file there, none are written."
            )
        ),
    ] = "/etc/nsledger/checkpoint.key"
    checkpoint_file: Annotated[
        Text,
        msgspec.Meta(description="File that checkpoints are added to; the log has them too."),
    ] = "/var/lib/nsledger/checkpoints"
    checkpoint_every_records: Annotated[
        Count, msgspec.Meta(description="Records after which a checkpoint is signed.")
    ] = 1000
    checkpoint_every_s: Annotated[
        Seconds,
        msgspec.Meta(description="Seconds after which one is signed, if there is a new record."),
    ] = 300.0
    metrics_listen: Annotated[
        str,
        msgspec.Meta(
            pattern=f"^(/.+|(127({_OCTET}){{3}}|localhost|\\[::1\\]):{_PORT})?$",
            description=(
                "Where Prometheus reads /metrics: an absolute path of a Unix socket, or a loopback "
                "host and port such as 127.0.0.1:9464; empty is nowhere."
            ),
        ),
    ] = ""
    ledger_group: Annotated[
        str,
        msgspec.Meta(
            description="Group that may read the ledger; empty is whichever its directory has."
        ),
    ] = ""
    segment_max_bytes: Annotated[
        Size,
        msgspec.Meta(description="Size at which a segment is closed and compressed; 0 is none."),
    ] = 64 << 20
    segment_max_age_s: Annotated[
        LongSeconds, msgspec.Meta(description="Age at which it is, in seconds; 0 is none.")
    ] = 86_400.0
    retention_max_age_days: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            le=36_500,
            description="Days after which closed segments are removed, by a clock that was right "
            "for a day; 0 keeps them.",
        ),
    ] = 365
    retention_max_bytes: Annotated[
        Size,
        msgspec.Meta(
            description="Size of the ledger from which its oldest segments are removed; 0 is none."
        ),
    ] = 4 << 30
    disk_warn_free_bytes: Annotated[
        Size, msgspec.Meta(description="Free space below which the disk counts as filling up.")
    ] = 1 << 30
    disk_prune_free_bytes: Annotated[
        Size,
        msgspec.Meta(
            description=(
                "Free space below which the oldest segments are removed, whatever is to be kept; "
                "0 never does."
            )
        ),
    ] = 512 << 20
    disk_stop_free_bytes: Annotated[
        Size,
        msgspec.Meta(description="Free space below which nothing is written until there is more."),
    ] = 64 << 20
    disk_reserve_bytes: Annotated[
        Size,
        msgspec.Meta(
            description="Space that is kept for the record which says that the disk is full."
        ),
    ] = 1 << 20
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        msgspec.Meta(description="Least severity that is logged to standard error."),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        msgspec.Meta(description="Form of the log; auto is console on a terminal, else JSON."),
    ] = "auto"


class ConfigurationError(WrongUsageError):
    """A configuration file that cannot be used, and where in it."""

    def __init__(self, *, path: str, line: int | None, found: str, needed: str) -> None:
        place = path if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {found}; {needed}")
        self.path, self.line = path, line


def read(path: str) -> dict[str, Any]:
    """The keys that the TOML file at `path` sets, checked one by one.

    Raises:
        ConfigurationError: not TOML, an unknown key, or a value out of its range.
        OSError: the file cannot be read.
    """
    text = _text_of(path)
    try:
        bounds.check(
            text.encode(), most_bytes=bounds.CONFIGURATION_BYTES, depth=bounds.CONFIGURATION_DEPTH
        )
        found = tomllib.loads(text)
    except (ValueError, bounds.OutOfBoundsError) as error:  # an integer of 4,301 digits is one
        at = re.search(r"at line (\d+)", str(error))
        line = int(at[1]) if at else None
        raise ConfigurationError(
            path=path, line=line, found=str(error), needed="needed TOML"
        ) from error
    known = [field.name for field in msgspec.structs.fields(Configuration)]
    for key, value in found.items():
        line = _line_of(key, text)
        if key not in known:
            raise ConfigurationError(
                path=path,
                line=line,
                found=f"unknown key {key!r}",
                needed=f"the keys are: {', '.join(known)}",
            )
        check(key, value, path=path, line=line)
    return found


def _text_of(path: str) -> str:
    data = files.read_file(path, bounds.CONFIGURATION_BYTES)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            path=path,
            line=data.count(b"\n", 0, error.start) + 1,
            found=f"byte 0x{data[error.start]:02x}",
            needed="needed TOML, which is UTF-8",
        ) from error


def check(key: str, value: object, *, path: str, line: int | None = None) -> None:
    """Refuse `value` where `key` does not take it.

    Raises:
        ConfigurationError: with what was found and what is needed.
    """
    try:
        msgspec.convert({key: value}, Configuration)
    except msgspec.ValidationError as error:
        reason = str(error).replace(f" - at `$.{key}`", "")
        if "matching regex" in reason:
            reason = _description_of(key)
        raise ConfigurationError(
            path=path, line=line, found=f"{key} = {value!r}", needed=reason
        ) from error


def _description_of(key: str) -> str:
    (field,) = (one for one in msgspec.structs.fields(Configuration) if one.name == key)
    return "".join(
        meta.description or "" for meta in field.type.__metadata__ if isinstance(meta, msgspec.Meta)
    )


def _line_of(key: str, text: str) -> int | None:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]", line):
            return number
    return None
