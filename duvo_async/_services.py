"""Who does for a client what takes more than one call.

Each is loaded and made when it is first needed: most scripts need none of them to begin with.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from duvo_async._hints import HintSource, Peers
from duvo_async._session import Session
from duvo_async.errors import ClientClosedError

if TYPE_CHECKING:
    from duvo_async.answering import Answers
    from duvo_async.filling import Filler
    from duvo_async.uploading import Uploader
    from duvo_async.waiting import Waits
    from duvo_async.watching import Watcher


class Services:
    """The services of one client.

    Args:
        session: Makes the calls.
        hints: Tells which runs have news. None if nobody does.
        peers: The other processes that use the key. None when they are not known.
        of: Those of the client that this one is a light one of, which lends its watcher. None for a
            client of its own.
    """

    def __init__(
        self,
        session: Session,
        hints: HintSource | None = None,
        peers: Peers | None = None,
        of: "Services | None" = None,
    ) -> None:
        self.session: Session = session
        self._hints = hints
        self._peers = peers
        self._of = of
        self._closed = False
        if hints is not None:
            _ = self.watcher  # which listens from now on

    @cached_property
    def watcher(self) -> "Watcher":
        """Looks how runs are getting on.

        Raises:
            ClientClosedError: It would come too late.
        """
        if self._closed:
            raise ClientClosedError("this client is closed: make a new one")
        from duvo_async.watching import Watcher  # noqa: PLC0415 - as said above

        if self._of is not None:
            return self._of.watcher
        return Watcher(self.session, self._hints, self._peers)

    @cached_property
    def answers(self) -> "Answers":
        """Answers what runs ask."""
        from duvo_async.answering import Answers  # noqa: PLC0415

        return Answers(self.session)

    @cached_property
    def waits(self) -> "Waits":
        """Waits for runs."""
        from duvo_async.waiting import Waits  # noqa: PLC0415

        return Waits(self.session, self.watcher, self.answers)

    @cached_property
    def uploader(self) -> "Uploader":
        """Uploads a file."""
        from duvo_async.uploading import Uploader  # noqa: PLC0415

        return Uploader(self.session)

    @cached_property
    def filler(self) -> "Filler":
        """Uploads many files."""
        from duvo_async.filling import Filler  # noqa: PLC0415

        return Filler(self.session, self.uploader)

    async def close(self) -> None:
        """End all waits with an error."""
        self._closed = True
        if "watcher" in vars(self):
            await self.watcher.close()
