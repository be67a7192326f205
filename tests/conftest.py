"""What tests share: real servers, whole hosts, and a strict eye on skips."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
from hearing import Hearing
from memory_disk import memory_disk
from nsq_servers import Nsqd
from worlds import SHARED_MACHINES, Ears, Host

TRANSFERS = ("transfer", "upload", "download", "verify")  # how threads of the storage library are called
PROCESSES_COUNT = "COVERAGE_PROCESS_CONFIG"  # by this variable a Python that a test starts knows that it is counted
REQUIRE_ALL = os.environ.get("CHUNTER_REQUIRE_ALL") == "1"

# How long an example takes says more of the machine than of what is tried. With CI set they are the same each time.
hypothesis.settings.register_profile(
    "patient",
    parent=hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Folders of tests lie in memory where that can be.

    A suite that runs in the background was told to ignore ctrl-C, but the programs it tries are to hear it.
    """
    config.pluginmanager.register(Hearing(config), "hearing")
    if memory := memory_disk():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Coverage counts agents that end well, as those of ``host`` do, and not the ears beside them.

    A process that is killed tells nothing, but to be counted costs it as much as to start. One more case of a rule
    goes the ways of the others.
    """
    for item in items:
        wanted = getattr(item, "fixturenames", ())
        is_thorough = item.get_closest_marker("thorough") is not None
        if is_thorough or "ears" in wanted:
            item.add_marker("no_cover")
        if not is_thorough and "host" in wanted:
            item.add_marker("counted")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No setting of whoever runs the tests reaches them; processes that they start count where a mark asks for it."""
    _make_plain(monkeypatch)
    if request.node.get_closest_marker("counted") is None:
        monkeypatch.delenv(PROCESSES_COUNT, raising=False)


def _make_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("CHUNTER_", "SENTRY_", "COLUMNS"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """A transfer is over when its caller hears so: nothing of it goes on behind a test."""
    yield
    mine = [one for one in threading.enumerate() if one.name.startswith(TRANSFERS)]
    for one in mine:
        one.join(1)  # it may be at its last statement
    assert [] == [one.name for one in mine if one.is_alive()]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Where everything is required a skip is a failure: a missing part must not look like a pass."""
    del item, call
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but CHUNTER_REQUIRE_ALL=1: {report.longrepr}"
    return report


@pytest.fixture
def nsqd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Nsqd]:
    """A real nsqd that writes everything to disk at once; beside a host that is shared it is that host's."""
    if "shared_nsqd" in request.fixturenames:
        yield request.getfixturevalue("shared_nsqd")
        return
    with _written_at_once(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def shared_nsqd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nsqd]:
    """Such an nsqd for hosts that are shared."""
    with _written_at_once(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture
def quick_nsqd(tmp_path: Path) -> Iterator[Nsqd]:
    """One that keeps what it has in memory, for tests that do not kill it; a module makes it its ``nsqd``."""
    server = Nsqd(tmp_path / "nsqd").start()
    yield server
    server.stop()


@contextmanager
def _written_at_once(place: Path) -> Iterator[Nsqd]:
    server = Nsqd(place / "nsqd", ["-mem-queue-size=0", "-sync-every=1"])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def new_host(tmp_path: Path, nsqd: Nsqd) -> Iterator[Callable[..., Host]]:
    """Makes hosts; their agents are ended with the test."""
    made: list[Host] = []

    def make(**options: Any) -> Host:
        host = Host(tmp_path / f"host{len(made)}", nsqd, **options)
        made.append(host)
        return host

    yield make
    for host in made:
        host.end()


@pytest.fixture
async def host(new_host: Callable[..., Host]) -> AsyncIterator[Host]:
    """A host without machines, its agent ready; it must end well when asked to."""
    one = await new_host().start().ready()
    yield one
    assert await one.stop() == 0, one.log.read_text()[-3000:]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(new_shared: Callable[..., Awaitable[Host]], request: pytest.FixtureRequest) -> Host:
    """One host for the tests of a module that leave its agent as it is; the module may have ``SETTINGS`` for it.

    Each looks at machines, images and commands of its own alone, for others were there before: see ``Host.machine``.
    """
    return await new_shared(settings=getattr(request.module, "SETTINGS", None))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def new_shared(
    tmp_path_factory: pytest.TempPathFactory, shared_nsqd: Nsqd
) -> AsyncIterator[Callable[..., Awaitable[Host]]]:
    """Makes hosts that tests of a module share; their agents must end well when asked to."""
    made: list[Host] = []

    async def make(**options: Any) -> Host:
        host = Host(tmp_path_factory.mktemp("shared"), shared_nsqd, zones=SHARED_MACHINES, **options)
        made.append(host)
        with pytest.MonkeyPatch.context() as monkeypatch:
            _make_plain(monkeypatch)
            host.start()
        return await host.ready()

    yield make
    for host in made:
        status = await host.stop()
        host.end()
        assert status == 0, host.log.read_text()[-3000:]


@pytest.fixture
async def ears(nsqd: Nsqd, request: pytest.FixtureRequest) -> AsyncIterator[Ears]:
    """Ears on results, zones, snapshots and dead letters, open before any agent starts that is not shared."""
    async with Ears(nsqd) as listening:
        yield listening
    if "shared_nsqd" in request.fixturenames:
        listening.forget()
