"""Images made here: a snapshot as a file that ``imgadm install`` takes, with the manifest that belongs to it."""
