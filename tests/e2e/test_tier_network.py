"""What a program in lockdown reaches: the endpoints it was given, under their own names, and nothing else."""

import http.server
import subprocess
import threading

import pytest

from envseal_support import direct_only

pytestmark = [
    pytest.mark.mechanism,
    direct_only("the broker asks for a rule for each of these runs; what enters the sandbox is the same code"),
    pytest.mark.skipif(subprocess.run(["unshare", "-Urn", "true"], capture_output=True).returncode != 0,
                       reason="no user namespaces here")]

COULD_NOT_CONNECT, COULD_NOT_RESOLVE = 7, 6


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"from outside")

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def fetch(vault, network, url, status):
    return vault.run("run", "-s", "API_TOKEN", "--tier", "lockdown", "--net", *network, "--", "curl", "-s", url, status=status)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_an_endpoint_is_reached_and_nothing_else(vault, port, host):
    allowed = ["allow", f"{host}:{port}"]
    assert fetch(vault, allowed, f"http://{host}:{port}/", 0).out == b"from outside"
    fetch(vault, allowed, f"http://{host}:{port - 1}/", COULD_NOT_CONNECT)
    fetch(vault, allowed, f"http://127.0.0.2:{port}/", COULD_NOT_CONNECT)
    fetch(vault, allowed, "http://example.invalid/", COULD_NOT_RESOLVE)


@pytest.mark.parametrize("network", ["none", "loopback"])
def test_without_endpoints_nothing_is_reached(vault, port, network):
    fetch(vault, [network], f"http://127.0.0.1:{port}/", COULD_NOT_CONNECT)
