"""chunter.conf: one table of keys gives parsing, validation, defaults, the example file and the documentation."""

from __future__ import annotations

from chunter_nsq.config.difference import Difference, difference
from chunter_nsq.config.example import example
from chunter_nsq.config.faults import ConfigInvalid, Remark
from chunter_nsq.config.keys import Key
from chunter_nsq.config.paths import Paths
from chunter_nsq.config.settings import KEYS, Change, Config, changed, written
from chunter_nsq.config.units import split_address

__all__ = [
    "KEYS",
    "Change",
    "Config",
    "ConfigInvalid",
    "Difference",
    "Key",
    "Paths",
    "Remark",
    "changed",
    "difference",
    "example",
    "split_address",
    "written",
]
