"""Clients of the emulator in both generations of the API's paths."""

from typing import Any

from duvo_async import AsyncDuvo, Duvo
from duvo_async.emulator import Emulator
from duvo_async.settings import APIVersion

GENERATIONS: tuple[APIVersion, ...] = ("v1", "v2")


def client_of(emulator: Emulator, version: APIVersion) -> AsyncDuvo:
    """Make a client of the emulator."""
    return AsyncDuvo(emulator.api_key, **_settings(emulator, version))


def blocking_client_of(emulator: Emulator, version: APIVersion) -> Duvo:
    """Make a blocking client of the emulator."""
    return Duvo(emulator.api_key, **_settings(emulator, version))


def _settings(emulator: Emulator, version: APIVersion) -> dict[str, Any]:
    return {"base_url": emulator.url, "api_version": version, "team_id": emulator.team_id}
