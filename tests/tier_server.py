"""A server that speaks as much of PostgreSQL's protocol as a client needs for one query."""

import socketserver
import struct
import threading

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104


def message(kind, body):
    return kind + struct.pack("!I", 4 + len(body)) + body


READY = message(b"Z", b"I")
# One column of text, one row.
ANSWER = (message(b"T", struct.pack("!H", 1) + b"a\0" + struct.pack("!IHIHIH", 0, 0, 25, 0xFFFF, 0xFFFFFFFF, 0))
          + message(b"D", struct.pack("!HI", 1, 5) + b"a row") + message(b"C", b"SELECT 1\0") + READY)


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        while (code := self.startup()) in (SSL_REQUEST, GSS_REQUEST):
            self.wfile.write(b"N")
        self.wfile.write(message(b"R", struct.pack("!I", 0)) + message(b"S", b"server_version\00015.0\0") + READY)
        while (kind := self.rfile.read(1)) == b"Q":
            self.rfile.read(struct.unpack("!I", self.rfile.read(4))[0] - 4)
            self.wfile.write(ANSWER)
        assert kind in (b"X", b"") and code

    def startup(self):
        length, code = struct.unpack("!II", self.rfile.read(8))
        self.rfile.read(length - 8)
        return code


class Database:
    def __init__(self):
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def done(self):
        self.server.shutdown()
        self.server.server_close()
