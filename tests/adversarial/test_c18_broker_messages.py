"""C18: whatever a client sends, how much of it and how often, the broker refuses it or closes, goes on, and stays small."""

import errno
import os
import socket
import struct

import pytest

from broker_support import (ANSWER, APPROVED, BEGIN, BEGUN, END, FOR_STATUS, FOR_WATCH, FOR_WORK, GONE, HELLO, KINDS, QUESTION, REFUSED,
                            SIGNAL, STATUS, SYNC, WORK, WORK_BYTES_MAX, Broker, Client, Streams, answer, assert_heard_no_value, ended,
                            frame, hello, numbers, open_many, question_of, refusal, request, short, string, u32, work)
from envseal_support import binary, seeded, wait_until

TRUE = ["run", "-s", "API_TOKEN", "--", "/bin/true"]
CAT = ["run", "-s", "API_TOKEN", "--", "/bin/cat"]
SHOUT = ["run", "-s", "API_TOKEN", "--", "/bin/sh", "-c", "echo output"]
UNRULED = ["run", "-s", "API_TOKEN", "--", "/bin/echo", "started"]
# Of keeper and front each, whatever was done to them.
KILOBYTES_MAX = 16 * 1024
ENVIRONMENT = ("PATH=/usr/bin:/bin",)


@pytest.fixture(scope="module")
def broker(shared):
    open_many()
    for words in (TRUE, CAT, SHOUT):
        shared.allow(words)
    shared.unlock()
    return Broker(shared)


@pytest.fixture(autouse=True)
def unharmed(broker):
    """After each of these tests it is the one it was, and works."""
    yield
    broker.assert_unharmed(TRUE)
    if b"__asan_init" not in open(binary(), "rb").read():
        sizes = {pid: broker.kilobytes(pid) for pid in (broker.keeper, broker.front)}
        assert max(sizes.values()) < KILOBYTES_MAX, sizes
    broker.wait_quiet()
    wait_until(lambda: broker.vault.broker()["consoles"] == 0)
    assert_heard_no_value()


# ------------------------------------------------------------------------------------------------- what may be said first


@pytest.mark.parametrize("kind", sorted({*KINDS, 0, 25, 127, 255} - {HELLO}))
@pytest.mark.parametrize("length", [0, 8, 1 << 30, 0xffffffff])
def test_nothing_but_hello_comes_first(shared, kind, length):
    """Known from the header: of 1 GiB that is announced nothing is waited for."""
    with Client(shared) as client:
        client.send(struct.pack("<IB", length, kind) + bytes(min(length, 8)))
        assert client.rest() == []


@pytest.mark.parametrize("payload", [b"", bytes(17), bytes(18), bytes(19), b"\1\0" + bytes(16), b"\1\5" + bytes(16), b"\1\xff" + bytes(16),
                                     b"\xff" * 18, bytes(1 << 16)], ids=lambda payload: f"{len(payload)}-{payload[:2].hex()}")
def test_a_hello_that_is_none(shared, payload):
    with Client(shared) as client:
        client.send(frame(HELLO, payload))
        assert [message.kind for message in client.rest()] in ([], [REFUSED])


@pytest.mark.parametrize("purpose", [FOR_STATUS, FOR_WATCH])
@pytest.mark.parametrize("more", ["hello", "work", "answer", "junk", "half"])
def test_more_than_a_hello(shared, purpose, more):
    """What may not be said then ends it, whatever was said before."""
    said = {"hello": hello(shared, FOR_STATUS), "work": work(TRUE), "answer": answer(1, verdict=77), "junk": b"\xff" * 64,
            "half": frame(ANSWER, bytes(39))[:20]}[more]
    with Client(shared) as client:
        client.send(hello(shared, purpose) + said)
        client.socket.shutdown(socket.SHUT_WR)
        assert {message.kind for message in client.rest()} <= {STATUS, SYNC}


def test_byte_by_byte(shared):
    with Client(shared) as client:
        client.send_bytewise(hello(shared, FOR_STATUS))
        client.expect(STATUS)
        client.expect_end()
    with Client(shared) as client, Streams(shared.work) as streams:
        client.send_bytewise(hello(shared, FOR_WORK))
        client.send_bytewise(work(SHOUT, ENVIRONMENT), streams.fds)
        client.expect(BEGIN)
        client.send_bytewise(frame(BEGUN))
        assert ended(client.expect(END)) == (0, 0) and streams.out == b"output\n"


