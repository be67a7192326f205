"""Disks made of folders: the bed itself, this project as it stands, and the Python that runs it.

All of it is compiled before, for an emulated processor would take minutes over it.
"""

from __future__ import annotations

import compileall
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS = ".openzfs-words"  # what guest.sh gives to pytest, a word a line
_LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "docs")
_PROGRAMS = ("nsqd", "nsqlookupd")
_BLOCK_BYTES = 4096
_INODE_BYTES = 256
_FIXED_BYTES = 16 * 2**20


def pack(folder: Path, image: Path, spare_bytes: int) -> None:
    """A file system with what is in a folder, and some room; the file is sparse, and there when it is whole."""
    sizes = [path.lstat().st_size for path in folder.rglob("*")]
    needed = sum(-(-size // _BLOCK_BYTES) * _BLOCK_BYTES + _INODE_BYTES for size in sizes)
    blocks = (needed * 11 // 10 + _FIXED_BYTES + spare_bytes) // _BLOCK_BYTES
    inodes = len(sizes) * 11 // 10 + spare_bytes // 2**16 + 1024
    words = ("-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-b", str(_BLOCK_BYTES), "-N", str(inodes))
    begun = image.with_name(f"{image.name}.begun")
    subprocess.run(["mke2fs", *words, "-d", str(folder), str(begun), str(blocks)], check=True, capture_output=True)
    begun.rename(image)


def project(image: Path, words: Sequence[str]) -> None:
    """This tree without what can be made anew, and what the tests are to be run with."""
    with tempfile.TemporaryDirectory(dir=image.parent) as place:
        tree = Path(place) / "tree"
        shutil.copytree(REPOSITORY, tree, ignore=_LEFT_OUT, symlinks=True)
        compileall.compile_dir(tree, quiet=2, stripdir=str(tree), prependdir=str(REPOSITORY))
        programs = tree / ".tools" / "bin"
        programs.mkdir(parents=True)
        for name in _PROGRAMS:
            shutil.copy2(REPOSITORY / ".tools" / "bin" / name, programs)
        (tree / WORDS).write_text("".join(f"{word}\n" for word in words))
        pack(tree, image, 64 * 2**20)


def python(cache: Path) -> Path:
    """The interpreter and the virtual environment, kept until one of them changes."""
    environment, base = Path(sys.prefix), Path(sys.base_prefix)
    libraries = [Path(path) for path in sys.path if path.endswith("site-packages")]
    state = [sys.version, str(environment), str(base), *(str(one.stat().st_mtime_ns) for one in libraries)]
    image = cache / f"python-{hashlib.sha256('|'.join(state).encode()).hexdigest()[:12]}"
    if image.exists():
        return image
    print("-- a disk of this Python", flush=True)
    for old in cache.glob("python-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(dir=cache) as place:
        tree = Path(place)
        places = {"environment": environment}
        shutil.copytree(environment, tree / "environment", symlinks=True)
        if base != Path("/usr"):  # the bed has that one too: it is made of this machine's own packages
            places["base"] = base
            _copy_interpreter(base, tree / "base")
        (tree / "places").write_text("".join(f"{name}\t{place}\n" for name, place in places.items()))
        pack(tree, image, 256 * 2**20)
    return image


def _copy_interpreter(base: Path, to: Path) -> None:
    library = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}"
    unwanted = shutil.ignore_patterns("site-packages", "test", "config-*", "idlelib", "ensurepip")
    shutil.copytree(base / library, to / library, symlinks=True, ignore=unwanted)
    (to / "bin").mkdir()
    for path in [*(base / "bin").glob("python3*"), *(base / "lib").glob("libpython*")]:
        shutil.copy2(path, to / path.relative_to(base), follow_symlinks=False)
    (to / library / "site-packages").mkdir(exist_ok=True)
