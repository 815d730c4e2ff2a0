"""The key's rate limit, as the last response told it."""

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class RateLimit:
    """How much of the key's budget is left.

    Attributes:
        limit: Requests that the window allows (300 a minute: API documentation, "Rate Limiting").
        remaining: Requests left in this window, at the time of the response.
        reset_at: When the window starts anew.
    """

    limit: int
    remaining: int
    reset_at: datetime
