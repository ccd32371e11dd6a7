"""Files and folders of the vault that are not what they must be, and disks that do not take what they should."""

import os
import re
import resource
import shutil
import sqlite3
import subprocess

import pytest

from envseal_support import SECRETS, Vault, copy_vault

MENDING = re.compile(r"(?:mend it with|remove it with|move it away with): (.*)")
NEW_VALUE = b"a value for the new one"
FILES = ["vault.db", "audit.jsonl", "audit.lock"]


def mend(result, cwd="/"):
    """Runs the command that the sentence names, as somebody would who pastes it into a shell."""
    found = MENDING.search(result.talk)
    assert found, result
    done = subprocess.run(["/bin/sh", "-c", found[1]], cwd=cwd, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert done.returncode == 0 and done.stderr == b"", (found[1], done.stderr)


def assert_refused(vault, says):
    """Storing and running are refused with the same sentence. -> how storing ended"""
    result = vault.run("set", "NEW", "--stdin", input=NEW_VALUE, status=4)
    assert says in result.talk and str(vault.dir) in result.talk, result
    run = vault.run("run", "-s", "API_TOKEN", "--", "/bin/echo", "started", status=125)
    assert says in run.talk and run.out == b"", run
    assert vault.run("set", "NEW", "--stdin", "--locked", input=NEW_VALUE, passphrase=False, status=4).out == b""
    assert vault.run("doctor").status == 1
    return result


def assert_whole(vault):
    """Everything that was there is there, and works."""
    vault.ok("set", "NEWER", "--stdin", input=NEW_VALUE)
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])
    assert set(SECRETS) <= set(vault.names())
    assert vault.check()["ok"]


@pytest.fixture
def logged(vault, tmp_path):
    """A vault with a write-ahead log and its index beside it: a copy made while a reader kept them in use. The last
    change is in the log only."""
    reader = sqlite3.connect(vault.database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    vault.set("LATE", NEW_VALUE)
    copy = copy_vault(vault, tmp_path / "copy")
    reader.close()
    assert (copy.dir / "vault.db-wal").stat().st_size > 0 and (copy.dir / "vault.db-shm").exists()
    return copy


def test_a_change_in_the_log_counts(logged):
    assert "LATE" in logged.names()
    assert logged.is_value("LATE", NEW_VALUE)
    assert_whole(logged)


# ------------------------------------------------------------------------------------------------------ permissions


@pytest.mark.parametrize("mode", [0o640, 0o602])
@pytest.mark.parametrize("name", [*FILES, "vault.db-wal", "vault.db-shm"])
def test_a_file_open_to_others(logged, name, mode):
    (logged.dir / name).chmod(mode)
    mend(assert_refused(logged, f"is open to others (mode {mode:04o})"))
    assert_whole(logged)


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o1777])
def test_a_folder_open_to_others(vault, mode):
    vault.dir.chmod(mode)
    assert "is open to others" in vault.run("list", status=4).talk
    mend(assert_refused(vault, f"is open to others (mode {mode:04o})"))
    assert_whole(vault)


def test_each_of_two_folders_is_checked(tmp_path):
    vault = Vault(tmp_path, home_variable=False)
    vault.init()
    vault.set("API_TOKEN", SECRETS["API_TOKEN"])
    for path in (vault.home / ".local/share/envseal", vault.home / ".local/state/envseal"):
        path.chmod(0o750)
        result = vault.run("set", "NEW", "--generate", "20", status=4)
        assert str(path) in result.talk
        mend(result)
        vault.ok("set", "NEW", "--generate", "20", "--force")


# ------------------------------------------------------------------------------------------------------------- kinds


def refusing_file(vault, name):
    """Which commands look at the file: all of them at the vault, those that record something at the log."""
    if name.startswith("vault.db"):
        vault.run("list", status=4)
        vault.run("show", "API_TOKEN", status=4)


@pytest.mark.parametrize("name", [*FILES, "vault.db-wal"])
def test_a_symbolic_link(logged, name):
    path, elsewhere = logged.dir / name, logged.base / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    refusing_file(logged, name)
    mend(assert_refused(logged, "is a symbolic link"))
    assert not path.is_symlink() and elsewhere.is_file()
    elsewhere.rename(path)
    assert_whole(logged)


@pytest.mark.parametrize("name", FILES)
def test_a_symbolic_link_to_nowhere_is_not_followed(vault, name):
    path, elsewhere = vault.dir / name, vault.base / "elsewhere"
    content = path.read_bytes()
    path.unlink()
    path.symlink_to(elsewhere)
    mend(assert_refused(vault, "is a symbolic link"))
    assert not elsewhere.exists()
    path.touch(0o600)
    path.write_bytes(content)
    assert_whole(vault)


