"""imgadm's sources and imports against a simulated host."""

from __future__ import annotations

import hashlib
import json

from simhost import BASE, NOBODY, WEB, Host, wait_for

from chunter_nsq.smartos.simulator import faults, poolhealth

ALPINE = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"
TITLE = "alpine-3@20170403"


def datasets(host: Host) -> list[str]:
    """The pool's names, snapshots too."""
    return host.out("zfs", "list", "-H", "-t", "all", "-o", "name").split()


def test_an_import_tells_what_it_does(host: Host) -> None:
    """The transcript is imgadm's own; afterwards the image is listed and has its final snapshot."""
    said = host.out("imgadm", "import", ALPINE).splitlines()
    assert f'Importing {ALPINE} ({TITLE}) from "https://images.smartos.org"' == said[0]
    assert [f"Gather image {ALPINE} ancestry", "Must download and install 1 image (8.0 MiB)"] == said[1:3]
    assert [f"Downloaded image {ALPINE} (8.0 MiB)", f"Imported image {ALPINE} ({TITLE})"] == said[3:]
    assert f"zones/{ALPINE}@final" in datasets(host)
    assert "alpine-3" == json.loads(host.out("imgadm", "get", ALPINE))["manifest"]["name"]
    assert f"Image {ALPINE} (alpine-3 20170403) is already installed, skipping\n" == host.out(
        "imgadm", "import", ALPINE
    )
    host.create(brand="lx", image_uuid=ALPINE, kernel_version="3.13.0")


def test_two_imports_of_one_image(host: Host) -> None:
    """The second waits for the first and finds the image there; meanwhile a partial dataset is seen."""
    host.latency(imgadm_import=2.0)
    first = host.start("imgadm", "import", ALPINE)
    wait_for(lambda: f"zones/{ALPINE}-partial" in datasets(host))
    said = host.out("imgadm", "import", ALPINE).splitlines()
    first.communicate(timeout=20)

    waited = f"Image {ALPINE} ({TITLE}) was imported while waiting on lock"
    assert [f"Waiting for image {ALPINE} import lock", waited] == said[2:]
    assert 0 == first.returncode


def test_what_a_killed_import_leaves(host: Host) -> None:
    """The partial dataset stays and is no image; the next import fails and throws it away, the one after is well."""
    faults.add(str(host.root), {"tool": "imgadm", "subcommand": "import", "kill_after": "partial", "times": 1})
    assert host.run("imgadm", "import", "-q", ALPINE).returncode < 0
    assert f"zones/{ALPINE}-partial" in datasets(host)
    assert 3 == host.run("imgadm", "get", ALPINE).returncode
    failed = host.run("imgadm", "import", "-q", "-P", "zones", ALPINE)
    exists = f"cannot receive new filesystem stream: destination 'zones/{ALPINE}-partial' exists\n"
    assert (1, f"Downloaded image {ALPINE} (8.0 MiB)") == (failed.returncode, failed.stdout.splitlines()[-1])
    assert (
        f"Stderr from zfs receive: {exists}must specify -F to overwrite it\n\n"
        "imgadm import: error (InternalError): zfs receive error while importing: exit code 1\n"
    ) == failed.stderr
    assert [] == [name for name in datasets(host) if ALPINE in name]
    said = host.out("imgadm", "import", "-q", "-P", "zones", ALPINE)
    assert f"Imported image {ALPINE} ({TITLE})" == said.splitlines()[-1]
    assert [f"zones/{ALPINE}", f"zones/{ALPINE}@final"] == [name for name in datasets(host) if ALPINE in name]


def test_what_a_killed_import_of_a_layer_leaves(host: Host) -> None:
    """The next import warns, throws it away, and is well."""
    host.out("imgadm", "sources", "--add-docker-hub")
    faults.add(str(host.root), {"tool": "imgadm", "subcommand": "import", "kill_after": "partial", "times": 1})
    assert host.run("imgadm", "import", "-q", "busybox").returncode < 0
    (partial,) = [name for name in datasets(host) if "partial" in name]
    said = host.out("imgadm", "import", "-q", "busybox").splitlines()

    assert f"Warning: deleting partial dataset left over from earlier import attempt: {partial}" in said
    assert "Imported image" in said[-1]
    assert [] == [name for name in datasets(host) if "partial" in name]


