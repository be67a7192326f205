"""What happens to a service, and when: the phases it goes through after a request, known in advance.

Nothing runs between two commands. A request writes down the phases that follow from it; whoever looks later finds the
one that is current by then.
"""

from __future__ import annotations

NONE = "-"
FAILURES = 3  # so many starts in a row must fail


class Phase:
    """From the moment ``at`` on: the state, the one it is going to (``-`` for none), and when the state was reached."""

    __slots__ = ("at", "next_state", "since", "state")

    def __init__(self, at: float, state: str, next_state: str = NONE, since: float | None = None) -> None:
        self.at = at
        self.state = state
        self.next_state = next_state
        self.since = at if since is None else since

    def __str__(self) -> str:
        return f"{self.at!r},{self.state},{self.next_state},{self.since!r}"


class Tempo:
    """How long a zone's boot, a service's start and its stop take, in seconds."""

    __slots__ = ("boot", "start", "stop")

    def __init__(self, boot: float = 0.0, start: float = 0.0, stop: float = 0.0) -> None:
        self.boot = boot
        self.start = start
        self.stop = stop


def render(phases: list[Phase]) -> str:
    """Phases as one word."""
    return ";".join(map(str, phases)) or NONE


def parse(word: str) -> list[Phase]:
    """The phases in a word."""
    if word == NONE:
        return []
    found = []
    for one in word.split(";"):
        at, state, next_state, since = one.split(",")
        found.append(Phase(float(at), state, next_state, float(since)))
    return found


def current(phases: list[Phase], now: float) -> Phase:
    """The phase that ``now`` is in, the first one before all."""
    found = phases[0]
    for phase in phases:
        if phase.at <= now:
            found = phase
    return found


def booting(position: int, count: int, began: float, seconds: float, *, enabled: bool, failing: bool) -> list[Phase]:
    """A service of a zone that booted at ``began``: the services start one after the other."""
    if not enabled:
        return [Phase(began, "disabled")]
    end = "maintenance" if failing else "online"
    if seconds <= 0:
        return [Phase(began, end)]
    start, done = began + seconds * position / count, began + seconds * (position + 1) / count
    return [Phase(began, "offline"), Phase(start, "offline", "online", began), Phase(done, end)]


def starting(now: float, tempo: Tempo, *, since: float | None = None, failing: bool = False) -> list[Phase]:
    """From now on it starts; it was offline since ``since``."""
    seconds = tempo.start * (FAILURES if failing else 1)
    end = Phase(now + seconds, "maintenance" if failing else "online")
    return [Phase(now, "offline", "online", since), end] if seconds > 0 else [end]


def moving(here: Phase, now: float, to: str, seconds: float) -> list[Phase]:
    """From its state it goes to another one, which takes so long."""
    if seconds <= 0:
        return [Phase(now, to)]
    return [Phase(now, here.state, to, here.since), Phase(now + seconds, to)]


def restarting(here: Phase, now: float, tempo: Tempo, *, failing: bool = False) -> list[Phase]:
    """It stops, and then it starts."""
    stopped = now + tempo.stop
    phases = starting(stopped, tempo, failing=failing)
    return [Phase(now, here.state, "offline", here.since), *phases] if tempo.stop > 0 else phases
