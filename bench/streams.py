"""`envseal run` as a whole: the memory it takes for its program's output, and what a million small writes cost."""

import os
import pathlib
import statistics
import subprocess

from bench.setting import Drain, cpu_seconds, end_gated, pipe, start_gated, wait_idle

SIZES = {"10 MB": 10_000_000, "10 GB": 10_000_000_000}
SIZE_LONG = {"100 GB": 100_000_000_000}
GROWTH_MOST_KIB = 128  # "the same": some pages are touched late, by chance
WRITES = 1_000_000
WRITES_CPU_MOST = 1.5
ROUNDS = 5


def status_kib(pid):
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]), int(status["VmHWM"].split()[0])


def forget_peak(pid):
    """So that the peak is that of the output alone (proc(5), clear_refs). False where that is root's."""
    try:
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
        return True
    except PermissionError:
        return False


def memory_after(setting, size):
    """Resident and peak KiB of envseal when it has passed on `size` bytes and its program still lives."""
    process, drain = start_gated(setting.sealed(setting.program("source"), "-g", str(size)), setting.environment)
    is_alone = forget_peak(process.pid)
    process.stdin.write(b"g")
    process.stdin.flush()
    drain.take(size)
    figures = status_kib(process.pid)
    end_gated(process, drain)
    return *figures, is_alone


def memory(setting, is_long=False):
    report = setting.report
    report.group("memory", "of `envseal run` after its program's output")
    sizes = SIZES | (SIZE_LONG if is_long else {})
    figures = {}
    for label, size in sizes.items():
        resident, peak, is_alone = figures[label] = memory_after(setting, size)
        key = label.replace(" ", "_")
        report.row(f"resident_{key}_kib", f"resident after {label}, KiB", resident)
        report.row(f"peak_{key}_kib", f"peak while {label} were written, KiB", peak,
                   remark="" if is_alone else "with the 64 MiB of the passphrase hash: only root can leave them out")
    last = list(sizes)[-1]
    report.row("memory_growth_kib", f"peak at {last}, above that at 10 MB, KiB",
               figures[last][1] - figures["10 MB"][1], at_most=GROWTH_MOST_KIB,
               remark="" if is_long else "`--long` measures it at 100 GB")


def writer(setting):
    return [setting.program("source"), "-g", "-b", "1", str(WRITES)]


def sealed_writes_cpu(setting):
    process, drain = start_gated(setting.sealed(*writer(setting)), setting.environment)
    return writes_cpu(process, process.pid, process.stdin, drain, lambda: end_gated(process, drain))


def cat_writes_cpu(setting):
    in_read, in_write = pipe()
    out_read, out_write = pipe()
    source = subprocess.Popen(writer(setting), stdin=subprocess.PIPE, stdout=in_write)
    cat = subprocess.Popen(["cat"], stdin=in_read, stdout=out_write)
    for descriptor in (in_read, in_write, out_write):
        os.close(descriptor)
    drain = Drain(out_read)
    drain.take(1)

    def end():
        end_gated(source, drain)
        cat.wait()
    return writes_cpu(source, cat.pid, source.stdin, drain, end)


def writes_cpu(source, pid, gate, drain, end):
    """Processor seconds of process `pid` from the opening of the gate until all has come through."""
    wait_idle(pid)
    before = cpu_seconds(pid)
    gate.write(b"g")
    gate.flush()
    drain.take(WRITES)
    wait_idle(pid)
    spent = cpu_seconds(pid) - before
    end()
    return spent


def writes(setting):
    report = setting.report
    report.group("writes", f"{WRITES:,} writes of one byte by the program, processor time of who passes them on")
    samples = [(sealed_writes_cpu(setting), cat_writes_cpu(setting)) for _ in range(ROUNDS)]
    report.row("writes_cat_s", "cat, seconds", statistics.median(cat for _, cat in samples))
    report.row("writes_run_s", "envseal run, seconds", statistics.median(sealed for sealed, _ in samples))
    report.row("writes_ratio", "envseal run, of cat", statistics.median(sealed / cat for sealed, cat in samples),
               at_most=WRITES_CPU_MOST)
