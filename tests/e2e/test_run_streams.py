"""The running program's descriptors, signals and end, as they would be without envseal around it."""

import hashlib
import os
import signal
import subprocess

import pytest

from envseal_support import (PASSPHRASE, PYTHON, THROUGH_BROKER, is_alive, masked, process_state, spawn, told_pid, wait_gone,
                             wait_until)

MEGABYTES_100 = "seq 1 12800000"


def words(vault, *command, options=("-s", "API_TOKEN"), action="run", **more):
    return vault.words([action, *options, "--", *command], **more)


def shell(vault, script, *command, interpreter="/bin/bash", **more):
    """Runs a shell script that finds the envseal call in "$@"."""
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([interpreter, "-c", script, interpreter, *words(vault, *command)], env=vault.env,
        cwd=vault.work,
                          capture_output=True, timeout=120, **more)


def start(vault, *command, **more):
    more.setdefault("stdout", subprocess.PIPE)
    return vault.popen("run", "-s", "API_TOKEN", "--", *command, **more)


def line(process):
    return process.stdout.readline().decode().strip()


# --------------------------------------------------------------------------------------------------------------- output


@pytest.mark.parametrize("program", [
    ["printf", "no newline"], ["printf", ""], ["printf", "a\\r\\nb\\r\\n"], ["env", "-i", "/bin/echo", "x"],
    ["head", "-c", "70000", "/dev/zero"], ["sh", "-c", "printf out; printf err >&2; printf out"],
    ["head", "-c", "300000", "/bin/bash"]], ids=lambda words: " ".join(words)[:20])
def test_a_clean_program_is_not_changed_by_a_byte(shared, program):
    plain = subprocess.run(program, capture_output=True, env=shared.env)
    result = shared.run("run", "-s", "API_TOKEN", "--", *program, status=plain.returncode)
    assert result.out == plain.stdout and result.err == plain.stderr


def test_a_hundred_megabytes_are_not_changed(shared):
    plain = subprocess.Popen(["sh", "-c", MEGABYTES_100], stdout=subprocess.PIPE)
    filtered = start(shared, "sh", "-c", MEGABYTES_100)
    digests = []
    for process in (plain, filtered):
        digest, size = hashlib.blake2b(), 0
        while block := process.stdout.read(1 << 20):
            digest.update(block)
            size += len(block)
        digests.append(digest.hexdigest())
        assert process.wait() == 0 and size > 100_000_000
    assert digests[0] == digests[1]


def test_a_pipe_that_closes_early(shared):
    done = shell(shared, '"$@" | head -n 1; echo "${PIPESTATUS[0]}"', "yes")
    assert done.stdout == b"y\n141\n" and done.stderr == b""
    assert shared.records()[-1]["signal"] == signal.SIGPIPE


def test_a_program_that_ignores_sigpipe_sees_the_error(shared):
    program = ("import signal, sys\nsignal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
               "try:\n    while True: sys.stdout.write('x' * 65536); sys.stdout.flush()\n"
               "except BrokenPipeError:\n    sys.stderr.write('broken'); sys.stderr.flush(); import os; os._exit(9)\n")
    done = shell(shared, '"$@" | head -c 1; echo "${PIPESTATUS[0]}"', PYTHON, "-c", program)
    assert done.stdout == b"x9\n" and done.stderr == b"broken"


def test_a_full_device_is_told(shared):
    """The program has ended well by the time its output turns out to be lost: silence would be a lie."""
    with open("/dev/full", "wb") as full:
        result = shared.run("run", "-s", "API_TOKEN", "--", "sh", "-c", "echo lost", stdout=full)
    assert "No space left on device" in result.talk and "standard output" in result.talk
    assert result.status == 125
    with open("/dev/full", "wb") as full:
        shared.run("run", "-q", "-s", "API_TOKEN", "--", "sh", "-c", "echo lost; exit 9", stdout=full, status=9)


