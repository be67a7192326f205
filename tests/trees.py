"""Trees of files that change at random, and whether two of them are the same."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path


def seeded(number: int) -> random.Random:
    """Chance that comes out the same every time."""
    return random.Random(number)  # noqa: S311 - for data, not for secrets


def grow(folder: Path, chance: random.Random) -> None:
    """Change a tree at random: new folders, files and links, overwritten parts, other rights, removals."""
    folder.mkdir(parents=True, exist_ok=True)
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())]
    for number in range(chance.randrange(3, 12)):
        path = chance.choice(folders) / f"{chance.randrange(10**6)}-{number}"
        kind = chance.randrange(5)
        if kind == 0:
            path.mkdir()
            folders.append(path)
        elif kind == 1:
            path.symlink_to(f"/nowhere/{chance.randrange(1000)}")
        else:
            path.write_bytes(chance.randbytes(chance.randrange(300_000)))
    (folder / "always").write_bytes(chance.randbytes(1000))
    _change([path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()], chance)


def _change(files: list[Path], chance: random.Random) -> None:
    for path in chance.sample(files, len(files) // 3):
        kind = chance.randrange(3)
        if kind == 0:
            path.unlink()
        elif kind == 1:
            path.chmod(chance.choice((0o400, 0o640, 0o755)))
        else:
            with path.open("r+b") as file:
                file.seek(chance.randrange(path.stat().st_size + 1))
                file.write(chance.randbytes(10_000))


def picture(folder: Path) -> dict[str, str]:
    """Every path below a folder with its rights and what is there."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)  # noqa: PTH115 - as it was written
        else:
            content = "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
            found[name] = f"{path.stat().st_mode:o} {content}"
    return found


def differences(one: Path, other: Path) -> str:
    """What ``diff -r`` says."""
    argv = ["diff", "-r", "--no-dereference", one, other]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
