"""Files that are seen whole or not at all, and locks that die with their holder."""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Lock:
    """An advisory lock on a file; the system drops it when the holder ends, however it ends."""

    def __init__(self, path: str, *, shared: bool = False) -> None:
        self._path = path
        self._shared = shared
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            make_folder(self._path.rpartition("/")[0])
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_SH if self._shared else fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        self._descriptor = -1


def read_bytes(path: str) -> bytes | None:
    """What the file holds, or None when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        size = os.fstat(descriptor).st_size
        pieces = []
        while piece := os.read(descriptor, max(size + 1, 65536)):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def write_bytes(path: str, content: bytes) -> None:
    """Replace the file in one step: a reader sees the old content or the new."""
    draft = f"{path}.{os.getpid()}~"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
    move(draft, path)


def append_bytes(path: str, content: bytes) -> None:
    """Add to the end of the file with one write, so that several writers never mix their lines."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def stamp(path: str) -> tuple[int, int, int] | None:
    """What changes when a file is edited or replaced (mtime in ns, size, inode); None when it is absent."""
    try:
        found = status(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


# os.path is used here and nowhere else: pathlib costs every start of a tool several milliseconds.


def exists(path: str) -> bool:
    """Whether there is anything at the path."""
    return os.path.exists(path)  # noqa: PTH110 - see above


def is_folder(path: str) -> bool:
    """Whether there is a folder at the path."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def remove(path: str) -> None:
    """Take the file away; gone already is as good."""
    try:
        os.unlink(path)  # noqa: PTH108 - see above
    except FileNotFoundError:
        return


def make_folder(path: str) -> None:
    """Make the folder and those above it where they are not there."""
    os.makedirs(path, exist_ok=True)  # noqa: PTH103 - see above


def names(folder: str) -> list[str]:
    """The names in a folder, sorted; none when it is absent."""
    return sorted(os.listdir(folder)) if is_folder(folder) else []  # noqa: PTH208 - see above


def move(old: str, new: str) -> None:
    """Give the file another name, over whatever had it."""
    os.replace(old, new)  # noqa: PTH105 - see above


def status(path: str) -> os.stat_result:
    """The file's size, inode and moments."""
    return os.stat(path)  # noqa: PTH116 - see above
