#!/bin/sh
#
# Install the service of an unpacked tree, or take it away again. May be run any number of times.
#
#   install.sh [-n] [-u] [ROOT [PLATFORM_ROOT]]
#
#   -n  say what would be done, touch nothing
#   -u  uninstall: the service goes; etc and var, and with them the host's identity, stay
#
# ROOT (/opt/chunter) holds bin/chunter already. PLATFORM_ROOT is put before the platform's paths.
# etc/chunter.conf is made when there is none, and never overwritten; etc/chunter.conf.example is always the newest.

set -eu

dry=
uninstall=
while getopts nu option; do
	case $option in
	n) dry=1 ;;
	u) uninstall=1 ;;
	*) echo "usage: install.sh [-n] [-u] [ROOT [PLATFORM_ROOT]]" >&2 && exit 2 ;;
	esac
done
shift $((OPTIND - 1))

here=$(cd "$(dirname "$0")" && pwd)
root=${1:-/opt/chunter}
platform=${2:-}
imported=$platform/opt/custom/smf/chunter.xml # what lies here is imported at every boot
service=svc:/network/chunter

# Do something and say so; with -n only say so.
run() {
	echo "+ $*"
	[ -n "$dry" ] || "$@"
}

# write FILE COMMAND...: put what the command prints into the file, whole or not at all.
write() {
	file=$1
	shift
	echo "+ $* > $file"
	[ -z "$dry" ] || return 0
	"$@" >"$file.new"
	mv "$file.new" "$file"
}

case $root in
/*) ;;
*) echo "install.sh: $root is not an absolute path" >&2 && exit 2 ;;
esac
case $root in
*[!A-Za-z0-9_./-]*) echo "install.sh: use only A-Z a-z 0-9 _ . / - in $root" >&2 && exit 2 ;;
esac

if [ -n "$uninstall" ]; then
	if "$platform/usr/bin/svcs" -H "$service:default" >/dev/null 2>&1; then
		run "$platform/usr/sbin/svcadm" disable -s "$service:default"
		run "$platform/usr/sbin/svccfg" delete "$service"
	fi
	run rm -f "$imported"
	echo "The service is gone. $root/etc and $root/var are kept."
	exit 0
fi

if [ ! -x "$root/bin/chunter" ]; then
	echo "install.sh: $root/bin/chunter is missing; unpack the release to $root first" >&2
	exit 1
fi

run mkdir -p "$root/etc" "$root/var/run" "$root/share" "${imported%/*}"
[ "$here" = "$root/share" ] || run cp "$here/chunter-method" "$here/chunter.xml" "$here/install.sh" "$root/share/"
run chmod 755 "$root/share/chunter-method"
write "$root/etc/chunter.conf.example" "$root/bin/chunter" config example
if [ -f "$root/etc/chunter.conf" ]; then
	echo "$root/etc/chunter.conf is kept; compare it with: diff $root/etc/chunter.conf $root/etc/chunter.conf.example"
	run "$root/bin/chunter" config check "$root/etc/chunter.conf"
else
	run cp "$root/etc/chunter.conf.example" "$root/etc/chunter.conf"
	run chmod 600 "$root/etc/chunter.conf"
fi
write "$imported" sed "s|/opt/chunter|$root|g" "$here/chunter.xml"
run "$platform/usr/sbin/svccfg" import "$imported"
echo "Installed. See: svcs chunter"
