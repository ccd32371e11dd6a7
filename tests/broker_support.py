"""A client of the broker that keeps to no rule, a listener in the broker's place, and the broker's processes from outside.
Format: docs/format-broker.md."""

import array
import collections
import contextlib
import os
import pathlib
import resource
import select
import socket
import struct
import threading

from envseal_support import SECRETS, is_alive, wait_until
from terminal_support import children_of

(HELLO, ANSWER, REFUSED, STATUS, LOCKED, QUESTION, GONE, JUDGED, SYNC, WORK, BEGUN, SIGNAL, CONTINUED, BEGIN, STOP, TELL_GROUP,
 END, ASK, PERMITTED, GRANTED, WATCHED, WORKER, LOCK, NOTIFY) = range(1, 25)
KINDS = range(1, 25)
FOR_STATUS, FOR_LOCK, FOR_WATCH, FOR_WORK = range(1, 5)
APPROVED, DENIED, COOL_DOWN = range(1, 4)
VERSION = 1
WORK_BYTES_MAX = 8 << 20
EXIT_SECONDS = 30

Message = collections.namedtuple("Message", "kind payload")
Question = collections.namedtuple("Question", "id age left nonce approval")


# ------------------------------------------------------------------------------------------------------------ the format


def u32(value):
    return struct.pack("<I", value)


def string(data):
    data = data if isinstance(data, bytes) else data.encode()
    return u32(len(data)) + data


def frame(kind, payload=b""):
    return struct.pack("<IB", len(payload), kind) + payload


def hello(vault, purpose, version=VERSION):
    folder = vault.dir.stat()
    return frame(HELLO, struct.pack("<BBQQ", version, purpose, folder.st_dev, folder.st_ino))


def numbers(kind, first=0, second=0):
    return frame(kind, struct.pack("<II", first & 0xffffffff, second & 0xffffffff))


def answer(number, verdict=APPROVED, choice=0, takes_values=0, voucher=bytes(32)):
    return frame(ANSWER, struct.pack("<IBBB", number, verdict, choice, takes_values) + voucher)


def limits():
    return b"".join(struct.pack("<QQ", *(value & (1 << 64) - 1 for value in resource.getrlimit(number))) for number in range(16))


def work(words, environment=(), closed=0, deposit=None, digest=bytes(32), mask=0, ignored=0, umask=0o22, tail=None):
    """A request. `deposit` is a name."""
    form = b"\0" if deposit is None else b"\1" + string(deposit) + digest
    lists = b"".join(u32(len(texts)) + b"".join(map(string, texts)) for texts in (words, environment))
    more = struct.pack("<BQQII", closed, mask, ignored, umask, 16) + limits() if tail is None else tail
    return frame(WORK, form + lists + more)


def question_of(payload):
    number, age, left = struct.unpack_from("<IQQ", payload)
    return Question(number, age, left, payload[20:52], payload[56:])


# ------------------------------------------------------------------------------------------------------------ the client

HEARD = []  # everything that any client or listener here has received


def heard(block):
    HEARD.append(bytes(block))
    return block


def assert_heard_no_value(values=SECRETS.values()):
    everything = b"".join(HEARD)
    for value in values:
        assert value not in everything, "the broker or a client of it has told a value"
    HEARD.clear()


def socket_path(vault):
    return vault.dir / "run" / "broker.sock"


@contextlib.contextmanager
def short(path):
    """The same for bind and connect, whose paths may have 108 bytes."""
    folder = os.open(path.parent, os.O_PATH)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Client:
    """A connection to what listens at the broker's place, which has said nothing yet."""

    def __init__(self, vault, purpose=None):
        self.vault, self.unread = vault, b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(EXIT_SECONDS)
        try:
            with short(socket_path(vault)) as path:
                self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        if purpose:
            self.send(hello(vault, purpose))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data, fds=()):
        """Descriptors go with the first byte. What the other side does not take any more is its affair."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self.socket.sendmsg([data], ancillary)
            if sent < len(data):
                self.socket.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_bytewise(self, data, fds=()):
        for at in range(len(data)):
            self.send(data[at:at + 1], fds if at == 0 else ())

    def block(self):
        try:
            return heard(self.socket.recv(65536))
        except ConnectionResetError:
            return b""

    def is_told(self):
        """Whether something has come, the end too."""
        return bool(self.unread or select.select([self.socket], [], [], 0)[0])

    def next(self):
        """The next message, or None at the end."""
        while len(self.unread) < 5 or len(self.unread) < 5 + struct.unpack_from("<I", self.unread)[0]:
            block = self.block()
            if not block:
                assert not self.unread, f"an end within a message: {self.unread[:80]}"
                return None
            self.unread += block
        length, kind = struct.unpack_from("<IB", self.unread)
        message, self.unread = Message(kind, self.unread[5:5 + length]), self.unread[5 + length:]
        return message

    def expect(self, *kinds):
        message = self.next()
        assert message and message.kind in kinds, f"{message} instead of {kinds}"
        return message

    def expect_end(self):
        message = self.next()
        assert message is None, f"{message} instead of the end"

    def rest(self):
        """Everything that comes until the other side ends it."""
        return list(iter(self.next, None))

    def ask(self, words, fds, environment=("PATH=/usr/bin:/bin",), **more):
        self.send(work(words, environment, **more), fds)


def refusal(message):
    code, = struct.unpack_from("<I", message.payload)
    return code, message.payload[8:].decode()


class Streams:
    """A folder and three standard descriptors for a request: nothing to read, and a file for each output."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.out_path, self.err_path = folder / "stdout", folder / "stderr"
        self.folder = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        self.streams = [os.open(os.devnull, os.O_RDONLY), *(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
                                                            for path in (self.out_path, self.err_path))]

    @property
    def fds(self):
        return [self.folder, *self.streams]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for descriptor in self.fds:
            os.close(descriptor)

    @property
    def out(self):
        return heard(self.out_path.read_bytes())

    @property
    def talk(self):
        return heard(self.err_path.read_bytes()).decode("utf-8", "backslashreplace")


