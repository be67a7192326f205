"""Brings a host to another version, and back when that does not do its work.

Responsibilities: find the release, prove that it is ours and whole, put it in place, restart the agent, watch it, and
return to the version before when it does not announce itself in time.

Theory: nothing is replaced before signature and hash are right. Putting in place is the release's own installer, whose
last step is one rename. The version before stays in its folder, so that returning is a rename as well. Each step is
written to state.json first; an updater that finds an unfinished one (a lost power cut it) goes on with it. It runs
outside the agent's service: by hand, or as svc:/network/chunter-update.

The journal goes along: a version that gave it another form left the way back in it (schema.py), which the version
before goes when it starts. So what the failed one accepted or told is not lost either.

Not promised: to return when there is no such way back, as after a journal was tampered with. Then the update ends as
lost, with the installer's words for what to do.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from chunter_nsq import __version__
from chunter_nsq.config import Config, Paths, split_address
from chunter_nsq.errors import Fault, InvalidState, ToolFailed, Unsupported
from chunter_nsq.release import fetch
from chunter_nsq.release.gate import Gate
from chunter_nsq.release.index import Release
from chunter_nsq.release.search import VERSION_FOLDER, base_of, find
from chunter_nsq.release.state import CURRENT, LOST, REFUSED, RETURNED, UPDATED, WATCHING, State, Updates
from chunter_nsq.smartos.runner import Runner

PATIENCE_SECONDS = 180.0
_INSTALL_SECONDS = 900.0
_ENV, _SHELL = "usr/bin/env", "/bin/sh"


class Updating:
    """One update of one tree; ``say`` is told in words what happens."""

    def __init__(
        self, paths: Paths, config: Config, say: Callable[[str], None], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._paths = paths
        self._config = config
        self._say = say
        self._patience_seconds = patience_seconds
        self._updates = Updates(paths.update)
        self._machine = Runner(Path("/"))
        self._platform = Runner(Path(config.platform_root))
        self._gate = Gate(_address(config), self._platform)
        self._state = State()

    async def run(self, version: str | None, channel: str | None, *, force: bool = False, command: str = "") -> State:
        """Update to a version, or to the newest; whatever happens is in the state that it ends with."""
        self._state = State(command=command, from_version=__version__)
        try:
            release = await find(self._config, version, channel, force=force)
            if release is None:
                return self._become(CURRENT, to_version=__version__)
            await self._may_restart(force=force)
            self._become("fetching", to_version=release.version, back=self._current())
            archive = await asyncio.to_thread(self._fetch, release, channel)
            self._become("installing")
            await self._install(archive, force=force)
        except Fault as fault:
            return self._refused(fault)
        return await self._watch()

    async def resume(self, state: State) -> State:
        """Go on with an update that was cut short."""
        self._state = state
        if state.phase == WATCHING or (state.back and self._current() != state.back):
            return await self._watch()
        return self._refused(InvalidState("The update was cut short before anything was replaced; ask for it again"))

    async def close(self) -> None:
        """End what runs."""
        await self._machine.close()
        await self._platform.close()

    # -- before anything is replaced

    async def _may_restart(self, *, force: bool) -> None:
        """An agent that does not do its work now cannot show that the next one does."""
        if not (VERSION_FOLDER.parent.name == "versions" and (self._paths.root / "current").is_symlink()):
            raise Unsupported(f"{self._paths.root} was not installed from a release: install one by hand first")
        if force:
            return
        told = await self._gate.told()
        missing = ["it does not answer"] if told is None else [str(one) for one in told.get("missing") or ()]
        if missing and _address(self._config) is not None:
            raise InvalidState(
                f"The agent is not well now ({', '.join(missing)}), so nobody could tell whether the update did it;"
                " mend that first, or: bin/update -f"
            )

    def _fetch(self, release: Release, channel: str | None) -> Path:
        self._say(f"fetching {release.file}, {release.size_bytes / 2**20:.1f} MiB")
        file = fetch.download(base_of(self._config, channel), release, self._updates.folder)
        archive = fetch.unpack(file, self._updates.folder / f"chunter-{release.version}")
        file.unlink()
        return archive

    # -- replacing

    async def _install(self, archive: Path, *, force: bool) -> None:
        try:
            await self._installer(archive, *(("-f",) if force else ()))
        finally:
            archive.unlink(missing_ok=True)  # noqa: ASYNC240 - a local file, and nothing else runs here

    async def _installer(self, script: Path, *options: str) -> None:
        """Run a release's installer for this tree.

        Raises:
            ToolFailed: it put back what was there.
        """
        platform = self._config.platform_root.rstrip("/")
        argv = (
            _ENV, f"DST={self._paths.root.parent}", f"PLATFORM_ROOT={platform}", _SHELL, str(script), *options
        )  # fmt: skip
        done = await self._machine.run(argv, timeout_seconds=_INSTALL_SECONDS)
        for line in done.stdout.decode(errors="replace").splitlines():
            self._say(f"  {line}")
        if done.exit_status != 0:
            details = {"argv": list(argv), "exit_status": done.exit_status, "stderr": done.stderr}
            raise ToolFailed(f"The installer refused: {done.stderr.strip()[-2000:]}", details)

    def _current(self) -> str:
        link = self._paths.root / "current"
        return link.readlink().name if link.is_symlink() else ""

    # -- after it

    async def _watch(self) -> State:
        """The new version runs or the one before does again."""
        service = await self._gate.service()
        if service is None or service.state == "disabled":
            return self._become(UPDATED, reason="not watched: the agent's service is disabled")
        self._become(WATCHING, restarted=time.time())
        self._say(f"{self._state.to_version} is in place; restarting the agent and watching it")
        began = await self._gate.restart()
        lack = await self._gate.lacks(self._state.to_version, began, self._patience_seconds)
        return await self._return(lack) if lack else self._become(UPDATED)

    async def _return(self, lack: str) -> State:
        old, failed = self._paths.root / "versions" / self._state.back, self._current()
        self._say(f"{self._state.to_version} does not do: {lack}\nreturning to {self._state.from_version}")
        details = {"from": self._state.from_version, "to": self._state.to_version, "lack": lack}
        reason = f"{self._state.to_version} was in place and did not do its work: {lack}"
        try:
            await self._installer(old / "share" / "install.sh", "-f")
            began = await self._gate.restart()
            patience_seconds = max(self._patience_seconds, PATIENCE_SECONDS)  # it did its work before
            still = await self._gate.lacks(self._state.from_version, began, patience_seconds)
        except Fault as fault:
            still = fault.message
        if still:
            reason = f"{reason}; and {self._state.from_version} does not either: {still}. See: svcs -xv chunter"
            return self._become(LOST, reason=reason, code=Unsupported.code, details=details)
        shutil.rmtree(old.with_name(failed), ignore_errors=True)
        reason = f"{reason}; {self._state.from_version} runs again"
        return self._become(RETURNED, reason=reason, code=Unsupported.code, details=details)

    def _refused(self, fault: Fault) -> State:
        return self._become(REFUSED, reason=fault.message, code=fault.code, details=fault.details)

    def _become(self, phase: str, **changed: object) -> State:
        self._state = self._state.become(phase, **changed)
        self._updates.write(self._state)
        return self._state


def _address(config: Config) -> tuple[str, int] | None:
    """Where the agent can be asked from here; None when it does not listen, or on a port that only it knows."""
    if not config.status_listen:
        return None
    host, port = split_address(config.status_listen)
    return ({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port) if port else None  # noqa: S104 - compared, not bound
