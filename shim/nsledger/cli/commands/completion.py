"""`nsledger completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import sys

import click

from nsledger.cli import exit_codes, options

_HELP = """\
Print what makes a shell complete nsledger's commands, options and choices.

\b
bash: eval "$(nsledger completion bash)", in ~/.bashrc
zsh:  eval "$(nsledger completion zsh)", in ~/.zshrc
fish: nsledger completion fish | source, in ~/.config/fish/config.fish
"""


def _run(*, shell: str) -> int:
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - rarely needed

    from nsledger.cli.main import COMPLETION_VARIABLE  # noqa: PLC0415 - it imports this module
    from nsledger.cli.main import command as group  # noqa: PLC0415 - the same

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    # click asks the shell for its version first, and prints where it is too old.
    script = kind(group, {}, "nsledger", COMPLETION_VARIABLE)
    sys.stdout.write(script.source_template % script.source_vars() + "\n")
    return exit_codes.OK


command = click.Command(
    "completion",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger completion bash", "nsledger completion fish"),
    params=[click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
)
