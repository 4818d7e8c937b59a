"""`nsledger keygen`: the options, and the little that it does."""

from __future__ import annotations

from typing import Final

import click

from nsledger.cli import options

DEFAULT_KEY: Final = "/etc/nsledger/checkpoint.key"

_HELP = """\
Make the Ed25519 key pair that signs checkpoints.

Writes the private key to PATH, for root only, and the public key to PATH.pub. From its next start
on, `nsledger serve` signs with it where its ledger stands. Take PATH.pub off the node, and keep
copies of the checkpoints there too: what root on this node can replace convicts nobody.
"""


def _run(*, key: str, force: bool) -> None:
    from nsledger.ledger.checkpoint_key import PUBLIC_SUFFIX, generate  # noqa: PLC0415 - `--help` needs no key

    key_id = generate(key, force=force)
    click.echo(f"key id   {key_id}\nprivate  {key}\npublic   {key}{PUBLIC_SUFFIX}")


command = click.Command(
    "keygen",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger keygen --key ./node-7.key"),
    params=[
        click.Option(
            ["--key"],
            metavar="PATH",
            default=DEFAULT_KEY,
            show_default=True,
            help="Where the private key goes.",
        ),
        click.Option(["--force"], is_flag=True, help="Replace the keys that are there."),
    ],
)
