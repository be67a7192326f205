"""What files of the Erlang Chunter hold, and the terms that it took: what migrate.md has to tell of."""

from __future__ import annotations

# Each key of its schemas with a value that a file could have; those of its libraries stand in the same file.
KEYS = {
    "ip": "10.0.0.11:4200",
    "reserved_memory": "8GB",
    "s3_upload_chunk_size": "5MB",
    "s3_download_chunk_size": "5MB",
    "parallel_uploads": "5",
    "max_parallel_uploads": "10",
    "parallel_downloads": "5",
    "max_parallel_downloads": "10",
    "preload": "2",
    "update_services_interval": "10s",
    "snapshot_update_interval": "15m",
    "zonemon_interval": "1s",
    "zpool_interval": "15s",
    "arc_interval": "30s",
    "snapshot_api": "on",
    "backup_api": "on",
    "metadata_api": "on",
    "grouping_api": "on",
    "zone_root": "/zones",
    "resolvers": "8.8.8.8,8.8.4.4",
    "network_tag.admin": "igb0",
    "nsq_producer": "127.0.0.1:4150",
    "kstat.metrics": "enabled",
    "kstat.arc": "enabled",
    "nodename": "chunter@127.0.0.1",
    "distributed_cookie": "erlang",
    "log.console": "file",
    "log.console.level": "info",
    "log.console.file": "/var/log/chunter/console.log",
    "log.error.file": "/var/log/chunter/error.log",
    "log.error.messages_per_second": "100",
    "log.debug.file": "/var/log/chunter/debug.log",
    "log.syslog": "off",
    "log.crash.file": "/var/log/chunter/crash.log",
    "log.crash.maximum_message_size": "64KB",
    "log.crash.size": "10MB",
    "log.crash.rotation": "$D0",
    "log.crash.rotation.keep": "5",
    "log.watchdog.level": "error",
    "log.watchdog.cluster": "fifo",
    "log.watchdog.service": "chunter",
    "log.watchdog.host.first": "10.0.0.1:4210",
    "upload.pool_size": "10",
    "upload.pool_overflow": "10",
    "upload.retry": "3",
    "download.pool_size": "10",
    "download.pool_overflow": "10",
    "download.retry": "3",
    "download.preload_chunks": "10",
    "http_client": "lhttpc",
    "s3_scheme": "https",
    "nsq.discover_interval": "10s",
    "nsq.discover_jitter": "10%",
    "nsq.max_in_flight": "100",
    "nsq.retry_inital": "1s",
    "nsq.max_retry_delay": "10s",
    "nsq.retry_algo": "linear",
}

# How its documentation spelled four of them; an early installer rewrote some lines.
SPELLINGS = {
    "paralell_uploads": "5",
    "max_paralell_uploads": "10",
    "paralell_downloads": "5",
    "max_paralell_downloads": "10",
}

TERMS = (
    "ping", "update", "{lock,U}", "{release,U}",
    "{machines,create,UUID,Package,Dataset,Config}", "{machines,start,UUID}", "{machines,start,UUID,Image}",
    "{machines,stop,UUID}", "{machines,stop,force,UUID}", "{machines,reboot,UUID}", "{machines,reboot,force,UUID}",
    "{machines,update,UUID,Package,Config}", "{machines,delete,UUID}", "{machines,store,UUID}",
    "{machines,snapshot,UUID,SNAP}", "{machines,snapshot,delete,UUID,SNAP}", "{machines,snapshot,rollback,UUID,SNAP}",
    "{machines,snapshot,store,UUID,SNAP,IMG,...}",
    "{machines,backup,UUID,SNAP,Opts}", "{machines,backup,restore,UUID,SNAP,Opts}",
    "{machines,backup,delete,UUID,SNAP}",
    "{machines,service,Act,UUID,FMRI}", "{service,Act,FMRI}", "{fw,update,UUID}",
    "{console,UUID}", "{execute,UUID,[arg]}", "{dtrace,Script}",
)  # fmt: skip

# The events on Howl's channels and the topics of NSQ.
EVENTS = ("state", "update", "delete", "services", "snapshot", "backup", "cpu")
TOPICS = ("services", "metrics")


def configuration(keys: dict[str, str] | None = None) -> str:
    """A file with all of these keys."""
    return "".join(f"{name} = {value}\n" for name, value in (keys or KEYS).items())
