"""--on-leak, the notice about masks, and what the audit log says of them."""

import base64
import re
import signal

import pytest

from envseal_support import (PASSPHRASE, PYTHON, SECRETS, assert_nowhere, finish, leaks_of, masked, wait_gone)

TOKEN = SECRETS["API_TOKEN"]
TELL = ["/bin/sh", "-c", 'printf %s "$API_TOKEN"; printf "%s" "$API_TOKEN" | base64 >&2; exit 7']
KILLED = "so the program and all that it started were killed (--on-leak kill)\n"


def run(vault, *options, program=TELL, action="run", **more):
    names = ["-s", "API_TOKEN"] if action != "pipe" else ["API_TOKEN"]
    return vault.run(action, *names, *options, "--", *program, **more)


def outcome(vault, action="run"):
    return vault.records(kind=f"{action}.outcome")[-1]


def rows(record):
    return {(leak["secret"], leak["form"], leak["stream"], leak["offset"], leak["count"]) for leak in record["leaks"]}


BOTH = {("API_TOKEN", "raw", "stdout", 0, 1), ("API_TOKEN", "base64", "stderr", 0, 1)}


@pytest.mark.parametrize("options", [[], ["--on-leak", "warn"], ["--on-leak=warn"]])
def test_warn_is_the_default(shared, options):
    result = run(shared, *options, status=7)
    assert result.text == masked("API_TOKEN")
    # Two streams: which mask is seen first is not said.
    total, what = leaks_of(result)
    assert total == 2
    assert sorted(re.split(r", (?=API)", what)) == ["API_TOKEN (base64 on stderr, 1)", "API_TOKEN (raw on stdout, 1)"]
    record = outcome(shared)
    assert (record["on_leak"], record["killed_for_leak"], record["leak_total"]) == ("warn", False, 2)
    assert rows(record) == BOTH


def test_warn_is_quiet_when_it_is_asked_to(shared):
    result = run(shared, "--quiet", status=7)
    assert leaks_of(result) is None and "envseal" not in result.talk


def test_mask_says_nothing_and_records(shared):
    result = run(shared, "--on-leak", "mask", status=7)
    assert result.text == masked("API_TOKEN") and "envseal" not in result.talk
    record = outcome(shared)
    assert (record["on_leak"], record["killed_for_leak"], rows(record)) == ("mask", False, BOTH)


def test_pipe_has_it_too(shared):
    cat = ["/bin/cat"]
    assert leaks_of(run(shared, action="pipe", program=cat, status=0)) == (1, "API_TOKEN (raw on stdout, 1)")
    result = run(shared, "--on-leak", "mask", action="pipe", program=cat, status=0)
    assert (result.text, result.talk) == (masked("API_TOKEN"), "")
    assert outcome(shared, "pipe")["on_leak"] == "mask"


def test_inject_has_it_not(shared):
    result = run(shared, "--on-leak", "mask", action="inject", program=["/bin/true"], status=125)
    assert "there is no option --on-leak" in result.talk


@pytest.mark.parametrize("word", ["", "Kill", "kill ", "ignore"])
def test_other_words_are_refused(shared, word):
    before = len(shared.records())
    result = run(shared, "--on-leak", word, status=125)
    assert result.out == b"" and "--on-leak is mask, warn or kill" in result.talk
    assert len(shared.records()) == before


# ------------------------------------------------------------------------------------------------------------- kill

TELL_AND_WAIT = """
import base64, os, sys, time
value = os.environ["API_TOKEN"].encode()
os.write(1, b"before\\n")
os.write(int(sys.argv[1]), b"it is " + (base64.b64encode(value) if sys.argv[2] == "base64" else value) + b"\\n")
while True:
    time.sleep(1000)
"""


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
@pytest.mark.parametrize("stream, form", [(1, "raw"), (2, "raw"), (1, "base64")])
def test_kill_ends_the_program_at_once(shared, stream, form, quiet):
    program = [PYTHON, "-I", "-c", TELL_AND_WAIT, str(stream), form]
    result = run(shared, "--on-leak", "kill", *quiet, program=program, status=125, timeout=60)
    name = "stdout" if stream == 1 else "stderr"
    sentence = f"envseal: run: API_TOKEN ({form}) was in the program's output on {name}, {KILLED}"
    assert result.talk.endswith(sentence) and result.talk.count("envseal:") == 1
    assert_nowhere([TOKEN, base64.b64encode(TOKEN)[:16]], result.out + result.err)
    assert result.text.startswith("before\n")
    record = outcome(shared)
    assert (record["on_leak"], record["killed_for_leak"], record["signal"]) == ("kill", True, signal.SIGKILL)
    leak, = record["leaks"]
    assert (leak["secret"], leak["form"], leak["stream"]) == ("API_TOKEN", form, name)


