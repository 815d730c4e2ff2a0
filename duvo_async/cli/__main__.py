"""`python -m duvo_async.cli` is the `duvo-async` command."""

from duvo_async.cli import main

main()
