"""C16: rules lie sealed in the vault. Whoever can write the file can make them unusable, and can make none of them say more.
A grant ends when it says so, whatever is done to clocks, sessions and counters."""

import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from attack_support import SETTING, Database, log_read
from envseal_support import binary, copy_vault

KEY = b"rules/0"
WORDS = ("-s", "API_TOKEN", "--", "true")


def explains(vault, *words, **more):
    result = vault.run("policy", "explain", *words, **more)
    assert result.status in (0, 1), result
    return result.status == 0


def effects(vault):
    return [record["decision"]["effect"] for record in map(json.loads, log_read(vault)) if record["kind"] == "run.intent"]


@pytest.fixture(scope="module")
def ruled(tmp_path_factory, original):
    """A deny of one program over an allow of another."""
    vault = copy_vault(original, tmp_path_factory.mktemp("ruled"))
    vault.ok("policy", "allow", "--dir", "any", *WORDS)
    vault.ok("policy", "deny", "-s", "API_TOKEN", "--dir", "any", "--", "echo")
    return vault


@pytest.fixture
def target(tmp_path, ruled):
    vault = copy_vault(ruled, tmp_path)
    vault.run("run", "-s", "API_TOKEN", "--", "echo", status=125)
    return vault


def assert_unusable(vault):
    """Nothing is allowed and nothing is denied: nothing runs, and it is said."""
    for program in ("true", "echo"):
        result = vault.run("run", "-s", "API_TOKEN", "--", program, status=125)
        assert result.out == b"" and "changed" in result.talk or "damaged" in result.talk, result
    vault.run("policy", "list", status=6)
    vault.run("policy", "allow", "-s", "API_TOKEN", "--", "echo", status=6)
    vault.run("policy", "rm", "rule-1", status=6)
    assert effects(vault) == []


def bodies(vault, key=KEY):
    with Database(vault.database) as database:
        return database.body(SETTING, key)


def put(vault, body, key=KEY):
    with Database(vault.database) as database:
        database.put(SETTING, key, body)


def test_the_rules_deleted(target):
    with Database(target.database) as database:
        database.delete(SETTING, KEY)
    assert_unusable(target)


def test_a_byte_of_the_rules_changed(target):
    body = bodies(target)
    for at in (0, 1, len(body) // 2, len(body) - 1):
        put(target, body[:at] + bytes([body[at] ^ 1]) + body[at + 1:])
        target.run("run", *WORDS, status=125)
    assert_unusable(target)
    put(target, body)
    target.ok("run", *WORDS)
    assert effects(target) == ["allow"]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"rules":[],"version":1}', bytes(100), b"\1" * 70_000],
                         ids=[str(number) for number in range(5)])
def test_rules_in_the_open(target, body):
    put(target, body)
    assert_unusable(target)


def test_rules_copied_from_another_vault(target, tmp_path_factory, original, empty_original):
    """One of the same key in the same place, of the same human; and one with a key of its own."""
    for source in (original, empty_original):
        other = copy_vault(source, tmp_path_factory.mktemp("other"))
        other.ok("policy", "deny", "-s", "x*", "--", "echo")
        before = bodies(target)
        put(target, bodies(other))
        assert_unusable(target)
        put(target, before)


def test_rules_under_another_key(target):
    """The first part as a second one, or in the place of another setting."""
    body = bodies(target)
    with Database(target.database) as database:
        database.insert(SETTING, b"rules/1", body)
    assert_unusable(target)
    with Database(target.database) as database:
        database.delete(SETTING, b"rules/1")
        database.delete(SETTING, KEY)
        database.insert(SETTING, b"rules/1", body)
    assert_unusable(target)


def test_older_rules_put_back(target):
    """A rule that was taken away, and a use that was spent, would live again."""
    old = bodies(target)
    target.ok("policy", "rm", "rule-1")
    put(target, old)
    assert_unusable(target)


def test_a_spent_use_put_back(target):
    target.ok("policy", "allow", "-s", "DATABASE_URL", "--uses", "1", "--", "true")
    old = bodies(target)
    words = ("-s", "DATABASE_URL", "--", "true")
    target.ok("run", *words)
    assert effects(target) == ["allow"] and not explains(target, *words)
    put(target, old)
    target.run("run", *words, status=125)
    assert effects(target) == ["allow"]