def test_kill_takes_everything_of_the_session(shared, tmp_path):
    place = tmp_path / "pid"
    script = f'sleep 1000 & echo $! > {place}; (sleep 1000 & echo $! >> {place}); printf %s "$API_TOKEN"; wait'
    result = run(shared, "--on-leak", "kill", program=["/bin/sh", "-c", script], status=125, timeout=60)
    assert result.talk.endswith(KILLED)
    for pid in place.read_text().split():
        wait_gone(int(pid))


def test_nothing_is_shown_after_the_leak(shared):
    script = 'printf "%s\\n" "$API_TOKEN"; i=0; while [ $i -lt 100000 ]; do echo "later $i"; i=$((i+1)); done'
    result = run(shared, "--on-leak", "kill", program=["/bin/sh", "-c", script], status=125, timeout=60)
    assert "later 99999" not in result.text


def test_nothing_is_shown_after_the_leak_in_one_write_either(shared):
    script = 'printf "before\\n%s\\nafter\\n" "$API_TOKEN"; sleep 1000'
    result = run(shared, "--on-leak", "kill", program=["/bin/sh", "-c", script], status=125, timeout=60)
    assert result.text.rstrip("\n") == "before\n" + masked("API_TOKEN")


def test_a_program_without_a_leak_lives_on(shared):
    result = run(shared, "--on-leak", "kill", program=["/bin/sh", "-c", "echo fine; exit 3"], status=3)
    assert (result.text, result.talk) == ("fine\n", "")
    record = outcome(shared)
    assert (record["on_leak"], record["killed_for_leak"], record["status"]) == ("kill", False, 3)


def test_a_leak_in_the_last_bytes_counts_too(shared):
    """The program has ended when the end of its output is found to be a part of a value."""
    script = 'printf %.10s "$API_TOKEN"'
    result = run(shared, "--on-leak", "kill", program=["/bin/sh", "-c", script])
    assert_nowhere([TOKEN[:10]], result.out)
    assert result.status in (0, 125) and outcome(shared)["leak_total"] == 1


# --------------------------------------------------------------------------------------------------------- on a terminal


def on_terminal(vault, *options, program):
    child = vault.spawn("run", "-s", "API_TOKEN", *options, "--", *program)
    # Not asked for "once" where a rule, which another test needed, allows this anyway.
    child.expect("Passphrase( to approve once)?: ")
    child.sendline(PASSPHRASE)
    return finish(child)


def test_the_stream_is_the_terminal(shared):
    text, status = on_terminal(shared, program=["/bin/sh", "-c", 'echo "$API_TOKEN"; echo "$API_TOKEN" >&2; exit 4'])
    assert text.count(masked("API_TOKEN")) == 2 and status == 4
    assert "envseal: run: masked 2 times: API_TOKEN (raw on terminal, 2)" in text
    record = outcome(shared)
    leak, = record["leaks"]
    assert (leak["stream"], leak["count"]) == ("terminal", 2)
    assert record["terminal_bytes"] == 2 * (len(TOKEN) + 2) and record["stdout_bytes"] == record["stderr_bytes"] == 0


def test_kill_on_a_terminal(shared):
    program = [PYTHON, "-I", "-c", TELL_AND_WAIT, "1", "raw"]
    text, status = on_terminal(shared, "--on-leak", "kill", program=program)
    assert status == 125
    assert f"API_TOKEN (raw) was in the program's output on terminal, {KILLED.strip()}" in text
    assert_nowhere([TOKEN], text)
    assert outcome(shared)["killed_for_leak"] is True


# ----------------------------------------------------------------------------------------------------- rows and counts


def test_first_offset_and_count(shared):
    program = [PYTHON, "-I", "-c", "import os; v = os.environ['API_TOKEN']; print('0123456789' + (v + ' ') * 5)"]
    run(shared, program=program, status=0)
    assert rows(outcome(shared)) == {("API_TOKEN", "raw", "stdout", 10, 5)}


def test_explain_does_not_change_with_it(shared):
    plain = shared.ok("run", "-s", "API_TOKEN", "--explain", "--", "/bin/true", passphrase=False)
    kill = shared.ok("run", "-s", "API_TOKEN", "--explain", "--on-leak", "kill", "--", "/bin/true", passphrase=False)
    assert plain.out == kill.out and "true" in plain.text
