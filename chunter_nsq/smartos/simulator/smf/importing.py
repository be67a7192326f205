"""svccfg import and delete: a manifest becomes a service, and a service goes."""

from __future__ import annotations

import os

from chunter_nsq.smartos.simulator.smf import imported
from chunter_nsq.smartos.simulator.smf.manifest import read
from chunter_nsq.smartos.simulator.smf.repository import FALSE, TRUE, Host, Repository
from chunter_nsq.smartos.simulator.smf.timeline import NONE, Phase


def bring(root: str, document: bytes) -> str:
    """Take a manifest in, which starts the service when it is enabled; its FMRI. Raises manifest.Unfit."""
    import time  # noqa: PLC0415 - a simulated tool starts with as little as it can

    manifest = read(document)
    fmri: str = manifest["fmri"]
    imported.keep(root, manifest)
    host = Host(root)
    with host.lock():
        repository = Repository(host, host.global_boot)
        record = repository.record(fmri)
        if record.enabled == NONE:
            record.enabled = TRUE if manifest["enabled"] else FALSE
        if not record.phases:
            record.phases = [Phase(time.time(), "uninitialized")]
        repository.save()
    imported.ask(root, "sync", fmri)
    return fmri


def take_away(root: str, fmri: str) -> None:
    """The service is known no longer; what is left of it ends."""
    if os.path.exists(f"{root}/{imported.PIPE}"):  # noqa: PTH110 - as elsewhere here, without pathlib
        imported.ask(root, "cut", fmri)
    host = Host(root)
    with host.lock():
        repository = Repository(host, host.global_boot)
        repository.records.pop(fmri, None)
        repository.save()
    imported.forget(root, fmri)
