#!/bin/sh
#
# Install chunter on this SmartOS host, or take it away again. May be run any number of times.
#
#   sh chunter-VERSION [-f] [-n]      install; -f although this version, or a newer one, is there already
#   sh DST/chunter/versions/NAME/share/install.sh -f
#                                     put a version that is unpacked there, such as the one before, in place again
#   sh chunter-VERSION -u [-n]        uninstall; etc and var, and with them the host's identity, stay
#
#   -n  say what would be done, touch nothing
#
#   DST=/opt            the folder that chunter/ is made in
#   PYTHON=FILE         the Python (3.11 or newer, with sqlite3 and ssl); otherwise that of pkgsrc
#   PLATFORM_ROOT=DIR   what stands before the platform's paths; DIR when DST is DIR/opt of a simulated host
#
# Everything new is unpacked beside what runs, checked there, and then put in place by one rename of DST/chunter/current.
# ZFS keeps the order of writes, so that also a power cut finds the one or the other.
# A failure before that leaves nothing behind, one after it puts back what was there. etc/chunter.conf is made when there
# is none, and never overwritten; etc/chunter.conf.example is always the newest.
#
# Exit status: 0 done, 1 refused or failed and nothing changed, 2 wrong usage.

# The build fills these in; the payload is a tar archive behind the last line of this script.
version=
channel=
needs_kb=
payload_bytes=
payload_sha256=

set -eu
umask 022
LC_ALL=C
PATH=/usr/bin:/usr/sbin:/bin:/sbin
export LC_ALL PATH

usage() {
	echo "usage: [DST=/opt] sh chunter-VERSION [-f] [-n] [-u]" >&2
	exit 2
}

fail() {
	for line in "$@"; do
		echo "chunter: $line" >&2
	done
	exit 1
}

# Do something and say so; with -n only say so.
run() {
	echo "+ $*"
	[ -n "$dry" ] || "$@"
}

# Put what a command prints into a file, whole or not at all: write FILE COMMAND...
write() {
	file=$1
	shift
	echo "+ $* > $file"
	[ -z "$dry" ] || return 0
	"$@" >"$file.new"
	mv "$file.new" "$file"
}

places() {
	case ${DST:=/opt} in
	/*) ;;
	*) fail "DST=$DST is not an absolute path" ;;
	esac
	DST=${DST%/}
	if [ -z "${PLATFORM_ROOT+given}" ]; then
		PLATFORM_ROOT=
		[ "${DST%/opt}" = "$DST" ] || [ ! -x "${DST%/opt}/usr/bin/sysinfo" ] || PLATFORM_ROOT=${DST%/opt}
	fi
	platform=${PLATFORM_ROOT%/}
	root=$DST/chunter
	case $root$platform in
	*[!A-Za-z0-9_./-]*) fail "use only A-Z a-z 0-9 _ . / - in DST and PLATFORM_ROOT: $root" ;;
	esac
	manifests=$platform/opt/custom/smf # what lies here is imported at every boot
	log=$root/var/log
	[ "$root" != /opt/chunter ] || log=/var/log/chunter
}

check_host() {
	case $(id) in
	"uid=0("*) ;;
	*) fail "only root can install the agent of a hypervisor; become root and run this again" ;;
	esac
	system=$("$platform/usr/bin/uname" -s 2>/dev/null) || system=nothing
	[ "$system" = SunOS ] || fail "this is $system, not SmartOS; the agent runs in the global zone of a SmartOS host"
	for tool in usr/sbin/vmadm usr/bin/sysinfo usr/sbin/svccfg usr/sbin/svcadm usr/bin/svcs; do
		[ -x "$platform/$tool" ] || fail "$platform/$tool is missing; the agent runs in the global zone of a SmartOS host"
	done
}

# Say why a Python will not do; nothing when it will.
fault_of() {
	"$1" -IS -c 'import sys
if sys.version_info < (3, 11): print("Python %d.%d is too old" % sys.version_info[:2]); sys.exit()
try: import hashlib, sqlite3, ssl, zlib
except ImportError as fault: print("%s in Python %d.%d" % ((fault,) + sys.version_info[:2]))' 2>&1 || echo "it does not run"
}

find_python() {
	seen=
	list=${PYTHON:-}
	if [ -z "$list" ]; then
		for folder in "$platform/opt/tools/bin" "$platform/opt/local/bin"; do
			for name in python3.14 python3.13 python3.12 python3.11 python3; do
				[ ! -x "$folder/$name" ] || list="$list $folder/$name"
			done
		done
		# The one of the version that is installed may be none of these.
		python=
		[ ! -f "$root/current/bin/chunter" ] || read -r python <"$root/current/bin/chunter"
		python=${python#??}
		list="$list ${python% -IS}"
	fi
	for python in $list; do
		fault=$(fault_of "$python")
		[ -n "$fault" ] || return 0
		seen="$seen$python: $fault. "
	done
	fail "no Python will do: 3.11 or newer is needed, with sqlite3 and ssl. ${seen:-There is none in /opt/tools or /opt/local.}" \
		"Install it from pkgsrc for the global zone:  /opt/tools/bin/pkgin -y install python312 py312-sqlite3" \
		"PYTHON=/path/to/python3 names another one."
}

find_payload() {
	archive=$0
	[ -f "$archive" ] || fail "this is to be run from its file: gunzip chunter-VERSION.gz; sh chunter-VERSION"
	if [ -n "$payload_bytes" ]; then
		name=$version-${payload_sha256%"${payload_sha256#????????}"}
		return
	fi
	here=$(cd "$(dirname "$archive")" && pwd -P)
	name=${here%/share}
	[ -n "$version" ] && [ "${name%/*}" = "$(cd "$root/versions" 2>/dev/null && pwd -P)" ] ||
		fail "there is no release in $archive; run the one that was downloaded: sh chunter-VERSION"
	name=${name##*/}
}

