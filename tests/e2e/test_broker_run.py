"""Runs through the broker: what a program gets and does is what it would be directly, without a passphrase; and how a broker ends."""

import json
import os
import pathlib
import resource
import signal
import subprocess

import pytest

from broker_support import Broker
from envseal_support import (PASSPHRASE, PYTHON, SECRETS, assert_nowhere, binary, copy_vault, finish, masked, wait_gone,
                             wait_until)

RUN = ["run", "-s", "API_TOKEN", "--"]


@pytest.fixture(scope="module")
def open_vault(shared):
    shared.unlock("--idle", "never")
    return shared


def permit(vault, words, **more):
    vault.allow(words, **more)
    return words


def through(vault, *words, **more):
    """By the broker alone: there is neither a passphrase nor a terminal."""
    return vault.run(*words, passphrase=False, **more)


def allowed(vault, *program, options=("-s", "API_TOKEN"), **more):
    """A run that a rule allows."""
    words = permit(vault, ["run", *options, "--", *program], **{name: more[name] for name in ("cwd", "env") if name in more})
    return through(vault, *words, **more)


# -------------------------------------------------------------------------------------------------- what is done, and how


def test_a_rule_allows_it(open_vault):
    result = allowed(open_vault, "/bin/sh", "-c", 'echo "$API_TOKEN"')
    assert result.status == 0 and result.text == masked("API_TOKEN") + "\n", result
    assert_nowhere(SECRETS.values(), result.out + result.err)
    record = [record for record in open_vault.records() if record["kind"] == "run.intent"][-1]
    assert "rule" in json.dumps(record["decision"]), record


def test_pipe(open_vault):
    words = permit(open_vault, ["pipe", "API_TOKEN", "--", "/usr/bin/wc", "-c"])
    assert through(open_vault, *words, status=0).text == f"{len(SECRETS['API_TOKEN'])}\n"


def test_inject_is_refused_and_names_direct(open_vault):
    result = through(open_vault, "inject", *RUN[1:], "/bin/echo", "started", status=125)
    assert "--direct" in result.talk and result.out == b"", result
    assert open_vault.ok("inject", "--direct", *RUN[1:], "/bin/echo", "started").text == "started\n"


@pytest.mark.parametrize("action", [["run", "-s", "API_TOKEN"], ["pipe", "API_TOKEN"]], ids=lambda words: words[0])
def test_no_rule_and_no_wait(open_vault, action):
    result = through(open_vault, action[0], "--no-wait", *action[1:], "--", "/bin/echo", "started", status=125)
    assert result.out == b"" and "envseal policy allow" in result.talk, result
    assert open_vault.broker()["waiting"] == 0


def test_an_unanswered_question_is_left_with_its_asker(open_vault):
    process = open_vault.popen(*RUN, "/bin/echo", "started", passphrase=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: open_vault.broker()["waiting"] == 1)
    process.send_signal(signal.SIGINT)
    out, talk = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and out == b"" and b"waiting for approval (envseal approve)" in talk
    wait_until(lambda: open_vault.broker()["waiting"] == 0)


def test_direct(open_vault):
    """With the word, and with a passphrase given by an option."""
    result = open_vault.run("run", "--direct", *RUN[1:], "/bin/echo", "started", passphrase=False)
    assert result.status == 125 and "terminal" in result.talk and result.out == b"", result
    for option in ([], ["--direct"]):
        assert open_vault.ok("run", *option, "--passphrase-file", open_vault.passphrase_file, *RUN[1:], "/bin/echo", "started",
                             passphrase=False).text == "started\n"