def request(vault, words, closed=(), **more):
    """A request by a client of its own, and what comes of it. -> the last message, stdout, what was said"""
    with Client(vault, FOR_WORK) as client, Streams(vault.work) as streams:
        fds = [streams.folder, *(fd for number, fd in enumerate(streams.streams) if number not in closed)]
        client.ask(words, fds, closed=sum(1 << number for number in closed), **more)
        message = client.next()
        while message and message.kind == BEGIN:
            client.send(frame(BEGUN))
            message = client.next()
        return message, streams.out, streams.talk


def ended(message):
    """-> status, signal"""
    assert message and message.kind == END, message
    return struct.unpack("<II", message.payload)


# --------------------------------------------------------------------------------------------------------- its processes


def comm_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Broker:
    """The processes of a vault's broker, as anybody may see them."""

    def __init__(self, vault):
        self.vault = vault
        self.keeper = vault.broker()["pid"]
        fronts = [pid for pid in children_of(self.keeper) if comm_of(pid) == "envseal-front"]
        assert len(fronts) == 1, fronts
        self.front = fronts[0]

    def workers(self):
        return [pid for pid in children_of(self.keeper) if comm_of(pid) == "envseal-worker" and is_alive(pid)]

    def kilobytes(self, pid):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def wait_quiet(self):
        """Until no request is worked on any more."""
        wait_until(lambda: not self.workers())

    def assert_unharmed(self, run):
        """It answers, does what it may, and is the one it was. `run` is a permitted command line."""
        status = self.vault.broker()
        assert status["state"] == "unlocked" and status["pid"] == self.keeper, status
        result = self.vault.run(*run, passphrase=False)
        assert result.status == 0, result
        assert is_alive(self.front) and comm_of(self.front) == "envseal-front"


def open_many():
    """As many descriptors as this process may have. -> their number"""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


# ---------------------------------------------------------------------------------------- something in the broker's place


class Listener:
    """Listens at the broker's path and serves every connection by `serve(client)`, in threads of its own. What it is sent is kept,
    and noted as heard."""

    def __init__(self, vault, serve):
        self.vault, self.serve, self.received = vault, serve, bytearray()
        path = socket_path(vault)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        with short(path) as name:
            self.socket.bind(name)
        path.chmod(0o600)
        self.socket.listen(64)
        self.threads, self.connections = [threading.Thread(target=self.accept, daemon=True)], []
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self.attend, args=[Served(self, connection)], daemon=True)
            self.threads.append(thread)
            thread.start()

    def attend(self, served):
        try:
            self.serve(served)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for closing in (self.socket, *self.connections):
            try:
                closing.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            closing.close()
        for thread in self.threads:
            thread.join(EXIT_SECONDS)
        socket_path(self.vault).unlink(missing_ok=True)


class Served:
    """A connection that a Listener has."""

    def __init__(self, listener, connection):
        self.listener, self.socket, self.unread, self.has_ended = listener, connection, b"", False

    def send(self, data):
        self.socket.sendall(data)

    def next(self):
        while len(self.unread) < 5 or len(self.unread) < 5 + struct.unpack_from("<I", self.unread)[0]:
            block, fds, _, _ = socket.recv_fds(self.socket, 65536, 8)
            # Held, they would keep the client's terminal and pipes open.
            for descriptor in fds:
                os.close(descriptor)
            self.listener.received += heard(block)
            if not block:
                self.has_ended = True
                return None
            self.unread += block
        length, kind = struct.unpack_from("<IB", self.unread)
        message, self.unread = Message(kind, self.unread[5:5 + length]), self.unread[5 + length:]
        return message

    def rest(self):
        return list(iter(self.next, None))


class Relay(Listener):
    """Between a console of the vault `inner`, which is a copy, and the broker of `outer`. Every message of the console is given to
    `judge(message)`, which says what is to be sent in its place; `shown` are the questions that came by."""

    def __init__(self, inner, outer, judge):
        self.outer, self.judge, self.shown = outer, judge, []
        super().__init__(inner, self.relay)

    def relay(self, served):
        with Client(self.outer) as client:
            back = threading.Thread(target=self.back, args=[client, served], daemon=True)
            back.start()
            while message := served.next():
                if message.kind == HELLO:
                    client.send(hello(self.outer, message.payload[1]))
                else:
                    for data in self.judge(message):
                        client.send(data)
            client.socket.shutdown(socket.SHUT_RDWR)
            back.join(EXIT_SECONDS)

    def back(self, client, served):
        try:
            while message := client.next():
                if message.kind == QUESTION:
                    self.shown.append(question_of(message.payload))
                served.send(frame(*message))
            served.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