def test_all_at_once(shared):
    """Hello, request and more in one piece: what is for the worker is not the front's to read."""
    with Client(shared) as client, Streams(shared.work) as streams:
        client.send(hello(shared, FOR_WORK))
        client.send(work(SHOUT, ENVIRONMENT) + frame(BEGUN) + numbers(SIGNAL, 15), streams.fds)
        # Before it is asked, nobody has begun: that is the end of this client.
        assert all(message.kind in (BEGIN, END, REFUSED) for message in client.rest())


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 100, -1])
def test_half_a_request_and_the_end(shared, cut):
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.send(work(TRUE, ENVIRONMENT)[:cut], streams.fds)


# -------------------------------------------------------------------------------------------------------------- requests


TAIL = struct.pack("<BQQII", 0, 0, 0, 0o22, 16) + bytes(16 * 16)
JUNK = bytes(range(256))
MALFORMED = {
    "empty": b"", "form": b"\2" + u32(0) + u32(0) + TAIL, "no-words": b"\0" + u32(0) + u32(0) + TAIL,
    "empty-word": b"\0" + u32(1) + string(b"") + u32(0) + TAIL, "nul": b"\0" + u32(1) + string(b"ru\0n") + u32(0) + TAIL,
    "nul-variable": b"\0" + u32(1) + string(b"run") + u32(1) + string(b"A\0=b") + TAIL,
    "count": b"\0" + u32(0xffffffff) + string(b"run") + TAIL, "count-variables": b"\0" + u32(1) + string(b"run") + u32(0x7fffffff) + TAIL,
    "length": b"\0" + u32(1) + u32(0xffffffff) + b"run" + TAIL, "no-tail": b"\0" + u32(1) + string(b"run") + u32(0),
    "more-tail": b"\0" + u32(1) + string(b"run") + u32(0) + TAIL + b"x",
    "closed": b"\0" + u32(1) + string(b"run") + u32(0) + b"\x08" + TAIL[1:],
    "umask": b"\0" + u32(1) + string(b"run") + u32(0) + struct.pack("<BQQII", 0, 0, 0, 0o7777, 16) + bytes(256),
    "limits": b"\0" + u32(1) + string(b"run") + u32(0) + struct.pack("<BQQII", 0, 0, 0, 0o22, 15) + bytes(240),
    "limit-order": b"\0" + u32(1) + string(b"run") + u32(0) + TAIL[:-16] + struct.pack("<QQ", 2, 1),
    "deposit-name": b"\1" + string(b"../x") + bytes(32) + u32(0) + u32(0) + TAIL,
    "deposit-nothing": b"\1" + string(b"") + bytes(32) + u32(0) + u32(0) + TAIL,
    "deposit-binary": b"\1" + string(JUNK) + bytes(32) + u32(0) + u32(0) + TAIL,
    "deposit-words": b"\1" + string(b"API_TOKEN") + bytes(32) + u32(1) + string(b"set") + u32(0) + TAIL, "junk": JUNK * 40,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_request_that_is_none(shared, name):
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.send(frame(WORK, MALFORMED[name]), streams.fds)
        messages = client.rest()
        assert [message.kind for message in messages] == [REFUSED], messages
        assert refusal(messages[0])[0] == 11 and streams.out == b"" and streams.talk == ""


@pytest.mark.parametrize("words", [[JUNK[1:]], ["run", JUNK[1:]], ["run", "-s", JUNK[1:], "--", "/bin/true"],
                                   ["run", "-s", "API_TOKEN", "--", JUNK[1:]], ["run", "-s", "API_TOKEN", "--", "/bin/true", JUNK[1:]],
                                   ["run", "-s", "API_TOKEN", "--reason", JUNK[1:], "--", "/bin/true", "x"], ["run", ""], ["run", "", ""],
                                   ["run", "-s", "API_TOKEN", "--", ""], ["run", "--no-wait"] * 2000, ["\xff\xfe"], ["run"] * 65536],
                         ids=lambda words: f"{len(words)}-{len(words[-1])}")
def test_words_of_any_bytes(shared, words):
    if words[0] == "run" and "--no-wait" not in words:
        words = ["run", "--no-wait", *words[1:]]
    message, out, talk = request(shared, words, environment=[JUNK[1:], "PATH=/usr/bin:/bin", "=", "", "A", b"\xff=\xff"])
    assert ended(message)[0] in (2, 125, 126, 127) and out == b""
    assert all(character.isprintable() or character == "\n" for character in talk), talk


def test_a_deposit_that_nobody_made(shared):
    message, _, talk = request(shared, [], deposit="API_TOKEN", digest=os.urandom(32))
    assert ended(message) == (1, 0) and "API_TOKEN" in talk


def test_the_longest_request(shared):
    """It is taken, and refused for what it says; one byte more is not read."""
    room = WORK_BYTES_MAX - len(work(["run", "--no-wait", *TRUE[1:], ""], ENVIRONMENT)) + 5
    message, out, _ = request(shared, ["run", "--no-wait", *TRUE[1:], "x" * room])
    assert ended(message)[0] in (125, 126) and out == b""
    with Client(shared, FOR_WORK) as client:
        client.send(struct.pack("<IB", WORK_BYTES_MAX + 1, WORK))
        assert [message.kind for message in client.rest()] == [REFUSED]


@pytest.mark.parametrize("kind", sorted({*KINDS, 0, 200} - {WORK}))
def test_no_request_where_one_is_due(shared, kind):
    with Client(shared, FOR_WORK) as client:
        client.send(frame(kind, bytes(39 if kind == ANSWER else 8)))
        assert {message.kind for message in client.rest()} <= {REFUSED}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_client_says_nothing_before_it_is_asked(shared, kind):
    """While its question waits: it is done with, and the question is gone."""
    with Client(shared, FOR_WATCH) as console, Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.ask(UNRULED, streams.fds)
        console.expect(SYNC)
        console.expect(QUESTION)
        client.send(frame(kind, bytes(8)))
        console.expect(GONE)
        assert {message.kind for message in client.rest()} <= {REFUSED, END} and streams.out == b""


def cat_begins(client, streams):
    """Up to where the client is to say that it is ready. -> the end that keeps cat reading"""
    keep_open, stdin = os.pipe()
    client.ask(CAT, [streams.folder, keep_open, *streams.streams[1:]])
    os.close(keep_open)
    client.expect(BEGIN)
    return stdin


@pytest.mark.parametrize("said", [frame(kind, bytes(39 if kind == ANSWER else 8)) for kind in sorted({*KINDS} - {SIGNAL})] + [
    frame(SIGNAL, bytes(7)), b"\xff" * 9, frame(SIGNAL, bytes(8))[:6]], ids=lambda said: said[:5].hex())
def test_what_a_client_may_not_say_while_its_program_runs(shared, said):
    """Its program is ended, as if it had gone."""
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        stdin = cat_begins(client, streams)
        client.send(frame(BEGUN))
        client.send(said)
        if len(said) == 6:
            client.socket.shutdown(socket.SHUT_WR)
        assert {message.kind for message in client.rest()} <= {END, REFUSED}
        os.close(stdin)


@pytest.mark.parametrize("number", [0, 9, 64, 65, 1 << 31, 0xffffffff])
def test_signals_of_any_number(shared, number):
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        stdin = cat_begins(client, streams)
        client.send(frame(BEGUN) + numbers(SIGNAL, number, 1) * 200 + numbers(SIGNAL, number, 77))
        os.close(stdin)
        assert all(message.kind == END for message in client.rest())


# ----------------------------------------------------------------------------------------------------------- descriptors


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_descriptors(shared, count):
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.ask(TRUE, streams.fds[:count])
        messages = client.rest()
        assert [message.kind for message in messages] == [REFUSED] and refusal(messages[0])[0] == 11


@pytest.mark.parametrize("count", [5, 8, 250])
def test_too_many_descriptors(shared, count):
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.ask(TRUE, (streams.fds * 63)[:count])
        assert [message.kind for message in client.rest()] in ([], [REFUSED])
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.ask(TRUE, streams.fds, closed=1)
        assert [message.kind for message in client.rest()] == [REFUSED]


def test_descriptors_where_there_are_none(shared):
    """With a hello, and behind the first byte of a request."""
    for fds in ([0], [0] * 200):
        with Client(shared) as client:
            client.send(hello(shared, FOR_STATUS), fds)
            assert {message.kind for message in client.rest()} <= {STATUS, REFUSED}
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        data = work(SHOUT, ENVIRONMENT)
        client.send(data[:9], streams.fds)
        client.send(data[9:], streams.fds)
        assert [message.kind for message in client.rest()] in ([], [REFUSED]) and streams.out == b""


@pytest.mark.parametrize("folder", ["file", "null", "socket", "deleted", "/proc"])
def test_the_folder_is_something_else(shared, folder, tmp_path):
    path = tmp_path / "f"
    if folder == "socket":
        ends = socket.socketpair()
        descriptor = os.dup(ends[0].fileno())
    elif folder == "deleted":
        path.mkdir()
        descriptor = os.open(path, os.O_PATH)
        path.rmdir()
    else:
        path.touch()
        descriptor = os.open({"file": path, "null": os.devnull}.get(folder, folder), os.O_RDONLY)
    with Client(shared, FOR_WORK) as client, Streams(shared.work) as streams:
        client.ask(["run", "--no-wait", *TRUE[1:]], [descriptor, *streams.streams])
        message = client.next()
        if folder in ("file", "null", "socket"):
            assert message.kind == REFUSED and refusal(message)[0] == 11
        else:
            assert message.kind in (BEGIN, END)
    os.close(descriptor)


def run_with(vault, words, stdin=None, stdout=None, stderr=None):
    """-> the last message"""
    with Client(vault, FOR_WORK) as client, Streams(vault.work) as streams:
        given = zip((stdin, stdout, stderr), streams.streams)
        client.ask(words, [streams.folder, *(own if ours is None else ours for ours, own in given)])
        message = client.next()
        while message and message.kind == BEGIN:
            client.send(frame(BEGUN))
            message = client.next()
        return message


@pytest.mark.parametrize("path", ["folder", "/proc/self/mem", "/proc/self/fd/0", "/proc/self/maps", "listener", "path"])
@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_strange_streams(shared, stream, path, tmp_path):
    """A program can be given those by any shell; the run ends with a status."""
    listener = socket.socket(socket.AF_UNIX)
    with short(tmp_path / "s") as name:
        listener.bind(name)
    if path == "listener":
        descriptor = os.dup(listener.fileno())
    else:
        flags = {"folder": os.O_RDONLY, "path": os.O_PATH}.get(path, os.O_RDONLY if stream == "stdin" else os.O_RDWR)
        try:
            descriptor = os.open({"folder": tmp_path, "path": "/dev/null"}.get(path, path), flags)
        except PermissionError:
            descriptor = os.open(path, os.O_RDONLY)
    message = run_with(shared, CAT if stream == "stdin" else SHOUT, **{stream: descriptor})
    assert message and message.kind in (END, REFUSED)
    os.close(descriptor)
    listener.close()


def test_a_connection_to_the_broker_as_a_stream(shared):
    """What a program prints is then said to the front."""
    with Client(shared) as victim, Client(shared, FOR_WATCH) as console:
        for descriptor in (victim.socket.fileno(), console.socket.fileno()):
            message = run_with(shared, SHOUT, stdout=descriptor)
            assert ended(message)[0] in (0, 125, 141)
        assert {message.kind for message in victim.rest()} <= {REFUSED}


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_APPEND], ids=["read", "append"])
def test_the_log_as_output(vault, flags):
    """Whoever may write the file can do so without a broker, and it is noticed as ever."""
    for words in (TRUE, SHOUT):
        vault.allow(words)
    vault.unlock()
    own = Broker(vault)
    before = vault.log.read_bytes()
    descriptor = os.open(vault.log, flags)
    message = run_with(vault, SHOUT, stdout=descriptor)
    os.close(descriptor)
    assert ended(message)[0] in (0, 1, 2, 125)
    if flags == os.O_RDONLY:
        assert vault.log.read_bytes().startswith(before)
        assert vault.check()["ok"]
    else:
        assert b"\noutput\n" in vault.log.read_bytes()
        assert vault.run("audit", "verify").status == 6
    assert own.kilobytes(own.keeper) and vault.broker()["pid"] == own.keeper


