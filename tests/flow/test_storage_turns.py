"""Parts on their way, counted over all transfers of a host."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest
from storage_parts import VM, mixed, small, transfer, upload

from chunter_nsq.errors import Cancelled
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import file_of
from chunter_nsq.storage.compress import codec
from chunter_nsq.storage.download import Download
from chunter_nsq.storage.profiles import MIB
from chunter_nsq.storage.stop import Stop
from chunter_nsq.storage.transfer import Transfer
from chunter_nsq.storage.turns import Turns
from chunter_nsq.storage.upload import Upload
from chunter_nsq.storage.verify import wanted

pytest_plugins = ["s3_servers"]

RAW = mixed(MIB, 50)


def there(bucket: Bucket) -> Callable[[Transfer], object]:
    """An upload."""
    sizes = small(bucket)
    return lambda means: Upload(means, f"{VM}/two", codec("none"), sizes).run(io.BytesIO(RAW), lambda: None)


def back(bucket: Bucket) -> Callable[[Transfer], object]:
    """A download."""
    stored = wanted(file_of(upload(bucket, RAW), None))
    return lambda means: Download(means, stored).run(io.BytesIO())


@pytest.mark.parametrize(("way", "name"), [(there, "uploads"), (back, "downloads")])
def test_a_part_waits_for_its_turn(bucket: Bucket, way: Callable[[Bucket], Callable], name: str) -> None:
    """As long as others have all turns nothing of a stream moves; then all of it does."""
    move, turns, done = way(bucket), Turns(1), threading.Event()
    with transfer(bucket, **{name: turns}) as means:

        def work() -> None:
            move(means)
            done.set()

        thread = threading.Thread(target=work, daemon=True)
        with Stop() as other, turns.turn(other):
            thread.start()
            assert not done.wait(0.5)
        assert done.wait(30)
        thread.join()


@pytest.mark.parametrize(("way", "name"), [(there, "uploads"), (back, "downloads")])
def test_a_stop_reaches_who_waits_for_a_turn(bucket: Bucket, way: Callable[[Bucket], Callable], name: str) -> None:
    """It never comes, and the transfer is over all the same."""
    move, turns = way(bucket), Turns(1)
    with Stop() as other, turns.turn(other), transfer(bucket, **{name: turns}) as means:
        timer = threading.Timer(0.3, means.stop.set)
        timer.start()
        with pytest.raises(Cancelled):
            move(means)
        timer.join()