def test_another_vault_is_done_directly(vault, tmp_path):
    """One whose broker would listen at the same place."""
    one, other = copy_vault(vault, tmp_path / "one"), copy_vault(vault, tmp_path / "other")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    places = []
    for owner in (one, other):
        data = owner.base / "data"
        data.mkdir()
        owner.dir.rename(data / "envseal")
        places.append({"ENVSEAL_HOME": None, "XDG_RUNTIME_DIR": str(runtime), "XDG_DATA_HOME": str(data), "XDG_STATE_HOME": str(data)})
    one.ok("unlock", "--passphrase-file", one.passphrase_file, env=places[0])
    try:
        result = other.run("status", env=places[1])
        assert result.status == 4 and "another vault" in result.text
        result = through(other, *RUN, "/bin/echo", "started", env=places[1])
        assert result.status == 125 and result.out == b"", result
        result = other.run("run", "--passphrase-file", other.passphrase_file, *RUN[1:], "/bin/echo", "started", env=places[1],
                           passphrase=False)
        assert result.status == 0 and result.text == "started\n", result
        result = other.run("unlock", "--passphrase-file", other.passphrase_file, env=places[1])
        assert result.status == 1, result
    finally:
        one.ok("lock", env=places[0])


# ------------------------------------------------------------------------------------------------------- what a program gets


def test_the_working_directory(open_vault, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    assert allowed(open_vault, "/bin/pwd", "-P", cwd=folder).text == f"{folder}\n"


@pytest.mark.parametrize("direct", [False, True], ids=["broker", "direct"])
def test_a_working_directory_that_is_gone(open_vault, tmp_path, direct):
    """A status as without a broker, and nothing that hangs."""
    folder = tmp_path / "gone"
    folder.mkdir()
    permit(open_vault, [*RUN, "/bin/echo", "started"])
    options = ["--passphrase-file", str(open_vault.passphrase_file)] if direct else []
    script = 'cd "$1" && rmdir "$1" && shift && exec "$@"'
    done = subprocess.run(["/bin/sh", "-c", script, "sh", folder, binary(), "run", *options, *RUN[1:], "/bin/echo", "started"],
                          env=open_vault.env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, start_new_session=True)
    assert done.returncode == 125 and done.stdout == b"", done


LOOK = """import json, os, signal, resource
def kind(number):
    try:
        return os.fstat(number).st_rdev, os.fstat(number).st_mode & 0o170000
    except OSError:
        return None
report = os.environ["REPORT"]
found = {"fds": [kind(number) is not None for number in range(3)], "umask": os.umask(0),
         "more": [number for number in range(3, 64) if kind(number)],
         "limits": [resource.getrlimit(number) for number in range(16)],
         "ignored": [number for number in range(1, 32) if number not in (9, 19) and signal.getsignal(number) == signal.SIG_IGN],
         "environment": sorted(name for name in os.environ if name != "LC_CTYPE"), "session": os.getsid(0) == os.getpid(),
         "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))}
with open(report, "w") as file:
    json.dump(found, file)
"""


def looked(vault, tmp_path, way, redirections="", prepare="", env=None):
    """What a program finds, by the broker or directly."""
    report = tmp_path / f"report-{way}"
    program = tmp_path / "look.py"
    program.write_text(LOOK)
    env = {"REPORT": str(report)} | (env or {})
    words = [*RUN, PYTHON, "-I", str(program)]
    permit(vault, words, env=env, cwd=tmp_path)
    options = [] if way == "broker" else ["--passphrase-file", str(vault.passphrase_file)]
    script = ["/bin/sh", "-c", f'{prepare}\nexec "$@" {redirections}', "sh"]
    done = subprocess.run([*script, binary(), "run", *options, *words[1:]], env=vault.environment(env), cwd=tmp_path,
                          capture_output=True, timeout=60, stdin=subprocess.DEVNULL, start_new_session=True)
    assert done.returncode == 0, done
    return json.loads(report.read_text())


SURROUNDINGS = {"plain": {}, "no stdin": dict(redirections="<&-"), "no stdout": dict(redirections=">&-"), "no stderr": dict(redirections="2>&-"),
                "nothing open": dict(redirections="<&- >&- 2>&-"), "umask": dict(prepare="umask 027"), "umask 0": dict(prepare="umask 0"),
                "limits": dict(prepare="ulimit -n 200; ulimit -f 100000; ulimit -S -s 4096; ulimit -c 0"),
                "nohup": dict(prepare='trap "" HUP'), "ignored": dict(prepare='trap "" INT QUIT TERM USR1 PIPE'),
                "environment": dict(env={"SOME_SETTING": "a=b c", "EMPTY": "", "LANG": "C"})}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_surroundings_are_as_in_the_direct_mode(open_vault, tmp_path, name):
    found = [looked(open_vault, tmp_path, way, **SURROUNDINGS[name]) for way in ("broker", "direct")]
    assert found[0] == found[1]
    if name == "umask":
        assert found[0]["umask"] == 0o027
    if name == "nothing open":
        assert found[0]["fds"] == [False] * 3
    if name == "limits":
        assert found[0]["limits"][resource.RLIMIT_NOFILE] == [200, 200]
    if name == "nohup":
        assert signal.SIGHUP in found[0]["ignored"]
    assert "API_TOKEN" in found[0]["environment"] and found[0]["more"] == []


def test_very_many_arguments(open_vault):
    words = [f"argument-{number}" for number in range(253)]
    assert allowed(open_vault, "/usr/bin/printf", "%s\\n", *words).text == "".join(f"{word}\n" for word in words)


def test_a_megabyte_of_environment(open_vault):
    env = {f"VARIABLE_{number}": "x" * 16384 for number in range(64)}
    program = ["/bin/sh", "-c", "env | grep -c ^VARIABLE_"]
    assert allowed(open_vault, *program, env=env).text == "64\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV], ids=lambda number: number.name)
def test_a_program_that_a_signal_ends(open_vault, number):
    assert allowed(open_vault, "/bin/sh", "-c", f"kill -{int(number)} $$").status == -number


@pytest.mark.parametrize("status", [0, 1, 77, 125, 255])
def test_the_programs_status(open_vault, status):
    assert allowed(open_vault, "/bin/sh", "-c", f"exit {status}").status == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT],
                         ids=lambda number: number.name)
