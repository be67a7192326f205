"""`make test-openzfs`: the tests that need OpenZFS, in a kernel that has it.

The kernel is Debian's own, emulated, so that neither the machine's kernel nor its ZFS matter and nothing of it is
touched: ``debian`` says where packages come from, ``bed`` makes the system that is booted, once, ``images`` makes disks
of this project and its Python, ``machine`` boots them. ``first.sh`` and ``guest.sh`` are what runs inside.
"""
