"""The services that a SmartOS zone and the global zone come with, in the order in which they start."""

from __future__ import annotations

from chunter_nsq.smartos.simulator.values import words

ZONE = words(
    "svc:/system/svc/restarter:default svc:/system/early-manifest-import:default svc:/network/socket-config:default "
    "svc:/network/datalink-management:default svc:/network/ip-interface-management:default "
    "svc:/network/loopback:default svc:/network/physical:default svc:/milestone/network:default "
    "svc:/network/ssh:default svc:/system/filesystem/root:default svc:/system/filesystem/usr:default "
    "svc:/system/filesystem/minimal:default svc:/system/identity:node svc:/system/identity:domain "
    "svc:/milestone/devices:default svc:/system/manifest-import:default svc:/system/cryptosvc:default "
    "svc:/network/ipsec/ipsecalgs:default svc:/network/ipsec/policy:default svc:/network/ipfilter:default "
    "svc:/network/initial:default svc:/network/iptun:default svc:/network/netmask:default "
    "svc:/network/routing-setup:default svc:/network/service:default svc:/system/rmtmpfiles:default "
    "svc:/system/name-service-cache:default svc:/milestone/name-services:default svc:/milestone/single-user:default "
    "svc:/system/filesystem/local:default svc:/system/coreadm:default svc:/system/cron:default "
    "svc:/system/logadm-upgrade:default svc:/system/utmp:default svc:/system/system-log:default "
    "svc:/system/boot-config:default svc:/smartdc/mdata:fetch svc:/smartdc/mdata:execute "
    "svc:/milestone/sysconfig:default svc:/network/inetd:default svc:/network/routing/route:default "
    "svc:/network/rpc/bind:default "
    "svc:/network/dns/client:default svc:/network/dns/multicast:default svc:/network/ldap/client:default "
    "svc:/network/nfs/client:default svc:/network/nfs/server:default svc:/network/nfs/status:default "
    "svc:/network/nfs/nlockmgr:default svc:/network/ntp:default svc:/network/smb/client:default "
    "svc:/system/auditd:default svc:/system/extended-accounting:flow svc:/system/extended-accounting:net "
    "svc:/system/extended-accounting:process svc:/system/extended-accounting:task svc:/system/console-login:default "
    "svc:/pkgsrc/postfix:default svc:/milestone/multi-user:default svc:/milestone/multi-user-server:default "
    "lrc:/etc/rc2_d/S89PRESERVE"
)
GLOBAL = words(
    "svc:/system/svc/restarter:default svc:/system/early-manifest-import:default svc:/system/boot-archive:default "
    "svc:/network/socket-config:default svc:/network/datalink-management:default svc:/system/device/local:default "
    "svc:/network/ip-interface-management:default svc:/network/loopback:default svc:/network/physical:default "
    "svc:/milestone/network:default svc:/system/filesystem/root:default svc:/system/filesystem/usr:default "
    "svc:/system/filesystem/minimal:default svc:/system/filesystem/smartdc:default svc:/milestone/devices:default "
    "svc:/system/identity:node svc:/system/identity:domain svc:/system/manifest-import:default "
    "svc:/system/cryptosvc:default svc:/system/sysevent:default svc:/system/device/fc-fabric:default "
    "svc:/system/power:default svc:/system/picl:default svc:/system/dumpadm:default svc:/system/smartdc/init:default "
    "svc:/system/smartdc/config:default svc:/system/smartdc/metadata:default svc:/system/smartdc/vminfod:default "
    "svc:/system/zones:default svc:/system/zonestat:default svc:/system/rcap:default svc:/system/resource-mgmt:default "
    "svc:/network/ipsec/ipsecalgs:default svc:/network/ipsec/policy:default svc:/network/ipfilter:default "
    "svc:/network/varpd:default svc:/network/initial:default svc:/network/iptun:default svc:/network/netmask:default "
    "svc:/network/routing-setup:default svc:/network/service:default svc:/network/ntp:default svc:/network/ssh:default "
    "svc:/network/inetd:default svc:/network/dns/client:default svc:/network/dns/multicast:default "
    "svc:/network/ldap/client:default svc:/network/nfs/client:default svc:/network/nfs/server:default "
    "svc:/network/nfs/status:default svc:/network/nfs/nlockmgr:default svc:/network/rpc/bind:default "
    "svc:/network/shares/group:default svc:/network/smb/client:default svc:/network/smb/server:default "
    "svc:/network/iscsi/initiator:default svc:/system/rmtmpfiles:default svc:/system/name-service-cache:default "
    "svc:/milestone/name-services:default svc:/milestone/single-user:default svc:/system/filesystem/local:default "
    "svc:/system/coreadm:default svc:/system/cron:default svc:/system/fmd:default svc:/system/hal:default "
    "svc:/system/auditd:default svc:/system/utmp:default svc:/system/system-log:default svc:/system/intrd:default "
    "svc:/system/extended-accounting:flow svc:/system/extended-accounting:net svc:/system/console-login:default "
    "svc:/system/console-login:vt2 svc:/milestone/sysconfig:default svc:/milestone/multi-user:default "
    "svc:/milestone/multi-user-server:default lrc:/etc/rc2_d/S89PRESERVE"
)
DISABLED = frozenset(
    words(
        "svc:/network/ipfilter:default svc:/network/routing/route:default svc:/network/rpc/bind:default "
        "svc:/network/dns/multicast:default svc:/network/ldap/client:default svc:/network/nfs/client:default "
        "svc:/network/nfs/server:default svc:/network/nfs/status:default svc:/network/nfs/nlockmgr:default "
        "svc:/network/smb/client:default svc:/network/smb/server:default svc:/network/iscsi/initiator:default "
        "svc:/network/shares/group:default svc:/system/auditd:default svc:/system/extended-accounting:flow "
        "svc:/system/extended-accounting:net svc:/system/extended-accounting:process "
        "svc:/system/extended-accounting:task svc:/system/rcap:default svc:/system/hal:default "
        "svc:/system/console-login:vt2 svc:/system/device/fc-fabric:default svc:/pkgsrc/postfix:default"
    )
)
# What must be online before a service starts; whatever is not named here waits for nothing.
REQUIRES = {
    "svc:/milestone/network:default": ("svc:/network/loopback:default", "svc:/network/physical:default"),
    "svc:/network/ssh:default": ("svc:/milestone/network:default", "svc:/system/cryptosvc:default"),
    "svc:/network/inetd:default": ("svc:/milestone/network:default",),
    "svc:/network/nfs/status:default": ("svc:/milestone/network:default", "svc:/network/rpc/bind:default"),
    "svc:/network/nfs/nlockmgr:default": ("svc:/network/rpc/bind:default", "svc:/network/nfs/status:default"),
    "svc:/network/nfs/client:default": ("svc:/milestone/network:default", "svc:/network/nfs/nlockmgr:default"),
    "svc:/network/nfs/server:default": ("svc:/network/rpc/bind:default", "svc:/network/nfs/nlockmgr:default"),
    "svc:/pkgsrc/postfix:default": ("svc:/milestone/network:default", "svc:/system/filesystem/local:default"),
    "svc:/smartdc/mdata:execute": ("svc:/smartdc/mdata:fetch",),
    "svc:/system/cron:default": ("svc:/system/filesystem/local:default",),
}
DESCRIPTIONS = {
    "svc:/network/ssh:default": "SSH server",
    "svc:/system/cron:default": "clock daemon (cron)",
    "svc:/pkgsrc/postfix:default": "Postfix mail server",
    "svc:/network/rpc/bind:default": "RPC bindings",
    "svc:/network/ntp:default": "Network Time Protocol (NTP)",
    "svc:/system/fmd:default": "illumos Fault Manager",
    "svc:/system/svc/restarter:default": "master restarter",
    "svc:/system/system-log:default": "system log",
}


def of_zone(count: int) -> list[str]:
    """The services of a zone: the usual ones, or exactly so many."""
    if not count:
        return ZONE
    return ZONE[:count] + [f"svc:/application/service-{number:04d}:default" for number in range(count - len(ZONE))]


def is_legacy(fmri: str) -> bool:
    """Whether it is a script that ran once rather than a service."""
    return fmri.startswith("lrc:")
