"""Where files go, in a sandbox and on this machine. Nothing here touches a file."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath
from re import compile as regex

WORKSPACE = "/workspace"
"""Where a run looks for its files (API reference, "Get Upload URLs for a Sandbox")."""


def remote_path(path: str | None, name: str, folder: str = WORKSPACE) -> str:
    """Decide where a file goes.

    Args:
        path: What the caller said: absolute, or relative to the folder. None for the file's name.
        name: The file's name; empty when it has none.
        folder: The absolute path of the folder for it.

    Returns:
        The absolute path.

    Raises:
        ValueError: There is neither a path nor a name, the path leaves its folder, or it has
            control characters or bytes that are no text.
        TypeError: The path is no string.
    """
    wanted = _checked("path", name if path is None else path)
    if not wanted.strip():
        raise ValueError("what is uploaded has no name of its own: give path=")
    pure = PurePosixPath(wanted)
    if ".." in pure.parts or wanted.endswith("/") or not pure.name:
        raise ValueError(f"path {wanted!r} must name a file, without '..'")
    return _joined(folder, pure)


def remote_folder(path: str, folder: str = WORKSPACE) -> str:
    """Decide where a folder goes.

    Args:
        path: What the caller said: absolute, or relative to `folder`; `.` is `folder` itself.
        folder: The absolute path of the folder for it.

    Returns:
        The absolute path.

    Raises:
        ValueError: The path is empty, has `..` in it, control characters or bytes that are no text.
        TypeError: The path is no string.
    """
    wanted = _checked("path", path)
    if not wanted.strip():
        raise ValueError(f"path {wanted!r} must name a folder")
    pure = PurePosixPath(wanted)
    if ".." in pure.parts:
        raise ValueError(f"path {wanted!r} must name a folder, without '..'")
    return _joined(folder, pure)


def local_name(path: str) -> str:
    """Make of the last part of a path a file's name that means nothing else on any system.

    Args:
        path: The path, as the API gives it.

    Returns:
        The name: without separators, drives and characters that Windows refuses, which are
        underscores instead, and neither a device's name nor one of only dots.
    """
    name = _UNSAFE.sub("_", path.rpartition("/")[2]).rstrip(". ")
    if not name:
        return "file"
    return f"_{name}" if _DEVICE.fullmatch(name) else name


_UNSAFE = regex(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f]')
_DEVICE = regex(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?")


def folders_above(paths: Iterable[str]) -> set[str]:
    """Collect the folders that absolute paths lead through."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def _joined(folder: str, path: PurePosixPath) -> str:
    # Two slashes at the start mean something of their own to POSIX, and to nobody else.
    return "/" + str(PurePosixPath(folder) / path).lstrip("/")


def _checked(name: str, text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, not {type(text).__name__}")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError(f"{name} {text!r} has characters that cannot be sent: give another {name}")
    return text
