"""Which files a list of sources stands for, and where each of them goes.

Folders are walked and patterns matched, without opening a file. It blocks: run it in a thread.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from glob import has_magic
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias, cast

from attrs import frozen

from duvo_async._inputs import Files, UploadSource
from duvo_async._places import folders_above, remote_folder, remote_path
from duvo_async._reading import Source
from duvo_async._sources import check_source, name_of
from duvo_async.errors import UploadSourceError

_Identity: TypeAlias = tuple[int, int]
_Level: TypeAlias = "tuple[Iterator[os.DirEntry[str]], str, frozenset[_Identity]]"


@frozen
class Planned:
    """A file that is to be uploaded, or something that should be and cannot.

    Attributes:
        label: What it is called here; empty when it has no name.
        path: Where it goes. None when that cannot be told.
        source: What to open when its turn comes.
        regular: Whether it is a regular file, which opens at once and has a size.
        size: The regular file's bytes.
        error: Why it cannot be uploaded.
    """

    label: str
    path: str | None
    source: UploadSource | Source = b""
    regular: bool = False
    size: int = 0
    error: UploadSourceError | None = None


def plan(files: Files, to: str) -> list[Planned]:
    """Find the files that sources stand for.

    Args:
        files: Paths of files, folders and patterns; bytes, open files and iterables. In a mapping,
            where each goes: a file there, what is in a folder or matches a pattern below it.
        to: The folder in the sandbox below which relative paths are.

    Returns:
        The files, in the order of the sources, a folder's by name. A file that several sources lead
        to is in it once.

    Raises:
        ValueError: Two files would go to one path, or a path is no place for a file.
        TypeError: Something among them cannot be uploaded.
    """
    folder = remote_folder(to)
    planned: dict[str, Planned] = {}
    lent: set[int] = set()
    for target, source in _with_targets(files):
        check_source(source)
        if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
            if id(source) in lent:
                raise ValueError("one source is given twice: it can be read by one at a time")
            lent.add(id(source))
        for each in _expand(source, target, folder):
            # What has no place has a key of its own, which is no path.
            other = planned.setdefault(each.path or str(len(planned)), each)
            if other is not each and not _same_file(other, each):
                raise ValueError(f"two files would go to {each.path}: say where with a mapping")
    _check_folders([path for path, each in planned.items() if each.error is None])
    return [*planned.values()]


def _same_file(one: Planned, other: Planned) -> bool:
    paths = isinstance(one.source, str) and isinstance(other.source, str)
    return paths and Path(one.label).resolve() == Path(other.label).resolve()


def _check_folders(paths: Sequence[str]) -> None:
    """Find a path that would be a file's, and a folder's of other files."""
    folders = folders_above(paths)
    for path in paths:
        if path in folders:
            raise ValueError(f"{path} would be a file and a folder: say where with a mapping")


def _with_targets(files: Files) -> Iterator[tuple[str | None, UploadSource]]:
    if isinstance(files, Mapping):
        yield from cast("Mapping[str, UploadSource]", files).items()
    else:
        for source in files:
            yield None, source


def _expand(source: UploadSource, target: str | None, folder: str) -> Iterator[Planned]:
    if not isinstance(source, (str, os.PathLike)):
        name = name_of(source)
        size = len(source) if isinstance(source, (bytes, bytearray)) else 0
        yield Planned(name, remote_path(target, name, folder), source, size=size)
        return
    label = os.fspath(source)
    try:
        found = os.stat(label)  # noqa: PTH116 - the text may be no path at all
    except (OSError, ValueError) as error:
        if has_magic(label):
            yield from _match(label, folder if target is None else remote_folder(target, folder))
        else:
            yield _unreadable(label, None, error)
        return
    name = Path(label).name
    try:
        if not stat.S_ISDIR(found.st_mode):
            yield _file(label, remote_path(target, name, folder), found)
            return
        own = name if name not in {"", ".."} else "."
        below = remote_folder(own if target is None else target, folder)
    except ValueError as error:
        if target is not None:
            raise
        yield _unreadable(label, None, error)  # for its name, as in a folder
    else:
        yield from _walk(label, below, found, frozenset())


def _match(pattern: str, folder: str) -> Iterator[Planned]:
    """Expand a pattern; what it matches keeps its path below the pattern's fixed part."""
    parts = Path(pattern).parts
    base = Path(*takewhile(lambda part: not has_magic(part), parts))
    rest = Path(*parts[len(base.parts) :])
    if any("**" in part and part != "**" for part in rest.parts):  # newer Pythons take it for "*"
        yield _unreadable(pattern, None, ValueError("'**' must be all of a part"))
        return
    try:
        matches = sorted(base.glob(str(rest)))
    except (OSError, ValueError, NotImplementedError) as error:
        yield _unreadable(pattern, None, error)
        return
    if not matches:
        yield _unreadable(pattern, None, FileNotFoundError("no file matches it"))
    walked: Path | None = None
    for match in matches:
        if walked is None or not match.is_relative_to(walked):  # else it was found in there
            walked = match if match.is_dir() else walked
            yield from _matched(match, base, folder)


