"""How operators name services: an FMRI, the end of one, a service without its instance, a shell's pattern."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

WILD = frozenset("*?[")


def matches(pattern: str, fmri: str) -> bool:
    """Whether the pattern (``svc:/network/ssh``, ``network/ssh``, ``ssh:default``, ``*ssh*``) means this service."""
    scheme, _, rest = fmri.partition(":/")
    if pattern.startswith(("svc:/", "lrc:/")):
        if pattern[:3] != scheme:
            return False
        if not WILD & set(pattern):
            return pattern in (fmri, service_of(fmri))
    elif not WILD & set(pattern):
        return _ends(pattern, rest, scheme)
    return _globbed(pattern, fmri, rest)


def service_of(fmri: str) -> str:
    """The FMRI without its instance."""
    return fmri.rpartition(":")[0] if fmri.startswith("svc:/") and fmri.count(":") > 1 else fmri


def matching(pattern: str, fmris: Iterable[str]) -> list[str]:
    """Those that the pattern means."""
    return [fmri for fmri in fmris if matches(pattern, fmri)]


def _ends(pattern: str, rest: str, scheme: str) -> bool:
    """``a/b:i`` is named by whole parts from its end: ``a/b``, ``b``, ``b:i``, ``i``."""
    service, colon, instance = rest.rpartition(":") if scheme == "svc" else (rest, "", "")
    for whole in (rest, service):
        if whole == pattern or whole.endswith("/" + pattern):
            return True
    return bool(colon) and pattern == instance


def _globbed(pattern: str, fmri: str, rest: str) -> bool:
    from fnmatch import fnmatchcase  # noqa: PLC0415 - most patterns do without it

    shapes = {fmri, rest, service_of(fmri), service_of(fmri).partition(":/")[2], rest.rpartition(":")[2]}
    return any(fnmatchcase(shape, pattern) for shape in shapes)
