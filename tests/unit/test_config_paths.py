from __future__ import annotations

from pathlib import Path

import pytest

from chunter_nsq.config import Paths


def test_the_tree_is_at_opt_chunter_by_default():
    """Where the documentation says."""
    paths = Paths.find(environment={})

    assert [
        "/opt/chunter/etc/chunter.conf",
        "/opt/chunter/etc/chunter.conf.example",
        "/opt/chunter/etc/hostid",
        "/opt/chunter/etc/chunter.version",
        "/opt/chunter/var/chunter.db",
        "/opt/chunter/var/run",
        "/opt/chunter/share",
        "/var/log/chunter",
    ] == [
        str(path)
        for path in (
            paths.config,
            paths.example,
            paths.hostid,
            paths.version,
            paths.database,
            paths.run,
            paths.share,
            paths.log,
        )
    ]


@pytest.mark.parametrize(
    ("root", "environment", "expected"),
    [
        ("/a", {"CHUNTER_ROOT": "/b"}, "/a/etc/chunter.conf"),
        (None, {"CHUNTER_ROOT": "/b"}, "/b/etc/chunter.conf"),
        (None, {"CHUNTER_ROOT": ""}, "/opt/chunter/etc/chunter.conf"),
        (None, {"CHUNTER_CONFIG": "/c.conf"}, "/c.conf"),
        ("/a", {"CHUNTER_CONFIG": "/c.conf"}, "/c.conf"),
    ],
)
def test_the_command_line_beats_the_environment(root, environment, expected):
    """--root, then CHUNTER_ROOT, then the default; CHUNTER_CONFIG moves the file alone."""
    assert Path(expected) == Paths.find(root, environment=environment).config


def test_a_named_file_beats_the_tree():
    """--config wins over CHUNTER_CONFIG."""
    assert Path("/d.conf") == Paths.find("/a", "/d.conf", {"CHUNTER_CONFIG": "/c.conf"}).config


def test_a_relative_tree_is_made_absolute(tmp_path, monkeypatch):
    """The agent may change its folder later."""
    monkeypatch.chdir(tmp_path)

    assert tmp_path / "x" == Paths.find("x", environment={}).root


def test_a_moved_tree_keeps_its_log_inside(tmp_path):
    """Two agents on one machine do not share a log."""
    assert tmp_path / "var" / "log" == Paths.find(tmp_path, environment={}).log
