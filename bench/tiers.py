"""What a tier and the jail cost: the time that a start takes longer than plain fork and exec, beside bubblewrap; and whether
redaction is as fast in a tier."""

import json
import os
import pathlib
import pwd
import shutil
import statistics
import subprocess
import tempfile
import time

ROUNDS = 300
ROUNDS_THROUGHPUT = 5
GIB = 1 << 30
USER = "nobody"  # in whose place the programs run where the benchmark is root's: root needs no namespaces
TIERS = {"standard": 0.5, "hardened": 2, "lockdown": None}
# What a home has, for what is hidden in it is left out of it child by child.
HOME_FILES = (".aws/credentials", ".bash_history", ".bashrc", ".cache/pip/a", ".cargo/config", ".config/gh/hosts.yml",
              ".config/git/config", ".config/htop/htoprc", ".gitconfig", ".local/share/a", ".npm/a", ".npmrc", ".profile",
              ".ssh/id_ed25519", ".vimrc", "Documents/a", "Downloads/a", "Pictures/a", "bin/a", "src/a")


class Place:
    """Programs, a home and a working folder in it, of a plain user, where homes are: lockdown hides folders for temporary
    files."""

    def __init__(self, setting):
        is_root = os.geteuid() == 0
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="envseal-bench-", dir="/home" if is_root else pathlib.Path.home()))
        self.home, self.work = self.folder / "home", self.folder / "home/work"
        self.work.mkdir(parents=True)
        for name in HOME_FILES:
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).touch()
        for program in (setting.envseal, setting.program("sandbox"), setting.program("source")):
            shutil.copy(program, self.folder)
        self.prefix = []
        if is_root:
            user = pwd.getpwnam(USER)
            subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", self.folder], check=True)
            self.prefix = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "ENVSEAL_HOME": str(self.folder / "vault")}

    def done(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *command, **more):
        return subprocess.run([*self.prefix, *map(str, command)], env=self.environment, cwd=self.work, check=True, **more)

    def vault(self):
        passphrase = self.folder / "passphrase"
        self.run("sh", "-c", 'umask 077; echo correct horse battery staple >"$1"', "sh", passphrase)
        for command, value in (("init --pwhash interactive", b""), ("set TOKEN --stdin", b"a-value-of-20-bytes!")):
            self.run(self.folder / "envseal", *command.split(), "--passphrase-file", passphrase, input=value,
                     stderr=subprocess.DEVNULL)

    def flood(self, tier, size):
        """Seconds of so many bytes through `run` into cat."""
        command = [self.folder / "envseal", "run", "-q", "-s", "TOKEN", "--passphrase-file", self.folder / "passphrase", "--tier", tier,
                   "--", self.folder / "bench_source", size]
        began = time.perf_counter()
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as cat:
            self.run(*command, stdin=subprocess.DEVNULL, stdout=cat.stdin, stderr=subprocess.DEVNULL)
            cat.stdin.close()
        return time.perf_counter() - began


def start(report, place):
    envseal = place.folder / "envseal"
    commands = ["envseal", f"{envseal} version", "jail", f"{envseal} jail -- /bin/true"]
    figures = json.loads(place.run(place.folder / "bench_sandbox", place.home, place.work, ROUNDS, *commands, capture_output=True,
                                   text=True).stdout)
    added = {name: (figure["p50"] - figures["plain"]["p50"]) / 1e3 for name, figure in figures.items()}
    report.row("tiers_plain_us", "plain fork and exec of /bin/true, µs", figures["plain"]["p50"])
    report.row("tiers_bwrap_start_ms", "more than that: bwrap --version, ms", added["bwrap"])
    report.row("tiers_bwrap_hardened_ms", "bwrap, user, PID and IPC namespaces, own /proc, ms", added["bwrap_hardened"])
    report.row("tiers_bwrap_lockdown_ms", "bwrap --unshare-all, lockdown's mounts, ms", added["bwrap_lockdown"])
    for tier, most in TIERS.items():
        at_most = added["bwrap_lockdown"] if most is None else most
        report.row(f"tiers_{tier}_ms", f"{tier}, ms", added[tier], at_most=round(at_most, 2))
        report.row(f"tiers_{tier}_p99_ms", f"{tier}, 99th percentile, ms", (figures[tier]["p99"] - figures["plain"]["p50"]) / 1e3)
        report.row(f"tiers_run_{tier}_ms", f"{tier}, with relays, and a name made for it, ms", added[f"run_{tier}"])
    report.row("tiers_envseal_ms", "envseal version, ms", added["envseal"])
    report.row("tiers_jail_ms", "envseal jail, ms", added["jail"], at_most=2)
    report.row("tiers_jail_p99_ms", "envseal jail, 99th percentile, ms", (figures["jail"]["p99"] - figures["plain"]["p50"]) / 1e3)


def throughput(report, place):
    """By the difference of a long and a short one: the start does not count."""
    place.vault()
    ratios = {tier: [] for tier in TIERS}
    for _ in range(ROUNDS_THROUGHPUT):
        seconds = {tier: place.flood(tier, GIB) - place.flood(tier, GIB // 4) for tier in TIERS}
        for tier in TIERS:
            ratios[tier].append(seconds["standard"] / seconds[tier])
    for tier in ("hardened", "lockdown"):
        report.row(f"tiers_{tier}_throughput", f"redaction in {tier}, of standard", statistics.median(ratios[tier]), at_least=0.95)


def tiers(setting):
    setting.report.group("tiers", "what a tier adds to the start of /bin/true, medians")
    place = Place(setting)
    try:
        start(setting.report, place)
        throughput(setting.report, place)
    finally:
        place.done()
