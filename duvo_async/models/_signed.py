"""URLs that open what they name to anyone who holds them."""


def without_query(url: str) -> str:
    """Keep the signature of a presigned URL out of a repr."""
    base, query, _ = url.partition("?")
    return repr(base + ("?…" if query else ""))
