"""Sources of the data set that are all closed, and a server on this machine to open one."""

import gzip
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import small
from torchvision.datasets import FashionMNIST

from fashion_mnist.data import sources
from fashion_mnist.data.idx import FILES


@pytest.fixture(scope="session")
def content():
    return small.content(train=20, test=10)


@pytest.fixture(scope="session")
def digests(content):
    return small.digests_of(content)


@pytest.fixture(scope="session")
def server(content):
    """The address of a server that answers by the first part of the path."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            _, way, name = self.path.split("/")
            body = {f"{FILES[key]}.gz": gzip.compress(content[key]) for key in FILES}[name]
            if way == "forbidden":
                return self.send_error(403)
            if way == "page":
                body = b"<!DOCTYPE html><html>403</html>"
            if way == "wrong":
                body = gzip.compress(b"digits")
            if way == "bomb":
                body = gzip.compress(bytes(sources.LARGEST_OFFICIAL + 1), 1)
            self.send_response(200)
            if way != "endless":
                self.send_header("Content-Length", str(len(body) + (way == "short")))
            self.end_headers()
            if way == "slow":  # a byte now and then, so that it is never silent
                with suppress(ConnectionError):
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        over.wait(0.02)
                return None
            if way == "endless":
                with suppress(ConnectionError):
                    while not over.is_set():
                        self.wfile.write(bytes(1 << 20))
                return None
            return self.wfile.write(body[: len(body) // 2] if way == "cut" else body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        over.set()
        made.shutdown()


@pytest.fixture
def silent(monkeypatch):
    """The address of a socket that accepts and never answers."""
    monkeypatch.setattr(sources, "SILENCE_SECONDS", 3.0)  # in which a busy machine answers, too
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.fixture
def closed():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.fixture
def alone(monkeypatch, tmp_path, closed):
    """No source is open; each test opens those that it is about."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sources, "DEBIAN_FOLDER", tmp_path / "no datasets")
    monkeypatch.setattr(FashionMNIST, "mirrors", [closed])
    monkeypatch.setattr(sources, "SILENCE_SECONDS", 60.0)
