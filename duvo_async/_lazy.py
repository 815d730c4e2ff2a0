"""Names of a package whose modules are loaded when somebody asks for them."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module


def lazily(
    package: str, table: str, rest: Sequence[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Make a package's `__getattr__` and `__dir__` (PEP 562).

    Args:
        package: The package's name.
        table: A line for each of its modules, `module: name name`, with what the package has from
            it. Type checkers are told the same by imports.
        rest: Modules where any other name is looked for, in their order.

    Returns:
        Both.
    """
    lines = [line.split() for line in table.strip().splitlines()]
    modules = {*rest, *(module.removesuffix(":") for module, *_ in lines)}
    homes = {name: module.removesuffix(":") for module, *names in lines for name in names}

    def find(name: str) -> object:
        if name in modules:
            return import_module(f"{package}.{name}")
        public = not name.startswith("_")
        for home in (homes[name],) if name in homes else rest if public else ():
            module = import_module(f"{package}.{home}")
            if hasattr(module, name):
                value: object = getattr(module, name)
                setattr(sys.modules[package], name, value)  # found there by the next who asks
                return value
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def known() -> list[str]:
        module = sys.modules[package]
        return sorted({*vars(module), *module.__all__})

    return find, known
