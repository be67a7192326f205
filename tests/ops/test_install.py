"""sh chunter-VERSION: installed, or refused in words with nothing half done."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from release_parts import Site, small_disk
from sweeps import swept

pytest_plugins = ("release_parts",)
SMF = Path(__file__).parents[2] / "smf"
SHELLS = {"dash": ("dash",), "ksh93": ("ksh93",), "bash": ("bash", "--posix"), "busybox": ("busybox", "sh")}


@pytest.fixture
def site(new_site):
    """A host whose svccfg only notes what it is asked: these tests start no agent."""
    return noting(new_site())


@pytest.fixture(scope="module")
def installed(tmp_path_factory, workshop):
    """Such a host with an installation, for the tests that only look at it, or install the same again."""
    one = noting(Site(tmp_path_factory.mktemp("installed")))
    done = one.install(workshop.script("0.1.0"))
    assert 0 == done.returncode, done.stdout + done.stderr
    yield one
    one.end()


def noting(site):
    """Let svccfg only note what it is asked."""
    site.calls = site.platform / "calls"
    site.calls.write_text("")
    program(site.platform / "usr/sbin/svccfg", f'echo "svccfg $*" >> {site.calls}')
    return site


def program(file, *lines):
    """Write a program."""
    file.unlink(missing_ok=True)
    file.write_text("\n".join(("#!/bin/sh", *lines, "")))
    file.chmod(0o755)


def called(site):
    """How svccfg was called."""
    return site.calls.read_text().replace(str(site.platform), "").splitlines()


def conf(site):
    """The configuration."""
    return site.root / "etc" / "chunter.conf"


def release(workshop, version):
    """The folder of a version."""
    digest = next(line for line in workshop.script(version).read_bytes().splitlines() if b"payload_sha256=" in line)
    return f"{version}-{digest.split(b'=')[1][:8].decode()}"


def test_an_installation_makes_the_tree_and_imports_the_services(installed, workshop):
    """Programs, configuration, its newest example, the host's id, and manifests that every boot imports."""
    assert [
        "svccfg import /opt/custom/smf/chunter.xml",
        "svccfg import /opt/custom/smf/chunter-update.xml",
    ] == called(installed)[:2]
    assert release(workshop, "0.1.0") == installed.current
    assert {"bin", "current", "etc", "share", "var", "versions"} == {one.name for one in installed.root.iterdir()}
    assert ["chunter.conf", "chunter.conf.example", "chunter.version", "hostid"] == sorted(
        one.name for one in (installed.root / "etc").iterdir()
    )
    assert "rel-0.1.0\n" == (installed.root / "etc" / "chunter.version").read_text()
    assert installed.id.startswith("06")


def test_the_configuration_is_made_for_this_host(installed):
    """Its address is guessed from the admin NIC; it may hold secrets and is for root alone."""
    text = conf(installed).read_text()

    assert ("ip = 10.0.0.11:4200" in text, f"platform_root = {installed.platform}" in text) == (True, True)
    assert 0o600 == conf(installed).stat().st_mode & 0o777


def test_the_program_needs_nothing_but_its_python(installed):
    """It runs from its own library, whatever the environment says, and knows its tree."""
    done = subprocess.run(
        [installed.root / "bin" / "chunter", "config", "show"], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"},
    )  # fmt: skip

    assert (0, f"# {conf(installed)}") == (done.returncode, done.stdout.splitlines()[0]), done.stderr


def test_the_manifests_name_the_tree(installed):
    """Another root is another root in every method; the method script learns where the platform is."""
    texts = [
        (installed.platform / "opt/custom/smf" / name).read_text() for name in ("chunter.xml", "chunter-update.xml")
    ]

    assert [] == [text for text in texts if '"/opt/chunter' in text]
    assert f'exec="{installed.root}/share/chunter-method stop {installed.platform}"' in texts[0]


@pytest.mark.parametrize("shell", swept(SHELLS, ["ksh93"]))
def test_every_plain_shell_will_do(site, workshop, shell):
    """The platform's sh is a ksh93; whatever shell it is, the result is the same."""
    if shutil.which(SHELLS[shell][0]) is None:
        pytest.skip(f"{shell} is missing")
    done = site.install(workshop.script("0.1.0"), shell=SHELLS[shell])

    assert (0, release(workshop, "0.1.0")) == (done.returncode, site.current), done.stderr


def test_the_scripts_have_no_bashisms():
    """Shellcheck finds nothing in what runs on the host."""
    if (shellcheck := shutil.which("shellcheck")) is None:
        pytest.skip("shellcheck is missing")
    scripts = [SMF / "install.sh", SMF / "chunter-method"]
    done = subprocess.run(
        [shellcheck, "-s", "sh", "-S", "warning", *scripts], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stdout)


def test_installed_twice_is_installed(installed, workshop):
    """The second time changes no file but what is always renewed, and says that there was nothing to unpack."""
    before = installed.files()
    done = installed.install(workshop.script("0.1.0"))
    changed = {Path(name).name for name, what in installed.files().items() if before.get(name) != what}

    assert (0, True) == (done.returncode, "is unpacked already" in done.stdout)
    assert changed <= {"chunter.conf.example", "chunter.version", "chunter.xml", "chunter-update.xml"}
    assert set(before) == set(installed.files())