def _matched(match: Path, base: Path, folder: str) -> Iterator[Planned]:
    below = match.relative_to(base)
    label = str(match)
    try:
        path = remote_folder(below.as_posix(), folder)
        found = match.stat()
        if not stat.S_ISDIR(found.st_mode):
            yield _found(label, path, found)
            return
        above = frozenset(_identity((base / parent).stat()) for parent in below.parents)
    except (OSError, ValueError) as error:
        yield _unreadable(label, None, error)
    else:
        yield from _walk(label, path, found, above)


def _walk(
    folder: str, path: str, status: os.stat_result, above: frozenset[_Identity]
) -> Iterator[Planned]:
    """Find the files in a folder and in all below it, by name, following links."""
    found = _enter(folder, path, status, above)
    if isinstance(found, Planned):
        yield found
        return
    levels = [found]
    while levels:
        entries, place, ancestors = levels[-1]
        for entry in entries:
            found = _look_at(entry, place, ancestors)
            if not isinstance(found, Planned):
                levels.append(found)
                break
            yield found
        else:
            levels.pop()


def _look_at(
    entry: "os.DirEntry[str]", folder: str, ancestors: frozenset[_Identity]
) -> "_Level | Planned":
    path = None
    try:
        path = remote_path(None, entry.name, folder)
        status = entry.stat()
    except (OSError, ValueError) as error:
        return _unreadable(entry.path, path, error)
    if stat.S_ISDIR(status.st_mode):
        return _enter(entry.path, path, status, ancestors)
    return _found(entry.path, path, status)


def _enter(
    folder: str, path: str, status: os.stat_result, above: frozenset[_Identity]
) -> "_Level | Planned":
    """Begin with a folder, unless it is one of those that lead to it: links can make a circle."""
    identity = _identity(status)
    if identity in above:
        return _unreadable(folder, path, ValueError("it is a link to a folder that it is in"))
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        return _unreadable(folder, path, error)
    return iter(found), path, above | {identity}


def _file(label: str, path: str, status: os.stat_result) -> Planned:
    return Planned(label, path, label, stat.S_ISREG(status.st_mode), status.st_size)


def _found(label: str, path: str, status: os.stat_result) -> Planned:
    """Plan what nobody named by itself: a pipe among it would be waited for without end."""
    if not stat.S_ISREG(status.st_mode):
        return _unreadable(label, path, ValueError("it is no regular file"))
    return _file(label, path, status)


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _unreadable(label: str, path: str | None, error: Exception) -> Planned:
    reason = getattr(error, "strerror", None) or str(error)
    failure = UploadSourceError(f"cannot read {label or repr('')}: {reason}")
    return Planned(label, path, error=failure)
