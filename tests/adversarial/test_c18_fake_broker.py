"""C18, the other way round: something that listens in the broker's place gains no value and no passphrase, and can at most claim
what it could do anyway; and a place that is not as it must be is not used."""

import os
import pathlib
import signal
import socket
import struct
import subprocess

import pytest

from attack_support import Sieve
from broker_support import (ANSWER, BEGIN, BEGUN, CONTINUED, END, FOR_WATCH, FOR_WORK, HELLO, JUDGED, LOCKED, QUESTION, REFUSED,
                            STATUS, STOP, SYNC, TELL_GROUP, WORK, Broker, Client, Listener, Streams, answer, assert_heard_no_value, frame,
                            numbers, question_of, short, socket_path, string, u32)
from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, finish, process_state, wait_until

RUN = ["run", "-s", "API_TOKEN", "--", "/bin/echo", "ran-all-the-same"]
VALUE = b"nEv3r-t0-be-t0ld-9921"
NOBODY_LISTENS = 4


@pytest.fixture(autouse=True)
def nothing_was_heard():
    yield
    assert_heard_no_value([*SECRETS.values(), PASSPHRASE.encode(), VALUE])


def status_message(state=1, pid=1, since=1700000000, until=1900000000, idle=0, running=0, waiting=0, consoles=0):
    return frame(STATUS, struct.pack("<BIQQQIII", state, pid, since, until, idle, running, waiting, consoles))


def refused_message(code, sentence):
    return frame(REFUSED, u32(code) + string(sentence))


def says(*messages, waits=False):
    """Serves by these, in a row, when it was told what is wanted; then closes."""
    def serve(served):
        first = served.next()
        if first and first.payload[1:2] == bytes([FOR_WORK]):
            served.next()
        for message in messages:
            served.send(message)
        if waits:
            served.rest()
        served.socket.shutdown(socket.SHUT_RDWR)
    return serve


def on_terminal(vault, words, status):
    """On a terminal, where envseal could ask. -> what was shown"""
    child = vault.spawn(*words)
    text, got = finish(child)
    assert got == status, text
    assert "assphrase" not in text, text
    return text


# ------------------------------------------------------------------------------------------------------ what is claimed


JUNK = {"junk": b"\xff" * 4096, "short": b"\0\0", "gigabyte": struct.pack("<IB", 1 << 30, STATUS), "empty": frame(STATUS),
        "kind": frame(200, b"x"), "end": numbers(END, 0), "hello": frame(HELLO, bytes(18)), "nothing": b"",
        "state": status_message(state=0), "state-3": status_message(state=3), "pid": status_message(pid=0),
        "pid-max": status_message(pid=1 << 31),
        "time": status_message(until=1 << 63), "code": refused_message(0, "no"), "code-99": refused_message(99, "no"),
        "sentence": refused_message(4, b"\x1b[2J"), "long": refused_message(4, b"x" * 5000)}


@pytest.mark.parametrize("name", JUNK)
def test_status_of_a_fake(vault, name):
    """Junk is an error, one sentence; a connection that ends means that nothing runs."""
    with Listener(vault, says(JUNK[name])):
        result = vault.run("status", "--json")
    assert (result.status, result.out != b"") == ((4, True) if name == "nothing" else (1, False)) or result.status == 2, result
    assert result.talk.count("\n") == (0 if name == "nothing" else 1) and "\x1b" not in result.talk


def test_what_a_fake_claims_is_shown(vault):
    with Listener(vault, says(status_message(pid=4711, running=9, waiting=8, consoles=7))):
        found = vault.ok("status", "--json").json()
    assert (found["state"], found["pid"], found["running"], found["waiting"], found["consoles"]) == ("unlocked", 4711, 9, 8, 7)


def test_a_fake_that_says_nothing(vault):
    """In five seconds, and not later."""
    with Listener(vault, lambda served: served.rest()):
        result = vault.run("status", timeout=60)
    assert result.status == 1 and result.out == b"" and f"end it with `kill {os.getpid()}`" in result.talk, result


@pytest.mark.parametrize("status", [0, 1, 125, 255, 256, 0xffffffff])
def test_a_fake_ends_a_run(vault, status):
    """It claims that it was done: nothing was started, and nothing asked."""
    with Listener(vault, says(numbers(END, status))) as fake:
        text = on_terminal(vault, RUN, status & 0xff)
    assert "ran-all-the-same" not in text
    assert b"API_TOKEN" in fake.received