def test_output_to_files_and_both_to_one(shared):
    path = shared.work / "out"
    with open(path, "wb") as out:
        process = start(shared, "sh", "-c", "echo one; echo two >&2; echo three", stdout=out, stderr=out)
        assert process.wait(60) == 0
    assert sorted(path.read_text().split()) == ["one", "three", "two"]
    with open(path, "ab") as out:
        assert start(shared, "echo", "four", stdout=out).wait(60) == 0
    assert path.read_text().endswith("four\n") and len(path.read_text().split()) == 4


def test_a_value_with_a_line_of_stderr_in_its_middle(shared):
    """A buffer cuts output anywhere. Where both streams go to one pipe, what the other one says in between must not part
    the value: each stream has a filter of its own."""
    program = ("import os\nvalue = os.environ['API_TOKEN'].encode()\n"
               "os.write(1, value[:9])\nos.write(2, b'warning\\n')\nos.write(1, value[9:] + b'\\n')\n")
    done = shell(shared, '"$@" 2>&1 | cat', PYTHON, "-c", program)
    lines = [text for text in done.stdout.decode().splitlines() if not text.startswith("envseal: ")]
    assert sorted(lines) == [masked("API_TOKEN"), "warning"]


def test_the_callers_descriptors_stay_blocking(shared):
    done = shell(shared, '"$@" | cat; "$@"; exec 3>&1; cat <<<end >&3', "echo", "x")
    assert done.stdout == b"x\nx\nend\n"


# ---------------------------------------------------------------------------------------------------------------- input


def test_standard_input_passes(shared):
    blob = os.urandom(300_000)
    result = shared.run("run", "-s", "API_TOKEN", "--", PYTHON, "-c",
                        "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())", input=blob,
                        status=0)
    assert result.text.strip() == hashlib.sha256(blob).hexdigest()


def test_what_follows_the_passphrase_is_the_programs(shared):
    result = shared.run("run", "-s", "API_TOKEN", "--passphrase-fd", "0", "--", "cat", passphrase=False,
                        input=f"{PASSPHRASE}\nfor the program\nand more", status=0)
    assert result.text == "for the program\nand more"


def test_passphrase_by_process_substitution(shared):
    script = f'shift 0; exec 5< <(echo "{PASSPHRASE}"); "$1" run -s API_TOKEN --passphrase-fd 5 -- echo five; ' \
             f'"$1" run -s API_TOKEN --passphrase-file <(echo "{PASSPHRASE}") -- echo file'
    done = shell(shared, script, "true")
    assert done.stdout == b"five\nfile\n", done


@pytest.mark.parametrize("closed", [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]], ids=str)
def test_closed_descriptors_are_closed_for_the_program(shared, closed, tmp_path):
    report = tmp_path / "report"
    program = (f"import os\nopen_ones = []\nfor fd in range(3):\n    try: os.fstat(fd); open_ones.append(fd)\n"
               f"    except OSError: pass\nopen({str(report)!r}, 'w').write(repr(open_ones))\n")
    process = start(shared, PYTHON, "-c", program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    preexec_fn=lambda: [os.close(fd) for fd in closed])
    assert process.wait(60) == 0
    assert report.read_text() == repr([fd for fd in range(3) if fd not in closed])


@pytest.mark.parametrize("closed", [[0], [1], [0, 1]], ids=str)
def test_other_commands_with_closed_descriptors(vault, closed):
    """A vault file opened in the place of a closed standard descriptor would get the talk written into it."""
    process = vault.popen("set", "NEW", "--generate", "20", stderr=subprocess.DEVNULL,
                          preexec_fn=lambda: [os.close(fd) for fd in [*closed, 2]])
    assert process.wait(60) == 0
    assert "NEW" in vault.names() and vault.check()["ok"]


# -------------------------------------------------------------------------------------------------------------- signals


@pytest.mark.parametrize("number",
    [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
                                    signal.SIGWINCH], ids=lambda n: n.name)
def test_signals_reach_the_program(shared, number):
    name = number.name[3:]
    process = start(shared, "sh", "-c",
        f'trap "echo got {name}; exit 7" {name}; echo ready; while :; do sleep 0.02; done')
    assert line(process) == "ready"
    process.send_signal(number)
    assert line(process) == f"got {name}"
    assert process.wait(60) == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name)
