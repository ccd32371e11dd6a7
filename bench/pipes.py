"""The filter between two pipes of 1 MiB, against cat: clean text, hits, and the worst inputs."""

import dataclasses
import json
import os
import statistics
import subprocess
import time

from bench.setting import NO_SHADOW, pipe

ROUNDS = 7
ROUNDS_WORST = 5
ROUND_SECONDS = 0.3  # about what each measurement takes, so that a slow filter gets less to do
BYTES_LEAST = 2 << 20
BYTES_MOST = 1 << 30
COUNTS = {1: 0.95, 10: 0.95, 100: 0.90, 1000: 0.70}
SHADOW_LEAST = 0.8
HITS_LEAST = 0.70
WORST_LEAST = 0.25
LINEAR = (1.8, 2.2)
WORST = {
    "heads": "needle prefixes, repeated",
    "head": "one value but for its last byte, repeated",
    "near-half": "log lines with half needles",
    "near-last": "needles but for their last byte",
    "periodic-long": "8 KiB periodic value, never whole",
    "periodic-short": "64-byte periodic values, never whole",
    "periodic-hits": "a value's period without end",
    "bytes-words": "1-byte values, text of word characters",
    "bytes-alone": "1-byte values, each byte isolated",
    "nested-near": "each value begins the next, none whole",
    "nested-hits": "each value begins the next, all but one whole",
}


@dataclasses.dataclass
class Job:
    scene: str
    secrets: int
    filter: str  # "cat", "on" (with shadow matching), "off", or "built" (as it comes)
    bytes: int = BYTES_LEAST


@dataclasses.dataclass
class Sample:
    bytes: int
    seconds: float
    cpu: float
    written: int = 0
    leaks: int = 0

    @property
    def rate(self):
        return self.bytes / self.seconds


def filter_command(setting, job, report_fd):
    if job.filter == "cat":
        return ["cat"]
    plain = ["-p"] * (job.filter == "off")
    return [setting.program("filter"), "-s", job.scene, "-r", str(report_fd), *plain, str(job.secrets)]


def start(setting, job):
    """source | filter | cat >/dev/null, each ready and none at work yet; and where the filter reports."""
    in_read, in_write = pipe()
    out_read, out_write = pipe()
    report_read, report_write = os.pipe()
    ready_read, ready_write = os.pipe()
    sink = subprocess.Popen(["cat"], stdin=out_read, stdout=subprocess.DEVNULL)
    middle = subprocess.Popen(filter_command(setting, job, report_write), stdin=in_read, stdout=out_write,
                              pass_fds=[report_write])
    source = subprocess.Popen([setting.program("source"), "-g", "-r", str(ready_write), "-s", job.scene, "-n",
                               str(job.secrets), str(job.bytes)], stdin=subprocess.PIPE, stdout=in_write,
                              pass_fds=[ready_write])
    for descriptor in (in_read, in_write, out_read, out_write, report_write, ready_write):
        os.close(descriptor)
    with open(ready_read, encoding="ascii") as ready:
        ready.readline()
    report = open(report_read, encoding="ascii")
    if job.filter != "cat":
        report.readline()
    return source, middle, sink, report


def measure(setting, job):
    """The clock runs from when all are ready to when the last byte is through."""
    source, middle, sink, report = start(setting, job)
    with report:
        began = time.perf_counter()
        source.stdin.write(b"g")
        source.stdin.close()
        statuses = sink.wait(), source.wait()
        seconds = time.perf_counter() - began
        _, status, usage = os.wait4(middle.pid, 0)
        middle.returncode = os.waitstatus_to_exitcode(status)
        if (*statuses, middle.returncode) != (0, 0, 0):
            raise SystemExit(f"bench: a pipe broke around {middle.args}")
        if job.filter == "cat":
            return Sample(job.bytes, seconds, usage.ru_utime + usage.ru_stime, job.bytes)
        told = json.loads(report.readline())
    return Sample(job.bytes, seconds, told["cpu_us"] / 1e6, told["written"], told["leaks"])