def test_the_vault_as_output(vault):
    """He could write into it without a broker as well: it is damaged, that is said, and the broker does not die of it."""
    for words in (TRUE, SHOUT):
        vault.allow(words)
    vault.unlock()
    own = Broker(vault)
    descriptor = os.open(vault.database, os.O_WRONLY)
    message = run_with(vault, SHOUT, stdout=descriptor)
    os.close(descriptor)
    assert message and message.kind in (END, REFUSED)
    result = vault.run(*TRUE, passphrase=False)
    assert result.status in (0, 125)
    assert vault.broker()["pid"] == own.keeper


# ---------------------------------------------------------------------------------------------------------------- floods


def test_ten_thousand_connections(shared, broker):
    """Each says nothing, or half of something; the oldest go when there are too many."""
    rng, refused = seeded("ten thousand connections"), 0
    for _ in range(20):
        clients = []
        for _ in range(500):
            try:
                clients.append(Client(shared))
            except OSError as error:
                assert error.errno in (errno.EAGAIN, errno.ECONNREFUSED), error
                refused += 1
                continue
            clients[-1].send(hello(shared, FOR_STATUS)[:rng.randrange(10)])
        with Client(shared, FOR_STATUS) as client:
            client.expect(STATUS)
        for client in clients:
            client.close()
    assert refused < 10000