def test_an_older_vault_whole(target, tmp_path):
    """With the newer log beside it."""
    (tmp_path / "old").mkdir()
    for path in target.dir.glob("vault.db*"):
        shutil.copy(path, tmp_path / "old")
    target.ok("policy", "rm", "rule-1")
    target.ok("policy", "deny", "-s", "API_TOKEN")
    for path in target.dir.glob("vault.db*"):
        path.unlink()
    for path in (tmp_path / "old").iterdir():
        shutil.copy(path, target.dir)
        (target.dir / path.name).chmod(0o600)
    result = target.run("run", *WORDS, status=125)
    assert "older" in result.talk and effects(target) == []
    target.run("policy", "list", status=6)


def test_parts_of_many_rules_reordered(vault):
    """A set that fills more than one row: the rows swapped, the last one cut off, the first one twice."""
    rules = [{"id": f"r{number:04}", "effect": "deny", "secrets": ["x" * 200 + "*"], "program": {"binding": "any"},
              "argv": {"mode": "any"}, "created": 1700000000} for number in range(500)]
    path = vault.work / "rules.json"
    path.write_text(json.dumps({"version": 1, "rules": rules}))
    vault.ok("policy", "import", path)
    first, second = bodies(vault), bodies(vault, b"rules/1")
    for one, two in ((second, first), (first, first), (second, second)):
        put(vault, one)
        put(vault, two, b"rules/1")
        vault.run("run", *WORDS, status=125)
    put(vault, first)
    with Database(vault.database) as database:
        keys = [key for key, _ in database.rows(SETTING) if key.startswith(b"rules/")]
        database.delete(SETTING, keys[-1])
    vault.run("run", *WORDS, status=125)
    vault.run("policy", "list", status=6)
    assert effects(vault) == []


def test_doctor_tells(target):
    put(target, bytes(100))
    result = target.run("doctor", "--passphrase-file", target.passphrase_file)
    assert result.status != 0 and ("damaged" in result.text or "changed" in result.text), result


# ------------------------------------------------------------------------------------------------------------------ ends


def test_a_counted_rule_is_counted(vault):
    vault.ok("policy", "allow", *WORDS[:2], "--uses", "2", *WORDS[2:])
    for _ in range(4):
        vault.ok("run", *WORDS)
    assert effects(vault) == ["allow", "allow", "ask", "ask"]


