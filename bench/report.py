"""The table and the JSON of a benchmark: one row for each figure, with what was to be reached."""

import datetime
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH = 74
HEADER = f"  {'':{WIDTH}} {'figure':>12} {'reach':>12} met"


def figure_text(value):
    if value is None:
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"


def reach_text(at_least, at_most):
    if at_least is not None and at_most is not None:
        return f"{at_least:g} to {at_most:g}"
    if at_least is not None:
        return f">= {at_least:g}"
    return f"<= {at_most:g}" if at_most is not None else ""


class Report:
    def __init__(self):
        self.rows = []
        self.name = ""

    def group(self, name, about):
        self.name = name
        print(f"{name}: {about}\n{HEADER}", flush=True)

    def row(self, key, what, value, at_least=None, at_most=None, remark=""):
        """`value` None: it could not be measured, `remark` says why. A reach that is missed fails nothing."""
        met = None
        if (at_least is not None or at_most is not None) and value is not None:
            met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        self.rows.append({"group": self.name, "key": key, "what": what, "value": value, "at_least": at_least,
                          "at_most": at_most, "met": met, "remark": remark})
        word = {None: "", True: "yes", False: "NO"}[met]
        reach = reach_text(at_least, at_most)
        print(f"  {what:{WIDTH}} {figure_text(value):>12} {reach:>12} {word:3} {remark}".rstrip(), flush=True)

    def value(self, key):
        return next((row["value"] for row in self.rows if row["key"] == key), None)

    def finish(self, path):
        judged = [row for row in self.rows if row["met"] is not None]
        print(f"{sum(row['met'] for row in judged)} of {len(judged)} reached")
        if path:
            whole = {"made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
                     "commit": commit(), "machine": machine(), "rows": self.rows}
            pathlib.Path(path).write_text(json.dumps(whole, indent=2) + "\n")


def commit():
    """None outside a git tree; the mark says that files differ from it."""
    git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True,
                         check=False)
    return git.stdout.strip() or None


def machine():
    names = [line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    release = pathlib.Path("/etc/os-release")
    system = platform.freedesktop_os_release().get("PRETTY_NAME") if release.exists() else None
    return {"cores": os.cpu_count(), "processor": names[0] if names else platform.machine(),
            "kernel": platform.release(), "system": system}
