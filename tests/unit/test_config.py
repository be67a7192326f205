from __future__ import annotations

import dataclasses
import logging

import pytest

from chunter_nsq.config import KEYS, Config, ConfigInvalid, changed, written

DOCUMENTED = {
    "ip": "",
    "reserved_memory": "0MB",
    "s3_upload_chunk_size": "5MB",
    "parallel_uploads": "5",
    "max_parallel_uploads": "10",
    "preload": "2",
    "s3_download_chunk_size": "5MB",
    "parallel_downloads": "5",
    "max_parallel_downloads": "10",
    "update_services_interval": "10s",
    "snapshot_update_interval": "15m",
    "zonemon_interval": "1s",
    "zpool_interval": "15s",
    "arc_interval": "30s",
    "metrics_interval": "10s",
    "heartbeat_interval": "5s",
    "announce_interval": "60s",
    "snapshot_api": "on",
    "backup_api": "on",
    "metadata_api": "on",
    "grouping_api": "on",
    "console_api": "on",
    "execute_api": "off",
    "metrics": "on",
    "resolvers": "8.8.8.8,8.8.4.4",
    "zone_root": "/zones",
    "nsqd": "127.0.0.1:4150",
    "nsqlookupd": "",
    "nsq.tls": "off",
    "topic_prefix": "chunter",
    "platform_root": "/",
    "backup_memory": "256MB",
    "backup_compression": "auto",
    "lane.query": "16",
    "lane.machine": "4",
    "lane.transfer": "2",
    "machine_timeout": "10m",
    "status_listen": "127.0.0.1:4200",
    "outbox_limit": "256MB",
    "event_retention": "24h",
    "log.level": "info",
    "log.format": "json",
    "sentry.dsn": "",
}


def read(text):
    """The configuration in a text, without its notes."""
    return Config.read(text.encode())[0]


@pytest.mark.parametrize(("name", "default"), DOCUMENTED.items())
def test_documented_keys_keep_their_names_and_defaults(name, default):
    """An operator's knowledge of the file stays true."""
    assert default == next(key.default for key in KEYS.values() if key.name == name)


def test_an_empty_file_gives_the_defaults():
    """Every key may be left out."""
    assert Config() == read("")


def test_values_are_typed_and_carry_their_units():
    """Durations are seconds, sizes bytes, lists tuples, flags booleans."""
    config = read(
        "zonemon_interval = 500ms\nreserved_memory = 2GB\nnsqd = a:1, b:2\nnsq.tls = on\nlane.query = 3\n"
        "status_listen = off\nnetwork_tag.admin = igb0\nnetwork_tag.ext.1 = igb1\nresolvers = 1.1.1.1, fd00::1\n"
    )

    assert (0.5, 2**31, ("a:1", "b:2"), True, 3, "", {"admin": "igb0", "ext.1": "igb1"}, ("1.1.1.1", "fd00::1")) == (
        config.zonemon_interval_seconds,
        config.reserved_memory_bytes,
        config.nsqd,
        config.nsq_tls,
        config.lane_query,
        config.status_listen,
        dict(config.network_tags),
        config.resolvers,
    )


@pytest.mark.parametrize(
    "name", ["parallel_uploads", "max_parallel_uploads", "parallel_downloads", "max_parallel_downloads"]
)
def test_both_spellings_of_parallel_are_read(name):
    """The documentation misspelt some of them, and files have it so."""
    config = read(f"{name.replace('parallel', 'paralell')} = 7")

    assert getattr(config, name) == 7


@pytest.mark.parametrize(
    ("line", "bucket"),
    [
        ("s3.bucket=a", "a"),
        ("  s3.bucket  =  a  ", "a"),
        ("s3.bucket = a # note", "a"),
        ("s3.bucket = a#b", "a#b"),
        ("s3.bucket = a = b", "a = b"),
        ("s3.bucket\t=\ta\t# note", "a"),
        ("s3.bucket = a\r", "a"),
        ("\ufeffs3.bucket = a", "a"),
        ("s3.bucket =", ""),
        ("s3.bucket = # none yet", ""),
    ],
)
def test_the_forms_of_a_line(line, bucket):
    """Blanks, comments, carriage returns, a byte order mark, and what belongs to the value."""
    assert bucket == read(line).s3_bucket


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path):
    """@/path is replaced by what the file holds."""
    (tmp_path / "secret").write_text("hunter2\n")

    assert read(f"nsq.auth_secret = @{tmp_path}/secret").nsq_auth_secret == "hunter2"


def test_a_key_in_pem_may_have_several_lines(tmp_path):
    """A public key is kept whole."""
    pem = "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----"
    (tmp_path / "key").write_text(f"{pem}\n")

    assert pem == read(f"update.key = @{tmp_path}/key").update_key


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"a\nb\n", "has several lines"), (b"\xff", "is not UTF-8 text")],
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path, content, reason):
    """What is wrong with the file is said."""
    (tmp_path / "secret").write_bytes(content)

    with pytest.raises(ConfigInvalid, match=reason):
        read(f"nsq.auth_secret = @{tmp_path}/secret")