# Unpack the payload into a new folder, after checking that it is whole and that there is space.
unpack() {
	"$python" -IS - "$archive" "$payload_bytes" "$payload_sha256" "$needs_kb" "$DST" "$1" "$python" <<'END'
import hashlib, os, sys, tarfile

archive, size, digest, needs_kb, place, target, python = sys.argv[1:]
with open(archive, "rb") as file:
    start = file.seek(0, os.SEEK_END) - int(size)
    file.seek(max(start, 0))
    found = hashlib.sha256()
    while piece := file.read(1 << 20):
        found.update(piece)
    if start < 0 or found.hexdigest() != digest:
        sys.exit("chunter: %s is damaged or cut short; download it again" % archive)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    space = os.statvfs(place)
    free_kb = space.f_bavail * space.f_frsize // 1024
    if free_kb < int(needs_kb):
        sys.exit("chunter: %s KB are needed below %s, and %d KB are free" % (needs_kb, place, free_kb))
    if target == "-":
        sys.exit()
    try:
        os.makedirs(target)
        file.seek(start)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            for one in tar:
                path = os.path.join(target, one.name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                if one.issym():
                    os.symlink(one.linkname, path)
                    continue
                content = tar.extractfile(one).read()
                if one.name.startswith("bin/"):
                    content = content.replace(b"@PYTHON@", python.encode(), 1)
                with open(path, "xb") as output:
                    output.write(content)
                os.chmod(path, one.mode)
    except OSError as fault:
        sys.exit("chunter: cannot unpack to %s: %s" % (target, fault))
END
}

# Make symbolic links, each in one step also where there is one: point LINK TARGET [LINK TARGET]...
point() {
	echo "+ ln -s $2 $1"
	[ -z "$dry" ] || return 0
	"$python" -IS -c 'import os, sys
for link, target in zip(sys.argv[1::2], sys.argv[2::2]):
    if os.path.lexists(link + ".new"): os.unlink(link + ".new")
    os.symlink(target, link + ".new")
    os.replace(link + ".new", link)' "$@"
}

# Where a link points; nothing when it is none.
target_of() {
	[ ! -h "$1" ] || "$python" -IS -c 'import os, sys; print(os.readlink(sys.argv[1]))' "$1"
}

# What this installation did is taken back, newest first.
undo() {
	status=$?
	trap '' 0 1 2 15
	set +e
	if [ -n "$busy" ]; then
		echo "chunter: the installation failed; what was there before is put back" >&2
		if [ -n "$switched" ]; then
			rm -f "$root/current"
			[ -z "$before" ] || point "$root/current" "$before" >/dev/null
		fi
		for service in chunter chunter-update; do
			if [ -f "$manifests/$service.xml.old" ]; then
				mv "$manifests/$service.xml.old" "$manifests/$service.xml"
				[ -z "$imported" ] || "$platform/usr/sbin/svccfg" import "$manifests/$service.xml" >/dev/null 2>&1
			elif [ -n "$imported" ]; then
				rm -f "$manifests/$service.xml"
			fi
			rm -f "$manifests/$service.xml.new"
		done
		[ -z "$fresh" ] || rm -rf "$root"
		[ -z "$unpacked" ] || rm -rf "$root/versions/$name"
		recover
	fi
	[ -z "$locked" ] || rm -rf "$root/versions/.lock"
	[ -z "$busy" ] || rmdir "$root/versions" 2>/dev/null
	[ "$status" -ne 0 ] || [ -z "$busy" ] || status=1
	exit "$status"
}

# An unpacked version that was moved away is put back, and what was being unpacked is forgotten.
recover() {
	if [ -d "$root/versions/.old" ] && [ ! -d "$root/versions/$name" ]; then
		mv "$root/versions/.old" "$root/versions/$name"
	fi
	rm -rf "$root/versions/.new" "$root/versions/.old"
}

lock() {
	[ -d "$root" ] || fresh=1
	mkdir -p "$root/versions"
	if ! mkdir "$root/versions/.lock" 2>/dev/null; then
		holder=$(cat "$root/versions/.lock/pid" 2>/dev/null) || holder=
		if [ -z "$holder" ] || kill -0 "$holder" 2>/dev/null; then
			busy=
			fail "another installation runs (process ${holder:-unknown}); if not, remove $root/versions/.lock"
		fi
		echo "An installation was cut short; going on in its place."
	fi
	locked=1
	echo $$ >"$root/versions/.lock/pid"
	recover
}

# A command of the new version: chunter COMMAND...
chunter() {
	CHUNTER_ROOT=$root "$root/versions/$name/bin/chunter" "$@"
}

# The manifest with the places of this host in it.
manifest() {
	sed -e "s|/opt/chunter|$root|g" \
		-e "s|chunter-method stop|&${platform:+ $platform}|" -e "s|chunter-method refresh|&${platform:+ $platform}|" \
		"$root/versions/$name/share/$1"
}

import() {
	imported=1
	for service in chunter chunter-update; do
		target=$manifests/$service.xml
		[ -n "$dry" ] || [ ! -f "$target" ] || cp "$target" "$target.old"
		write "$target" manifest "$service.xml"
		run "$platform/usr/sbin/svccfg" import "$target"
	done
	[ -n "$dry" ] || rm -f "$manifests/chunter.xml.old" "$manifests/chunter-update.xml.old"
}

# Only the version before this one is kept.
forget_older() {
	for folder in "$root/versions"/*; do
		case ${folder##*/} in
		"$name" | "${before#versions/}") ;;
		*) run rm -rf "$folder" ;;
		esac
	done
}