def test_a_damaged_tree_is_mended_by_force(site, workshop):
    """-f unpacks again what is there."""
    site.install(workshop.script("0.1.0"))
    broken = site.root / "current" / "lib" / "chunter_nsq" / "app.py"
    broken.unlink()
    done = site.install(workshop.script("0.1.0"), "-f")

    assert (0, True) == (done.returncode, broken.exists())
    assert [release(workshop, "0.1.0")] == sorted(one.name for one in (site.root / "versions").iterdir())


@pytest.mark.thorough
def test_over_an_older_version_identity_and_configuration_stay(site, workshop):
    """The version before is kept, the one before that is not; the running agent is the operator's to restart."""
    for version in ("0.1.0", "0.2.0"):
        site.install(workshop.script(version))
    conf(site).write_text("lane.query = 17\n")
    host = site.id
    example = site.root / "etc" / "chunter.conf.example"
    example.write_text("old\n")
    done = site.install(workshop.script("0.3.0"))

    assert (0, True) == (done.returncode, "svcadm restart chunter" in done.stdout)
    assert ("lane.query = 17\n", host) == (conf(site).read_text(), site.id)
    assert "lane.query = 16" in example.read_text()
    assert [release(workshop, "0.2.0"), release(workshop, "0.3.0")] == sorted(
        one.name for one in (site.root / "versions").iterdir()
    )


def test_over_another_kind_of_installation_its_identity_stays(site, workshop):
    """A host id under its old name, an edited configuration, a program of its own: the first two are kept."""
    for name, text in (
        ("etc/host_id", "a-host\n"),
        ("etc/chunter.conf", "reserved_memory = 4GB\n"),
        ("bin/chunter", "old"),
    ):
        file = site.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    done = site.install(workshop.script("0.1.0"))

    assert (0, "reserved_memory = 4GB\n") == (done.returncode, conf(site).read_text()), done.stderr
    assert ("a-host\n", False) == (
        (site.root / "etc" / "host_id").read_text(),
        (site.root / "etc" / "hostid").exists(),
    )
    assert "../current/bin/chunter" == str((site.root / "bin" / "chunter").readlink())


def test_the_version_before_can_be_put_back(site, workshop):
    """Its own installer lies in its folder; going back needs -f."""
    for version in ("0.1.0", "0.2.0"):
        site.install(workshop.script(version))
    script = site.root / "versions" / release(workshop, "0.1.0") / "share" / "install.sh"
    refused, done = site.install(script), site.install(script, "-f")

    assert (1, True) == (refused.returncode, "0.2.0 is installed, which is newer" in refused.stderr)
    assert (0, release(workshop, "0.1.0")) == (done.returncode, site.current), done.stderr
    assert "rel-0.1.0\n" == (site.root / "etc" / "chunter.version").read_text()


def test_a_dry_run_touches_nothing(site, workshop):
    """With -n the steps are only printed."""
    before = site.files()
    done = site.install(workshop.script("0.1.0"), "-n")

    assert (0, before, [], True) == (done.returncode, site.files(), called(site), "svccfg import" in done.stdout)


def no_python(site, _folder):
    """Pkgsrc is not there."""
    (site.platform / "opt/tools/bin/python3").unlink()
    return {}


def old_python(site, _folder):
    """A Python of long ago."""
    program(site.platform / "opt/tools/bin/python3", 'echo "Python 3.8 is too old"')
    return {}


def named_python(_site, _folder):
    """The operator names one that is none."""
    return {"env": {"PYTHON": "/bin/false"}}


def not_root(_site, _folder):
    """A user of the host."""
    return {"user": 65534, "group": 65534, "extra_groups": []}


def another_system(site, _folder):
    """A machine that runs something else."""
    program(site.platform / "usr/bin/uname", "echo Linux")
    return {}


def a_zone(site, _folder):
    """A zone, which has no vmadm."""
    (site.platform / "usr/sbin/vmadm").unlink()
    return {}