@pytest.mark.parametrize("number", [9, 15])
def test_a_fake_ends_a_run_by_a_signal(vault, number):
    with Listener(vault, says(numbers(END, 128 + number, number))):
        assert vault.run(*RUN, passphrase=False).status == -number


@pytest.mark.parametrize("number", [65, 1 << 31, 0xffffffff])
def test_a_fake_ends_a_run_by_no_signal(vault, number):
    with Listener(vault, says(numbers(END, 3, number))):
        assert vault.run(*RUN, passphrase=False).status == 3


@pytest.mark.parametrize("messages", [
    [numbers(BEGIN), numbers(STOP, 0), numbers(STOP, 65), numbers(STOP, 0xffffffff), numbers(TELL_GROUP, 0), numbers(TELL_GROUP, 65),
     numbers(TELL_GROUP, 0xffffffff), numbers(END, 7)],
    [numbers(STOP, 19), numbers(TELL_GROUP, 9), numbers(END, 7)]], ids=["wild numbers", "before the beginning"])
def test_a_fake_stops_nobody_by_numbers_that_are_none(vault, messages):
    with Listener(vault, says(*messages, waits=True)):
        assert vault.run(*RUN, passphrase=False).status == 7


@pytest.mark.parametrize("messages", [[numbers(BEGIN), numbers(BEGIN)], [numbers(BEGIN), status_message()], [frame(END)], [frame(BEGUN)],
                                      [frame(WORK, b"x")], [numbers(CONTINUED)], [b"\xff" * 100], [numbers(END)[:7]], [numbers(BEGIN)], []],
                         ids=lambda messages: "-".join(str(message[4]) for message in messages) or "nothing")
def test_a_fake_breaks_the_rules(vault, messages):
    """That is an end of the run, and no reason to do it in another way."""
    with Listener(vault, says(*messages)):
        text = on_terminal(vault, RUN, 125)
    assert "ran-all-the-same" not in text and text.count("envseal: ") == 1, text


@pytest.mark.parametrize("code", [*range(1, 9), *range(10, 18)])
def test_a_fake_refuses(vault, code):
    with Listener(vault, says(refused_message(code, "because of this"))):
        text = on_terminal(vault, RUN, 126 if code == 15 else 127 if code == 16 else 125)
    assert "because of this" in text and "ran-all-the-same" not in text


def test_a_fake_says_that_it_is_of_another_vault(vault):
    """Then the run is done directly, as without a broker: the question is envseal's own."""
    with Listener(vault, says(refused_message(9, "another vault"))) as fake:
        child = vault.spawn(*RUN)
        child.expect("Passphrase to approve once: ")
        child.send(PASSPHRASE + "\r")
        text, status = finish(child)
        assert status == 0 and "ran-all-the-same" in text
        assert_nowhere([PASSPHRASE.encode(), *SECRETS.values()], bytes(fake.received))


@pytest.mark.parametrize("waits", [False, True])
def test_after_its_beginning_a_run_is_never_done_again(vault, waits):
    def serve(served):
        served.next(), served.next()
        served.send(numbers(BEGIN))
        if waits:
            assert served.next().kind == BEGUN
        served.send(refused_message(9, "another vault"))
        served.rest()
    with Listener(vault, serve):
        text = on_terminal(vault, RUN, 125)
    assert "ran-all-the-same" not in text


def test_a_fake_that_never_answers_is_left_by_ctrl_c(vault):
    with Listener(vault, lambda served: served.rest()) as fake:
        process = vault.popen(*RUN, passphrase=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: b"API_TOKEN" in fake.received)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGINT and out == b""


def test_a_fake_stops_a_client_that_goes_on_when_it_is_continued(vault):
    def serve(served):
        served.next(), served.next()
        served.send(numbers(BEGIN))
        assert served.next().kind == BEGUN
        served.send(numbers(STOP, signal.SIGSTOP))
        if served.next().kind == CONTINUED:
            served.send(numbers(END, 5))
    with Listener(vault, serve):
        process = vault.popen(*RUN, passphrase=False, start_new_session=False, process_group=0)
        wait_until(lambda: process_state(process.pid) in "TZ")
        process.send_signal(signal.SIGCONT)
        assert process.wait(60) == 5


# ------------------------------------------------------------------------------------------------------------- a new value


def lets_set(end):
    def serve(served):
        if served.next().payload[1:2] != bytes([FOR_WORK]):
            served.send(status_message())
        else:
            served.next()
            served.send(end)
            if not end:
                served.socket.shutdown(socket.SHUT_RDWR)
        served.rest()
    return serve


