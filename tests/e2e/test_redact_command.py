"""`envseal redact`: standard input to standard output, with the secrets masked."""

import base64
import json
import os
import resource
import signal
import socket
import subprocess

import pytest

from envseal_support import (PASSPHRASE, SECRETS, assert_nowhere, binary, copy_vault, finish, leaks_of, masked,
                             process_state, spawn, wait_until)

TOKEN = SECRETS["API_TOKEN"]
URL = SECRETS["DATABASE_URL"]


def redact(vault, *options, text=b"", **more):
    return vault.run("redact", *options, input=text, **more)


def last(vault, kind):
    return vault.records(kind=kind)[-1]


def read_all(fd):
    data = b""
    while piece := os.read(fd, 65536):
        data += piece
    os.close(fd)
    return data


# --------------------------------------------------------------------------------------------------------- what is masked


def test_named_secrets_are_masked(shared):
    encoded = base64.b64encode(TOKEN)
    result = redact(shared, "-s", "API_TOKEN", text=b"a " + TOKEN + b" b " + URL + b" c " + encoded + b"\n", status=0)
    # The last character of the encoding is not determined by the value alone: a byte could follow.
    rest = encoded[len(TOKEN) * 8 // 6:].decode()
    assert result.text == f"a {masked('API_TOKEN')} b {URL.decode()} c {masked('API_TOKEN', 'base64')}{rest}\n"
    assert leaks_of(result) == (2, "API_TOKEN (raw on stdin, 1), API_TOKEN (base64 on stdin, 1)")
    assert_nowhere([TOKEN], result.out + result.err)


def test_quiet(shared):
    result = redact(shared, "-s", "API_TOKEN", "--quiet", text=TOKEN, status=0)
    assert (result.text, result.talk) == (masked("API_TOKEN"), "")


def test_all_secrets_are_masked(shared):
    result = redact(shared, "--all", text=b"|".join(SECRETS.values()), status=0)
    assert result.text == "|".join(masked(name) for name in SECRETS)
    intent, outcome = last(shared, "redact.intent"), last(shared, "redact.outcome")
    assert intent["secrets"] == sorted(SECRETS) and intent["all"] is True and intent["secrets_left_out"] == 0
    assert outcome["end"] == "input" and outcome["leak_total"] == 3


def test_a_name_given_twice_is_named_once(shared):
    assert redact(shared, "-s", "API_TOKEN", "-s", "API_TOKEN", text=TOKEN, status=0).text == masked("API_TOKEN")


def test_the_manifest_decides(shared, tmp_path):
    (tmp_path / ".envseal").write_text('A=API_TOKEN\nB=API_TOKEN\nPORT="3000"\n[prod]\nA=DATABASE_URL\n')
    text = TOKEN + b" " + URL
    assert redact(shared, text=text, cwd=tmp_path, status=0).text == masked("API_TOKEN") + " " + URL.decode()
    prod = redact(shared, "--profile", "prod", text=text, cwd=tmp_path, status=0)
    assert prod.text == masked("API_TOKEN") + " " + masked("DATABASE_URL")
    assert "prod" not in redact(shared, "--profile", "test", text=text, cwd=tmp_path, status=2).text


def test_a_manifest_without_secrets_is_refused(shared, tmp_path):
    (tmp_path / ".envseal").write_text('PORT="3000"\n')
    result = redact(shared, text=TOKEN, cwd=tmp_path, status=2)
    assert result.out == b"" and "names no secret" in result.talk


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("options, status", [
    (["-s", "NOT_THERE"], 1),
    (["-s", "API_TOKEN=VAR"], 2),
    (["-s", ""], 2),
    ([], 2),
    (["--all", "-s", "API_TOKEN"], 2),
    (["--all", "--profile", "prod"], 2),
    (["-s", "API_TOKEN", "--profile", "prod"], 2),
    (["-s", "API_TOKEN", "--json"], 2),
    (["-s", "API_TOKEN", "operand"], 2),
    (["-s", "API_TOKEN", "--on-leak", "kill"], 2),
    (["-s", "API_TOKEN", "--events-fd", "x"], 2),
    (["-s", "API_TOKEN", "--events-fd", "0"], 2),
    (["-s", "API_TOKEN", "--events-fd", "1"], 2),
    (["-s", "API_TOKEN", "--events-fd", "2"], 2),
    (["-s", "API_TOKEN", "--events-fd", "3"], 2),
    (["-s", "API_TOKEN", "--events-fd", "77"], 2),
])
def test_refused_before_anything_comes_out(shared, options, status):
    before = len(shared.records(kind="redact"))
    result = redact(shared, *options, text=b"text " + TOKEN, status=status)
    assert result.out == b"" and result.talk.startswith("envseal: redact: ") and result.talk.count("\n") == 1
    assert len(shared.records(kind="redact")) == before


def test_every_descriptor_that_is_not_open_is_refused(shared):
    """Also those that envseal itself could have open by then."""
    for number in range(3, 12):
        result = redact(shared, "-s", "API_TOKEN", "--events-fd", str(number), text=TOKEN, status=2)
        assert "not open" in result.talk


def test_events_are_not_for_the_broker(vault):
    """Its descriptors are others: with them redact is done directly, and there is no terminal for the passphrase."""
    vault.unlock()
    with open("/dev/null", "wb") as null:
        result = vault.run("redact", "-s", "API_TOKEN", "--events-fd", str(null.fileno()), passphrase=False, input=TOKEN,
                           pass_fds=[null.fileno()], status=4)
    assert "no terminal" in result.talk and result.out == b""


def test_events_to_a_reading_end_are_refused(shared):
    with open("/dev/null", "rb") as null:
        result = redact(shared, "-s", "API_TOKEN", "--events-fd", str(null.fileno()), pass_fds=[null.fileno()], text=TOKEN,
                        status=2)
    assert "for reading only" in result.talk and result.out == b""


def test_the_passphrase_has_a_descriptor_of_its_own(shared):
    read, write = os.pipe()
    for options in (["--passphrase-fd", "0"], ["--passphrase-fd", str(write), "--events-fd", str(write)]):
        result = redact(shared, "-s", "API_TOKEN", *options, passphrase=False, pass_fds=[write], text=TOKEN, status=2)
        assert result.out == b""
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("redirection, word", [("<&-", "input"), (">&-", "output")])
def test_closed_standard_descriptors(shared, redirection, word):
    words = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *shared.words(["redact", "-s", "API_TOKEN"])]
    result = subprocess.run(words, env=shared.env, cwd=shared.work, input=TOKEN, capture_output=True, timeout=60)
    assert (result.returncode, result.stdout) == (2, b"")
    assert f"standard {word} is closed" in result.stderr.decode()


