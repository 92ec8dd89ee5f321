"""A folder that seems to be of another file system: to mount one takes rights that tests do not have."""

import os
import stat
from typing import Any

import pytest


def put_on_another_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Every folder of this name has a device number of its own."""
    lstat = os.lstat

    def lstat_of_two_disks(path: Any) -> os.stat_result:
        status = lstat(path)
        if os.path.basename(path) != name:
            return status
        fields = list(status)
        fields[stat.ST_DEV] += 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "lstat", lstat_of_two_disks)