@pytest.mark.parametrize("name", [*FILES, "vault.db-wal", "vault.db-shm"])
def test_a_hard_link(logged, name):
    path, elsewhere = logged.dir / name, logged.base / "elsewhere"
    os.link(path, elsewhere)
    refusing_file(logged, name)
    mend(assert_refused(logged, "has 2 names (hard links)"))
    assert path.stat().st_nlink == 1 and path.stat().st_ino != elsewhere.stat().st_ino
    assert_whole(logged)


def make_fifo(path):
    os.mkfifo(path, 0o600)


def make_folder(path):
    path.mkdir(0o700)
    (path / "inside").touch(0o600)


def make_socket(path):
    subprocess.run(["/usr/bin/python3", "-c", "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])",
                    path.name], cwd=path.parent, check=True)
    path.chmod(0o600)


@pytest.mark.parametrize("make", [make_fifo, make_folder, make_socket])
@pytest.mark.parametrize("name", [*FILES, "vault.db-wal"])
def test_no_regular_file(logged, name, make):
    path, kept = logged.dir / name, logged.base / "kept"
    path.rename(kept)
    make(path)
    refusing_file(logged, name)
    mend(assert_refused(logged, "is not a regular file"))
    assert not path.exists()
    kept.rename(path)
    assert_whole(logged)


@pytest.mark.parametrize("make", [make_fifo, lambda path: path.touch(0o600), lambda path: path.symlink_to("away")],
                         ids=["fifo", "file", "symlink"])
def test_no_real_folder(vault, make):
    vault.dir.rename(vault.dir.parent / "away")
    make(vault.dir)
    vault.run("list", status=4)
    assert_refused(vault, "is a symbolic link or no folder")
    vault.dir.unlink()
    (vault.dir.parent / "away").rename(vault.dir)
    assert_whole(vault)


def test_a_folder_above_may_be_a_link(vault):
    (vault.base / "link").symlink_to(vault.base)
    vault.env["ENVSEAL_HOME"] = str(vault.base / "link" / "vault")
    assert_whole(vault)


# ------------------------------------------------------------------------------------------------------------- owners


def in_a_namespace(script, *words, **more):
    """Runs a shell script as root of a user namespace of its own, where it may mount. Skips where there are none."""
    if subprocess.run(["unshare", "-rm", "/bin/true"], stderr=subprocess.PIPE).returncode != 0:
        pytest.skip("this machine gives no user namespaces to plain users")
    return subprocess.run(["unshare", "-rm", "/bin/sh", "-euc", script, "sh", *map(str, words)],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, **more)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", [*FILES, "."])
def test_a_wrong_owner_is_mended(vault, name):
    os.chown(vault.dir / name, 12345, -1)
    mend(assert_refused(vault, "belongs to another user (uid 12345)"))
    assert_whole(vault)


@pytest.mark.parametrize("source, says", [("/etc/passwd", "belongs to another user"),
                                          ("/dev/null", "is not a regular file")])
@pytest.mark.parametrize("name", FILES)
def test_a_file_of_somebody_else(vault, name, source, says):
    """Laid over the vault's file in a namespace, because a plain user can make neither of them."""
    if os.geteuid() == 0:
        pytest.skip("root owns these files")
    before = vault.files()
    done = in_a_namespace('mount --bind "$1" "$2"; shift 2; "$@"', source, vault.dir / name,
                          *vault.words(["set", "NEW", "--generate", "20"]), env=vault.env)
    assert done.returncode == 4 and says in done.stderr.decode() and MENDING.search(done.stderr.decode()), done
    assert vault.files() == before


# ------------------------------------------------------------------------------------------------------- strange paths


@pytest.mark.parametrize("folder", [
    "with blank", "it's", "'", '"double"', "$HOME", "`id`", "$(id)", "back\\slash", "new\nline", "-r", "a;b", "grüße",
    "*", "\x1b[31m", "d" * 90 + "/" + "e" * 90, "x'" * 30])
def test_the_mending_command_works_for_every_path(original, tmp_path, folder):
    vault = Vault(tmp_path)
    vault.dir = tmp_path / folder / "vault"
    vault.env["ENVSEAL_HOME"] = str(vault.dir)
    shutil.copytree(original.dir, vault.dir)
    for path in (vault.dir, vault.database, vault.log):
        path.chmod(0o755)
        result = vault.run("set", "NEW", "--generate", "20", status=4)
        assert "\x1b" not in result.talk and result.talk.count("\n") == 1
        mend(result)
        os.link(vault.log, tmp_path / "link") if path == vault.log else None
    mend(vault.run("set", "NEW", "--generate", "20", status=4))
    assert_whole(vault)