def test_a_signal_to_envseal_reaches_the_program(open_vault, fifo, number):
    program = ["/bin/sh", "-c", f'trap "exit 42" {number.name[3:]}; echo > "$0"; while :; do /bin/sleep 0.05; done', str(fifo)]
    process = open_vault.popen(*permit(open_vault, [*RUN, *program]), passphrase=False)
    fifo.read_text()
    process.send_signal(number)
    assert process.wait(60) == 42


def test_what_is_not_there(open_vault):
    assert through(open_vault, *RUN, "/nowhere/program").status == 127
    assert through(open_vault, *RUN, "/etc/hostname").status == 126
    assert through(open_vault, "run", "--no-wait", "-s", "NOT_THERE", "--", "/bin/true").status == 125
    assert through(open_vault, "run", "--nonsense", "--", "/bin/true").status == 125


# ------------------------------------------------------------------------------------------------------------------ streams


def test_ten_megabytes_through_cat(open_vault):
    data = os.urandom(1 << 20) * 10
    result = allowed(open_vault, "/bin/cat", input=data)
    assert result.status == 0 and result.out == data


@pytest.mark.parametrize("direct", [False, True], ids=["broker", "direct"])
def test_a_reader_that_goes_early(open_vault, direct):
    """yes | head -1: the program sees that nobody reads, and envseal ends as it did."""
    words = permit(open_vault, [*RUN, "/usr/bin/yes"])
    process = open_vault.popen(*words, passphrase=direct, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(60) == -signal.SIGPIPE
    process.stderr.close()


def test_a_program_that_closes_its_output(open_vault, fifo):
    """Whoever reads sees the end at once; nobody holds the pipe open."""
    program = ["/bin/sh", "-c", 'echo said; exec > /dev/null 2> /dev/null; read line < "$0"', str(fifo)]
    process = open_vault.popen(*permit(open_vault, [*RUN, *program]), passphrase=False, stdout=subprocess.PIPE)
    assert process.stdout.read() == b"said\n"
    fifo.write_text("go\n")
    assert process.wait(60) == 0
    process.stdout.close()


def test_the_end_is_in_the_log_when_it_is_told(open_vault):
    """And the vault anchors it soon after."""
    allowed(open_vault, "/bin/true")
    last = open_vault.records()[-1]
    assert (last["kind"], last["status"]) == ("run.outcome", 0)
    assert last["at_generation"] == open_vault.records(kind="run.intent")[-1]["generation"]
    wait_until(lambda: open_vault.check()["unanchored"] == 0)


def test_the_vault_of_before_a_single_run(open_vault, tmp_path):
    """Its outcome tells of the generation that the run's intent has made."""
    program = ["/bin/echo", "once"]
    words = permit(open_vault, [*RUN, *program])
    older = copy_vault(open_vault, tmp_path)
    open_vault.run(*words, passphrase=False, status=0)
    wait_until(lambda: open_vault.check()["unanchored"] == 0)
    older.log.write_bytes(open_vault.log.read_bytes())
    assert "older" in older.run("audit", "verify", "--direct", status=6).talk


def test_many_at_once(open_vault):
    words = permit(open_vault, [*RUN, "/bin/sh", "-c", 'echo "$API_TOKEN"; exec /bin/cat'])
    processes = [open_vault.popen(*words, passphrase=False, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(40)]
    for number, process in enumerate(processes):
        out, _ = process.communicate(f"{number}\n".encode(), timeout=120)
        assert process.returncode == 0 and out == f"{masked('API_TOKEN')}\n{number}\n".encode()
    assert open_vault.check()["ok"]


# ---------------------------------------------------------------------------------------------------------- how it ends


def locked(vault):
    return vault.run("status").status == 4


def lock_record(vault):
    return [record for record in vault.records() if record["kind"].startswith("broker.")][-1]


def going_on(vault, fifo):
    """A run whose program says that it is there, and then waits to be told to end."""
    program = ["/bin/sh", "-c", 'echo > "$0"; read line < "$0"; echo over; exit 7', str(fifo)]
    process = vault.popen(*permit(vault, [*RUN, *program]), passphrase=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    fifo.read_text()
    return process


def test_a_program_survives_the_lock(vault, fifo):
    """It is done with the vault: its end is recorded as ever."""
    vault.unlock()
    process = going_on(vault, fifo)
    vault.lock()
    assert locked(vault) and process.poll() is None
    fifo.write_text("\n")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 7 and out == b"over\n"
    kinds = [record["kind"] for record in vault.records()]
    assert "broker.lock" in kinds[:-1] and kinds[-1] == "run.outcome", kinds
    assert vault.check()["ok"]


def test_idle(vault):
    vault.unlock("--idle", "1s")
    wait_until(lambda: locked(vault))
    record = lock_record(vault)
    assert record["kind"] == "broker.lock" and record["reason"] == "idle", record


def test_while_a_program_runs_it_is_not_idle(vault, fifo):
    vault.unlock("--idle", "1s")
    process = going_on(vault, fifo)
    own = Broker(vault)
    # The second begins with the end of the run.
    fifo.write_text("\n")
    process.communicate(timeout=60)
    wait_gone(own.keeper)
    kinds = [record["kind"] for record in vault.records()]
    assert kinds[-2:] == ["run.outcome", "broker.lock"] and lock_record(vault)["reason"] == "idle"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name)
def test_a_signal_to_the_keeper_ends_programs_too(vault, fifo, number):
    vault.unlock()
    process = going_on(vault, fifo)
    own = Broker(vault)
    worker, = own.workers()
    os.kill(own.keeper, number)
    process.communicate(timeout=60)
    assert process.returncode == 125
    for pid in (own.keeper, own.front, worker):
        wait_gone(pid)
    assert locked(vault) and lock_record(vault)["reason"] == "terminated"
    assert vault.check()["ok"]


def test_lock_and_again(vault):
    for _ in range(3):
        vault.unlock()
        assert vault.run("unlock", "--passphrase-file", vault.passphrase_file).status == 1
        vault.lock()
        assert locked(vault)
    assert vault.ok("lock", "--json").json()["was_unlocked"] is False
    assert [record["kind"] for record in vault.records() if record["kind"].startswith("broker.")] == ["broker.unlock", "broker.lock"] * 3


@pytest.mark.parametrize("options", [["--for", "59s"], ["--for", "8d"], ["--for", "x"], ["--idle", "0s"], ["--for", "1h", "--idle", "2h"],
                                     ["--idle", ""]], ids=" ".join)
def test_spans_that_are_none(vault, options):
    result = vault.run("unlock", "--passphrase-file", vault.passphrase_file, *options, status=2)
    assert options[-2] in result.talk
    assert locked(vault)


def test_a_wrong_passphrase(vault):
    vault.write_passphrase("not this one at all")
    assert vault.run("unlock", "--passphrase-file", vault.passphrase_file).status == 5
    assert locked(vault)
    vault.write_passphrase(PASSPHRASE)


def test_foreground(vault):
    """It stays this process's, and ends with status 0 when it is locked."""
    process = vault.popen("unlock", "--foreground", "--passphrase-file", vault.passphrase_file, stderr=subprocess.PIPE)
    wait_until(lambda: not locked(vault))
    assert vault.broker()["pid"] == process.pid
    assert allowed(vault, "/bin/true").status == 0
    vault.ok("lock")
    _, talk = process.communicate(timeout=60)
    assert process.returncode == 0, talk


def test_the_daemon_holds_nothing_of_its_starter(vault):
    """Neither its output, nor its folder, nor its session."""
    done = vault.unlock()
    own = Broker(vault)
    assert done.status == 0 and os.getsid(own.keeper) == own.keeper != os.getsid(0)
    held = pathlib.Path(vault.work) / "held"
    held.mkdir()
    process = vault.popen("lock", stdout=subprocess.PIPE, cwd=held)
    process.communicate(timeout=60)
    vault.has_broker = False
    wait_gone(own.keeper)
    wait_gone(own.front)


# --------------------------------------------------------------------------------------------------------------------- set


def test_set_makes_a_new_value_without_a_passphrase(vault):
    vault.unlock()
    result = through(vault, "set", "NEW", "--stdin", "--raw", "--json", input=b"a-value-of-its-own-71", status=0)
    assert result.json() | {"version": 1} == result.json() and result.json()["name"] == "NEW" and result.json()["locked"] is False
    assert vault.is_value("NEW", b"a-value-of-its-own-71")


def replaced(vault, said):
    """A new value for API_TOKEN, and what the human says to it. -> (status of the console, of set)"""
    vault.unlock()
    words = ["set", "API_TOKEN", "--stdin", "--raw", "--force"]
    process = vault.popen(*words, passphrase=False, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"another-value-41-for-it")
    process.stdin.close()
    wait_until(lambda: vault.broker()["waiting"] == 1)
    child = vault.spawn("approve", "--once")
    child.expect("Passphrase[^:]*: ")
    child.send(said + "\r")
    _, status = finish(child)
    ended = process.wait(60)
    process.stderr.close()
    return status, ended


def test_set_replaces_a_value_when_the_human_agrees(vault):
    assert replaced(vault, PASSPHRASE) == (0, 0)
    assert vault.is_value("API_TOKEN", b"another-value-41-for-it")


def test_set_replaces_nothing_when_the_human_does_not(vault):
    assert replaced(vault, "d") == (1, 4)
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])
    assert not vault.entry("API_TOKEN").get("pending"), vault.entry("API_TOKEN")