def test_two_thousand_half_open_ones(shared, broker):
    clients = [Client(shared) for _ in range(2000)]
    for client in clients:
        client.send(b"\x12\0\0")
    broker.assert_unharmed(TRUE)
    for client in clients:
        client.close()


def test_hundreds_of_requests_that_never_come(shared, broker):
    """A worker each, which waits for what is wanted."""
    clients = []
    for _ in range(300):
        clients.append(Client(shared, FOR_WORK))
    broker.assert_unharmed(TRUE)
    for client in clients:
        client.close()


def test_consoles_are_counted(shared):
    consoles = [Client(shared, FOR_WATCH) for _ in range(16)]
    for console in consoles:
        console.expect(SYNC)
    with Client(shared, FOR_WATCH) as one_more:
        code, _ = refusal(one_more.expect(REFUSED))
        assert code == 12
        one_more.expect_end()
    for console in consoles:
        console.close()


def test_seventy_questions_and_a_console_that_never_reads(shared, broker):
    """64 wait, the others are told so; who does not read what he asked for is closed."""
    deaf = Client(shared, FOR_WATCH)
    deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
    with Streams(shared.work) as streams:
        clients = [Client(shared, FOR_WORK) for _ in range(70)]
        for client in clients:
            client.ask([*UNRULED, "x" * 3800], streams.fds)
        wait_until(lambda: len(broker.workers()) <= 64 and shared.broker()["waiting"] == 64)
        broker.assert_unharmed(TRUE)
        with Client(shared, FOR_WATCH) as console:
            seen = set()
            while (message := console.next()).kind != SYNC:
                assert message.kind == QUESTION
                seen.add(question_of(message.payload).id)
            assert len(seen) == 64
        for client in clients:
            client.close()
        wait_until(lambda: shared.broker()["waiting"] == 0)
        assert streams.out == b"" and streams.talk.count("too many requests") == 6
    deaf.close()