def test_a_path_too_long_for_a_sentence_is_left_to_the_human(original, tmp_path):
    vault = Vault(tmp_path)
    vault.dir = tmp_path / ("f" * 200) / ("g" * 200)
    vault.env["ENVSEAL_HOME"] = str(vault.dir)
    shutil.copytree(original.dir, vault.dir)
    vault.dir.chmod(0o755)
    assert vault.run("list", status=4).talk.endswith("mend it with: chmod 700 PATH\n")


def test_the_mending_command_works_for_a_passphrase_file(vault):
    vault.passphrase_file = vault.passphrase_file.rename(vault.base / "it's the \"pass\" phrase")
    vault.passphrase_file.chmod(0o644)
    mend(vault.run("tag", "API_TOKEN", "--add", "x", status=4))
    vault.ok("tag", "API_TOKEN", "--add", "x")


def test_the_mending_command_works_for_a_manifest(vault):
    folder = vault.work / "it's a \"project\""
    folder.mkdir()
    (folder / ".envseal").write_text("TOKEN=API_TOKEN\n")
    (folder / ".envseal").chmod(0o666)
    result = vault.run("run", "--", "/bin/true", cwd=folder, status=125)
    mend(result)
    vault.ok("run", "--", "/bin/true", cwd=folder)


# ----------------------------------------------------------------------------------------- what cannot be written

plain_user_only = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


@plain_user_only
def test_a_read_only_folder(vault):
    before = vault.files()
    vault.dir.chmod(0o500)
    assert sorted(vault.names()) == sorted(SECRETS)
    for command in (["set", "NEW", "--generate", "20"], ["set", "NEW", "--generate", "20", "--locked"],
                    ["rename", "API_TOKEN", "NEW"], ["rm", "API_TOKEN", "--yes"]):
        result = vault.run(*command, passphrase="--locked" not in command, status=1)
        assert str(vault.dir) in result.talk, result
    result = vault.run("run", "-s", "API_TOKEN", "--", "/bin/echo", "started")
    assert result.status == 125 and result.out == b"" and str(vault.dir) in result.talk
    assert {name: vault.files()[name] for name in before if name != "audit.jsonl"} == {
        name: content for name, content in before.items() if name != "audit.jsonl"}
    vault.dir.chmod(0o700)
    assert sorted(vault.names()) == sorted(SECRETS)
    assert_whole(vault)


@plain_user_only
@pytest.mark.parametrize("name, mode", [(name, mode) for name in [*FILES, "."] for mode in (0o000, 0o400, 0o200)
                                        if (name, mode) != ("audit.lock", 0o400)])
def test_no_right_to_read_or_write(vault, name, mode):
    usual = (vault.dir / name).stat().st_mode
    (vault.dir / name).chmod(mode)
    set_ = vault.run("set", "NEW", "--stdin", input=NEW_VALUE)
    run = vault.run("run", "-s", "API_TOKEN", "--", "/bin/echo", "started")
    (vault.dir / name).chmod(usual)
    assert set_.status == 1 and str(vault.dir) in set_.talk, set_
    assert run.status == 125 and run.out == b"" and str(vault.dir) in run.talk, run
    again = vault.run("set", "NEW", "--stdin", input=NEW_VALUE)
    while again.status == 4 and "is closed to its owner" in again.talk:
        mend(again)
        again = vault.run("set", "NEW", "--stdin", input=NEW_VALUE)
    assert_whole(vault)


@plain_user_only
def test_a_folder_above_that_cannot_be_entered(tmp_path):
    vault = Vault(tmp_path, home_variable=False)
    vault.init()
    vault.set("API_TOKEN", SECRETS["API_TOKEN"])
    for above in (".local/share", ".local/state", ".local"):
        (vault.home / above).chmod(0)
        set_ = vault.run("set", "NEW", "--generate", "20")
        run = vault.run("run", "-s", "API_TOKEN", "--", "/bin/true")
        (vault.home / above).chmod(0o700)
        assert set_.status == 1 and str(vault.home / ".local") in set_.talk, set_
        assert run.status == 125 and str(vault.home / ".local") in run.talk, run
    vault.env["XDG_DATA_HOME"] = str(tmp_path / "locked")
    (tmp_path / "locked").mkdir(0o500)
    result = vault.run("init", "--pwhash", "interactive", status=1)
    assert str(tmp_path / "locked") in result.talk
    (tmp_path / "locked").chmod(0o700)


