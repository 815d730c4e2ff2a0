"""What is sent about sandboxes, and what the answers mean."""

from duvo_async._bodies import ByteStream
from duvo_async._converter import DecodeProblem
from duvo_async._operations._fields import filled, is_web_address, post
from duvo_async._protocol import Call, Request, Response, decoded, member
from duvo_async._routes import Routes
from duvo_async.models import Sandbox, SandboxFile, UploadedFile, UploadUrl


def create_sandbox(routes: Routes, *, idempotency_key: str | None) -> Call[Sandbox]:
    """Make a sandbox."""
    return Call(
        Request(method="POST", path=routes.sandboxes(), idempotency_key=idempotency_key),
        lambda response: decoded(response.body, Sandbox),
    )


def create_upload_url(
    routes: Routes, sandbox_id: str, *, path: str, idempotency_key: str | None
) -> Call[UploadUrl]:
    """Ask for a presigned URL."""
    fields = {"path": filled("path", path)}
    return Call(post(routes.upload_urls(sandbox_id), fields, idempotency_key), _upload_url)


def _upload_url(response: Response) -> UploadUrl:
    url = decoded(response.body, UploadUrl)
    if not is_web_address(url.upload_url):
        raise DecodeProblem(("expected an http or https URL @ $.upload_url",))
    return url


def list_files(routes: Routes, sandbox_id: str, *, path: str) -> Call[tuple[SandboxFile, ...]]:
    """List a directory of a sandbox."""
    query = (("path", filled("path", path)),)
    request = Request(method="GET", path=routes.sandbox_files(sandbox_id), query=query)
    return Call(request, lambda response: member(response.body, "files", tuple[SandboxFile, ...]))


def upload_file(routes: Routes, sandbox_id: str, form: ByteStream) -> Call[UploadedFile]:
    """Send a form with a file of at most 10 MB and its path."""
    request = Request(method="POST", path=routes.sandbox_files(sandbox_id), body=form)
    return Call(request, lambda response: decoded(response.body, UploadedFile))
