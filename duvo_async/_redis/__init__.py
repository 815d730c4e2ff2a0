"""A budget that the processes of many machines share, by way of Redis.

With the budget they share what they read of the list of runs: else each would spend on pages what
all of them show to all.
"""

import random
from hashlib import sha256

from duvo_async._hints import Peers
from duvo_async._pacing import Budget
from duvo_async._redis.link import Link, check_installed, place
from duvo_async._redis.peers import RedisPeers
from duvo_async._redis.turns import SharedTurns
from duvo_async._turns import Turns, digest_of, turns_for
from duvo_async.credentials import ClientCredentials, Secret
from duvo_async.settings import Settings


def shared(settings: Settings, url: Secret) -> tuple[Turns, Peers]:
    """Make what the clients of a key share with other processes.

    Args:
        settings: Tell the key and the origin.
        url: Where Redis is.

    Raises:
        ConfigurationError: The package `redis` is not installed.
    """
    check_installed()
    name = f"duvo:{{{digest_of(settings)}}}"

    def make_link() -> Link:
        return Link(url, name)

    def make_turns() -> Turns:
        return SharedTurns(Budget(), make_link, place(url), random.random)

    return turns_for(settings, make_turns), RedisPeers(make_link, f"{name}:pages", _seal(settings))


def _seal(settings: Settings) -> bytes:
    """Make what signs messages of that which only those have who know the credentials."""
    credentials = settings.credentials
    if isinstance(credentials, ClientCredentials):
        credentials = credentials.client_secret
    if not isinstance(credentials, Secret):
        raise TypeError("a callable's tokens are no common secret")  # which the settings refuse
    return sha256(f"duvo-async pages {credentials.reveal()}".encode()).digest()
