"""Which texts name docker images, and which names are the same."""

from __future__ import annotations

import pytest

from chunter_nsq.smartos.docker_names import canonical, is_docker_name, is_image

UUID = "7b5981c4-1889-11e7-b4c5-3f3bdfc9b88b"


@pytest.mark.parametrize(
    "name",
    [
        "busybox", "busybox:latest", "library/busybox:1.36", "grafana/loki", "docker.io/busybox", "a_b/c--d/e.f:V1-2_3",
        "quay.io/prometheus/busybox:latest", "localhost/x", "localhost:5000/x:1", "registry:5000/x", "http://10.0.0.1:5000/x",
    ],
)  # fmt: skip
def test_a_name(name: str) -> None:
    """Registry, repository and tag in docker's own grammar."""
    assert is_docker_name(name)
    assert is_image(name)


@pytest.mark.parametrize(
    "text",
    [
        "", "-q", "--help", "Busybox", "busybox:", ":latest", "busybox:-x", "busy box", "busybox\n", "../x", "x/../y",
        "/x", "x/", "x//y", "a/busybox", "a--b/c", ".x", "x.", "quay.io/", "https://quay.io", "ftp://quay.io/x",
        "localhost:99999999/x", "busybox@sha256:" + 64 * "0", "bücher", "$(id)", "x;y", "a" * 256,
        "busybox:" + "a" * 129, UUID.upper(),
    ],
)  # fmt: skip
def test_no_name(text: str) -> None:
    """What imgadm would take for an option, or could not look up, is none; nor is a digest, on which imgadm aborts."""
    assert not is_docker_name(text)


def test_a_uuid_is_an_image_and_no_name() -> None:
    """Although docker's grammar would take it."""
    assert (True, False) == (is_image(UUID), is_docker_name(UUID))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("busybox", "docker.io/busybox:latest"),
        ("library/busybox:latest", "docker.io/busybox:latest"),
        ("docker.io/busybox", "docker.io/busybox:latest"),
        ("https://index.docker.io/library/busybox", "docker.io/busybox:latest"),
        ("grafana/loki:3", "docker.io/grafana/loki:3"),
        ("quay.io/library/x", "quay.io/library/x:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("http://localhost:5000/x:1", "http://localhost:5000/x:1"),
        (UUID, UUID),
    ],
)
def test_spellings(spelling: str, name: str) -> None:
    """What is left out is docker's: its own registry, its library, the tag latest."""
    assert name == canonical(spelling)
