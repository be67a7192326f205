"""``chunter`` and ``python -m chunter_nsq``."""

from __future__ import annotations

from chunter_nsq.cli.main import chunter


def main() -> None:
    """The command line; ends the process with its exit status."""
    chunter(prog_name="chunter")


if __name__ == "__main__":
    main()
