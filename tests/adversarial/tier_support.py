"""What the attack table's tests share: the table, a home with something in it, and the attempts made in each place."""

import contextlib
import fcntl
import os
import pathlib
import pty
import shutil
import signal
import subprocess
import tempfile
import termios

from envseal_support import SECRETS, binary, copy_vault, is_alive, wait_until

TABLE = pathlib.Path(__file__).with_name("attack_table.txt")
# Below a home: what shells and prompts run at their next start, wherever that is.
SHELLS_READ = [".cache/p10k-instant-prompt-me.zsh", ".cache/p10k-dump-me.zsh", ".cache/zcompdump-host", ".cache/starship/init.zsh",
               ".cache/oh-my-zsh/completions/_x", ".cache/fish/generated_completions/x.fish", ".cache/gitstatus/gitstatusd",
               ".cache/zsh/history", ".cache/wal/colors.sh", ".zcompdump", ".config/fish/config.fish", ".config/fish/conf.d/x.fish"]

TIERS = ["standard", "hardened", "lockdown"]
COLUMNS = ["control", *TIERS, "jail", *("2" + tier for tier in TIERS)]
WORDS = {"works", "refused", "killed", "absent-ok", "-"}
SECRET = SECRETS["API_TOKEN"].decode()


def table_read():
    """id -> {column: cell}"""
    rows = {}
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, *cells = (cell.strip() for cell in line.split("|"))
        assert name not in rows and len(cells) == len(COLUMNS) + 1, line
        rows[name] = dict(zip(COLUMNS, cells))
    return rows


def build_file(name):
    build = pathlib.Path(os.environ.get("ENVSEAL_BUILD", pathlib.Path(binary()).parent))
    path = build / "tests/attack" / name
    assert path.is_file(), f"{path} is not there: build it with `make`"
    return str(path)


def attack(*words, **more):
    """The attempts' program, unconfined."""
    done = subprocess.run([build_file("attack"), *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=120,
                          **more)
    assert done.returncode == 0
    return done.stdout


def attempt_ids():
    return [line.split("\t")[0] for line in attack("list").splitlines()]


class Tried:
    """How one attempt ended."""

    def __init__(self, line):
        self.id, self.outcome, self.error, number, self.note = line.split("\t")
        self.signal = int(number)

    def __repr__(self):
        return f"<{self.id}: {self.outcome} {self.error} signal {self.signal} {self.note}>"


def tried(text):
    return {result.id: result for result in map(Tried, text.splitlines())}


def can_unshare():
    """Whether this machine gives a plain user what hardened and lockdown need."""
    return subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"],
                          capture_output=True, timeout=60).returncode == 0


# ------------------------------------------------------------------------------------------------------------ the room


def room_make(tmp_path):
    """A folder that is in no place for temporary files, where there is one: lockdown hides those whole."""
    home = os.environ.get("ENVSEAL_TEST_ROOM")
    return pathlib.Path(tempfile.mkdtemp(prefix="r", dir=home)) if home else tmp_path / "room"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