install() {
	find_payload
	echo "chunter $version ($channel) for $root, with $python"
	if [ -n "$dry" ]; then
		[ -z "$payload_bytes" ] || unpack -
		echo "+ unpack to $root/versions/$name"
	else
		busy=1
		lock
		before=$(target_of "$root/current")
		if [ -z "$payload_bytes" ]; then
			:
		elif [ ! -f "$root/versions/$name/share/release.json" ] || [ -n "$force" ]; then
			unpack "$root/versions/.new"
			if [ -d "$root/versions/$name" ]; then
				mv "$root/versions/$name" "$root/versions/.old"
			else
				unpacked=1
			fi
			mv "$root/versions/.new" "$root/versions/$name"
			rm -rf "$root/versions/.old"
		else
			echo "This very release is unpacked already; -f unpacks it again."
		fi
		chunter setup --check ${force:+--force} || exit 1
	fi
	run mkdir -p "$root/etc" "$root/var/run" "$root/bin" "$root/share" "$log" "$manifests"
	run chunter setup --platform-root "${platform:-/}"
	switched=1
	point "$root/current" "versions/$name"
	for folder in bin share; do
		case $folder in
		bin) first=chunter second=update ;;
		*) first=chunter-method second=install.sh ;;
		esac
		point "$root/$folder/$first" "../current/$folder/$first" "$root/$folder/$second" "../current/$folder/$second"
	done
	import
	busy=
	[ -n "$dry" ] || forget_older
	echo "chunter $version is installed. See: svcs chunter"
	if [ -n "$before" ] && [ "$before" != "versions/$name" ]; then
		echo "The agent that runs is the earlier one until: svcadm restart chunter"
	fi
}

uninstall() {
	for service in chunter-update chunter; do
		if "$platform/usr/bin/svcs" -H "svc:/network/$service:default" >/dev/null 2>&1; then
			run "$platform/usr/sbin/svcadm" disable -s "svc:/network/$service:default"
			run "$platform/usr/sbin/svccfg" delete "svc:/network/$service"
		fi
		run rm -f "$manifests/$service.xml"
	done
	run rm -f "$root/bin/chunter" "$root/bin/update" "$root/share/chunter-method" "$root/share/install.sh" "$root/current"
	run rm -rf "$root/versions"
	[ -n "$dry" ] || rmdir "$root/bin" "$root/share" 2>/dev/null || :
	echo "The agent is gone. $root/etc and $root/var are kept: whoever installs it again is the same host."
}

main() {
	dry='' force='' uninstalls=''
	busy='' fresh='' unpacked='' switched='' imported='' locked='' before=''
	while getopts fnu option; do
		case $option in
		f) force=1 ;;
		n) dry=1 ;;
		u) uninstalls=1 ;;
		*) usage ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -eq 0 ] || usage
	places
	check_host
	trap undo 0
	trap 'exit 130' 1 2 15
	if [ -n "$uninstalls" ]; then
		uninstall
	else
		find_python
		install
	fi
	exit 0
}

main "$@"
