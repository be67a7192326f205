"""A run of all tests fails when agents can tell a type of event that nobody heard.

Every ``Ears`` notes what it heard on a real nsqd and found to have its printed shape. At the end of the run the workers
hand their notes to the one who started them, and he compares them with the catalogue. Where only some tests were asked
for, or some did not pass, nothing is compared.
"""

from __future__ import annotations

from typing import Any

import pytest
from worlds import HEARD

from chunter_nsq.messages.catalogue import KINDS

_WHOLE_MARKS = ("", "not alone")


class Hearing:
    """A plugin, in each worker and in the one who started them."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._unheard: list[str] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker ends."""
        HEARD.update(getattr(node, "workeroutput", {}).get("heard", ()))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand over or compare."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["heard"] = sorted(HEARD)
        elif exitstatus == pytest.ExitCode.OK and self._is_whole():
            self._unheard = sorted({kind.type for kind in KINDS} - HEARD)
            if self._unheard:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is missing."""
        if self._unheard:
            terminalreporter.section("types of event that no test heard", red=True)
            terminalreporter.line("\n".join(self._unheard))

    def _is_whole(self) -> bool:
        config = self._config
        option = config.option
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        return (
            config.args_source is pytest.Config.ArgsSource.TESTPATHS
            and option.markexpr in _WHOLE_MARKS
            and not (option.keyword or option.deselect or option.collectonly or getattr(option, "lf", False))
            and not (reporter is not None and reporter.stats.get("skipped"))
        )
