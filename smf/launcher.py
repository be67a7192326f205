#!@PYTHON@ -IS
"""The commands chunter and update of the tree that this file lies in: ROOT/versions/NAME/bin.

It is found by its real place, so that an agent that runs stays one version when ROOT/current becomes another. Only the
tree's own library and Python's are there: no site-packages, no PYTHONPATH.
"""

import os
import sys
from pathlib import Path

version_folder = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(version_folder / "lib"))
os.environ.setdefault("CHUNTER_ROOT", str(version_folder.parents[1]))  # noqa: TID251 - for those who read it there
if Path(sys.argv[0]).name == "update":
    sys.argv.insert(1, "update")

from chunter_nsq.__main__ import main  # noqa: E402 - the lines above say where it is

main()
