"""How a blocking object mirrors an asynchronous one: the same names, arguments and docstrings."""

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from functools import partial, wraps
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar

from duvo_async._bridge import Bridge
from duvo_async._items import AsyncItems

_P = ParamSpec("_P")
_T = TypeVar("_T")
_A = TypeVar("_A")
_A_co = TypeVar("_A_co", covariant=True)


class Items(Generic[_T]):
    """An iterable of items that arrive in batches: `for item in items`.

    Each `for` starts from the beginning.
    """

    __slots__ = ("_bridge", "_items")

    def __init__(self, bridge: Bridge, items: AsyncItems[_T]) -> None:
        self._bridge = bridge
        self._items = items

    def __iter__(self) -> Iterator[_T]:
        """Read the items one by one."""
        for batch in self.pages():
            yield from batch

    def pages(self) -> Iterator[Sequence[_T]]:
        """Read the items in the batches in which they arrive."""
        batches = self._items.pages()
        try:
            while (batch := self._bridge.run(partial(_step, batches))) is not None:
                yield batch
        finally:
            self._bridge.discard(batches.aclose)


async def _step(batches: AsyncGenerator[_T, None]) -> _T | None:
    return await anext(batches, None)


class Mirror(Generic[_A_co]):
    """The blocking face of an asynchronous object."""

    __slots__ = ("_bridge", "_mirrored")

    def __init__(self, bridge: Bridge, mirrored: _A_co) -> None:
        self._bridge = bridge
        self._mirrored = mirrored

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: its thread is this process's."""
        raise TypeError("a client cannot be pickled: make one in the process that uses it")


def blocking(
    method: Callable[Concatenate[_A, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate["Mirror[_A]", _P], _T]:
    """Mirror a coroutine method: the same name, parameters and docstring."""

    @wraps(method)
    def call(self: "Mirror[_A]", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._bridge.run(partial(method, self._mirrored, *args, **kwargs))  # pyright: ignore[reportPrivateUsage] - one family

    return call


def blocking_items(
    method: Callable[Concatenate[_A, _P], AsyncItems[_T]],
) -> Callable[Concatenate["Mirror[_A]", _P], Items[_T]]:
    """Mirror a method that gives an async iterable: the same, to be read with `for`."""

    @wraps(method)
    def call(self: "Mirror[_A]", /, *args: _P.args, **kwargs: _P.kwargs) -> Items[_T]:
        return Items(self._bridge, method(self._mirrored, *args, **kwargs))  # pyright: ignore[reportPrivateUsage] - one family

    _show_items(call, method)
    return call


def _show_items(call: Any, method: Callable[..., Any]) -> None:  # noqa: ANN401 - a function
    """Let the mirror's signature and docstring speak of `Items` and `for`."""
    signature = inspect.signature(method)
    returned = Items.__class_getitem__(signature.return_annotation.__args__)  # type: ignore[attr-defined] # Generic's
    del call.__wrapped__  # else the mirrored signature would be shown
    call.__signature__ = signature.replace(return_annotation=returned)
    call.__annotations__ = {**method.__annotations__, "return": returned}
    call.__doc__ = (method.__doc__ or "").replace("async for", "for").replace("An async", "An")
