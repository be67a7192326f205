"""Backups of machines: what lies between ZFS and the object store."""
