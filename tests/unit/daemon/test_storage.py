from __future__ import annotations

import grp
import os

import pytest

from nsledger.daemon import storage
from nsledger.daemon.config import Configuration
from nsledger.errors import WrongUsageError
from nsledger.model.events import DiskStage


def test_the_defaults_get_stricter_as_the_disk_fills_up() -> None:
    limits = storage.room_limits(Configuration())

    stages = [limits.stage(free << 20) for free in (2000, 1000, 500, 60)]
    assert stages == [DiskStage.OK, DiskStage.WARN, DiskStage.PRUNE, DiskStage.STOP]
    assert limits.resume_bytes < limits.prune_bytes


def test_what_the_configuration_says_is_what_is_kept_to() -> None:
    configuration = Configuration(
        segment_max_bytes=1, segment_max_age_s=2, retention_max_age_days=3, retention_max_bytes=4
    )

    rotation = storage.writer_limits(configuration).rotation
    retention = storage.retention_limits(configuration)
    assert (rotation.max_bytes, rotation.max_age_s) == (1, 2)
    assert (retention.max_age_s, retention.max_bytes) == (3 * 86_400, 4)


def test_a_group_is_looked_up_and_one_that_is_not_there_is_wrong_usage() -> None:
    ours = grp.getgrgid(os.getegid())

    assert storage.group_id(ours.gr_name) == ours.gr_gid
    assert storage.group_id("") is None
    with pytest.raises(WrongUsageError, match="no such group"):
        storage.group_id("no-such-group")
