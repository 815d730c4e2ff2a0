"""What callers hand in: files, and any number of inputs, read as they are needed."""

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol, TypeAlias, TypeVar, cast

from duvo_async._callbacks import invoke

_T = TypeVar("_T")
Inputs: TypeAlias = Iterable[_T] | AsyncIterable[_T]
"""Anything that can be iterated over, however long, read as it is needed."""


class BinaryFile(Protocol):
    """An open file that gives bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most `size` bytes; none at the end."""
        ...


Buffer: TypeAlias = bytes | bytearray | memoryview
UploadSource: TypeAlias = (
    str | os.PathLike[str] | Buffer | BinaryFile | Iterable[Buffer] | AsyncIterable[Buffer]
)
"""A path, bytes, an open binary file, which is read from where it stands, or an iterable of bytes,
asynchronous or not."""

Files: TypeAlias = Iterable[UploadSource] | Mapping[str, UploadSource]
"""Several things to upload; a mapping says where each goes."""


def check_inputs(name: str, inputs: object) -> None:
    """Insist on many.

    Raises:
        TypeError: It is a single text, or cannot be iterated over.
    """
    if isinstance(inputs, (str, bytes, Mapping)):
        kind = type(cast("object", inputs)).__name__
        raise TypeError(f"{name} must be many, not one {kind}: put it in a list")
    if not isinstance(inputs, (Iterable, AsyncIterable)):
        raise TypeError(f"{name} must be an iterable, not {type(inputs).__name__}")


async def numbered(inputs: Inputs[_T]) -> AsyncGenerator[tuple[int, _T], None]:
    """Read inputs one by one, each with its position."""
    if isinstance(inputs, AsyncIterable):
        index = 0
        async for each in inputs:
            yield index, each
            index += 1
        return
    for index, each in enumerate(inputs):
        yield index, each


async def batched(inputs: Inputs[_T], size: int) -> AsyncGenerator[list[_T], None]:
    """Read inputs a batch at a time, a plain iterable of a blocking caller in his thread.

    Args:
        inputs: The inputs.
        size: How many make a batch; the last one may have fewer.
    """
    batch: list[_T] = []
    if not isinstance(inputs, AsyncIterable):
        iterator = cast("Iterator[_T]", await invoke(iter, inputs))

        def take(iterator: Iterator[_T]) -> list[_T]:
            return list(islice(iterator, size))

        while batch := cast("list[_T]", await invoke(take, iterator)):
            yield batch
        return
    async for each in inputs:
        batch.append(each)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
