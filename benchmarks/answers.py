"""What the benchmarks' server answers: the API's answers, written literally."""

import json
from random import Random
from uuid import UUID

RUN_IDS = [str(UUID(int=Random(number).getrandbits(128))) for number in range(1000)]  # noqa: S311 - ids
"""The runs that are asked for by turns: URLs are cached, and nobody reads one run all the time."""
RUN_ID = RUN_IDS[0]
AGENT_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MOMENT = "2026-01-15T12:00:00.000Z"
PAGE = 50
"""Messages a page."""
RUN = {
    "id": RUN_ID,
    "agent_id": AGENT_ID,
    "build_id": "16fd2706-8baf-433b-82eb-8c7fada847da",
    "status": "running",
    "source": "api",
    "sandbox_id": None,
    "started_at": MOMENT,
    "completed_at": None,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "human_in_the_loop_enabled": True,
}
_SPOKEN = (
    {
        "type": "text",
        "role": "user",
        "text_content": "Reconcile the orders of last week with the invoices; say what is missing.",
    },
    {
        "type": "tool_call",
        "role": "assistant",
        "tool_call": {
            "id": "call_1",
            "name": "read_sheet",
            "arguments": {"path": "/workspace/orders.csv", "rows": [1, 200], "header": True},
        },
    },
    {
        "type": "tool_result",
        "role": "tool",
        "tool_result": {
            "tool_call_id": "call_1",
            "result": {"rows": 200, "columns": ["id", "sum"]},
        },
    },
    {
        "type": "text",
        "role": "assistant",
        "text_content": "Three orders have no invoice: 10047, 10112 and 10198. The sums agree.",
    },
)
MESSAGES = {
    "messages": [
        {"id": f"msg_{number:08}", "timestamp": MOMENT, **_SPOKEN[number % len(_SPOKEN)]}
        for number in range(PAGE)
    ],
    "total": 1234,
    "limit": PAGE,
    "offset": 0,
}
HEADERS = {
    "Content-Type": "application/json",
    "Date": "Thu, 15 Jan 2026 12:00:00 GMT",
    "x-request-id": "req_0123456789abcdef",
    "x-ratelimit-limit": "100000000",
    "x-ratelimit-remaining": "99999999",
    "x-ratelimit-reset": "60",
}


def encoded(value: object) -> bytes:
    """Write JSON as servers do, without blanks."""
    return json.dumps(value, separators=(",", ":")).encode()


def response(body: bytes, status: str = "200 OK") -> bytes:
    """Write a response."""
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
