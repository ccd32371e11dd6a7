"""The engine in memory, against Hyperscan and memcpy, and the making of its tables."""

import json
import subprocess

from bench.setting import NO_SHADOW

SCENES = {
    "clean": ("clean text", 1.5),
    "near-half": ("half needles in text", 1.0),
    "near-last": ("needles but for a byte", 1.0),
    "hits": ("a hit each 4 KiB", None),
}
COUNTS = (1, 10, 100, 1000)
COUNTS_JUDGED = (100, 1000)
SHADOW_LEAST = 0.8
BUILD = {100: (10, 10), 1000: (100, 64)}  # secrets: milliseconds and megabytes at most


def output(*command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def engine_rows(report, figures, text, at_least):
    count = figures["secrets"]
    key = f"{figures['scene']}_{count}"
    text = f"{text}, {count:,} secrets"
    rates = {name: figures.get(name, {}).get("gb_per_s") for name in ("filter", "plain", "hyperscan", "memcpy")}
    # An engine without the switch is one without shadow matching.
    on, off = (rates["filter"], rates["plain"]) if rates["plain"] else (None, rates["filter"])
    for name, rate in (("on", on), ("off", off)):
        remark = f"{rate:.2f} GB/s, {rate / rates['memcpy']:.3f} of memcpy" if rate else NO_SHADOW
        if not rates["hyperscan"]:
            remark = f"{remark}; {figures['hyperscan_missing']}"
        report.row(f"engine_{key}_{name}", f"{text}, shadow {name}, of Hyperscan",
                   rate / rates["hyperscan"] if rate and rates["hyperscan"] else None, at_least=at_least, remark=remark)
    if on:
        report.row(f"engine_shadow_{key}", f"{text}, shadow on, of off", on / off, at_least=SHADOW_LEAST)


def engines(setting):
    setting.report.group("engine", "in memory, in pieces of 64 KiB, processor time")
    for scene, (text, at_least) in SCENES.items():
        for count in COUNTS:
            engine_rows(setting.report, output(setting.program("engine"), scene, str(count)), text,
                        at_least if count in COUNTS_JUDGED else None)


def build(setting):
    report = setting.report
    report.group("build", "the tables for all forms of the secrets of scene clean (20 to 64 bytes each)")
    for count, (ms_most, mb_most) in BUILD.items():
        figures = output(setting.program("build"), str(count))
        report.row(f"build_{count}_ms", f"making the tables, {count:,} secrets, ms", figures["build_ms"],
                   at_most=ms_most, remark=f"{figures['needles']:,} needles, {figures['needle_bytes']:,} bytes in all")
        report.row(f"build_{count}_mb", f"memory of the tables, {count:,} secrets, MB", figures["bytes"] / 1e6,
                   at_most=mb_most)