def a_full_pool(_site, _folder):
    """Files end where they are larger than the limit, as on a full disk; there was space when it was asked."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    return {"preexec_fn": limit}


def a_wrong_configuration(site, _folder):
    """An edit that no agent would start with."""
    conf(site).parent.mkdir(parents=True, exist_ok=True)
    conf(site).write_text("nope = 1\n")
    return {}


def a_failing_svccfg(site, _folder):
    """SMF takes the first manifest and not the second."""
    program(
        site.platform / "usr/sbin/svccfg",
        f'echo "svccfg $*" >> {site.calls}',
        'case $2 in *update.xml) echo "svccfg: import failed" >&2; exit 1 ;; esac',
    )
    return {}


def another_installation(site, _folder):
    """One that runs."""
    lock = site.root / "versions" / ".lock"
    lock.mkdir(parents=True)
    (lock / "pid").write_text(f"{os.getpid()}\n")
    return {}


REFUSALS = {
    no_python: "pkgin -y install python312 py312-sqlite3",
    old_python: "Python 3.8 is too old",
    named_python: "/bin/false: it does not run",
    not_root: "become root",
    another_system: "this is Linux, not SmartOS",
    a_zone: "usr/sbin/vmadm is missing; the agent runs in the global zone",
    a_full_pool: "cannot unpack to",
    a_wrong_configuration: "chunter.conf:1: nope: unknown key",
    a_failing_svccfg: "what was there before is put back",
    another_installation: "another installation runs (process",
}


REPLACING = (no_python, a_full_pool, a_wrong_configuration, a_failing_svccfg)


@pytest.mark.parametrize(
    ("fault", "before"),
    swept(
        [(fault, "nothing") for fault in REFUSALS] + [(fault, "0.1.0") for fault in REPLACING],
        [(a_zone, "nothing"), (a_full_pool, "0.1.0"), (a_wrong_configuration, "0.1.0")],
    ),
    ids=lambda one: getattr(one, "__name__", one),
)
def test_what_cannot_be_installed_changes_nothing(site, workshop, tmp_path, fault, before):
    """It ends with 1 and says why and what to do; every file is as it was, and the same version in place."""
    if before != "nothing":
        site.install(workshop.script(before))
    process = fault(site, tmp_path)
    there, script = site.files(), workshop.script("0.2.0")
    if fault is not_root:  # whom the folders of tests are closed to
        script = Path(tempfile.mkdtemp()) / "chunter"
        shutil.copy(workshop.script("0.2.0"), script)
        script.parent.chmod(0o755)
    done = site.install(script, **process)

    assert (1, True) == (done.returncode, REFUSALS[fault] in done.stderr), done.stdout + done.stderr
    assert there == site.files() or without_times(there) == without_times(site.files())
    if fault is not_root:
        shutil.rmtree(script.parent)


def without_times(files):
    """Sizes alone: a manifest that was put back is another file."""
    return {name: what.split()[0] for name, what in files.items()}


def test_a_small_disk_is_refused_beforehand(site, workshop):
    """Nothing is unpacked where it does not fit."""
    opt = site.platform / "opt"
    with small_disk(opt, 6 * 2**20):
        (opt / "tools/bin").mkdir(parents=True)
        (opt / "tools/bin/python3").symlink_to(Path(sys.executable).resolve())
        done = site.install(workshop.script("0.1.0"))
        assert (1, True, ["tools"]) == (
            done.returncode,
            "KB are needed below" in done.stderr,
            [one.name for one in opt.iterdir()],
        ), done.stderr


@pytest.mark.parametrize("bytes_left_out", [1, 1_000_000, 12_000_000])
def test_an_archive_that_was_cut_short_is_refused(site, workshop, tmp_path, bytes_left_out):
    """Wherever it was cut."""
    cut = tmp_path / "cut"
    cut.write_bytes(workshop.script("0.1.0").read_bytes()[:-bytes_left_out])
    before = site.files()
    done = site.install(cut)

    assert (1, True, before) == (done.returncode, "damaged or cut short" in done.stderr, site.files())


def test_an_installation_that_was_killed_is_done_again(site, workshop):
    """What it left is cleared away: a lock of nobody, and half a version."""
    script = workshop.script("0.1.0")
    (site.root / "versions" / ".new" / "lib").mkdir(parents=True)
    (site.root / "versions" / ".lock").mkdir()
    child = subprocess.Popen(["true"])
    child.wait()
    (site.root / "versions" / ".lock" / "pid").write_text(f"{child.pid}\n")
    done = site.install(script)

    assert (0, True) == (done.returncode, "was cut short" in done.stdout), done.stderr
    assert [release(workshop, "0.1.0")] == [one.name for one in (site.root / "versions").iterdir()]


def test_uninstalling_keeps_identity_and_configuration(site, workshop):
    """Services, manifests and programs go; etc and var stay."""
    site.install(workshop.script("0.1.0"))
    for name in ("svcs", "svcadm"):
        folder = "usr/bin" if name == "svcs" else "usr/sbin"
        program(site.platform / folder / name, f'echo "{name} $*" >> {site.calls}')
    site.calls.write_text("")
    host = site.id
    done = site.install(site.root / "share" / "install.sh", "-u")

    assert (0, host, True) == (done.returncode, site.id, conf(site).exists()), done.stderr
    assert {"etc", "var"} == {one.name for one in site.root.iterdir()}
    assert [] == list((site.platform / "opt/custom/smf").iterdir())
    assert [
        "svcs -H", "svcadm disable", "svccfg delete", "svcs -H", "svcadm disable", "svccfg delete",
    ] == [" ".join(line.split()[:2]) for line in called(site)]  # fmt: skip


def test_a_wrong_call_is_told_how(site, workshop):
    """Unknown options and words are usage errors; a script without its archive says what to run."""
    script = workshop.script("0.1.0")

    assert [2, 2] == [site.install(script, word).returncode for word in ("-x", "word")]
    assert "run the one that was downloaded" in site.install(SMF / "install.sh").stderr
