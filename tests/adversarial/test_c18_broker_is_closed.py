"""C18: nothing of the same user gets anything out of the broker but names, and nothing through it but what rules or a human
allow. Here: its processes, and what a client of one's own learns and is given."""

import ctypes
import os
import pathlib
import re
import resource
import struct

import pytest

from broker_support import (ANSWER, APPROVED, BEGIN, BEGUN, COOL_DOWN, DENIED, END, FOR_LOCK, FOR_STATUS, FOR_WATCH, FOR_WORK, GONE, JUDGED,
                            LOCKED, QUESTION, REFUSED, STATUS, SYNC, Broker, Client, Relay, Streams, answer, assert_heard_no_value,
                            ended, frame, hello, question_of, refusal, request)
from envseal_support import PASSPHRASE, SECRETS, assert_nowhere, copy_vault, finish, wait_until
from test_c04_process_is_closed import (FOLDERS, KCMP, LIBC, LINKS, PIDFD_GETFD, PROCESS_MADVISE, PTRACE_ATTACH, PTRACE_SEIZE, Iovec,
                                         assert_folder_closed, assert_link_closed, refused)

pytestmark = pytest.mark.skipif(os.geteuid() == 0, reason="root may look into every process")

PERMITTED = ["run", "-s", "API_TOKEN", "--", "/bin/true"]
HOLDING = ["run", "-s", "API_TOKEN", "--", "/bin/sleep", "600"]
UNRULED = ["run", "-s", "API_TOKEN", "--", "/bin/echo", "started"]
PROCESSES = ["keeper", "front", "worker"]


@pytest.fixture(autouse=True)
def nothing_was_heard():
    yield
    assert_heard_no_value()


def unlock(vault):
    vault.allow(PERMITTED)
    vault.allow(HOLDING)
    vault.unlock()
    return Broker(vault)


@pytest.fixture
def broker(vault):
    return unlock(vault)


# --------------------------------------------------------------------------------------------------------- its processes


@pytest.fixture(scope="module")
def held(shared):
    """A broker with a worker whose program goes on."""
    broker = unlock(shared)
    process = shared.popen(*HOLDING, passphrase=False)
    wait_until(broker.workers)
    broker.worker = broker.workers()[0]
    yield broker
    process.kill()
    process.wait(60)


@pytest.fixture(params=PROCESSES)
def pid(request, held):
    return getattr(held, request.param)


@pytest.mark.parametrize("name", ["mem", "environ", "maps", "smaps", "auxv", "stack", "syscall", "io", "pagemap", "personality"])
def test_files_under_proc(pid, name):
    path = f"/proc/{pid}/{name}"
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    for flags in (os.O_RDONLY, os.O_RDWR):
        # Some are refused when they are read, and not when they are opened.
        with pytest.raises(PermissionError):
            descriptor = os.open(path, flags)
            try:
                os.read(descriptor, 4096)
            finally:
                os.close(descriptor)


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_under_proc(pid, name):
    assert_folder_closed(pid, name)


@pytest.mark.parametrize("name", LINKS)
def test_links_under_proc(pid, name):
    assert_link_closed(pid, name)


@pytest.mark.parametrize("request_number", [PTRACE_ATTACH, PTRACE_SEIZE], ids=["attach", "seize"])
def test_ptrace(pid, request_number):
    assert refused(LIBC.ptrace(request_number, pid, None, None))