def test_a_folder_is_no_secret(tmp_path):
    """Only a plain file is read."""
    with pytest.raises(ConfigInvalid, match="is not a plain file"):
        read(f"nsq.auth_secret = @{tmp_path}")


def test_secrets_are_not_in_the_representation():
    """A configuration may be printed."""
    config = read("nsq.auth_secret = hunter2\ns3.access_key = hunter2\ns3.secret_key = hunter2")

    assert "hunter2" not in repr(config)


def test_every_secret_is_handed_to_the_scrubber():
    """What may stand in no log is known by value."""
    config = read(
        "nsq.auth_secret = a\ns3.access_key = b\ns3.secret_key = c\nsentry.dsn = http://k@h/1\nupdate.key = d"
    )

    assert {"a", "b", "c", "d", "http://k@h/1"} == set(config.secrets())


def test_the_old_name_of_nsqd_is_read_with_a_note():
    """Files of earlier agents keep working."""
    config, notes = Config.read(b"\nnsq_producer = 10.0.0.1:4150\n")

    assert (("10.0.0.1:4150",), [(2, "nsq_producer is the old name of nsqd; use the new one")]) == (
        config.nsqd,
        [(note.line, note.text) for note in notes],
    )


@pytest.mark.parametrize(
    "line",
    [
        "nodename = chunter@127.0.0.1",
        "distributed_cookie = erlang",
        "log.console.level = info",
        "log.crash = on",
        "log.watchdog.level = error",
        "kstat.arc = enabled",
    ],
)
def test_keys_that_mean_nothing_any_more_are_noted_not_refused(line):
    """A file of the first agents does not stop this one."""
    config, notes = Config.read(line.encode())

    assert (Config(), [1]) == (config, [note.line for note in notes])


def test_a_missing_file_means_defaults_and_is_logged(tmp_path, caplog):
    """The agent runs without a file, and says so."""
    with caplog.at_level(logging.WARNING):
        config = Config.load(tmp_path / "chunter.conf")

    assert (Config(), ["config.missing"]) == (config, [record.message for record in caplog.records])


def test_notes_are_logged_with_their_line(tmp_path, caplog):
    """Loading tells what should be changed in the file."""
    file = tmp_path / "chunter.conf"
    file.write_text("nsq_producer = 10.0.0.1:4150\n")

    with caplog.at_level(logging.WARNING):
        Config.load(file)

    assert [("config.note", 1)] == [(record.message, record.line) for record in caplog.records]


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    """A folder in the place of the file is refused in words."""
    with pytest.raises(ConfigInvalid, match="cannot be read: Is a directory"):
        Config.load(tmp_path)


def test_what_a_refresh_may_change():
    """Intervals, limits, the log level and the keys; not where the agent is connected."""
    reloadable = Config.reloadable()

    assert (
        {"zonemon_interval_seconds", "lane_query", "outbox_limit_bytes", "log_level", "command_keys"} <= reloadable,
        {name for name in KEYS if name.endswith("_interval_seconds")} <= reloadable,
        {"nsqd", "topic_prefix", "platform_root", "status_listen", "sentry_dsn", "log_format"} & reloadable,
    ) == (True, True, set())


def test_a_refresh_takes_only_what_it_may():
    """A changed address waits for a restart."""
    old, new = read("arc_interval = 1m\nnsqd = a:1"), read("arc_interval = 2m\nnsqd = b:1")

    assert dataclasses.replace(old, arc_interval_seconds=120.0) == old.reloaded(new)


def test_changes_are_told_by_key_as_written():
    """Old and new values stand as in the file; secrets are starred."""
    old, new = read("arc_interval = 1m"), read("arc_interval = 90s\nnsq.auth_secret = hunter2")

    assert [("nsq.auth_secret", "", "***", False), ("arc_interval", "1m", "90s", True)] == [
        (change.key, change.old, change.new, change.reloadable) for change in changed(old, new)
    ]


def test_nothing_changed_between_equals():
    """A refresh without an edit changes nothing."""
    assert changed(Config(), Config()) == ()


@pytest.mark.parametrize(("switch", "allowed"), [("snapshot_api", True), ("execute_api", False)])
def test_a_switch_says_what_is_allowed(switch, allowed):
    """A group of commands is known by the name of its key."""
    assert allowed == Config().allows(switch)


def test_network_tags_are_written_as_in_the_file():
    """A family is shown with its members."""
    config = read("network_tag.b = igb1\nnetwork_tag.a = igb0")

    assert written(config, "network_tags") == "a = igb0, b = igb1"


def test_a_configuration_cannot_be_changed():
    """It is one frozen value."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().lane_query = 1  # type: ignore[misc] - that it is refused is the test