def calibrate(setting, job):
    """Gives the job as many bytes as take ROUND_SECONDS."""
    seconds = 0
    while seconds < ROUND_SECONDS / 4 and job.bytes < BYTES_MOST:
        job.bytes *= 1 if seconds == 0 else 4
        seconds = measure(setting, job).seconds
    size = int(job.bytes * ROUND_SECONDS / seconds)
    job.bytes = max(BYTES_LEAST, min(BYTES_MOST, size >> 20 << 20))


def interleave(setting, jobs, rounds):
    """A list of samples for each job, taken in turns."""
    for job in jobs.values():
        calibrate(setting, job)
    samples = {key: [] for key in jobs}
    for _ in range(rounds):
        for key, job in jobs.items():
            samples[key].append(measure(setting, job))
    return samples


def ratio(samples, key, other, what):
    """The median over the rounds of one property's ratio, within each round."""
    return statistics.median(what(a) / what(b) for a, b in zip(samples[key], samples[other]))


def rate(sample):
    return sample.rate


def cpu_per_byte(sample):
    return sample.cpu / sample.bytes


def filter_rows(setting, samples, scene, count, at_least):
    report = setting.report
    text = {"clean": "clean text", "hits": "a hit each 4 KiB"}[scene]
    for mode in ("on", "off"):
        key = (count, mode)
        name = f"filter_{scene}_{count}_{mode}"
        what = f"filter, {count:,} secrets, {text}, shadow {mode}, of cat"
        if key not in samples:
            report.row(name, what, None, at_least=at_least, remark=NO_SHADOW)
            continue
        cost = ratio(samples, key, "cat", cpu_per_byte)
        report.row(name, what, ratio(samples, key, "cat", rate), at_least=at_least, remark=f"CPU {cost:.2f} of cat")
    if (count, "on") in samples:
        report.row(f"shadow_{scene}_{count}", f"filter, {count:,} secrets, {text}, shadow on, of off",
                   ratio(samples, (count, "on"), (count, "off"), rate), at_least=SHADOW_LEAST)


def filter_scene(setting, scene, reaches):
    # An engine without the switch is one without shadow matching.
    modes = {"on": "on", "off": "off"} if setting.has_shadow_switch else {"off": "built"}
    jobs = {"cat": Job(scene, max(reaches), "cat", 64 << 20)}
    jobs |= {(count, mode): Job(scene, count, how, 16 << 20) for count in reaches for mode, how in modes.items()}
    samples = interleave(setting, jobs, ROUNDS)
    setting.report.row(f"cat_{scene}_gb_per_s", f"cat, text of {scene}, GB/s",
                       statistics.median(map(rate, samples["cat"])) / 1e9)
    for count, at_least in reaches.items():
        filter_rows(setting, samples, scene, count, at_least)


def filters(setting):
    setting.report.group("filter", "between two pipes of 1 MiB, wall time against cat")
    filter_scene(setting, "clean", COUNTS)
    filter_scene(setting, "hits", {100: HITS_LEAST})


def worst(setting):
    report = setting.report
    report.group("worst", "100 secrets, wall time against cat; processor time of twice the input")
    for scene, about in WORST.items():
        jobs = {"cat": Job(scene, 100, "cat", 64 << 20), "once": Job(scene, 100, "built")}
        for job in jobs.values():
            calibrate(setting, job)
        jobs["twice"] = dataclasses.replace(jobs["once"], bytes=2 * jobs["once"].bytes)
        samples = {key: [] for key in jobs}
        for _ in range(ROUNDS_WORST):
            for key, job in jobs.items():
                samples[key].append(measure(setting, job))
        last = samples["twice"][-1]
        grows = last.written / last.bytes
        remark = f"{last.leaks:,} leaks, {grows:.2f} bytes written for each read" if last.leaks > 1 else ""
        report.row(f"worst_{scene}", f"{about}, of cat", ratio(samples, "twice", "cat", rate), at_least=WORST_LEAST,
                   remark=remark)
        if grows > 2:
            report.row(f"worst_{scene}_written", f"{about}, of cat, by bytes written",
                       ratio(samples, "twice", "cat", lambda s: s.written / s.seconds))
        report.row(f"linear_{scene}", f"{about}, CPU of twice the input",
                   ratio(samples, "twice", "once", lambda s: s.cpu), at_least=LINEAR[0], at_most=LINEAR[1])