def test_answers_by_the_thousand(shared):
    """To questions that there are not, to a console that does not read what becomes of them."""
    with Client(shared, FOR_WATCH) as console:
        console.socket.settimeout(5)
        try:
            for number in range(20000):
                console.socket.sendall(answer(number, APPROVED))
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass


def test_random_messages(shared):
    """Frames of any kind and length in any order, to front and worker."""
    rng = seeded("random messages")
    whole = [hello(shared, purpose) for purpose in range(1, 5) if purpose != 2]
    with Streams(shared.work) as streams:
        for _ in range(400):
            with Client(shared) as client:
                if rng.random() < 0.8:
                    client.send(rng.choice(whole))
                for _ in range(rng.randrange(1, 6)):
                    kind = rng.choice([*KINDS, rng.randrange(256)])
                    payload = rng.randbytes(rng.choice([0, 1, 7, 8, 18, 39, 200, 5000]))
                    if kind == WORK and rng.random() < 0.7:
                        data = bytearray(work(["run", "--no-wait", *UNRULED[1:]], ENVIRONMENT))
                        data[rng.randrange(5, len(data))] ^= 1 << rng.randrange(8)
                    else:
                        data = frame(kind, payload)
                    client.send(bytes(data)[:rng.choice([len(data), rng.randrange(len(data) + 1)])], rng.choice([[], streams.fds]))
                if rng.random() < 0.3:
                    client.socket.shutdown(socket.SHUT_WR)
                    client.rest()
        assert streams.out == b""
