"""A small package index in this process, which counts what it is asked."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select
from socket import create_connection, socket
from ssl import SSLContext
from typing import Any, NamedTuple

__all__ = ["Answer", "IndexServer", "Proxy", "file", "running_index", "running_proxy"]

_JSON = "application/vnd.pypi.simple.v1+json"


def file(filename: str, **more: Any) -> dict[str, Any]:
    """A file on a page, as the JSON form has it; *more*: `requires-python` and so on, with `_` for `-`."""
    extra = {name.replace("_", "-"): value for name, value in more.items()}
    return {"filename": filename, "url": f"https://files.example.org/{filename}", "hashes": {}, **extra}


class Answer(NamedTuple):
    """What is answered about a project.

    files: of its page. status: of HTTP. headers: more of them. html: instead of JSON. delay: in s.
    project_status: as PEP 792 has it. body: instead of a page. version: of the format of JSON.
    """

    files: Sequence[dict[str, Any]] = ()
    status: int = 200
    headers: Mapping[str, str] = {}
    html: bool = False
    delay: float = 0
    project_status: str = ""
    body: str = ""
    version: str = "1.4"


class Asked(NamedTuple):
    """A request: the project, and the headers by their lower-case names."""

    project: str
    headers: Mapping[str, str]


class IndexServer:
    """The index: project -> what is answered; what it was *asked*; whom it lets in (`user:password`)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self.user = ""
        self.at_once = 0
        self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def projects(self) -> list[str]:
        """What was asked about, in any order."""
        return sorted(each.project for each in self.asked)


class Proxy:
    """A proxy: which methods and targets it was *asked* for; whom it lets through (`user:password`)."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.asked: list[tuple[str, str]] = []
        self.user = ""


@contextmanager
def running_proxy() -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            if self._is_let_through():
                host, _, port = self.path.rpartition(":")
                with create_connection((host, int(port))) as there:
                    self.send_response(200)
                    self.end_headers()
                    _pass_on(self.connection, there)

        def do_GET(self) -> None:
            if self._is_let_through():
                host, _, rest = self.path.partition("://")[2].partition("/")
                asked = HTTPConnection(host)
                asked.request("GET", f"/{rest}", headers={"Accept": self.headers["Accept"]})
                with asked.getresponse() as answer:
                    body = answer.read()
                    self.send_response(answer.status)
                    self.send_header("Content-Type", str(answer.headers["Content-Type"]))
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                asked.close()

        def _is_let_through(self) -> bool:
            proxy.asked.append((self.command, self.path))
            given = self.headers.get("Proxy-Authorization", "").partition(" ")[2]
            right = not proxy.user or b64decode(given).decode() == proxy.user
            if not right:
                self.send_error(407)
            return right

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as server:
        proxy = Proxy(server.server_port)
        yield proxy


def _pass_on(one: socket, other: socket) -> None:
    """What each of two connections sends goes to the other one, until one ends."""
    ends = {one: other, other: one}
    while True:
        for each in select([*ends], [], [])[0]:
            data = each.recv(1 << 16)
            if not data:
                return
            ends[each].sendall(data)


@contextmanager
def running_index(tls: SSLContext | None = None) -> Iterator[IndexServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            project = self.path.strip("/").rpartition("/")[2]
            with index.lock:
                index.asked.append(Asked(project, headers))
                index.at_once += 1
                index.most_at_once = max(index.most_at_once, index.at_once)
            try:
                self._answer(project, headers)
            finally:
                with index.lock:
                    index.at_once -= 1

        def _answer(self, project: str, headers: Mapping[str, str]) -> None:
            answer = index.answers.get(project, Answer(status=404))
            given = headers.get("authorization", "").partition(" ")[2]
            if index.user and b64decode(given).decode() != index.user:
                answer = Answer(status=401, headers={"WWW-Authenticate": "Basic"})
            time.sleep(answer.delay)
            etag = answer.headers.get("ETag")
            if etag and headers.get("if-none-match") == etag:
                self._send(304, answer.headers, b"", "text/plain")
                return
            kind = "text/html" if answer.html else _JSON
            page = answer.body or (_html(answer) if answer.html else _json(project, answer))
            self._send(answer.status, answer.headers, page.encode(), kind)

        def _send(self, status: int, headers: Mapping[str, str], body: bytes, kind: str) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, tls) as server:
        index = IndexServer(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/simple")
        yield index


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], tls: SSLContext | None = None
) -> Iterator[ThreadingHTTPServer]:
    """A server of *handler* in this process."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that did not wait
            pass

    with Server(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _json(project: str, answer: Answer) -> str:
    status = {"project-status": {"status": answer.project_status}} if answer.project_status else {}
    meta = {"api-version": answer.version}
    return json.dumps({"meta": meta, "name": project, "files": list(answer.files), "versions": [], **status})


def _html(answer: Answer) -> str:
    lines = []
    for each in answer.files:
        marks = ""
        if "requires-python" in each:
            marks += f' data-requires-python="{escape(each["requires-python"])}"'
        if "yanked" in each:
            marks += f' data-yanked="{escape(str(each["yanked"]))}"'
        lines.append(f'<a href="../../files/{each["filename"]}"{marks}>{each["filename"]}</a>')
    return "<!DOCTYPE html><html><body>" + "\n".join(lines) + "</body></html>"