def test_a_pool_without_space_for_an_image(host: Host) -> None:
    """It is zfs who says so, and nothing stays."""
    poolhealth.fill(str(host.root), 100)
    failed = host.run("imgadm", "import", "-q", ALPINE)

    assert (1, "Stderr from zfs receive: cannot receive new filesystem stream: out of space") == (
        failed.returncode, failed.stderr.splitlines()[0],
    )  # fmt: skip
    assert [] == [name for name in datasets(host) if ALPINE in name]


def test_sources(host: Host) -> None:
    """They are listed, added, taken away; without any nothing can be had, and one that is not there says so."""
    assert "https://images.smartos.org\n" == host.out("imgadm", "sources")
    assert 'Added "docker" image source "https://x.org"\n' == host.out(
        "imgadm", "sources", "-a", "https://x.org", "-t", "docker"
    )
    assert 'Already have "imgapi" image source "https://x.org", no change\n' == host.out(
        "imgadm", "sources", "-a", "https://x.org"
    )
    assert 2 == len(json.loads(host.out("imgadm", "sources", "-j")))
    assert 'Deleted "docker" image source "https://x.org"\n' == host.out("imgadm", "sources", "-d", "https://x.org")
    done = host.run("imgadm", "import", "-S", "https://x.org", ALPINE)
    assert "imgadm import: error (ClientError): https://x.org: getaddrinfo ENOTFOUND x.org\n" == done.stderr
    host.out("imgadm", "sources", "-d", "https://images.smartos.org")
    assert "NoSources" in host.run("imgadm", "import", ALPINE).stderr


def test_sources_are_asked_one_after_another(host: Host) -> None:
    """Each kind has its own names; one that cannot be asked spoils what comes behind it."""
    unknown = 'imgadm import: error (ActiveImageNotFound): an active image "busybox" was not found in image sources\n'
    assert unknown == host.run("imgadm", "import", "busybox").stderr
    assert 'Added "docker" image source "https://docker.io"\n' == host.out("imgadm", "sources", "--add-docker-hub")
    for words, code in (
        (("redis:99",), "(ActiveImageNotFound)"),
        (("nobody.example/redis",), "(ENOTFOUND)"),
        (("-S", "https://images.smartos.org", "redis"), "(ActiveImageNotFound)"),
        (("Redis",), '(Usage): invalid image-id arg: "Redis"'),
    ):
        done = host.run("imgadm", "import", *words)
        assert (1, True) == (done.returncode, f"imgadm import: error {code}" in done.stderr), done.stderr
    assert host.out("imgadm", "import", ALPINE).startswith(f"Importing {ALPINE}")


def test_a_docker_image_comes_layer_by_layer(host: Host) -> None:
    """Every layer becomes an image upon the one before; layers that are there are not fetched again."""
    host.out("imgadm", "sources", "--add-docker-hub")
    shown = json.loads(host.out("imgadm", "show", "redis:7"))
    said = host.out("imgadm", "import", "-q", "redis:7").splitlines()
    redis = shown["uuid"]
    assert [
        f'Importing {redis} (docker.io/redis:7) from "https://docker.io"', f"Gather image {redis} ancestry",
        "Must download and install 3 images", f"Downloaded image {redis} (12.0 MiB)",
    ] == said[:4]  # fmt: skip
    assert f"Imported image {redis} (docker-layer@{shown['version']})" == said[-1]
    assert [f"zones/{redis}", f"zones/{shown['origin']}@final"] == host.out(
        "zfs", "list", "-H", "-o", "name,origin", f"zones/{redis}"
    ).split()
    again = f"Image {redis} (docker-layer@{shown['version']}) is already installed from https://docker.io\n"
    assert again == host.out("imgadm", "import", "docker.io/library/redis:7")
    said = host.out("imgadm", "import", "grafana/loki").splitlines()
    assert [True, True] == ["already installed" in said[2], said[3] == "Must download and install 1 image"]