def test_locked(shared):
    result = redact(shared, "-s", "API_TOKEN", passphrase=False, text=TOKEN, status=4)
    assert result.out == b""


def test_wrong_passphrase(shared, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("not this one\n")
    wrong.chmod(0o600)
    result = redact(shared, "-s", "API_TOKEN", "--passphrase-file", wrong, passphrase=False, text=TOKEN, status=5)
    assert result.out == b""


def test_no_vault(no_vault):
    assert redact(no_vault, "-s", "A", passphrase=False, text=b"text", status=3).out == b""


def test_an_empty_vault_has_nothing_to_mask(empty):
    assert redact(empty, "--all", text=b"text", status=1).out == b""


def test_values_that_are_not_confirmed(vault):
    vault.ok("set", "WAITING", "--stdin", "--locked", input="a-waiting-value-1", passphrase=False)
    result = redact(vault, "-s", "WAITING", text=b"text", status=4)
    assert result.out == b"" and "envseal confirm WAITING" in result.talk
    result = redact(vault, "--all", text=b"a-waiting-value-1 " + TOKEN, status=0)
    assert result.text == "a-waiting-value-1 " + masked("API_TOKEN") and "WAITING" in result.talk
    vault.ok("set", "API_TOKEN", "--stdin", "--locked", "--force", input="a-waiting-value-2", passphrase=False)
    result = redact(vault, "-s", "API_TOKEN", text=TOKEN, status=0)
    assert result.text == masked("API_TOKEN") and "waits to be confirmed" in result.talk


# ------------------------------------------------------------------------------------------------------------- events


def events(vault, *options, text):
    read, write = os.pipe()
    result = redact(vault, *options, "--events-fd", str(write), pass_fds=[write], text=text, status=0)
    os.close(write)
    return result, [json.loads(line) for line in read_all(read).decode().splitlines()]


def test_events(shared):
    text = b"\xff\x00 " + TOKEN + b" " + TOKEN.hex().encode() + b" " + URL[:12]
    result, lines = events(shared, "--all", "--json", text=text)
    assert lines == [
        {"version": 1, "event": "leak", "secret": "API_TOKEN", "form": "raw", "offset": 3, "length": 20, "partial": False},
        {"version": 1, "event": "leak", "secret": "API_TOKEN", "form": "hex", "offset": 24, "length": 40, "partial": False},
        {"version": 1, "event": "leak", "secret": "DATABASE_URL", "form": "raw", "offset": 65, "length": 12,
         "partial": True},
        {"version": 1, "event": "end", "read": len(text), "written": len(result.out), "leaks": 3},
    ]


def test_events_of_an_empty_text(shared):
    result, lines = events(shared, "--all", text=b"")
    assert (result.out, result.err) == (b"", b"")
    assert lines == [{"version": 1, "event": "end", "read": 0, "written": 0, "leaks": 0}]


def test_more_events_than_a_pipe_holds(shared):
    """Nobody reads the events until the text is through: the text waits, and nothing is lost."""
    read, write = os.pipe()
    child = shared.popen("redact", "-s", "API_TOKEN", "--quiet", "--events-fd", str(write), pass_fds=[write],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    os.close(write)
    writer = subprocess.Popen(["/bin/sh", "-c", f"yes {TOKEN.decode()} | head -n 30000"], stdout=child.stdin)
    child.stdin.close()
    lines = read_all(read).decode().splitlines()
    assert (child.wait(60), writer.wait(60)) == (0, 0)
    assert len(lines) == 30001 and json.loads(lines[-1])["leaks"] == 30000


def test_the_reader_of_events_goes_away(shared):
    read, write = os.pipe()
    os.close(read)
    text = b"a " + TOKEN + b" b " + TOKEN + b" c"
    result = redact(shared, "-s", "API_TOKEN", "--events-fd", str(write), pass_fds=[write], text=text, status=1)
    os.close(write)
    assert result.text == f"a {masked('API_TOKEN')} b {masked('API_TOKEN')} c"
    assert "Broken pipe" in result.talk and last(shared, "redact.outcome")["leak_total"] == 2


# --------------------------------------------------------------------------------------------------- ends of the stream


def test_a_full_disk_is_an_error(shared):
    with open("/dev/full", "wb") as full:
        result = redact(shared, "-s", "API_TOKEN", text=b"text " + TOKEN, stdout=full, status=1)
    assert "No space left on device" in result.talk
    assert last(shared, "redact.outcome")["end"] == "error"


def test_an_input_that_cannot_be_read_is_an_error(shared, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    result = shared.run("redact", "-s", "API_TOKEN", stdin=folder, status=1)
    os.close(folder)
    assert "cannot read standard input" in result.talk


def test_a_reader_that_goes_away_ends_it_as_other_filters(shared):
    read, write = os.pipe()
    os.close(read)
    result = redact(shared, "-s", "API_TOKEN", text=b"text " + TOKEN, stdout=write)
    os.close(write)
    assert result.status == -signal.SIGPIPE
    assert last(shared, "redact.outcome")["end"] == "reader"


def test_a_shell_shows_141(shared):
    command = f"yes {TOKEN.decode()} | \"$@\" | head -n 1; echo ${{PIPESTATUS[1]}}"
    words = ["/bin/bash", "-c", command, "bash", *shared.words(["redact", "-s", "API_TOKEN", "-q"])]
    result = subprocess.run(words, env=shared.env, cwd=shared.work, capture_output=True, timeout=60)
    assert (result.stdout.decode(), result.stderr) == (masked("API_TOKEN") + "\n141\n", b"")


def test_a_reader_that_goes_away_where_sigpipe_is_ignored(shared):
    read, write = os.pipe()
    os.close(read)
    words = ["/bin/sh", "-c", 'trap "" PIPE; exec "$@"', "sh", *shared.words(["redact", "-s", "API_TOKEN"])]
    result = subprocess.run(words, env=shared.env, cwd=shared.work, input=TOKEN, stdout=write, stderr=subprocess.PIPE,
                            timeout=60)
    os.close(write)
    assert result.returncode == 1 and b"Broken pipe" in result.stderr


class Stream:
    """A filter that is told piece by piece."""

    def __init__(self, vault, *options, **more):
        self.vault = vault
        self.child = vault.popen("redact", *options, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, **more)

    def say(self, text):
        self.child.stdin.write(text)
        self.child.stdin.flush()

    def hear(self, count):
        text = b""
        while len(text) < count:
            piece = os.read(self.child.stdout.fileno(), count - len(text))
            assert piece, text
            text += piece
        return text.decode()

    def end(self):
        out, err = self.child.communicate(timeout=60)
        return out.decode(), err.decode(), self.child.returncode


def test_text_passes_at_once(shared):
    stream = Stream(shared, "-s", "API_TOKEN", "-q")
    for text in (b"Password: ", b"x", b"\n", b"\x1b[1m"):
        stream.say(text)
        assert stream.hear(len(text)) == text.decode()
    stream.say(b"so " + TOKEN[:2])  # within the exposure budget
    assert stream.hear(5) == "so to"
    stream.say(b" " + TOKEN[:10])
    assert stream.hear(1) == " "
    stream.say(TOKEN[10:])
    assert stream.hear(len(masked("API_TOKEN"))) == masked("API_TOKEN")
    assert stream.end() == ("", "", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_and_are_recorded(shared, number):
    stream = Stream(shared, "-s", "API_TOKEN", "-q")
    stream.say(TOKEN + b"\n")
    stream.hear(len(masked("API_TOKEN")) + 1)
    stream.child.send_signal(number)
    stream.child.wait(60)
    assert stream.end() == ("", "", -number)
    outcome = last(shared, "redact.outcome")
    assert (outcome["end"], outcome["signal"], outcome["leak_total"]) == ("signal", number, 1)


def test_a_signal_while_nobody_reads(shared):
    stream = Stream(shared, "-s", "API_TOKEN", "-q")
    stream.say(TOKEN + b"\n")
    stream.hear(1)
    writer = subprocess.Popen(["/usr/bin/yes"], stdout=stream.child.stdin)
    stream.child.stdin.close()
    wait_until(lambda: process_state(stream.child.pid) == "S")
    stream.child.send_signal(signal.SIGINT)
    assert stream.child.wait(60) == -signal.SIGINT
    stream.child.stdout.close()
    assert writer.wait(60) == -signal.SIGPIPE
    assert last(shared, "redact.outcome")["end"] == "signal"


def test_an_ignored_signal_does_not_end_it(shared):
    words = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *shared.words(["redact", "-s", "API_TOKEN", "-q"])]
    child = subprocess.Popen(words, env=shared.env, cwd=shared.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdin.write(b"one\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"one\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(b"two " + TOKEN, timeout=60)
    assert (out.decode(), child.returncode) == (f"two {masked('API_TOKEN')}", 0)


def test_others_use_the_vault_meanwhile(vault):
    stream = Stream(vault, "-s", "API_TOKEN", "-q")
    stream.say(b"one\n")
    stream.hear(4)
    assert last(vault, "redact.intent")["secrets"] == ["API_TOKEN"]
    vault.set("ANOTHER", "another-value-3f7c")
    vault.ok("rename", "API_TOKEN", "RENAMED")
    stream.say(TOKEN)
    assert stream.end() == (masked("API_TOKEN"), "", 0)
    assert last(vault, "redact.outcome")["end"] == "input"
    vault.check()


def test_the_passphrase_is_typed_on_the_terminal(shared):
    text = f"printf 'the value {TOKEN.decode()}!' | {binary()} redact -s API_TOKEN -q"
    child = spawn(["/bin/bash", "--norc", "-c", text + "; exit $?"], env=shared.env, cwd=shared.work)
    child.expect("Passphrase: ")
    child.sendline(PASSPHRASE)
    shown, status = finish(child)
    assert (shown.strip(), status) == (f"the value {masked('API_TOKEN')}!", 0)


# ------------------------------------------------------------------------------------------------------------ bad input


@pytest.fixture(scope="module")
def odd(tmp_path_factory, empty_original):
    """Values that are hard to mask."""
    vault = copy_vault(empty_original, tmp_path_factory.mktemp("odd"))
    for name, value in {"ONE": "x", "SAME_1": "same-value-8c1f", "SAME_2": "same-value-8c1f",
                        "MASK": "[ENVSEAL:REDACTED MASK]", "LARGE": "0123456789abcdef" * 65536}.items():
        vault.set(name, value, *(["--allow-weak"] if len(value) < 8 else []))
    return vault


@pytest.mark.parametrize("text, expected", [
    (b"x, xx x\n", f"{masked('ONE')}, xx {masked('ONE')}\n"),
    (b"same-value-8c1f", "[ENVSEAL:REDACTED SAME_1, SAME_2]"),
    (b"[ENVSEAL:REDACTED MASK]", "[ENVSEAL:REDACTED MASK]"),
    (b"\x00\x00x\x00\xff\xfe", f"\x00\x00{masked('ONE')}\x00\udcff\udcfe"),
    (b"\x1b[31", "\x1b[31"),
    (b"same-value-8c1f\x1b]0;title", "[ENVSEAL:REDACTED SAME_1, SAME_2]\x1b]0;title"),
    (b"0123456789abcdef" * 65535, masked("LARGE")),
    (b"\x1b[1m" * 1000, "\x1b[1m" * 1000),
    (bytes(1 << 20), "\x00" * (1 << 20)),
], ids=["one byte", "two of one value", "mask", "NULs", "unfinished escape", "unfinished string", "cut off", "escapes",
        "a MiB of NULs"])
def test_hard_values_and_texts(odd, text, expected):
    result = redact(odd, "--all", "-q", text=text, status=0)
    assert result.out.decode("utf-8", "surrogateescape") == expected


def test_every_way_in_and_out(shared, tmp_path):
    """Files, pipes and sockets on both sides."""
    text = b"line " + TOKEN + b"\n" * 3000
    expected = f"line {masked('API_TOKEN')}".encode() + b"\n" * 3000
    (tmp_path / "in").write_bytes(text)
    with open(tmp_path / "in", "rb") as source, open(tmp_path / "out", "wb") as target:
        shared.ok("redact", "-s", "API_TOKEN", stdin=source, stdout=target)
    assert (tmp_path / "out").read_bytes() == expected
    ours, theirs = socket.socketpair()
    child = shared.popen("redact", "-s", "API_TOKEN", "-q", stdin=theirs, stdout=theirs)
    theirs.close()
    ours.sendall(text)
    ours.shutdown(socket.SHUT_WR)
    received = b""
    while piece := ours.recv(65536):
        received += piece
    assert (received, child.wait(60)) == (expected, 0)


def test_memory_does_not_grow_with_the_text(shared):
    # Not the peak: that is the passphrase's hash, before anything is read.
    stream = Stream(shared, "--all", "-q")
    writer = subprocess.Popen(["/bin/bash", "-c", "yes 'a line of text that is clean, as most are' | head -c 100000000"],
                              stdout=stream.child.stdin)
    stream.child.stdin.close()
    sizes, got = [], 0
    while piece := os.read(stream.child.stdout.fileno(), 1 << 20):
        before, got = got, got + len(piece)
        if before < 1 << 20 <= got or before < 99_000_000 <= got:
            sizes.append(resident_kib(stream.child.pid))
    assert (stream.child.wait(60), writer.wait(60), got) == (0, 0, 100_000_000)
    assert abs(sizes[1] - sizes[0]) <= 256, sizes


def resident_kib(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024
