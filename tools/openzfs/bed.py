"""The system that is booted: Debian's kernel with OpenZFS beside it, made once, from packages alone.

Responsibilities: ``.tools/openzfs/bed-<recipe>`` with ``kernel``, ``initrd`` and ``disk``; another recipe is another
folder, and the older ones go.

Theory: mmdebstrap unpacks packages into a folder and runs their scripts inside it, in a mount namespace of its own;
so the module is built there, by DKMS, and nothing is installed on this machine but the program itself. The folder then
becomes the disk's file system, without a mount.

Not promised: that a bed follows later security updates; `make clean` throws it away.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tools.openzfs import debian, images
from tools.openzfs.debian import Unobtainable

# The cloud flavour has what an emulator has, and little else.
PACKAGES = (
    "linux-image-cloud-amd64", "linux-headers-cloud-amd64", "zfs-dkms", "zfsutils-linux", "initramfs-tools", "busybox",
    "kmod", "mount", "udev", "iproute2", "procps", "python3",
)  # fmt: skip
# What is needed to build the module, and not to use it.
CHAFF = (
    "usr/src", "usr/include", "usr/lib/gcc", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/dkms",
    "var/cache/apt", "var/lib/apt/lists",
)  # fmt: skip
FIRST = Path(__file__).with_name("first.sh")
SPARE_BYTES = 2 * 2**30  # for what tests write
_PROXIES = ("Acquire::http::Proxy", "Acquire::https::Proxy")


@dataclass(frozen=True, slots=True)
class Bed:
    """The files that an emulator boots."""

    folder: Path

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        """What finds the disk."""
        return self.folder / "initrd"

    @property
    def disk(self) -> Path:
        """The root file system."""
        return self.folder / "disk"


def provide(cache: Path) -> Bed:
    """The bed, made unless it is there. Raises Unobtainable."""
    release = debian.codename()
    recipe = "\n".join((release, *PACKAGES, FIRST.read_text()))
    bed = Bed(cache / f"bed-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}")
    if bed.disk.exists():
        return bed
    debian.check_may_install(PACKAGES)
    print(f"-- Debian {release} with OpenZFS, its module built from source (about a quarter of an hour)", flush=True)
    begun = time.monotonic()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=cache) as place:
        folder = Path(place) / "bed"
        folder.mkdir()
        _make(folder, Path(place) / "root", release)
        for old in cache.glob("bed-*"):
            shutil.rmtree(old)
        folder.rename(bed.folder)
    print(f"-- made in {time.monotonic() - begun:.0f} s", flush=True)
    return bed


def _make(folder: Path, root: Path, release: str) -> None:
    log = folder / "log"
    _unpack(root, release, log)
    modules = sorted(root.glob("lib/modules/*/updates/dkms/zfs.ko*"))
    if not modules:
        raise Unobtainable(f"the module was not built:\n{_why(root, log)}")
    version = modules[-1].relative_to(root / "lib/modules").parts[0]
    for name, made in (("kernel", "vmlinuz"), ("initrd", "initrd.img")):
        shutil.move(root / "boot" / f"{made}-{version}", folder / name)
    for name in CHAFF:
        shutil.rmtree(root / name, ignore_errors=True)
    shutil.copy(FIRST, root / "usr/sbin/first")
    (root / "usr/sbin/first").chmod(0o755)
    images.pack(root, folder / "disk", SPARE_BYTES)


def _unpack(root: Path, release: str, log: Path) -> None:
    """Have all packages in a folder, their scripts run."""
    argv = [
        "mmdebstrap", "--mode=root", "--variant=apt", "--format=directory", f"--include={','.join(PACKAGES)}",
        *(f"--aptopt={line}" for line in ('APT::Install-Recommends "false"', *_proxies())), release, str(root), "-",
    ]  # fmt: skip
    with log.open("wb") as output:
        words = debian.sources(release).encode()
        done = subprocess.run(argv, input=words, stdout=output, stderr=output, check=False)
    if done.returncode != 0:
        raise Unobtainable(f"mmdebstrap failed:\n{_why(root, log)}")


def _proxies() -> list[str]:
    told = subprocess.run(["apt-config", "dump", *_PROXIES], capture_output=True, text=True, check=True).stdout
    return [line for line in told.splitlines() if line.startswith(_PROXIES)]


def _why(root: Path, log: Path) -> str:
    """The last words of whoever failed first."""
    builds = sorted(root.glob("var/lib/dkms/zfs/*/build/make.log"))
    return (builds[-1] if builds else log).read_text(errors="replace")[-3000:]
