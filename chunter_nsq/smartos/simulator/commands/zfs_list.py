"""zfs list, get and holds: what there is in the pool."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.bookmarks import SIGN, bookmark_named, bookmarks
from chunter_nsq.smartos.simulator.host import facts
from chunter_nsq.smartos.simulator.pool import Dataset, Pool, Snapshot
from chunter_nsq.smartos.simulator.process import Refused
from chunter_nsq.smartos.simulator.zfsvalues import ALL, SHORT, View, human

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from chunter_nsq.smartos.simulator.process import Process
    from chunter_nsq.smartos.simulator.zfsvalues import Item

WRITTEN = "written@"
LIST_COLUMNS = "name,used,available,referenced,mountpoint"
TYPES = {"filesystem", "volume", "snapshot"}
TEXT_COLUMNS = frozenset({"name", "mountpoint", "type", "origin", "creation", "property", "value", "source"})


class Options:
    """Flags, valued options and names of ``zfs list``, ``get`` and ``holds``."""

    def __init__(self, words: list[str], valued: str) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, list[str]] = {}
        self.names: list[str] = []
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if not word.startswith("-") or word == "-":
                self.names.append(word)
                continue
            for at, letter in enumerate(word[1:], start=1):
                if letter not in valued:
                    self.flags.add(letter)
                    continue
                value = word[at + 1 :] or (rest.pop(0) if rest else None)
                if value is None:
                    raise Refused(f"missing argument for '{letter}' option", 2)
                self.values.setdefault(letter, []).append(value)
                break

    def depth(self) -> int | None:
        """How many levels below the names: None for all of them."""
        if "d" in self.values:
            return int(self.values["d"][-1])
        return None if "r" in self.flags else 0

    def types(self) -> set[str] | None:
        """The kinds asked for; None when nothing was said."""
        if "t" not in self.values:
            return None
        words = {word for value in self.values["t"] for word in value.split(",")}
        words = {{"snap": "snapshot", "fs": "filesystem", "vol": "volume"}.get(word, word) for word in words}
        if "all" in words:
            return TYPES | {"bookmark"}
        bad = words - TYPES - {"bookmark"}
        if bad:
            raise Refused(f"invalid type '{min(bad)}'", 2)
        return words


class Listing:
    """The pool, open for reading."""

    def __init__(self, root: str) -> None:
        self.pool = Pool(root)
        self.view = View(self.pool.datasets(), facts(root)["pool_size_bytes"], self.pool.clones)

    def pick(self, options: Options, names: list[str], types: set[str] | None) -> tuple[list[Item], list[str]]:
        """The items that are meant, and a complaint for each name that is not there."""
        found: list[Item] = []
        complaints: list[str] = []
        if not names:
            found = self._below(sorted({name.split("/")[0] for name in self.view.datasets}), None, types)
        for name in names:
            dataset, _, short = name.partition("@")
            if short or SIGN in name:
                snapshot = bookmark_named(self.pool, name) if SIGN in name else self.pool.snapshot_of(dataset, short)
                if snapshot is None:
                    complaints.append(f"cannot open '{name}': dataset does not exist")
                else:
                    found.append(snapshot)
            elif dataset not in self.view.datasets:
                complaints.append(f"cannot open '{name}': dataset does not exist")
            else:
                found += self._below([dataset], options.depth(), types)
        return found, complaints

    def _below(self, roots: list[str], depth: int | None, types: set[str] | None) -> list[Item]:
        kinds = types if types is not None else {"filesystem", "volume"}
        found: list[Item] = []
        for root in roots:
            level = root.count("/")
            inside = [
                one
                for name, one in self.view.datasets.items()
                if (name == root or name.startswith(root + "/")) and (depth is None or name.count("/") - level <= depth)
            ]
            found += [one for one in inside if one.type in kinds]
            if "snapshot" in kinds:
                found += self._snapshots(root, level, depth, types)
            if "bookmark" in kinds:
                found += [mark for one in inside for mark in bookmarks(one) if depth != 0 or types == {"bookmark"}]
        return found

    def _snapshots(self, root: str, level: int, depth: int | None, types: set[str] | None) -> list[Item]:
        if depth == 0:
            depth = 1 if types == {"snapshot"} else 0
            if depth == 0:
                return []
        snapshots = self.pool.snapshots(root, below=depth is None or depth > 1)
        return [one for one in snapshots if depth is None or one.dataset.count("/") - level < depth]


def list_items(process: Process, words: list[str]) -> int:
    """``zfs list``."""
    options = Options(words, "odstS")
    listing = Listing(process.root)
    types = options.types()
    items, complaints = listing.pick(options, options.names, types)
    columns = [SHORT.get(name, name) for value in options.values.get("o", [LIST_COLUMNS]) for name in value.split(",")]
    _check(columns)
    items = _sorted(listing.view, items, options)
    exact = "p" in options.flags
    rows = [[_cell(listing.view, item, column, exact=exact) for column in columns] for item in items]
    for complaint in complaints:
        process.err(complaint)
    if not rows and not complaints and "H" not in options.flags:
        process.err("no datasets available")
    _print(process, [_title(column) for column in columns], rows, columns, bare="H" in options.flags)
    return 1 if complaints else 0


def _check(columns: list[str]) -> None:
    probe = Dataset(("zones", "filesystem", 0, 0, 0, "", 0, 0, 0, None))
    view = View([probe], 0, lambda _name: [])
    for column in columns:
        try:
            view.value(probe, column)
        except KeyError:
            raise Refused(f"bad property list: invalid property '{column}'\nusage: zfs list|get ...", 2) from None


def _sorted(view: View, items: list[Item], options: Options) -> list[Item]:
    def place(item: Item) -> tuple[object, ...]:
        dataset = item.dataset if isinstance(item, Snapshot) else item.name
        return (
            (*dataset.split("/"), "") if not isinstance(item, Snapshot) else (*dataset.split("/"), "", item.createtxg)
        )

    items = sorted(
        items, key=lambda item: [str(part) if not isinstance(part, int) else f"{part:020d}" for part in place(item)]
    )
    for letter, backwards in (("s", False), ("S", True)):
        for name in reversed(options.values.get(letter, [])):
            prop = SHORT.get(name, name)
            tie = [(item.createtxg if prop == "creation" else 0) for item in items]
            keyed = list(zip(items, tie, strict=True))
            keyed.sort(key=lambda pair: (_order(view.value(pair[0], prop)[0]), pair[1]), reverse=backwards)
            items = [item for item, _ in keyed]
    return items


def _order(value: str) -> tuple[int, int, str]:
    return (0, int(value), "") if value.isdigit() else (1, 0, value)


def _cell(view: View, item: Item, column: str, *, exact: bool) -> str:
    value = view.value(item, column)[0]
    return value if exact else human(column, value)


def _title(column: str) -> str:
    names = {long: short for short, long in SHORT.items()}
    return names.get(column, column).upper()


def _print(process: Process, titles: list[str], rows: list[list[str]], columns: list[str], *, bare: bool) -> None:
    if bare:
        process.out("".join("\t".join(row) + "\n" for row in rows))
        return
    if not rows:
        return
    table = [titles, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(titles))]
    for row in table:
        cells = [
            cell.ljust(width) if column in TEXT_COLUMNS else cell.rjust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        process.line("  ".join(cells).rstrip())


def get(process: Process, words: list[str]) -> int:
    """``zfs get``."""
    options = Options(words, "odsta")
    if not options.names:
        raise Refused("missing property argument\nusage: zfs get ...", 2)
    wanted, *names = options.names
    listing = Listing(process.root)
    types = options.types()
    items, complaints = listing.pick(
        options,
        names,
        types if types is not None else set(TYPES) if "r" in options.flags or "d" in options.values else None,
    )
    names_asked = ALL if wanted == "all" else [SHORT.get(name, name) for name in wanted.split(",")]
    _check([name for name in names_asked if not name.startswith(WRITTEN)])
    columns = (options.values.get("o") or ["name,property,value,source"])[-1].split(",")
    if columns == ["all"]:
        columns = ["name", "property", "received", "value", "source"]
    sources = set((options.values.get("s") or [""])[-1].split(",")) - {""}
    rows = []
    for item in items:
        for prop in [*names_asked, *_user_properties(item, wanted)]:
            since = prop.startswith(WRITTEN)
            value, source = _written(process.root, listing, item, prop) if since else listing.view.value(item, prop)
            if wanted == "all" and value == "-":
                continue
            if sources and not ({"none" if source == "-" else source.split(" ")[0]} & sources):
                continue
            shown = value if "p" in options.flags else human(prop, value)
            row = {"name": item.name, "property": prop, "value": shown, "source": source, "received": "-"}
            rows.append([row[column] for column in columns])
    for complaint in complaints:
        process.err(complaint)
    _print(process, [column.upper() for column in columns], rows, ["name"] * len(columns), bare="H" in options.flags)
    return 1 if complaints else 0


def _written(root: str, listing: Listing, item: Item, prop: str) -> tuple[str, str]:
    """``written@snapshot``: how much of a dataset's files is new since then."""
    snapshot = None if isinstance(item, Snapshot) else listing.pool.snapshot_of(item.name, prop.removeprefix(WRITTEN))
    if snapshot is None:
        return "-", "-"
    from chunter_nsq.smartos.simulator import contents  # noqa: PLC0415 - rarely somebody asks

    now = contents.live(root, listing.pool, snapshot.dataset) or {}
    then = contents.kept(root, snapshot) or {}
    changed = [path for path in now.keys() | then.keys() if now.get(path) != then.get(path)]
    return str(sum(512 + len(str(now.get(path, [""])[-1])) for path in changed)), "-"


def _user_properties(item: Item, wanted: str) -> list[str]:
    return [name for name in item.local if ":" in name] if wanted == "all" else []


def holds(process: Process, words: list[str]) -> int:
    """``zfs holds``."""
    options = Options(words, "")
    pool = Pool(process.root)
    rows, missing = [], []
    for name in options.names:
        dataset, _, short = name.partition("@")
        snapshot = pool.snapshot_of(dataset, short)
        if snapshot is None:
            missing.append(f"cannot open '{name}': dataset does not exist")
            continue
        inside = pool.snapshots(dataset, below=True) if "r" in options.flags else [snapshot]
        for one in inside:
            if one.short == short:
                rows += [[one.name, tag, _moment(at)] for tag, at in one.holds.items()]
    for complaint in missing:
        process.err(complaint)
    _print(process, ["NAME", "TAG", "TIMESTAMP"], rows, ["name"] * 3, bare="H" in options.flags)
    return 1 if missing else 0


def _moment(seconds: float) -> str:
    return time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(seconds))


def shorts(names: Iterable[str]) -> list[str]:
    """The part after ``@`` of each name."""
    return [name.partition("@")[2] for name in names]
