"""Starting, the vault, the decision by rules, the identity of a program, a whole run, and the audit log."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROUNDS = 7
ROUNDS_START = 31
COUNTS = (10, 100_000)
RATIO_MAX = 1.5
VAULT_SAME = {"open_us": "opening", "unlock_us": "unlocking without the passphrase hash", "reveal_us": "one value"}
RULES = 10_000
IDENTITY_BYTES = 100_000_000
# Root's own, as the folders above it are; the temporary folder is everybody's.
SYSTEM_FOLDER = "/var/lib"
# What is younger than two seconds is not kept.
SETTLE_SECONDS = 3.5
POLICY = {
    "decide": ("a decision, one secret", 1),
    "decide_nearly": ("the same, every rule fits but has expired", 1),
    "decide_8": ("a decision, eight secrets", None),
    "explain": ("a reason for every rule", None),
    "parse": ("reading the rules from JSON", None),
}
VAULT_LISTS = {"list_us": "a list, locked", "list_unlocked_us": "a list, unlocked"}


def output(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def start(setting):
    setting.report.group("start", "of the program, against /bin/true")
    ratios = []
    for _ in range(ROUNDS_START):
        seconds = []
        for command in ([setting.envseal, "version"], ["/bin/true"]):
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            seconds.append(time.perf_counter() - began)
        ratios.append(seconds[0] / seconds[1])
    setting.report.row("start_ratio", "envseal version, of /bin/true", statistics.median(ratios))


def vault(setting):
    report = setting.report
    report.group("vault", "with 10 and with 100,000 secrets, microseconds")
    small, large = (output(setting.program("vault"), str(setting.work / f"vault-{count}"), str(count), "correct horse")
                    for count in COUNTS)
    report.row("vault_stores_per_s", "stores per second, in one transaction of 100,000", large["stores_per_s"])
    for key, what in VAULT_SAME.items():
        report.row(f"vault_{key}", f"{what}, 10 secrets", small[key])
        report.row(f"vault_{key}_ratio", f"{what}, 100,000 secrets, of that", large[key] / small[key])
    for key, what in VAULT_LISTS.items():
        report.row(f"vault_{key}", f"{what}, 100,000 secrets", large[key])


def policy(setting):
    report = setting.report
    report.group("policy", f"over {RULES:,} rules, processor time")
    figures = output(setting.program("policy"), str(RULES))
    for key, (what, ms_most) in POLICY.items():
        report.row(f"policy_{key}_ms", f"{what}, ms", figures[f"{key}_us"] / 1e3, at_most=ms_most)


def seconds_of(command):
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def program_write(path):
    """What passes for a binary, of bytes that no file system can leave out."""
    path.write_bytes(pathlib.Path("/bin/true").read_bytes()[:4096] + os.urandom(IDENTITY_BYTES - 4096))
    path.chmod(0o755)
    return path


def identity(setting):
    report = setting.report
    report.group("identity", "which program runs, 100 MB, in the page cache")
    path = program_write(setting.work / "program")
    commands = {"b2sum": ("b2sum", "-l", "256", path), "cat": ("cat", path)}
    rounds = []
    for _ in range(ROUNDS):
        figures = {name: seconds_of(command) for name, command in commands.items()}
        rounds.append(figures | {"own": output(setting.program("identity"), str(path), "1")["cold_us"] / 1e6})
    middle = {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}
    report.row("identity_own_s", "a user's own: copied, sealed, digested, s", middle["own"], at_most=0.25)
    report.row("identity_b2sum_s", "b2sum -l 256 of the same file, s", middle["b2sum"])
    report.row("identity_cat_s", "cat of the same file to /dev/null, s", middle["cat"])
    report.row("identity_own_ratio", "a user's own, of b2sum", statistics.median(
        figures["own"] / figures["b2sum"] for figures in rounds))
    path.unlink()
    identity_system(setting)


def identity_system(setting):
    what = "the system's, its digest kept, ms"
    if os.geteuid() != 0:
        setting.report.row("identity_kept_ms", what, None, at_most=1, remark="only root can make a system file")
        return
    with tempfile.TemporaryDirectory(prefix="envseal-bench-", dir=SYSTEM_FOLDER) as folder:
        path = program_write(pathlib.Path(folder) / "program")
        time.sleep(SETTLE_SECONDS)
        figures = output(setting.program("identity"), str(path), str(ROUNDS))
    setting.report.row("identity_system_s", "the system's: digested, s", figures["cold_us"] / 1e6)
    setting.report.row("identity_kept_ms", what, figures["kept_us"] / 1e3, at_most=1)


def run(setting):
    report = setting.report
    report.group("run", "a whole run of /bin/true with one secret, without the passphrase hash")
    disk = run_figures(setting, setting.work, 10)
    report.row("plain_us", "fork and exec of /bin/true, µs", disk["plain_us"])
    report.row("run_us", "run -- /bin/true, µs", disk["run_us"],
               remark="on this disk: two log records and two commits wait for it")
    report.row("run_ratio", "the same, of plain fork and exec", disk["run_us"] / disk["plain_us"])
    # Where nothing waits for a disk, what the program itself does shows.
    memory = pathlib.Path(tempfile.mkdtemp(prefix="envseal-bench-", dir="/dev/shm"))
    try:
        small, large = (run_figures(setting, memory, count) for count in COUNTS)
        report.row("run_memory_us", "run as above, vault in memory, µs", small["run_us"])
        report.row("run_memory_ratio", "the same, of plain fork and exec", small["run_us"] / small["plain_us"])
        report.row("run_100k_ratio", "run with 100,000 secrets, of that with 10", large["run_us"] / small["run_us"],
                   at_most=RATIO_MAX)
        for count in COUNTS:
            report.row(f"list_{count}_ms", f"envseal list, {count:,} secrets, ms",
                       list_ms(setting, memory / f"run-{count}"))
    finally:
        shutil.rmtree(memory, ignore_errors=True)


def run_figures(setting, folder, count):
    return output(setting.program("run"), str(folder / f"run-{count}"), str(count))


def list_ms(setting, home):
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run([setting.envseal, "list"], env=os.environ | {"ENVSEAL_HOME": str(home)},
                       stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def audit(setting):
    setting.report.group("audit", "5,000 records, on this disk")
    for key, value in output(setting.program("audit"), str(setting.work / "audit"), "5000").items():
        if "per" in key:
            setting.report.row(f"audit_{key}", key.replace("_", " "), float(value))
