"""The `duvo-async` command."""

import sys


def main() -> None:
    """Run the command, or say what it lacks."""
    try:
        # Only the command needs click and rich, so that the library installs without them.
        from duvo_async.cli.app import invoke  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit('duvo-async: the command needs more: python -m pip install "duvo-async[cli]"')
    sys.exit(invoke())