@pytest.mark.parametrize("end, status", [(numbers(END, 0), 0), (numbers(END, 4), 4), (refused_message(5, "because"), 4), (b"", 1)],
                         ids=["done", "denied", "refused", "gone"])
@pytest.mark.parametrize("name", ["NEW", "API_TOKEN"])
def test_a_value_that_is_set_stays_in_the_vault(vault, name, end, status):
    """Sealed, by the vault's own public key: what listens there is told a name and a digest."""
    with Listener(vault, lets_set(end)) as fake:
        result = vault.run("set", name, "--stdin", "--raw", *(["--force"] if name == "API_TOKEN" else []), input=VALUE, passphrase=False)
    assert result.status == status, result
    assert name.encode() in fake.received
    Sieve([VALUE]).assert_clean(bytes(fake.received), "what was sent")
    Sieve([VALUE]).assert_clean(result.out + result.err, "what was said")
    for path, content in vault.files().items():
        assert VALUE not in content, path
    if name == "API_TOKEN":
        assert vault.is_value(name, SECRETS[name])
    # It waits for a human, whatever was claimed.
    vault.ok("confirm", name)
    assert vault.is_value(name, VALUE)


# --------------------------------------------------------------------------------------------------------------- a console


def real_question(vault):
    """A question of a real broker, as its console is told it."""
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams, Client(vault, FOR_WORK) as client:
        client.ask(RUN, streams.fds)
        while (message := console.next()).kind != QUESTION:
            pass
        return question_of(message.payload)


def question_message(question, number=1):
    return frame(QUESTION, u32(number) + struct.pack("<QQ", 0, 100) + question.nonce + string(question.approval))


def test_the_passphrase_never_reaches_a_fake(vault):
    """It is shown a question and gets an answer, whose voucher is of no use for any other question."""
    vault.unlock()
    question = real_question(vault)
    vault.lock()

    def serve(served):
        served.next()
        served.send(question_message(question) + frame(SYNC))
        if (message := served.next()) and message.kind == ANSWER:
            served.listener.answer = message.payload
            served.send(numbers(JUDGED, 1, 1))
        served.rest()
    with Listener(vault, serve) as fake:
        child = vault.spawn("approve", "--once")
        child.expect("Passphrase to approve once: ")
        child.send(PASSPHRASE + "\r")
        assert finish(child)[1] == 0
        voucher = fake.answer[7:]
        assert len(voucher) == 32 and voucher != bytes(32)
        assert_nowhere([PASSPHRASE.encode(), *SECRETS.values()], bytes(fake.received))
    vault.unlock()
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams, Client(vault, FOR_WORK) as client:
        client.ask(RUN, streams.fds)
        while (message := console.next()).kind != QUESTION:
            pass
        again = question_of(message.payload)
        assert again.nonce != question.nonce
        console.send(answer(again.id, voucher=voucher))
        message = console.expect(JUDGED)
        assert message.payload == struct.pack("<II", again.id, 0)
        assert streams.out == b""


@pytest.mark.parametrize("approval", [b"", b"\0", b"\xff" * 1000, bytes(64 * 1024), b"\x1b]0;x\x07" * 100],
                         ids=lambda data: f"{len(data)}-{data[:1].hex()}")
def test_a_fake_question_that_is_none(vault, approval):
    """It cannot be approved, and puts no control character on the terminal; nothing is asked for."""
    def serve(served):
        served.next()
        served.send(frame(QUESTION, u32(1) + struct.pack("<QQ", 0, 100) + bytes(32) + string(approval)) + frame(SYNC))
        served.listener.after = served.rest()
    with Listener(vault, serve):
        child = vault.spawn("approve")
        child.expect(r"Number to open|envseal: .*\n")
        seen = child.before + child.after
        child.sendintr()
        text, _ = finish(child)
        assert "assphrase" not in seen + text and "\x1b]0" not in seen + text


@pytest.mark.parametrize("name", JUNK)
def test_a_console_on_junk(vault, name):
    with Listener(vault, says(JUNK[name])):
        child = vault.spawn("approve", "--once")
        text, status = finish(child)
    assert status in (1, 2, 4) and "assphrase" not in text and "\x1b[2J" not in text


