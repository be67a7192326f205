"""What a release needs at run time, file by file: our packages, and those that they depend on, as pure Python.

Taken from the environment that the tests ran in, whose versions constraints.txt pins; nothing is fetched. A package
that has compiled parts is refused unless ``OPTIONAL`` says that it does without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

REPOSITORY = Path(__file__).parents[2]
OURS = ("chunter_nsq", "handlers", "publishers")
COMPILED = (".so", ".pyd", ".dylib", ".dll")
# Compiled parts that only make things faster: the package works without.
OPTIONAL = {"tornado/speedups.abi3.so": "websocket masks, of which we have none"}
# What rich imports for syntax colours and Markdown, which the command line does not show.
LEFT_OUT = frozenset({"pygments", "markdown-it-py", "mdurl"})
# Of botocore's data on every service of its maker, what a client of S3 reads.
_DATA = "botocore/data/"
_STORE = "botocore/data/s3/"
_NOT_SHIPPED = (
    "boto3/data/", "boto3/examples/", "botocore/data/s3/2006-03-01/examples-1.json", "dateutil/zoneinfo/dateutil-",
    "tornado/test/", "tornado/speedups.c",
)  # fmt: skip
_RECORDS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "WHEEL", "entry_points.txt", "top_level.txt")
_UNUSED = (".pyc", ".pyi", ".pyx", ".c", "py.typed")

Members = dict[str, bytes]


class NotPure(Exception):
    """A package that would need a compiler on the host."""


def runtime() -> list[Distribution]:
    """The distributions that ours needs when it runs, in the order of their names."""
    found: dict[str, Distribution] = {}
    _collect("chunter-nsq", found)
    del found["chunter-nsq"]
    return [found[name] for name in sorted(found)]


def _collect(name: str, found: dict[str, Distribution]) -> None:
    if name in found or name in LEFT_OUT:
        return
    found[name] = distribution(name)
    for text in found[name].requires or ():
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            _collect(wanted.name.lower(), found)


def library() -> Members:
    """All files of the library by their place in it.

    Raises:
        NotPure: a package has compiled parts that it may not do without.
    """
    members = dict(_own())
    for one in runtime():
        members.update(_files(one))
    return members


def _own() -> Iterator[tuple[str, bytes]]:
    for package in OURS:
        for file in (REPOSITORY / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and not file.name.endswith(_UNUSED):
                yield file.relative_to(REPOSITORY).as_posix(), file.read_bytes()


def _files(one: Distribution) -> Iterator[tuple[str, bytes]]:
    listed = one.files or []
    if not listed:
        raise NotPure(f"{one.name} {one.version} has no list of its files; install it again")
    for file in listed:
        name = file.as_posix()
        if name.endswith(COMPILED):
            if name not in OPTIONAL:
                raise NotPure(f"{one.name} {one.version} has the compiled part {name}, which illumos cannot load")
        elif _is_shipped(name):
            yield name, file.read_binary()


def _is_shipped(name: str) -> bool:
    if name.startswith(("..", "/", *_NOT_SHIPPED)) or "__pycache__/" in name or name.endswith(_UNUSED):
        return False
    if ".dist-info/" in name:  # the name, the version and the licence stay
        return not name.endswith(_RECORDS)
    is_root_of_data = name.startswith(_DATA) and "/" not in name.removeprefix(_DATA)
    return not name.startswith(_DATA) or is_root_of_data or name.startswith(_STORE)
