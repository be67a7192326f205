"""make dist: one file a version, the same bytes each time, nothing in it that needs a compiler, and signed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from release_parts import EPOCH

from chunter_nsq.release.ed25519 import is_signed, public_key
from tools.release import __main__ as release_tool
from tools.release import vendor
from tools.release.vendor import NotPure

pytest_plugins = ("release_parts",)
REPOSITORY = Path(__file__).parents[2]
LARGEST_BYTES = 5 * 2**20


def make_dist(folder, key, sources=REPOSITORY, **variables):
    """What make dist runs."""
    subprocess.run(
        [sys.executable, "-m", "tools.release", "--out", folder, "--key", key, "--version", "1.2.3"],
        cwd=sources, env={**os.environ, **variables}, check=True, capture_output=True, timeout=100,
    )  # fmt: skip


def contents(release):
    """The names in a release's archive."""
    payload = gzip.decompress(release.content)
    size = int(next(line for line in payload.splitlines() if line.startswith(b"payload_bytes="))[14:])
    with tarfile.open(fileobj=io.BytesIO(payload[-size:])) as tar:
        return tar.getmembers()


def test_two_builds_are_the_same_bytes(tmp_path, workshop):
    """Also from another folder, in another time zone and locale, with another umask: every file of the folder."""
    make_dist(tmp_path / "one", workshop.key)
    elsewhere = tmp_path / "else where"
    for name in ("chunter_nsq", "handlers", "publishers", "smf", "tools"):
        shutil.copytree(REPOSITORY / name, elsewhere / name, ignore=shutil.ignore_patterns("__pycache__"))
    old = os.umask(0o077)
    try:
        make_dist(
            tmp_path / "two", workshop.key, elsewhere, SOURCE_DATE_EPOCH=str(release_tool.epoch()),
            TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C",
        )  # fmt: skip
    finally:
        os.umask(old)

    one, two = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert [
        "chunter-1.2.3.gz", "chunter-1.2.3.gz.sha256", "chunter-1.2.3.gz.sig", "chunter-latest.gz", "chunter.pub",
        "chunter.version", "index", "index.sig",
    ] == sorted(one)  # fmt: skip


def test_a_release_is_small_and_pure(workshop):
    """No compiled part, no cache, no data of services that are not S3."""
    release = workshop.build("0.1.0")
    names = [one.name for one in contents(release)]

    assert len(release.content) < LARGEST_BYTES
    assert [] == [name for name in names if name.endswith((".so", ".pyc", ".pyd", ".c"))]
    assert {"s3"} == {
        name.split("/")[3] for name in names if name.startswith("lib/botocore/data/") and name.count("/") > 3
    }
    assert {"lib/tornado/web.py", "lib/chunter_nsq/app.py", "share/release.pub", "bin/update"} <= set(names)
    assert names == sorted(names)


def test_files_belong_to_root_and_have_one_of_two_modes(workshop):
    """Whoever built it; and they are as old as the sources."""
    found = contents(workshop.build("0.1.0"))

    assert {(0, 0, "root", EPOCH)} == {(one.uid, one.gid, one.uname, one.mtime) for one in found}
    assert {0o644, 0o755} == {one.mode for one in found if one.isfile()}
    assert {"bin/chunter", "share/chunter-method", "share/install.sh"} == {
        one.name for one in found if one.isfile() and one.mode == 0o755
    }


def test_a_package_with_a_compiled_part_is_refused(monkeypatch):
    """Unless it is known to do without."""
    monkeypatch.setattr(vendor, "OPTIONAL", {})

    with pytest.raises(NotPure, match=r"tornado .* has the compiled part tornado/speedups"):
        vendor.library()


def test_hashes_and_signatures_are_right(tmp_path, workshop):
    """The index names the file's hash, sha256sum agrees, and key and signatures belong together."""
    for version in ("0.1.0", "0.2.0"):
        workshop.publish(tmp_path, workshop.build(version))
    index, key = (tmp_path / "index").read_bytes(), public_key((tmp_path / "chunter.pub").read_text())
    told = json.loads(index)
    archive = (tmp_path / "chunter-0.2.0.gz").read_bytes()

    assert ["0.1.0", "0.2.0"] == [one["version"] for one in told["releases"]]
    assert hashlib.sha256(archive).hexdigest() == told["releases"][1]["sha256"]
    assert is_signed(key, index, (tmp_path / "index.sig").read_bytes())
    assert is_signed(key, archive, (tmp_path / "chunter-0.2.0.gz.sig").read_bytes())
    assert ("0.2.0\n", archive) == (
        (tmp_path / "chunter.version").read_text(),
        (tmp_path / "chunter-latest.gz").read_bytes(),
    )
    subprocess.run(["sha256sum", "--check", "--quiet", "chunter-0.2.0.gz.sha256"], cwd=tmp_path, check=True)


def test_the_library_is_all_that_is_needed(tmp_path, workshop):
    """Without site-packages the whole command line and the agent are imported, from the release alone."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(workshop.build("0.1.0").content)[-_size(workshop) :])) as tar:
        tar.extractall(tmp_path, filter="data")
    text = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'lib')!r}); import importlib\n"
        "from chunter_nsq.cli.main import COMMANDS, chunter\n"
        "[chunter.get_command(None, name) for name in chunter.list_commands(None)]\n"
        "for name in ('app', 'cli.display', 'storage.s3', 'telemetry', 'status.metrics'):\n"
        "    importlib.import_module('chunter_nsq.' + name)\n"
        "import boto3, sentry_sdk, prometheus_client\n"
        "boto3.client('s3', region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b')\n"
        "print(sorted({m.split('.')[0] for m in sys.modules if 'site-packages' in str(sys.modules[m])}))"
    )
    done = subprocess.run([sys.executable, "-IS", "-c", text], capture_output=True, text=True, check=False, timeout=60)

    assert (0, "[]\n") == (done.returncode, done.stdout), done.stderr


def _size(workshop):
    payload = gzip.decompress(workshop.build("0.1.0").content)
    return int(next(line for line in payload.splitlines() if line.startswith(b"payload_bytes="))[14:])