def test_a_fake_with_very_many_questions(vault):
    """More than any broker keeps: an end with a sentence, and not of memory."""
    vault.unlock()
    question = real_question(vault)
    vault.lock()

    def serve(served):
        served.next()
        for number in range(1, 20000):
            served.send(question_message(question, number))
    with Listener(vault, serve):
        result = vault.run("approve", "--list")
    assert result.status in (1, 2, 4), result


def test_lock_believes_a_fake(vault):
    with Listener(vault, says(frame(LOCKED))):
        assert vault.ok("lock", "--json").json()["was_unlocked"] is True


# ---------------------------------------------------------------------------------------------------------- the place itself


def folder_of(vault):
    return socket_path(vault).parent


UNSAFE = {"mode": lambda vault: folder_of(vault).chmod(0o755), "group": lambda vault: folder_of(vault).chmod(0o720)}


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("words, status", [(["status"], 4), (["lock"], 4), (["approve", "--list"], 4), (RUN, 125)],
                         ids=lambda value: value[0] if isinstance(value, list) else None)
def test_a_folder_that_others_may_enter(vault, name, words, status):
    with Listener(vault, says(status_message())) as fake:
        UNSAFE[name](vault)
        result = vault.run(*words, passphrase=False)
        assert result.status == status and str(folder_of(vault)) in result.talk, result
        folder_of(vault).chmod(0o700)
        assert fake.received == b""


def test_unlock_wants_a_folder_of_its_own(vault):
    folder_of(vault).mkdir(mode=0o755)
    folder_of(vault).chmod(0o777)
    result = vault.run("unlock", "--passphrase-file", vault.passphrase_file)
    assert result.status == 4 and str(folder_of(vault)) in result.talk
    assert vault.run("status").status == 4


def test_a_folder_that_is_a_link(vault, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder_of(vault).symlink_to(elsewhere)
    result = vault.run("unlock", "--passphrase-file", vault.passphrase_file)
    assert result.status == 4 and list(elsewhere.iterdir()) == [], result


@pytest.mark.parametrize("what", ["file", "link", "folder", "fifo"])
def test_something_else_where_the_socket_is(vault, what, tmp_path):
    """A client does not take it for a broker, and a broker does not take it away."""
    folder_of(vault).mkdir(mode=0o700)
    path = socket_path(vault)
    if what == "file":
        path.write_text("mine\n")
    elif what == "link":
        (tmp_path / "mine").write_text("mine\n")
        path.symlink_to(tmp_path / "mine")
    elif what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    for words, status in ((["status"], 4), (["unlock", "--passphrase-file", vault.passphrase_file], 4), (RUN, 125)):
        result = vault.run(*words, passphrase=False)
        assert result.status == status and str(path) in result.talk, result
    assert path.is_symlink() if what == "link" else path.exists()
    if what == "file":
        assert path.read_text() == "mine\n"


def test_a_link_to_a_broker_of_another_vault(vault, tmp_path):
    """Even to a real one: the place is the socket's own."""
    folder_of(vault).mkdir(mode=0o700)
    other = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    with short(other) as name:
        listener.bind(name)
    listener.listen(1)
    socket_path(vault).symlink_to(other)
    result = vault.run("status")
    assert result.status == 4 and str(socket_path(vault)) in result.talk, result
    listener.close()


def test_a_stale_socket_is_replaced(vault):
    folder_of(vault).mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left, short(socket_path(vault)) as name:
        left.bind(name)
    socket_path(vault).chmod(0o600)
    assert vault.run("status").status == NOBODY_LISTENS
    vault.unlock()
    assert vault.broker()["state"] == "unlocked"


def test_the_socket_is_for_its_owner(vault):
    vault.unlock()
    assert socket_path(vault).stat().st_mode & 0o777 == 0o600 and folder_of(vault).stat().st_mode & 0o777 == 0o700
    vault.lock()
    assert not socket_path(vault).exists()


def test_a_fake_is_not_thrown_out(vault):
    """Unlocking where something listens is refused, so that two do not believe to be the one."""
    with Listener(vault, lambda served: served.rest()):
        result = vault.run("unlock", "--passphrase-file", vault.passphrase_file)
        assert result.status == 1, result


def test_a_socket_put_in_place_of_the_brokers_is_left_alone(vault):
    """At its end a broker removes what it made."""
    vault.unlock()
    own = Broker(vault)
    socket_path(vault).rename(folder_of(vault) / "old")
    with Listener(vault, says(status_message())):
        os.kill(own.keeper, signal.SIGTERM)
        wait_until(lambda: not pathlib.Path(f"/proc/{own.keeper}").exists())
        assert socket_path(vault).exists()
