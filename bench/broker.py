"""A broker that stands: what a run through it costs, how many there can be, what each takes, and whether redaction is as fast."""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import time

ROUNDS = 400
RATE_SECONDS = 10
PARALLEL = 4
BURST = 1000
SLEEPERS = 200
GIB = 1 << 30


def output(command, environment):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def allowed(setting, command):
    """A run of the command through the broker, allowed by a rule."""
    passphrase = str(setting.work / "passphrase")
    subprocess.run([setting.envseal, "policy", "allow", "-s", "TOKEN=TOKEN", "--dir", "any", "--passphrase-file", passphrase,
                    "--", *command], env=setting.environment, check=True, capture_output=True)
    return [setting.envseal, "run", "-q", "-s", "TOKEN", "--", *command]


def kib(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise SystemExit(f"bench: process {pid} has no {key}")


def workers(keeper):
    children = pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text(encoding="ascii").split()
    return [pid for pid in children
            if pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() == "envseal-worker"]


def memory(setting, keeper):
    """What a run takes beside its program, while so many go on."""
    if os.geteuid() != 0:
        setting.report.row("broker_run_kib", "memory of one run, KiB", None, remark="only root can look into a worker")
        return
    command = allowed(setting, ["/bin/sleep", "1000"])
    runs = [subprocess.Popen(command, env=setting.environment, stdin=subprocess.DEVNULL) for _ in range(SLEEPERS)]
    while len(pids := workers(keeper)) < SLEEPERS:
        time.sleep(0.05)
    setting.report.row("broker_worker_kib", f"a worker's own memory (Pss, {SLEEPERS} of them), KiB",
                       statistics.median(kib(pid, "Pss") for pid in pids))
    setting.report.row("broker_client_kib", "its client's, KiB", statistics.median(kib(run.pid, "Pss") for run in runs))
    for run in runs:
        run.send_signal(signal.SIGTERM)
    for run in runs:
        run.wait()


def throughput(setting):
    """GB/s of a flood through `run`, by the difference of a long and a short one: the start does not count."""
    ratios = []
    source = [setting.program("source"), str(4 * GIB)], [setting.program("source"), str(GIB)]
    through = [allowed(setting, command) for command in source]
    direct = [setting.sealed(*command) for command in source]
    for _ in range(5):
        seconds = {}
        for name, pair in (("broker", through), ("direct", direct)):
            took = []
            for command in pair:
                began = time.perf_counter()
                cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
                subprocess.run(command, env=setting.environment, check=True, stdin=subprocess.DEVNULL, stdout=cat.stdin,
                               stderr=subprocess.DEVNULL)
                cat.stdin.close()
                cat.wait()
                took.append(time.perf_counter() - began)
            seconds[name] = took[0] - took[1]
        ratios.append(seconds["direct"] / seconds["broker"])
    setting.report.row("broker_throughput_ratio", "redaction through the broker, of the direct mode", statistics.median(ratios),
                       at_least=0.95)


def broker(setting):
    report = setting.report
    report.group("broker", "runs of /bin/true by a standing rule, through an unlocked broker")
    environment = setting.environment
    subprocess.run([setting.envseal, "unlock", "--passphrase-file", str(setting.work / "passphrase")], env=environment,
                   check=True, capture_output=True)
    try:
        keeper = output([setting.envseal, "status", "--json"], environment)["pid"]
        run = allowed(setting, ["/bin/true"])
        program = setting.program("broker")
        figures = output([program, "latency", str(ROUNDS), "--", *run], environment)
        assert figures["failed"] == 0, figures
        report.row("broker_plain_us", "plain fork and exec, µs", figures["plain_p50_us"])
        report.row("broker_p50_ms", "more than that, median, ms", (figures["p50_us"] - figures["plain_p50_us"]) / 1e3, at_most=3)
        report.row("broker_p99_ms", "more than that, 99th percentile, ms", (figures["p99_us"] - figures["plain_p50_us"]) / 1e3,
                   at_most=10)
        figures = output([program, "rate", str(RATE_SECONDS), str(PARALLEL), "--", *run], environment)
        assert figures["failed"] == 0, figures
        report.row("broker_per_s", f"runs per second, {PARALLEL} at a time", figures["per_s"], at_least=200)
        figures = output([program, "burst", str(BURST), "--", *run], environment)
        report.row("broker_burst_failed", f"of {BURST} at once, failed", figures["failed"], at_most=0)
        report.row("broker_burst_s", "until the last of them has ended, s", figures["seconds"])
        memory(setting, keeper)
        throughput(setting)
    finally:
        subprocess.run([setting.envseal, "lock"], env=environment, check=False, capture_output=True)
