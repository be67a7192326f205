"""How many times longer than on a quiet machine everything may take: 1, but where the processor itself is emulated."""

from __future__ import annotations

import os

SLOWNESS = float(os.environ.get("CHUNTER_SLOWNESS", "1"))