class Place:
    """A home, a working folder in it, envseal's own files, a victim outside, and what listens there."""

    def __init__(self, tmp_path, original):
        self.room = room_make(tmp_path)
        self.is_temporary = not os.environ.get("ENVSEAL_TEST_ROOM")
        self.vault = copy_vault(original, self.room)
        self.home = self.vault.home
        self.work = self.home / "project"
        self.work.mkdir()
        # Where lockdown shows it, for what is not started by envseal itself.
        self.program = shutil.copy(build_file("attack"), self.home)
        self.temporary = pathlib.Path(tempfile.mkdtemp(prefix="attack-"))
        (self.vault.dir / "run").mkdir(mode=0o700, exist_ok=True)
        self.stack = contextlib.ExitStack()
        self.scene = self.stage() + self.victim()

    def files(self):
        home = self.home
        return {"file": write(home / "other/notes", "notes\n"), "place": str(home / "other"),
                "ssh-key": write(home / ".ssh/id_ed25519", "key\n"), "cloud": write(home / ".aws/credentials", "key\n"),
                "agent": write(home / ".claude/.credentials.json", "{}\n"),
                "keyring": write(home / ".local/share/keyrings/login.keyring", "key\n"),
                "history": write(home / ".bash_history", "ls\n"), "dotenv": write(self.work / ".env", "A=b\n"),
                "vault": str(self.vault.database), "log": str(self.vault.log),
                "own-socket": str(self.vault.dir / "run/attack.sock"), "bus": str(self.temporary / "bus"),
                "home-socket": str(home / "other/socket")}

    def stage(self):
        words = [f"{name}={path}" for name, path in self.files().items()]
        process = subprocess.Popen([build_file("attack"), "stage", str(self.temporary), *words], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        self.stack.callback(end, process)
        scene = list(iter(lambda: process.stdout.readline().strip(), ""))
        assert len(scene) > len(words), "the scene was not put up"
        return scene

    def victim(self):
        """A program with a secret, outside; what `hold` tells of itself comes after the stage's own victim, and counts."""
        held = Held(self, [], self.work)
        self.stack.callback(held.done)
        return held.scene

    def done(self):
        self.stack.close()

    # ------------------------------------------------------------------------------------------------------ starting

    def command(self, column, words):
        """What is typed. The shell is a parent that other processes of the user may look into."""
        if column == "control":
            return ["/bin/sh", "-c", '"$@"; exit $?', "sh", *words]
        if column == "jail":
            return [binary(), "jail", "--", *words]
        return self.vault.words(["run", "--tier", column, "-s", "API_TOKEN", "--", *words])

    def popen(self, command, cwd=None, env=None, **more):
        """With a controlling terminal, which is nobody's standard stream."""
        master, slave = pty.openpty()
        self.stack.callback(os.close, master)
        more.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(command, cwd=cwd or self.work, env=self.vault.env | (env or {}), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, start_new_session=True, pass_fds=[slave],
                                   preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0), **more)
        os.close(slave)
        return process

    def finish(self, process):
        out, talk = process.communicate(timeout=180)
        assert process.returncode == 0, (process.args, process.returncode, out, talk)
        return tried(out)

    def attempt(self, column, *which, env=None):
        words = [build_file("attack"), "try", *which, *self.scene]
        return self.finish(self.popen(self.command(column, words), env=env))

    # ------------------------------------------------------------------------------------------------- from inside

    def inside(self, column):
        """id -> Tried, of all that is tried from inside."""
        results = self.attempt(column, "process", "around")
        results["outlive"].outcome = self.left(results["outlive"])
        results |= self.attempt(column, "fork-bomb")
        results |= self.self_stop(column)
        if column == "control":
            results |= self.attempt(column, "preload", env={"LD_PRELOAD": build_file("libpreload.so")}) | self.core([])
        return results

    def left(self, result):
        """The run has ended: is what it left behind still there?"""
        if result.outcome != "pending":
            return result.outcome
        pid = int(attack("left", *self.scene))
        if pid == 0:
            return "refused"
        os.kill(pid, signal.SIGKILL)
        return "worked"

    def self_stop(self, column):
        words = [build_file("attack"), "try", "self-stop"]
        process = self.popen(words if column == "control" else self.command(column, words))
        seen = []

        def is_seen():
            seen[:] = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
            return seen[0] == process.pid

        wait_until(is_seen)
        assert os.WIFSTOPPED(seen[1]), f"{column}: ended with {seen[1]}"
        os.kill(process.pid, signal.SIGCONT)
        return self.finish(process)

    # ------------------------------------------------------------------------------------------------ from outside

    def outside(self, tier):
        """id -> Tried, of all that a second process tries at a program in the tier."""
        command = self.command(tier, [])
        with contextlib.closing(Held(self, command, self.work)) as held:
            results = tried(attack("try", "process", *held.scene))
        results |= self.attempt(tier, "preload", env={"LD_PRELOAD": build_file("libpreload.so")})
        return results | self.core(command)

    def core(self, command):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="core", dir=self.home))
        with contextlib.closing(Held(self, command, folder)) as held:
            return tried(attack("try", "core", f"folder={folder}", *held.scene))


def end(process):
    """envseal stops where it has seen its program stopped, and then nobody but its own shell lets it go on."""
    with contextlib.suppress(OSError):
        process.stdin.close()
    process.send_signal(signal.SIGCONT)
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def processes():
    """pid -> parent"""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                found[int(entry)] = int(pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def descendants(pid):
    parents, found = processes(), [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found


class Held:
    """`attack hold` and the processes around it: the secret is in its environment. `command`: what it is started by."""

    def __init__(self, place, command, folder):
        self.process = place.popen([*command, build_file("attack"), "hold", "API_TOKEN"], cwd=folder, stdin=subprocess.PIPE,
                                   env=None if command else {"API_TOKEN": SECRET})
        address = self.process.stdout.readline().strip()
        if not address:
            self.process.wait(timeout=60)
        assert address, (self.process.args, self.process.returncode, self.process.stderr.read())
        self.pid = next(pid for pid in descendants(self.process.pid) if self.is_program(pid))
        wait_until(self.children)
        self.child = self.children()[0]
        self.scene = [f"victim={self.pid}", f"address={address}", f"mark={SECRET}", f"child={self.child}"]

    def is_program(self, pid):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:3] == [b"hold", b"API_TOKEN"]

    def children(self):
        """`sleep`, once it is that."""
        return [pid for pid in descendants(self.pid)[1:] if pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n"]

    def others(self):
        """envseal's own processes of the run."""
        return [pid for pid in descendants(self.process.pid) if pid not in (self.pid, self.child) and is_alive(pid)]

    def done(self):
        end(self.process)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        assert not is_alive(self.pid)

    close = done
