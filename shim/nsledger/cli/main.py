"""`nsledger`: finds the command, runs it, and turns what it ends with into an exit status."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

import click

from nsledger.cli import exit_codes
from nsledger.errors import NsledgerError


class LazyGroup(click.Group):
    """Commands by name, each the `command` of the module of that name in `package`."""

    def __init__(self, *, package: str, purposes: Mapping[str, str], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # click types each apart
        self._package = package
        self.purposes = purposes
        """One line on each command, in the order of the help."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the help."""
        return list(self.purposes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command called `cmd_name`; None if there is none."""
        if cmd_name not in self.purposes:
            return None
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest command named where there is none of that name."""
        name = args[0]
        if name not in self.purposes and not name.startswith("-"):
            close = difflib.get_close_matches(name, [*self.purposes], n=3, cutoff=0.5)
            nearest = f" Did you mean {' or '.join(close)}?" if close else ""
            ctx.fail(f"No such command {name!r}.{nearest}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.purposes.items()))


_PURPOSES: Final = {
    "snapshot": "Look at this node once and answer, with nothing installed.",
    "show": "Show which namespaces a pod's containers share, type by type.",
    "explain": "Say in plain sentences who shares what in a pod, and why.",
    "pods": "List the pods with the host's namespaces that they use.",
    "findings": "Tell what is not as it should be, with evidence and remedy.",
    "accept": "Accept findings that one can live with, for a time.",
    "report": "Draw who shares what: a page for a browser, svg, mermaid.",
    "whois": "Tell whose namespace or process a number is, or was.",
    "log": "List what is on record.",
    "verify": "Check that nothing on record was changed or taken out.",
    "status": "Tell how the ledger is, who writes it and what is missing.",
    "orphans": "List namespaces that are kept alive without a process in them.",
    "tree": "Show how pid and user namespaces nest, and whose they are.",
    "sql": "Ask the index in SQL, read-only.",
    "join": "Add pod and container to JSON lines of other tools.",
    "schema": "Print the JSON Schema of a record.",
    "reindex": "Build the index anew that answers whois.",
    "keygen": "Make the key pair that signs checkpoints of the ledger.",
    "serve": "Relay the kubelet's calls to the runtime and record them.",
    "completion": "Print what makes a shell complete commands and options.",
    "doctor": "Tell what is wrong with nsledger on this node, and what to do.",
    "install": "Put nsledger on this node; --dry-run shows every change.",
    "uninstall": "Take nsledger off this node: every file is what it was.",
    "bypass": "Send the kubelet back to the runtime's own socket.",
    "version": "Print the version.",
    "help": "Show the help of a command.",
}

COMPLETION_VARIABLE: Final = "_NSLEDGER_COMPLETE"
"""By which a shell asks for completions; `nsledger completion` tells it so."""

_HELP: Final = """\
See which Linux namespaces every pod on this node was asked for, was assigned, and really got.

A Kubernetes namespace and a Linux namespace are two things with one name. Here the first is always
called a k8s namespace; a namespace is the kernel's.
"""

_EPILOG: Final = f"""\b
Examples:
  nsledger snapshot
  nsledger show web
  nsledger explain web pid
  nsledger pods --sharing host
  nsledger findings --fail-on high
  nsledger whois net:[4026532257]
  nsledger log --since 10m
  nsledger verify

{exit_codes.IN_HELP}
\b
Environment:
  NSLEDGER_LEDGER  the ledger that commands read, like --ledger
  NO_COLOR         if not empty, no colour unless --color=always
  NSLEDGER_PAGER, PAGER
                   for output longer than the terminal; `cat` or empty is none
"""


def version() -> str:
    """`nsledger 0.1.0`."""
    import importlib.metadata  # noqa: PLC0415 - it costs as much as the rest of --help

    return f"nsledger {importlib.metadata.version('nsledger')}"


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's signature
    if wanted and not context.resilient_parsing:
        click.echo(version())
        context.exit()


command: Final = LazyGroup(
    package="nsledger.cli.commands",
    purposes=_PURPOSES,
    name="nsledger",
    help=_HELP,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version and exit.",
        )
    ],
)


def _run_version() -> int:
    click.echo(version())
    return exit_codes.OK


def _run_help(*, name: str | None) -> int:
    context = click.Context(command, info_name="nsledger", **command.context_settings)
    found = None if name is None else command.resolve_command(context, [name])[1]
    if found is None or name is None:
        click.echo(command.get_help(context))
        return exit_codes.OK
    inner = click.Context(found, info_name=name, parent=context, **command.context_settings)
    click.echo(found.get_help(inner))
    return exit_codes.OK


command.add_command(
    click.Command(
        "version",
        callback=_run_version,
        help="Print the version, as `nsledger --version` does.",
        epilog=f"\b\nExamples:\n  nsledger version\n\n{exit_codes.IN_HELP}",
    )
)
command.add_command(
    click.Command(
        "help",
        callback=_run_help,
        help="Show the help of COMMAND, as `nsledger COMMAND --help` does.",
        epilog=f"\b\nExamples:\n  nsledger help whois\n\n{exit_codes.IN_HELP}",
        params=[click.Argument(["name"], metavar="[COMMAND]", required=False)],
    )
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line, without the program's name; its exit status."""
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return exit_codes.USAGE
    except (KeyboardInterrupt, click.Abort):
        # Who presses Ctrl-C twice gets no traceback of what Python was about to put away.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        _write_no_more()
        return exit_codes.PIPE_CLOSED
    except (NsledgerError, OSError) as error:
        from nsledger.cli import errors  # noqa: PLC0415 - not needed where nothing fails

        errors.report(error)
        if isinstance(error, OSError) and error.filename is None:
            _write_no_more()
        return errors.exit_code(error)
    return code


def _invoke(arguments: Sequence[str]) -> int:
    try:
        with (
            _paged(arguments),
            command.make_context("nsledger", list(arguments)) as context,
        ):
            result = command.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    return result if isinstance(result, int) else exit_codes.OK


def _paged(arguments: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    if not arguments or not sys.stdout.isatty():
        return contextlib.nullcontext()
    from nsledger.cli import output  # noqa: PLC0415 - for a terminal alone

    return output.paged(arguments[0])


def main() -> None:
    """The program."""
    stdout: TextIO | None = sys.stdout
    if stdout is None:  # so it is after `>&-`
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    elif (reconfigure := getattr(stdout, "reconfigure", None)) is not None:
        reconfigure(errors="backslashreplace")
    asked_by_shell = os.environ.get(COMPLETION_VARIABLE)
    if asked_by_shell:
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only for a shell

        sys.exit(shell_complete(command, {}, "nsledger", COMPLETION_VARIABLE, asked_by_shell))
    sys.exit(run(sys.argv[1:]))


def _write_no_more() -> None:
    """What Python still holds for an output that takes no more goes nowhere, without complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    main()
