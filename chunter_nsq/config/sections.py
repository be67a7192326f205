"""Every key of ``chunter.conf``, by section; the order here is the order of the example file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chunter_nsq.config import keys
from chunter_nsq.config.keys import choice, count, duration, family, flag, size, value


@dataclass(frozen=True, kw_only=True)
class General:
    """General."""

    ip: str = value(
        "ip",
        keys.IP_ADDRESS,
        "",
        "The IP and port reported to FiFo. Left out, it is guessed: the address of a fifo0 VNIC, else that of the "
        "admin NIC.",
        sample="192.168.1.21:4200",
    )
    reserved_memory_bytes: int = size(
        "reserved_memory",
        "0MB",
        "Memory that is not given out to VMs, so that some is left for the global zone and the ARC.",
        reloadable=True,
    )
    platform_root: str = value(
        "platform_root", keys.PATH, "/", "What stands before every platform tool and host file that is used."
    )
    zone_root: str = value("zone_root", keys.PATH, "/zones", "Where the zones live.")
    resolvers: tuple[str, ...] = value(
        "resolvers", keys.IPS, "8.8.8.8,8.8.4.4", "Name servers of VMs that are created without any."
    )
    network_tags: Mapping[str, str] = family(
        "network_tag",
        "Of earlier files, for platforms that do not know NIC tags; without effect: SmartOS knows them.",
        sample="admin = igb0",
    )


@dataclass(frozen=True, kw_only=True)
class Nsq:
    """NSQ."""

    nsqd: tuple[str, ...] = value(
        "nsqd",
        keys.ADDRESSES,
        "127.0.0.1:4150",
        "The nsqd servers to publish to and to consume from.",
        aliases=("nsq_producer",),
    )
    nsqlookupd: tuple[str, ...] = value(
        "nsqlookupd",
        keys.HTTP_ADDRESSES,
        "",
        "HTTP addresses of the nsqlookupd servers that know where commands are published.",
        sample="127.0.0.1:4161",
    )
    nsqd_http: tuple[str, ...] = value(
        "nsqd_http",
        keys.HTTP_ADDRESSES,
        "",
        "HTTP addresses of these nsqd, for a look at who else reads this host's commands. Left out, what nsqlookupd "
        "says, else the port after nsqd's.",
        sample="127.0.0.1:4151",
    )
    topic_prefix: str = value("topic_prefix", keys.TOPIC_PREFIX, "chunter", "What every topic name begins with.")
    nsq_tls: bool = flag("nsq.tls", "off", "TLS towards nsqd; host names are checked, and there is no plain fallback.")
    nsq_tls_ca: str = value(
        "nsq.tls_ca",
        keys.PATH,
        "",
        "Certificates (PEM) of the authorities that sign nsqd's; left out, those of the system.",
        sample="/opt/chunter/etc/nsq-ca.pem",
    )
    nsq_tls_cert: str = value(
        "nsq.tls_cert", keys.PATH, "", "The agent's own certificate (PEM).", sample="/opt/chunter/etc/nsq-cert.pem"
    )
    nsq_tls_key: str = value(
        "nsq.tls_key", keys.PATH, "", "The key of that certificate (PEM).", sample="/opt/chunter/etc/nsq-key.pem"
    )
    nsq_auth_secret: str = value(
        "nsq.auth_secret",
        keys.TEXT,
        "",
        "The secret for nsqd's AUTH.",
        sample="@/opt/chunter/etc/nsq.secret",
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class Storage:
    """S3."""

    s3_endpoint: str = value("s3.endpoint", keys.URL, "", "The object store.", sample="https://s3.example.org")
    s3_bucket: str = value("s3.bucket", keys.TEXT, "", "The bucket for backups.", sample="backups")
    s3_image_bucket: str = value(
        "s3.image_bucket", keys.TEXT, "", "The bucket for images; left out, that of the backups.", sample="images"
    )
    image_folder: str = value(
        "image_folder",
        keys.PATH,
        "/opt/chunter/var/images",
        "Where images made of snapshots are kept as files when there is no object store (below platform_root).",
    )
    s3_access_key: str = value(
        "s3.access_key", keys.TEXT, "", "The access key.", sample="@/opt/chunter/etc/s3.access", secret=True
    )
    s3_secret_key: str = value(
        "s3.secret_key", keys.TEXT, "", "The secret key.", sample="@/opt/chunter/etc/s3.secret", secret=True
    )
    s3_region: str = value("s3.region", keys.TEXT, "us-east-1", "The region that requests are signed for.")
    s3_profile: str = choice(
        "s3.profile",
        "generic",
        "The make of the store, for what differs between them.",
        ("generic", "aws", "minio", "ceph", "leofs"),
    )
    s3_path_style: str = choice(
        "s3.path_style",
        "auto",
        "Whether the bucket stands in the path of a URL, not in the host's name; auto is as the make of store has it.",
        ("auto", "on", "off"),
    )
    s3_ca_file: str = value(
        "s3.ca_file",
        keys.PATH,
        "",
        "Certificates (PEM) of the authorities that sign the store's; left out, those of the system.",
        sample="/opt/chunter/etc/s3-ca.pem",
    )
    s3_upload_chunk_size_bytes: int = size(
        "s3_upload_chunk_size",
        "5MB",
        "Size of the chunks for uploading. 5MB stands for chunks that the agent chooses by the length of a stream and "
        "the store: 16MB and more, 5MB with s3.profile = leofs, where it has to agree with LeoFS's own setting.",
        lowest="5MB",
        highest="5GB",
    )
    parallel_uploads: int = count(
        "parallel_uploads",
        "5",
        "Number of parallel uploads of one stream, as far as backup_memory holds their chunks.",
        highest="64",
        reloadable=True,
    )
    max_parallel_uploads: int = count(
        "max_parallel_uploads",
        "10",
        "Highest number of parallel uploads of all streams together.",
        highest="64",
        reloadable=True,
    )
    preload: int = count(
        "preload",
        "2",
        "Number of chunks to fetch ahead when downloading, beside those that are on their way.",
        lowest="0",
        highest="64",
        reloadable=True,
    )
    s3_download_chunk_size_bytes: int = size(
        "s3_download_chunk_size",
        "5MB",
        "Size of the chunks for downloading what the first Chunter stored. What this one stored is read in the chunks "
        "in which it was uploaded, each of which is verified. backup_memory holds four of them at least.",
        lowest="64KB",
        highest="5GB",
        reloadable=True,
    )
    parallel_downloads: int = count(
        "parallel_downloads", "5", "Number of parallel downloads of one stream.", highest="64", reloadable=True
    )
    max_parallel_downloads: int = count(
        "max_parallel_downloads",
        "10",
        "Highest number of parallel downloads of all streams together.",
        highest="64",
        reloadable=True,
    )


@dataclass(frozen=True, kw_only=True)
class Backup:
    """Backups."""

    backup_memory_bytes: int = size(
        "backup_memory",
        "256MB",
        "Memory that all transfers together may use for chunks.",
        lowest="32MB",
        reloadable=True,
    )
    backup_rate_limit_bytes_per_second: int = size(
        "backup_rate_limit",
        "0MB",
        "Bytes per second that all transfers together may move; 0MB is no limit.",
        reloadable=True,
    )
    backup_compression: str = choice(
        "backup_compression",
        "auto",
        "How streams are compressed; auto is what every reader understands, as fast as this host can. "
        "zfs: as the blocks lie on the pool (zfs send -c, where this host's ZFS has that), the rest as auto.",
        ("auto", "gzip", "zstd", "zfs", "none"),
    )


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Intervals: the shorter, the sooner something is known and the higher the load."""

    zonemon_interval_seconds: float = duration(
        "zonemon_interval", "1s", "How often the list of zones and their states is checked.", reloadable=True
    )
    update_services_interval_seconds: float = duration(
        "update_services_interval", "10s", "How often services and memory are checked.", reloadable=True
    )
    snapshot_update_interval_seconds: float = duration(
        "snapshot_update_interval", "15m", "How often the sizes of snapshots are read.", reloadable=True
    )
    zpool_interval_seconds: float = duration(
        "zpool_interval",
        "15s",
        "How often the pools are checked; a degraded pool stays undetected for that long at most.",
        reloadable=True,
    )
    arc_interval_seconds: float = duration(
        "arc_interval", "30s", "How often the statistics of the ARC are read.", reloadable=True
    )
    metrics_interval_seconds: float = duration(
        "metrics_interval", "10s", "How often performance metrics are read.", reloadable=True
    )
    heartbeat_interval_seconds: float = duration(
        "heartbeat_interval", "5s", "How often the agent says that it lives.", reloadable=True
    )
    announce_interval_seconds: float = duration(
        "announce_interval", "60s", "How often the agent says all about its host.", reloadable=True
    )


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features: what is off is refused as forbidden."""

    machine_api: bool = flag("machine_api", "on", "Commands that make, change, start, stop and delete machines.")
    snapshot_api: bool = flag("snapshot_api", "on", "Commands for snapshots.")
    backup_api: bool = flag("backup_api", "on", "Commands for backups.")
    image_api: bool = flag("image_api", "on", "Commands that import and delete images.")
    service_api: bool = flag("service_api", "on", "Commands for services.")
    firewall_api: bool = flag("firewall_api", "on", "Commands for firewall rules.")
    console_api: bool = flag("console_api", "on", "Consoles of machines.")
    execute_api: bool = flag("execute_api", "off", "Running programs inside machines.")
    metadata_api: bool = flag(
        "metadata_api", "on", "Of earlier files; without effect: metadata are changed by machine.update (machine_api)."
    )
    grouping_api: bool = flag(
        "grouping_api", "on", "Of earlier files; without effect: there are no commands for groups of machines."
    )
    update_api: bool = flag("update_api", "on", "Updating the agent itself by a command.")
    metrics: bool = flag("metrics", "on", "Performance metrics.", aliases=("kstat.metrics",))


@dataclass(frozen=True, kw_only=True)
class Work:
    """Work."""

    lane_query: int = count("lane.query", "16", "Queries that run side by side.", highest="256", reloadable=True)
    lane_machine: int = count(
        "lane.machine", "4", "Changes of different machines that run side by side.", highest="64", reloadable=True
    )
    lane_transfer: int = count(
        "lane.transfer", "2", "Backups and restores that run side by side.", highest="64", reloadable=True
    )
    machine_timeout_seconds: float = duration(
        "machine_timeout", "10m", "How long one change of a machine may take.", lowest="1s", reloadable=True
    )
    outbox_limit_bytes: int = size(
        "outbox_limit",
        "256MB",
        "Disk space for messages that wait or are kept; the oldest statistics go first, results never.",
        lowest="1MB",
        reloadable=True,
    )
    console_idle_seconds: float = duration(
        "console_idle", "15m", "After how long without a key a console is closed.", lowest="1s", reloadable=True
    )
    event_retention_seconds: float = duration(
        "event_retention", "24h", "How long sent events are kept for host.replay.", lowest="1s", reloadable=True
    )
    command_keys: str = value(
        "command_keys",
        keys.PATH,
        "",
        "The file of keys that commands are signed with; left out, unsigned commands are obeyed.",
        sample="/opt/chunter/etc/command.keys",
        reloadable=True,
    )


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Operation."""

    status_listen: str = value(
        "status_listen",
        keys.LISTENER,
        "127.0.0.1:4200",
        "Where health, metrics and the live page are served by HTTP.",
    )
    log_level: str = choice(
        "log.level", "info", "How much is logged.", ("debug", "info", "warning", "error"), reloadable=True
    )
    log_format: str = choice("log.format", "json", "How a line of the log is written.", ("json", "text"))
    sentry_dsn: str = value(
        "sentry.dsn",
        keys.DSN,
        "",
        "Where faults of the agent itself are reported to; left out, nowhere.",
        sample="https://key@sentry.example.org/1",
        secret=True,
    )
    sentry_environment: str = value(
        "sentry.environment", keys.TEXT, "production", "The environment named in such reports."
    )
    update_url: str = value(
        "update.url",
        keys.URL,
        "",
        "Where newer versions are looked for, in the folders rel and dev below it.",
        sample="https://chunter.example.org/releases",
    )
    update_key: str = value(
        "update.key",
        keys.TEXT,
        "",
        "The public key (Ed25519) that newer versions are checked with; left out, the one of the installed release.",
        sample="@/opt/chunter/etc/update.key",
        secret=True,
    )


SECTIONS = (General, Nsq, Storage, Backup, Intervals, Features, Work, Operation)