def test_a_docker_image_is_named_after_its_layers(host: Host) -> None:
    """Its uuid is the hash of their digests in a row, its manifest says where it comes from and what it runs."""
    host.out("imgadm", "sources", "--add-docker-hub")
    host.out("imgadm", "import", "quay.io/prometheus/busybox:latest")
    shown = json.loads(host.out("imgadm", "show", "quay.io/prometheus/busybox"))
    digest = shown["tags"]["docker:id"]
    summed = hashlib.sha256(digest.encode()).hexdigest()
    assert summed[:32] == shown["uuid"].replace("-", "")
    assert ("docker", "docker-layer", digest[7:19]) == (shown["type"], shown["name"], shown["version"])
    assert {"Cmd": ["sh"]} == shown["tags"]["docker:config"]
    assert ("quay.io/prometheus/busybox", True) == (shown["tags"]["docker:repo"], shown["tags"]["docker:tag:latest"])
    host.create(brand="lx", docker=True, image_uuid=shown["uuid"], kernel_version="3.13.0", autoboot=False)


def test_what_could_be_imported(host: Host) -> None:
    """What avail lists are installed images and others, with the filters of list; show tells a manifest."""
    offered = {one["manifest"]["uuid"]: one for one in json.loads(host.out("imgadm", "avail", "-j"))}
    assert {BASE, ALPINE} <= set(offered)
    assert ALPINE in host.out("imgadm", "avail", "-H", "-o", "uuid", "name=~alpine")
    assert offered[ALPINE]["manifest"] == json.loads(host.out("imgadm", "show", ALPINE))
    assert "ActiveImageNotFound" in host.run("imgadm", "show", "1" + ALPINE[1:]).stderr


def test_an_image_made_of_a_machine_can_be_installed(host: Host) -> None:
    """Create writes two files that install takes; a file that is not what the manifest says is refused."""
    host.create(autoboot=False)
    folder = host.root / "var/tmp"
    folder.mkdir(parents=True, exist_ok=True)
    said = host.out("imgadm", "create", "-c", "gzip", "-o", str(folder), WEB, "name=web", "version=1.0")
    assert said.startswith("Manifest:\n    {")
    file, told = folder / "web-1.0.zfs.gz", folder / "web-1.0.imgmanifest"
    manifest = json.loads(told.read_text())
    said = host.out("imgadm", "install", "-m", str(told), "-f", str(file)).splitlines()
    assert [f"{word} image {manifest['uuid']} (web@1.0)" for word in ("Installing", "Installed")] == said
    assert f"zones/{manifest['uuid']}@final" in datasets(host)
    again = host.run("imgadm", "install", "-m", str(told), "-f", str(file))
    assert (1, True) == (again.returncode, "(ImageAlreadyInstalled)" in again.stderr)
    told.write_text(json.dumps(manifest | {"uuid": NOBODY}))
    file.write_bytes(file.read_bytes() + b"x")
    broken = host.run("imgadm", "install", "-m", str(told), "-f", str(file))
    assert (1, True) == (broken.returncode, "does not match manifest size" in broken.stderr)


def test_images_of_running_or_unknown_machines(host: Host) -> None:
    """A machine must be there, be stopped, and the image must have a name and a version."""
    host.create()
    for words, code in (
        ((WEB, "name=a", "version=1"), "VmNotStopped"),
        ((NOBODY, "name=a", "version=1"), "VmNotFound"),
    ):
        done = host.run("imgadm", "create", *words)
        assert (1, True) == (done.returncode, f"imgadm create: error ({code})" in done.stderr)
    host.run("vmadm", "stop", WEB, "-F")
    assert "(ManifestValidation)" in host.run("imgadm", "create", WEB).stderr


def test_images_that_nobody_uses_go(host: Host) -> None:
    """A dry run names them, -f deletes them, and images with machines stay."""
    host.create(autoboot=False)
    before = datasets(host)
    said = host.out("imgadm", "vacuum", "-n").splitlines()
    assert [False] == list({BASE in line for line in said})
    assert before == datasets(host)
    done = host.out("imgadm", "vacuum", "-f").splitlines()
    assert said == [f"[dry-run] {line}" for line in done]
    assert [f"zones/{BASE}@final"] == [name for name in datasets(host) if name.endswith("@final")]


def test_a_refusal_as_a_record(host: Host):
    """With -E it tells code, message and status in JSON, as the only line on stderr."""
    done = host.run("imgadm", "-E", "get", NOBODY)
    record = json.loads(done.stderr)
    message = f'image "{NOBODY}" was not found on zpool "zones"'
    assert ("ImageNotInstalled", message, 3) == tuple(record["err"][name] for name in ("code", "message", "exitStatus"))
    assert 3 == done.returncode
