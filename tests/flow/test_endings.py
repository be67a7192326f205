"""Every action through a real NSQ: well, and with each error that it declares."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from backup_parts import settings_for
from ending_cases import CASES
from stage import Stage
from sweeps import swept
from worlds import ACTIONS, Ears, Host

from chunter_nsq.errors import Cancelled, Forbidden, Interrupted
from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("s3_servers", "release_parts")

# tests/ops/test_update.py, with tampered releases and small disks
ELSEWHERE = {"host.update": frozenset({"checksum_mismatch", "insufficient_resources"})}
ALIKE = {Forbidden.code, Cancelled.code, Interrupted.code}
KEPT = ("backup.list", "machine.reboot")
SETTINGS = {"machine_timeout": "8s", "execute_api": "on"}


@pytest.mark.parametrize("action", swept(sorted(ACTIONS), KEPT))
async def test_every_way_to_end(
    ears: Ears, new_host: Callable[..., Host], bucket: Bucket, newer: dict[str, str], action: str
) -> None:
    """Each case of the action ends as it says, and the cases are a good end and all declared errors."""
    stages: dict[bool, Stage] = {}
    for case in CASES[action]:
        if case.stored not in stages:
            store = settings_for(bucket.account) if case.stored else {}
            host = await new_host(settings=SETTINGS | newer | store).start().ready()
            stages[case.stored] = Stage(host, ears, bucket)
        assert case.ending == await stages[case.stored].ending(action, case), case

    declared = {fault.code for fault in ACTIONS[action].errors} - ALIKE - ELSEWHERE.get(action, frozenset())
    assert {"succeeded", *declared} == {case.ending for case in CASES[action]}