def test_signals_end_the_program_and_then_envseal(shared, number):
    process = start(shared, "sh", "-c", "echo $$-; exec sleep 1000")
    program = told_pid(line(process))
    process.send_signal(number)
    assert process.wait(60) == -number
    assert not is_alive(program)
    assert shared.records()[-1]["signal"] == number


def test_a_signal_reaches_the_whole_pipeline(shared):
    process = start(shared, "sh", "-c", 'sleep 1000 & echo $!-; wait')
    sleeper = told_pid(line(process))
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    wait_gone(sleeper)


def test_killing_envseal_ends_the_program(shared):
    process = start(shared, "sh", "-c", "echo $$-; exec sleep 1000")
    program = told_pid(line(process))
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    wait_gone(program)
    if THROUGH_BROKER:  # whose worker is still there to record the end
        wait_until(lambda: shared.records()[-1]["kind"] == "run.outcome")
        assert shared.records()[-1]["signal"] == signal.SIGKILL
    else:
        assert shared.records()[-1]["kind"] == "run.intent"
    # That record may be missing, and that is all: log and vault still hold together.
    assert shared.check()["ok"]


def test_under_nohup(shared):
    process = start(shared, "sh", "-c", "grep SigIgn /proc/self/status; echo $$-; exec sleep 1000",
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert int(line(process).split()[1], 16) & 1 << (signal.SIGHUP - 1)
    program = told_pid(line(process))
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    wait_gone(program)


def test_dispositions_are_the_callers(shared):
    # Below a shell: a file that is named on the line is part of the question, and this one is never the same.
    program = ["sh", "-c", "exec grep -E 'Sig(Ign|Blk|Cgt)' /proc/self/status"]
    plain = subprocess.run(program, capture_output=True, restore_signals=True).stdout
    for action in ("run", "inject"):
        result = shared.run(action, "-s", "API_TOKEN", "--", *program, status=0)
        assert result.out == plain


# ----------------------------------------------------------------------------------------------------- who stays behind


@pytest.mark.parametrize("how", ["sleep 1000 & echo $!-", "setsid sleep 1000 & echo $!-",
                                 '(trap "" TERM HUP; exec sleep 1000) & echo $!-',
                                 "(sh -c 'sleep 1000 & echo $!-')"], ids=["child", "session", "stubborn", "orphan"])
def test_survivors_that_hold_the_output_are_ended(shared, how):
    result = shared.run("run", "-s", "API_TOKEN", "--", "sh", "-c", how, status=0)
    wait_gone(told_pid(result.text.split()[0]))
    assert "outlived the program" in result.talk
    assert shared.records()[-1]["writers_ended"] is True


def test_a_survivor_that_floods_is_bounded(shared):
    process = start(shared, "sh", "-c", "yes & exit 3", stderr=subprocess.DEVNULL)
    while process.stdout.read(1 << 20):
        pass
    assert process.wait(60) == 3


def test_a_daemon_that_let_go_of_the_output_lives_on(shared):
    result = shared.run("run", "-s", "API_TOKEN", "--", "sh", "-c",
                        "setsid sleep 1000 < /dev/null > /dev/null 2>&1 & echo $!-", status=0)
    daemon = told_pid(result.text)
    assert is_alive(daemon) and result.err == b""
    os.kill(daemon, signal.SIGKILL)


def test_late_output_of_a_survivor_arrives(shared):
    fifo = shared.work / "late"
    os.mkfifo(fifo)
    # The read ends when the program does, and with it the last writer.
    process = start(shared, "sh", "-c", f"(read word < {fifo}; echo late $API_TOKEN) & exec 3> {fifo}; echo early")
    assert line(process) == "early"
    assert line(process) == f"late {masked('API_TOKEN')}"
    assert process.wait(60) == 0


def test_a_program_that_closes_its_output_and_goes_on(shared):
    fifo = shared.work / "closed"
    os.mkfifo(fifo)
    process = start(shared, "sh", "-c", f"exec >&- 2>&-; read word < {fifo}; exit 5")
    fifo.write_text("go\n")
    assert process.wait(60) == 5
    assert process.stdout.read() == b""


# ----------------------------------------------------------------------------------------------------------- a terminal


def test_the_reader_sees_the_end_when_the_program_closes_its_output(shared):
    process = start(shared, "sh", "-c", "echo begun; exec >&-; read word; echo \"$word\" >&2", stdin=subprocess.PIPE,
                    stderr=subprocess.PIPE)
    # Returns only at the end of the stream; the program waits for its word until then.
    assert process.stdout.read() == b"begun\n"
    assert process.communicate(b"on\n")[1] == b"on\n" and process.returncode == 0


@pytest.fixture
def bash(shared):
    """An interactive shell with job control, in which $E is envseal with everything up to `--`."""
    env = shared.env | {"PS1": "ready> ", "E": " ".join(words(shared))}
    child = spawn(["/bin/bash", "--norc", "--noprofile", "-i"], env=env, cwd=shared.work, dimensions=(50, 1000))
    child.expect("ready> ")
    child.sendline("bind 'set enable-bracketed-paste off'; stty -echo")
    child.expect("ready> ")
    yield child
    child.close(force=True)


def test_stop_and_continue(bash, shared):
    fifo = shared.work / "jobs"
    os.mkfifo(fifo)
    bash.sendline(f"$E sh -c 'echo begun $$-; read word < {fifo}; echo went $word'")
    bash.expect(r"begun (\d+)-\r\n")
    program = int(bash.match[1])
    bash.sendcontrol("z")
    bash.expect(r"Stopped")
    bash.expect("ready> ")
    wait_until(lambda: process_state(program) == "T")
    bash.sendline("bg; jobs")
    bash.expect("Running")
    bash.expect("ready> ")
    bash.sendline("fg")
    bash.expect(r"sh -c")
    fifo.write_text("on\n")
    bash.expect("went on")
    bash.expect("ready> ")
    bash.sendline("echo status $?")
    bash.expect("status 0")


def test_a_program_that_stops_itself(bash):
    bash.sendline("$E sh -c 'echo before; kill -STOP $$; echo after'")
    bash.expect("before\r\n")
    bash.expect("Stopped")
    bash.expect("ready> ")
    bash.sendline("fg; echo status $?")
    bash.expect("after\r\n")
    bash.expect("status 0")


def test_control_c_reaches_the_program_once(bash, shared):
    fifo = shared.work / "never"
    os.mkfifo(fifo)
    bash.sendline(f"$E sh -c 'trap \"echo interrupted; exit 7\" INT; echo begun; read word < {fifo}'")
    bash.expect("begun\r\n")
    bash.sendcontrol("c")
    bash.expect("interrupted\r\n")
    bash.expect("ready> ")
    bash.sendline("echo status $?")
    bash.expect("status 7")


def test_control_c_ends_a_plain_program(bash):
    bash.sendline("$E sh -c 'echo begun; exec sleep 1000'")
    bash.expect("begun\r\n")
    bash.sendcontrol("c")
    bash.expect("ready> ")
    bash.sendline("echo status $?")
    bash.expect("status 130")


def test_in_the_background(bash):
    bash.sendline("$E echo from behind & wait; echo over")
    bash.expect("from behind")
    bash.expect("over")


def test_input_typed_on_the_terminal(bash):
    bash.sendline("$E sh -c 'read word; echo got $word; test -t 0 && echo terminal; cat'")
    bash.sendline("hello")
    bash.expect("got hello")
    bash.expect("terminal")
    bash.sendline("more")
    bash.expect("more")
    bash.sendcontrol("d")
    bash.expect("ready> ")


def test_the_filter_cannot_be_walked_around_by_the_terminal(bash):
    program = "echo $API_TOKEN > /dev/tty; echo $API_TOKEN >&0; echo $API_TOKEN > /proc/self/fd/2"
    bash.sendline(f"$E sh -c '{program}'; echo over")
    bash.expect("over\r\n")
    assert "tok-4f9Jc2LmQx81ZwPe" not in bash.before
    assert bash.before.count(masked("API_TOKEN")) == 3
