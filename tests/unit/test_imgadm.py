from __future__ import annotations

from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.errors import AlreadyExists, Fault, InvalidMessage, NotFound, ToolFailed
from chunter_nsq.smartos import imgadm
from chunter_nsq.smartos.imgadm import Image, Imgadm, Leftover
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.runner import Runner

I = "e44ed3e0-910b-11ed-a5d4-00151714048c"  # noqa: E741  # an image's UUID
RECEIVE = "cannot receive new filesystem stream"
ORIGIN = "63d6e664-3f1f-11e8-aef6-a3120cf8dd9d"


def test_argument_vectors():
    """What is typed."""
    assert imgadm.list_argv() == ("usr/sbin/imgadm", "list", "-j")
    assert imgadm.get_argv(I) == ("usr/sbin/imgadm", "get", I)
    assert imgadm.import_argv(I) == ("usr/sbin/imgadm", "import", "-q", "-P", "zones", I)
    assert imgadm.import_argv(I, "https://images.smartos.org")[3:] == (
        "-P",
        "zones",
        "-S",
        "https://images.smartos.org",
        I,
    )
    assert imgadm.import_argv("quay.io/prometheus/busybox:1")[-1] == "quay.io/prometheus/busybox:1"
    assert imgadm.delete_argv(I) == ("usr/sbin/imgadm", "delete", "-P", "zones", I)


@pytest.mark.parametrize("source", ["-x", "file:///etc/shadow", "https://a b", "https://a\n"])
def test_sources(source: str):
    """A source is an address on the web."""
    with pytest.raises(InvalidMessage):
        imgadm.import_argv(I, source)


@pytest.mark.parametrize(
    ("document", "image"),
    [
        (
            {
                "manifest": {
                    "uuid": I,
                    "name": "base",
                    "version": "1",
                    "type": "zone-dataset",
                    "os": "smartos",
                    "published_at": "2023-01-10T17:21:04Z",
                    "files": [{"size": 2**20 + 1}],
                },
                "clones": 1,
            },
            Image(I, "base", "1", "zone-dataset", "smartos", "2023-01-10T17:21:04Z", None, 1, 2),
        ),
        (
            {"manifest": {"uuid": I, "origin": ORIGIN, "image_size": 10240, "files": [{"size": 1}]}},
            Image(I, "", "", "", "", "", ORIGIN, 0, 10240),
        ),
        (
            {"manifest": {"uuid": I, "name": 3, "files": ["x"]}, "clones": None},
            Image(I, "", "", "", "", "", None, 0, None),
        ),
        (
            {"manifest": {"uuid": I, "tags": {"docker:repo": "a/b", "docker:tag:1": True, "docker:id": "sha256:0"}}},
            Image(I, "", "", "", "", "", None, 0, None, ("a/b:1",)),
        ),
        ({"manifest": {"name": "x"}}, None),
        ({}, None),
    ],
)
def test_images(document, image):
    """An element of the list is read as far as it goes."""
    assert image == imgadm.image_from(document)


async def test_list_and_get(tmp_path: Path):
    """Images are listed and shown; one that is not installed is not found, by exit status."""
    shell_tool(
        tmp_path,
        "imgadm",
        f"""[ "$1" = list ] && echo '[{{"manifest":{{"uuid":"{I}"}},"zpool":"zones"}}, {{}}]' && exit 0
[ "$2" = {I} ] && echo '{{"manifest":{{}},"zpool":"zones"}}' && exit 0
exit 3""",
    )
    wrapper = Imgadm(Runner(tmp_path))

    assert await wrapper.list() == [Image(I, "", "", "", "", "", None, 0, None)]
    assert await wrapper.get(I) == {"manifest": {}, "zpool": "zones"}
    with pytest.raises(NotFound):
        await wrapper.get(ORIGIN)


async def test_import_and_delete(tmp_path: Path):
    """Importing and deleting are judged by the exit status."""
    shell_tool(tmp_path, "imgadm", "[ $1 = import ] || exit 3; echo 'Image is already installed, skipping'")
    wrapper = Imgadm(Runner(tmp_path))

    assert I == await wrapper.import_image(I)
    with pytest.raises(NotFound):
        await wrapper.delete(I)


async def test_import_by_name(tmp_path: Path):
    """A docker name becomes the uuid that imgadm tells; where it tells none, or finds nothing, that is said."""
    shell_tool(
        tmp_path,
        "imgadm",
        f"""case "$5" in
busybox) echo 'Importing {I} (docker.io/busybox:latest) from "https://docker.io"' ;;
redis) echo 'imgadm import: error (ActiveImageNotFound): an active image was not found' >&2; exit 1 ;;
esac""",
    )
    wrapper = Imgadm(Runner(tmp_path))

    assert I == await wrapper.import_image("busybox")
    with pytest.raises(NotFound, match="imgadm sources --add-docker-hub"):
        await wrapper.import_image("redis")
    with pytest.raises(UnreadableOutput, match="which image"):
        await wrapper.import_image("loki")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (f"Stderr from zfs receive: {RECEIVE}: destination 'zones/{I}-partial' exists", Leftover),
        (f"Stderr from zfs receive: {RECEIVE}: destination 'zones/{I}' exists", AlreadyExists),
        ("imgadm import: error (InternalError): zfs receive error while importing: exit code 1", ToolFailed),
    ],
)
async def test_only_half_an_image_is_a_leftover(tmp_path: Path, words: str, kind: type[Fault]):
    """What fails otherwise is told as what it is."""
    shell_tool(tmp_path, "imgadm", f'echo "{words}" >&2; exit 1')
    with pytest.raises(Fault) as refused:
        await Imgadm(Runner(tmp_path)).import_image(I)
    assert kind is type(refused.value)


@pytest.mark.parametrize("image", ["-S", "busybox latest", "Busybox", f"{I}\n"])
def test_what_is_no_image(image: str):
    """It reaches no command line."""
    with pytest.raises(InvalidMessage, match="docker image's name such as busybox:latest"):
        imgadm.import_argv(image)
