"""`nsledger serve`: the options, from the one table in `configuration.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import msgspec

from nsledger.daemon.config import DEFAULT_FILE, Configuration, check, read
from nsledger.errors import NsledgerError

_EPILOG = """\b
Examples:
  nsledger serve
  nsledger serve --listen /run/nsledger/cri.sock --upstream /run/containerd/containerd.sock
  nsledger serve --config /etc/nsledger/nsledger.toml --check-config

\b
Precedence: flag, then environment (NSLEDGER_<OPTION>), then file, then default.
SIGTERM and SIGINT stop accepting, let running calls finish, flush the ledger and exit 0.
SIGHUP starts the program anew with --take-over.
"""


def _load_file(
    context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """Make the file's keys the other options' defaults, which click lets all else override."""
    path = value or (DEFAULT_FILE if Path(DEFAULT_FILE).exists() else None)
    if path is not None:
        context.default_map = {**(context.default_map or {}), **read(path)}
    return path


def _print_default(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if wanted and not context.resilient_parsing:
        from nsledger.daemon.config_text import toml  # noqa: PLC0415 - for this alone

        click.echo(toml(), nl=False)
        context.exit()


def _option(field: msgspec.structs.FieldInfo) -> click.Option:
    kind, description = _described(field.type)
    flag = "--" + field.name.replace("_", "-")
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    type_: Any = click.Choice(get_args(kind)) if get_origin(kind) is Literal else kind
    return click.Option(
        names,
        type=None if kind is bool else type_,
        default=field.default,
        show_default=True,
        envvar=f"NSLEDGER_{field.name.upper()}",
        show_envvar=True,
        help=description,
    )


def _described(annotated: Any) -> tuple[Any, str]:  # noqa: ANN401 - what Annotated holds is typed nowhere
    """The type and the description of one `Annotated` field."""
    description = "".join(
        meta.description or "" for meta in annotated.__metadata__ if isinstance(meta, msgspec.Meta)
    )
    return annotated.__origin__, description


def _run(
    *,
    config: str | None,
    check_config: bool,
    take_over: bool,
    **values: Any,  # noqa: ANN401 - one per option
) -> None:
    if check_config:
        configuration = _checked(values)
        from nsledger.relay.listener import check_paths  # noqa: PLC0415 - `--help` opens no socket

        check_paths(configuration.listen, configuration.upstream)
        source = config or "defaults"
        click.echo(f"{source}: good")
        for key, value in values.items():
            click.echo(f"{key} = {msgspec.json.encode(value).decode()}")
        return
    from nsledger.daemon.serving import serve  # noqa: PLC0415 - `--help` needs no daemon

    try:
        serve(_checked(values), take_over=take_over)
    except (NsledgerError, OSError) as error:
        error.add_note(way_back(values["listen"], values["upstream"]))
        raise


def _checked(values: dict[str, Any]) -> Configuration:
    for key, value in values.items():
        check(key, value, path="command line or environment")
    return Configuration(**values)


class _Serve(click.Command):
    """A start that fails over its configuration ends with the way back too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_start = "--check-config" not in args
        try:
            return super().parse_args(ctx, args)
        except (NsledgerError, OSError) as error:
            if is_start:
                error.add_note(way_back(Configuration().listen, Configuration().upstream))
            raise


def way_back(listen: str, upstream: str) -> str:
    """What lets the kubelet reach the runtime without this daemon: see docs/runbook.md."""
    return (
        "pods are stuck until it runs; by hand back to the runtime, in two commands: "
        f"systemctl stop nsledger; ln -sfn {upstream} {listen}"
    )


command = _Serve(
    "serve",
    callback=_run,
    short_help="Relay the kubelet's calls to the runtime and record them.",
    help=(
        "Relay every CRI call between the kubelet and the container runtime, untouched but for "
        "the annotations on RunPodSandbox and CreateContainer, and record which Linux namespaces "
        "were requested, assigned and given."
    ),
    epilog=_EPILOG,
    params=[
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False),
            is_eager=True,
            expose_value=True,
            envvar="NSLEDGER_CONFIG",
            callback=_load_file,
            help=f"TOML file.  [default: {DEFAULT_FILE} if it exists]",
        ),
        click.Option(
            ["--check-config"], is_flag=True, help="Print what would be in force, and exit."
        ),
        click.Option(
            ["--print-default-config"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_default,
            help="Print a commented nsledger.toml with every key and its default, and exit.",
        ),
        click.Option(
            ["--take-over"],
            is_flag=True,
            help=(
                "Take socket and ledger over from the nsledger that runs, which then ends its "
                "calls and exits: an upgrade without an outage. If none runs, begin as always."
            ),
        ),
        *[_option(field) for field in msgspec.structs.fields(Configuration)],
    ],
)
