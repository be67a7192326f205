#!/bin/sh
# Everything inside the bed, as its first process: ZFS, devices, Python in its place, the tests; then power off.
# What is told goes to the first serial line; the last line there is the status, behind a mark that no test prints.
exec </dev/null >/dev/ttyS0 2>&1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb CHUNTER_REQUIRE_ALL=1 CHUNTER_SLOWNESS=15
end() {
	printf '\036status %s\n' "$1"
	exec >/dev/null 2>&1 # the last to close the line waits until all of it has left the machine
	echo o >/proc/sysrq-trigger
	exec sleep infinity
}
mount -t tmpfs tmpfs /dev/shm 2>/dev/null || { mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm; } || end 70
mkdir -p /dev/pts /disks/python
mount -t devpts devpts /dev/pts 2>/dev/null
ip link set lo up || end 71
/lib/systemd/systemd-udevd --daemon && modprobe zfs || end 72 # udev makes /dev/zvol
mount /dev/vdc /disks/python || end 73
while IFS='	' read -r name place; do
	mkdir -p "$place"
	mount --bind "/disks/python/$name" "$place" || end 74
done </disks/python/places
echo "-- $(zfs version | head -1) in $(uname -sr), $(cut -d' ' -f1 /proc/uptime) s after its start"
set --
while IFS= read -r word; do set -- "$@" "$word"; done <.openzfs-words
.venv/bin/python tools/alone.py .venv/bin/python -m pytest "$@"
end $?