def test_memory_calls(pid):
    buffer = ctypes.create_string_buffer(64)
    here, there = Iovec(ctypes.cast(buffer, ctypes.c_void_p), 64), Iovec(0x400000, 64)
    for call in (LIBC.process_vm_readv, LIBC.process_vm_writev):
        call.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
        assert refused(call(pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    descriptor = os.pidfd_open(pid)
    for number in range(16):
        assert refused(LIBC.syscall(PIDFD_GETFD, descriptor, number, 0))
    assert refused(LIBC.syscall(PROCESS_MADVISE, descriptor, ctypes.byref(there), 1, 21, 0))
    os.close(descriptor)
    assert refused(LIBC.syscall(KCMP, pid, os.getpid(), 0, 0, 0))


def test_limits_cannot_be_raised_from_outside(pid):
    with pytest.raises(PermissionError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (1 << 30, 1 << 30))


def status_of(pid):
    return dict(re.findall(r"^(\w+):\s*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


@pytest.mark.usefixtures("unsanitized")
def test_the_front_is_filtered(held):
    """It reads what anybody sends: it has a seccomp filter, and can get no rights by a program."""
    status = status_of(held.front)
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1", status


def test_no_core(pid):
    """One byte: no file, and nothing for a program that would take it."""
    line = re.search(r"^Max core file size +(\d+) +(\d+)", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE)
    assert line and int(line[1]) <= 1 and int(line[2]) <= 1


# ------------------------------------------------------------------------------------------- what is told, and to whom


def test_status_tells_numbers(vault, broker):
    with Client(vault, FOR_STATUS) as client:
        message = client.expect(STATUS)
        client.expect_end()
    state, pid, since, until, idle, running, waiting, consoles = struct.unpack("<BIQQQIII", message.payload)
    assert (state, pid, running, waiting, consoles) == (1, broker.keeper, 0, 0, 0)
    assert until - since == 8 * 3600 and idle == 30 * 60


def asked(vault, streams, words, environment=("PATH=/usr/bin:/bin",)):
    """A request of a client of its own, which goes on until the client is closed."""
    client = Client(vault, FOR_WORK)
    client.ask(words, streams.fds, environment)
    return client


def shown(console):
    """The next question that a console hears of."""
    while (message := console.next()).kind != QUESTION:
        assert message.kind in (SYNC, GONE, JUDGED), message
    return question_of(message.payload)


def test_a_console_learns_names_only(vault, broker):
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams:
        console.expect(SYNC)
        with asked(vault, streams, ["run", "-s", "API_TOKEN", "-s", "team/deploy-key=KEY", "--", "/bin/echo", "started"]):
            question = shown(console)
            for name in (b"API_TOKEN", b"team/deploy-key", b"/bin/echo", b"started"):
                assert name in question.approval
            assert question.id == 1 and question.left <= 120 and len(question.nonce) == 32
        assert console.expect(GONE).payload[:4] == struct.pack("<I", question.id)
        assert streams.out == b""


def test_a_client_of_ones_own_only_asks(vault, broker):
    """Without a rule there is a question, and with --no-wait not even that."""
    message, out, talk = request(vault, ["run", "--no-wait", *UNRULED[1:]])
    assert ended(message) == (125, 0) and out == b"" and "envseal policy allow" in talk
    assert vault.broker()["waiting"] == 0


@pytest.mark.parametrize("words", [
    ["unlock"], ["lock"], ["status"], ["approve"], ["approve", "--list"], ["init"], ["inject", *PERMITTED[1:]],
    ["set", "API_TOKEN", "--generate", "20", "--force"], ["--version"], ["nothing"], ["-h"], ["run"], ["run", "--help"], ["policy"],
    ["audit", "show"], ["doctor"], ["selftest"], ["completion", "bash"]], ids=" ".join)
def test_other_commands_by_a_client_of_ones_own(vault, broker, words):
    """Whatever the command table says of them: they end with a status, and do no more than names allow."""
    names, before = vault.names(), vault.entry("API_TOKEN")
    message, out, _ = request(vault, words)
    assert message and message.kind in (END, REFUSED), message
    assert vault.names() == names and vault.entry("API_TOKEN") == before
    broker.assert_unharmed(PERMITTED)


@pytest.mark.parametrize("words", [
    ["rm", "API_TOKEN", "--yes"], ["rename", "API_TOKEN", "OTHER"], ["copy", "API_TOKEN", "OTHER"], ["rollback", "API_TOKEN"],
    ["tag", "API_TOKEN", "x"], ["policy", "allow", "-s", "API_TOKEN=A", "--dir", "any", "--", "/bin/echo"], ["policy", "rm", "rule-1"],
    ["verify", "API_TOKEN"], ["redact", "-s", "API_TOKEN"], ["confirm"], ["audit", "accept"],
    ["security", "set", "level", "standard"], ["totp", "rm"], ["totp", "setup"], ["import", "/etc/hostname"], ["grants", "rm", "--all"]],
    ids=" ".join)
def test_changes_by_a_client_of_ones_own(vault, broker, words):
    """Each waits for the human, or is not done this way. A denial leaves everything as it was."""
    rules, before = vault.ok("policy", "export").out, vault.entry("API_TOKEN")
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams:
        console.expect(SYNC)
        with asked(vault, streams, words) as client:
            wait_until(lambda: vault.broker()["waiting"] or client.is_told())
            if vault.broker()["waiting"]:
                console.send(answer(shown(console).id, DENIED))
            message = client.next()
        assert message and (message.kind == REFUSED or ended(message)[0] in (1, 2, 4, 125)), message
    assert vault.ok("policy", "export").out == rules and vault.entry("API_TOKEN") == before
    assert "OTHER" not in vault.names()
    broker.assert_unharmed(PERMITTED)


@pytest.mark.parametrize("words", [
    ["policy", "list"], ["policy", "export"], ["policy", "export", "--json"], ["grants"], ["security", "show"], ["totp", "status"],
    ["audit", "verify"]], ids=" ".join)
def test_what_is_told_without_a_question(vault, broker, words):
    """What is set, and that the log holds: names, and nothing that changes."""
    message, out, talk = request(vault, words)
    assert ended(message) == (0, 0) and vault.broker()["waiting"] == 0, talk
    assert_nowhere(SECRETS.values(), out)


def test_another_vault_is_told_apart(vault, broker):
    folder = vault.work.stat()
    for purpose in (FOR_STATUS, FOR_LOCK, FOR_WATCH, FOR_WORK):
        with Client(vault) as client:
            client.send(frame(1, struct.pack("<BBQQ", 1, purpose, folder.st_dev, folder.st_ino)))
            assert refusal(client.expect(REFUSED))[0] == 9
            client.expect_end()
    broker.assert_unharmed(PERMITTED)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_other_versions_are_told_so(vault, broker, version):
    for purpose in (FOR_STATUS, FOR_WATCH, FOR_WORK):
        with Client(vault) as client:
            client.send(hello(vault, purpose, version))
            code, sentence = refusal(client.expect(REFUSED))
            assert code == 13 and str(version) in sentence
            client.expect_end()
    broker.assert_unharmed(PERMITTED)


# ------------------------------------------------------------------------------------------------------- made-up answers


MADE_UP = {"zero": {}, "ones": dict(voucher=b"\xff" * 32), "counted": dict(voucher=bytes(range(32))), "session": dict(choice=1),
           "always": dict(choice=3), "values": dict(takes_values=1)}


def judged(console, number):
    """-> whether the answer to that question counted"""
    while (message := console.next()).kind != JUDGED:
        assert message.kind in (QUESTION, GONE, SYNC), message
    assert struct.unpack_from("<I", message.payload)[0] == number
    return bool(struct.unpack("<II", message.payload)[1])


@pytest.mark.parametrize("made_up", MADE_UP.values(), ids=MADE_UP)
def test_a_made_up_approval_does_not_count(vault, broker, made_up):
    """Nor does the next one; the fifth is a denial."""
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams:
        with asked(vault, streams, UNRULED) as client:
            question = shown(console)
            for _ in range(5):
                console.send(answer(question.id, **made_up))
                assert not judged(console, question.id)
            assert ended(client.expect(END)) == (125, 0)
        assert streams.out == b""
    broker.assert_unharmed(PERMITTED)


@pytest.mark.parametrize("number", [0, 2, 0xffffffff])
def test_an_answer_to_no_question(vault, broker, number):
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams, asked(vault, streams, UNRULED):
        question = shown(console)
        console.send(answer(number))
        assert not judged(console, number)
        assert vault.broker()["waiting"] == 1 and question.id == 1


@pytest.mark.parametrize("made_up", [dict(verdict=0), dict(verdict=4), dict(verdict=255), dict(choice=200), dict(takes_values=2),
                                     dict(verdict=DENIED, choice=1), dict(verdict=COOL_DOWN, voucher=b"x" * 32)], ids=str)
def test_an_answer_that_is_none_closes_the_console(vault, broker, made_up):
    with Client(vault, FOR_WATCH) as console, Streams(vault.work) as streams, asked(vault, streams, UNRULED):
        console.send(answer(shown(console).id, **made_up))
        console.rest()
        assert vault.broker()["waiting"] == 1 and vault.broker()["consoles"] == 0


def approve(vault, letter=""):
    """A console on a terminal that opens the one question, and types the passphrase."""
    child = vault.spawn("approve", "--once")
    child.expect("Passphrase to approve once: ")
    for key in letter:
        child.send(key + "\r")
        child.expect("Passphrase to approve")
    child.send(PASSPHRASE + "\r")
    return child


def altered(message, **fields):
    """The console's answer, changed."""
    number, verdict, choice, takes = struct.unpack_from("<IBBB", message.payload)
    genuine = dict(number=number, verdict=verdict, choice=choice, takes_values=takes, voucher=message.payload[7:])
    return answer(**genuine | fields)


def test_a_genuine_answer_by_a_relay(vault, broker, original, tmp_path):
    """Whoever is between the console and the broker can pass it on, or not; nothing else."""
    inner = copy_vault(original, tmp_path / "inner")
    with Relay(inner, vault, lambda message: [frame(*message)]), Streams(vault.work) as streams:
        with asked(vault, streams, UNRULED) as client:
            wait_until(lambda: vault.broker()["waiting"])
            child = approve(inner)
            client.expect(BEGIN)
            client.send(frame(BEGUN))
            assert ended(client.expect(END)) == (0, 0)
            assert finish(child)[1] == 0
        assert streams.out == b"started\n"
    assert_heard_no_value([PASSPHRASE.encode()])


@pytest.mark.parametrize("change", [dict(choice=1), dict(choice=2), dict(choice=3), dict(takes_values=1)], ids=str)
def test_a_genuine_answer_changed_does_not_count(vault, broker, original, tmp_path, change):
    inner = copy_vault(original, tmp_path / "inner")
    before = vault.ok("policy", "export", "--all").out
    with Relay(inner, vault, lambda message: [altered(message, **change)]), Streams(vault.work) as streams:
        with asked(vault, streams, UNRULED):
            wait_until(lambda: vault.broker()["waiting"])
            child = approve(inner)
            child.expect("the answer did not count")
            child.close(force=True)
        assert streams.out == b""
    assert vault.ok("policy", "export", "--all").out == before
    assert_heard_no_value([PASSPHRASE.encode()])


def test_a_genuine_answer_counts_for_its_question_only(vault, broker, original, tmp_path):
    """Kept back, and sent to another question; then to its own, and once more to another of the same words."""
    inner = copy_vault(original, tmp_path / "inner")
    kept = []
    with Relay(inner, vault, lambda message: kept.append(message) or []), Streams(vault.work) as streams:
        with asked(vault, streams, UNRULED) as first, Client(vault, FOR_WATCH) as console:
            mine = shown(console)
            child = approve(inner)
            wait_until(lambda: kept)
            child.close(force=True)
            with asked(vault, streams, UNRULED):
                other = shown(console)
                assert other.nonce != mine.nonce and other.approval == mine.approval
                console.send(altered(kept[0], number=other.id))
                assert not judged(console, other.id)
                assert streams.out == b""
                console.send(frame(*kept[0]))
                assert judged(console, mine.id)
                first.expect(BEGIN)
                first.send(frame(BEGUN))
                assert ended(first.expect(END)) == (0, 0)
                for number in (mine.id, other.id):
                    console.send(altered(kept[0], number=number))
                    assert not judged(console, number)
        assert streams.out == b"started\n"
    assert kept[0].kind == ANSWER and kept[0].payload[4] == APPROVED
    assert_nowhere([PASSPHRASE.encode(), *SECRETS.values()], kept[0].payload)


def test_anybody_may_lock(vault, broker):
    """That is no harm: what is locked can do nothing. The end says the same as the message."""
    with Client(vault, FOR_LOCK) as client:
        assert {message.kind for message in client.rest()} <= {LOCKED}
    wait_until(lambda: vault.run("status").status == 4)
    assert vault.records()[-1]["kind"] == "broker.lock" and vault.records()[-1]["reason"] == "asked"