@pytest.mark.parametrize("env, says", [
    ({"ENVSEAL_HOME": "relative"}, "absolute"), ({"ENVSEAL_HOME": "./vault"}, "absolute"),
    ({"ENVSEAL_HOME": None, "HOME": None}, "HOME is not set"), ({"ENVSEAL_HOME": None, "HOME": "relative"}, "HOME")])
def test_nowhere_to_look(vault, env, says):
    for command, status in ((["set", "NEW", "--generate", "20"], 2), (["init"], 2), (["run", "--", "/bin/true"], 125)):
        assert says in vault.run(*command, env=env, status=status).talk
    assert not list(vault.work.iterdir())


def words_only(parameter):
    return " ".join(parameter) if isinstance(parameter, list) else None


def assert_old_or_new(vault, result, statuses, entries):
    assert result.status in statuses, result
    assert result.status == 0 or "envseal: " in result.talk, result
    assert SECRETS["API_TOKEN"] not in result.err and NEW_VALUE not in result.err
    now = vault.ok("list", "--json").out
    assert result.status == 0 or now == entries, result


def size_limits(vault):
    log = vault.log.stat().st_size
    return [0, log, log + 1, 8192, 32768, 1 << 20]


@pytest.mark.parametrize("command, failed", [
    (["set", "NEW", "--stdin"], 1), (["set", "NEW", "--stdin", "--locked"], 1),
    (["set", "API_TOKEN", "--stdin", "--force"], 1), (["rm", "API_TOKEN", "--yes"], 1), (["run", "-s", "API_TOKEN", "--", "/bin/true"], 125)], ids=words_only)
def test_a_file_size_limit(original, tmp_path, command, failed):
    seen = set()
    for limit in size_limits(original):
        vault = copy_vault(original, tmp_path / str(limit))
        entries = vault.ok("list", "--json").out
        # Through a broker the limit is the program's alone.
        result = vault.run(*command, input=NEW_VALUE, passphrase="--locked" not in command, direct=True,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert_old_or_new(vault, result, (0, failed), entries)
        seen.add(result.status)
        vault.set("AFTER", NEW_VALUE)
        assert vault.check()["ok"], limit
    assert seen == {0, failed}


@pytest.mark.parametrize("limit", [0, 100, 4096, 16384])
def test_init_under_a_file_size_limit(no_vault, limit):
    result = no_vault.run("init", "--pwhash", "interactive", status=1,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert "envseal: init: " in result.talk
    assert not no_vault.database.exists()
    no_vault.init()
    no_vault.set("API_TOKEN", NEW_VALUE)
    assert no_vault.check()["ok"]


# Fills the disk but for some KiB, runs the command, makes room again, and looks at what is there.
FULL_DISK = r"""
vault=$1 free=$2 size=$3 envseal=$4; shift 4
cp -a "$vault" "$vault.kept"
mount -n -t tmpfs -o size="$size"k,mode=700 tmpfs "$vault"
cp -a "$vault.kept/." "$vault/"
dd if=/dev/zero of="$vault/filler" bs=1024 status=none 2>/dev/null || :
truncate -s -"$free"K "$vault/filler"
status=0; "$@" >&2 </dev/null || status=$?
echo "$status"
rm "$vault/filler"
"$envseal" list --json
"$envseal" set AFTER --generate 20 --passphrase-file "$PASSPHRASE_FILE"
"$envseal" audit verify --passphrase-file "$PASSPHRASE_FILE" --json
"""


@pytest.mark.parametrize("command, failed", [
    (["set", "NEW", "--generate", "20"], 1), (["set", "NEW", "--generate", "20", "--locked"], 1),
    (["rm", "API_TOKEN", "--yes"], 1), (["run", "-s", "API_TOKEN", "--", "/bin/true"], 125)], ids=words_only)
def test_a_full_disk(original, tmp_path, command, failed):
    seen = set()
    for free in (0, 4, 16, 40, 64, 256):
        vault = copy_vault(original, tmp_path / str(free))
        before = vault.ok("list", "--json").out
        words = vault.words(command, passphrase="--locked" not in command, direct=True)
        done = in_a_namespace(FULL_DISK, vault.dir, free, 1024, words[0], *words,
                              env=vault.env | {"PASSPHRASE_FILE": str(vault.passphrase_file)})
        talk = done.stderr.decode()
        assert done.returncode == 0, (free, done.stdout, talk)
        status, rest = done.stdout.split(b"\n", 1)
        assert int(status) in (0, failed), (free, status, talk)
        assert int(status) == 0 or ("envseal: " in talk and rest.startswith(before)), (free, talk)
        seen.add(int(status))
    assert seen == {0, failed}
