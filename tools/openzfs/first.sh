#!/bin/sh
# The bed's first process: the project's disk in its place, and on with what is written there.
project=$(sed 's/.*bed\.project=\([^ ]*\).*/\1/' /proc/cmdline)
mkdir -p "$project"
mount /dev/vdb "$project"
cd "$project" && exec sh tools/openzfs/guest.sh