def test_a_counted_rule_in_a_race(vault):
    vault.ok("policy", "allow", *WORDS[:2], "--uses", "2", *WORDS[2:])
    runs = [vault.popen("run", *WORDS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(6)]
    assert [run.wait(timeout=120) for run in runs] == [0] * 6
    assert sorted(effects(vault)) == ["allow"] * 2 + ["ask"] * 4
    vault.check()


def test_a_use_is_spent_by_a_run_that_fails(vault):
    vault.ok("policy", "allow", "-s", "API_TOKEN", "--uses", "1", "--", "false")
    for _ in range(2):
        vault.run("run", "-s", "API_TOKEN", "--", "false", status=1)
    assert effects(vault) == ["allow", "ask"]


UNSHARE = ["unshare", "--user", "--map-current-user", "--time"]
TOOL = ("-s", "API_TOKEN", "--", "./tool")


def namespace(vault, offset, *words):
    """The words in a time namespace whose boot clock is moved."""
    command = [*UNSHARE, "--boottime", str(offset), "--monotonic", str(offset), *vault.words(words)]
    return subprocess.run(command, env=vault.env, cwd=vault.work, capture_output=True, timeout=120, start_new_session=True)


@pytest.fixture
def moved(vault):
    """Clocks of the boot that an attacker moves: forward, and back as far as the kernel lets him. Files of root belong to nobody
    there, so the program is the user's."""
    uptime = int(float(pathlib.Path("/proc/uptime").read_text().split()[0]))
    if subprocess.run([*UNSHARE, "--boottime", "7200", "true"], capture_output=True).returncode != 0:
        pytest.skip("no time namespaces for users here")
    shutil.copy("/usr/bin/true", vault.work / "tool")
    return {"forward": 7200, "back": -(uptime - 10)}


def test_a_moved_clock_ends_a_grant_early(vault, moved):
    vault.ok("policy", "allow", "--for", "1h", *TOOL)
    assert namespace(vault, 0, "policy", "explain", *TOOL).returncode == 0
    assert namespace(vault, moved["forward"], "policy", "explain", *TOOL).returncode == 1
    assert explains(vault, *TOOL)


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_a_moved_clock_makes_no_grant_longer(vault, moved, direction):
    """Made where the boot clock is another: the wall clock, which no namespace has, still ends it."""
    before = int(time.time())
    assert namespace(vault, moved[direction], "policy", "allow", "--for", "1h", *TOOL).returncode == 0
    [rule] = json.loads(vault.ok("policy", "export", "--all").out)["rules"]
    assert before + 3600 <= rule["expires"] <= int(time.time()) + 3600 and rule["until"]["boot"]
    # What was made long after the boot is over by that clock where it was made soon after it.
    assert explains(vault, *TOOL) == (direction == "forward" or moved["back"] > -3600)


# -------------------------------------------------------------------------------------------------------------- sessions


def leader(vault, script, *more):
    """A shell that leads a session of its own, and reads lines of commands."""
    words = ["/bin/sh", "-c", script, "sh", binary(), str(vault.passphrase_file), *more]
    return subprocess.Popen(words, env=vault.env, cwd=vault.work, text=True, start_new_session=True, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


GRANT = '"$1" policy allow --passphrase-file "$2" -s API_TOKEN --session -- true >/dev/null'
EXPLAIN = '"$1" policy explain --passphrase-file "$2" -s API_TOKEN -- true >/dev/null'


def test_a_grant_of_a_session_is_for_no_other(vault):
    """Neither beside it, nor below it, nor in it once its leader is gone."""
    orphan = f'(read line <&3; {EXPLAIN}; echo orphan $? $(ps -o sid= -p $$)) 3<"$3" &'
    os.mkfifo(vault.work / "gate")
    below = f"setsid -w sh -c '{EXPLAIN}; echo below $?' sh \"$@\""
    script = f"{GRANT} || exit 9\n{EXPLAIN}; echo inside $?\n{below}\n{orphan}\nread line\n"
    shell = leader(vault, script, "gate")
    gate = os.open(vault.work / "gate", os.O_WRONLY)
    assert shell.stdout.readline() == "inside 0\n", shell.stderr.read()
    assert shell.stdout.readline() == "below 1\n"
    assert not explains(vault, *WORDS)
    shell.kill()
    shell.wait()
    os.write(gate, b"go\n")
    os.close(gate)
    assert shell.stdout.readline().startswith("orphan 1")
    assert not explains(vault, *WORDS)
    for stream in (shell.stdin, shell.stdout, shell.stderr):
        stream.close()


REUSE = f"""
setsid sh -c 'echo $$ >first; {GRANT} && {EXPLAIN}; echo $? >>first' sh "$@"
echo $(($(head -n 1 first) - 1)) >/proc/sys/kernel/ns_last_pid || exit 7
setsid sh -c 'echo $$ >second; {EXPLAIN}; echo $? >>second' sh "$@"
"""


def test_a_leader_of_the_same_number(vault):
    """In a namespace of processes, where the next number can be chosen."""
    words = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*words, "sh", "-c", "echo 9 >/proc/sys/kernel/ns_last_pid"], capture_output=True).returncode != 0:
        pytest.skip("numbers of processes cannot be chosen here")
    done = subprocess.run([*words, "sh", "-c", REUSE, "sh", binary(), str(vault.passphrase_file)], env=vault.env, cwd=vault.work,
                          capture_output=True, timeout=120, start_new_session=True)
    assert done.returncode == 0, done
    first, second = ((vault.work / name).read_text().split() for name in ("first", "second"))
    assert first[0] == second[0] and (first[1], second[1]) == ("0", "1"), (first, second, done)
