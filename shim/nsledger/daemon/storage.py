"""What the configuration says about the ledger's disk, in the words of those who keep to it."""

from __future__ import annotations

import grp
from typing import Final

from nsledger.daemon.config import Configuration
from nsledger.errors import WrongUsageError
from nsledger.ledger.disk_room import RoomLimits
from nsledger.recorder.disk_gate import WriterLimits
from nsledger.recorder.retention import RetentionLimits
from nsledger.recorder.rotation import RotationLimits

_DAY_S: Final = 86_400


def writer_limits(configuration: Configuration) -> WriterLimits:
    """When segments are closed, and what happens as the disk fills up."""
    return WriterLimits(
        rotation=RotationLimits(
            max_bytes=configuration.segment_max_bytes, max_age_s=configuration.segment_max_age_s
        ),
        room=room_limits(configuration),
    )


def room_limits(configuration: Configuration) -> RoomLimits:
    """From how little room on what is done about it."""
    return RoomLimits(
        warn_bytes=configuration.disk_warn_free_bytes,
        prune_bytes=configuration.disk_prune_free_bytes,
        stop_bytes=configuration.disk_stop_free_bytes,
        reserve_bytes=configuration.disk_reserve_bytes,
    )


def retention_limits(configuration: Configuration) -> RetentionLimits:
    """What is kept."""
    return RetentionLimits(
        max_age_s=configuration.retention_max_age_days * _DAY_S,
        max_bytes=configuration.retention_max_bytes,
    )


def group_id(name: str) -> int | None:
    """The number of the group `name`; None for an empty name.

    Raises:
        WrongUsageError: there is no such group.
    """
    if not name:
        return None
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise WrongUsageError(
            f"ledger_group = {name!r}: found no such group, needed one of /etc/group",
            hint="Make it with `groupadd --system`, or leave the key out.",
        ) from error
