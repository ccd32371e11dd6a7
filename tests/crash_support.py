"""Rounds of kill -9 at random times: what is there afterwards is the old or the new state, never a third.

A model says what the vault holds. Each round starts one command, kills it after a delay drawn evenly from the time that
this command takes when nobody kills it, and asks the vault which of the two states it is in. Most of that time is the
passphrase's hash and nothing is written in it, so every other delay is drawn from the later part only.
"""

import os
import pathlib
import select
import statistics
import subprocess
import time

NAMES_AT_MOST = 6
FULL_CHECK_EVERY = 25
LATE_PART = 0.7


class Model:
    """What the vault must hold: name -> (value, number of the version, whether it waits to be confirmed)."""

    def __init__(self, rng):
        self.rng, self.entries, self.names_made = rng, {}, 0

    def fresh_value(self):
        return "%032x" % self.rng.randrange(1 << 128)

    def fresh_name(self):
        self.names_made += 1
        return f"n{self.names_made}"

    def pick(self, pending=False):
        return self.rng.choice(sorted(name for name, entry in self.entries.items() if entry[2] == pending))

    def plan(self):
        """-> kind, words, standard input, the entries if the command gets through."""
        waiting = any(entry[2] for entry in self.entries.values())
        settled = any(not entry[2] for entry in self.entries.values())
        kinds = ["set", "deposit"] if len(self.entries) < NAMES_AT_MOST else []
        kinds += ["confirm", "discard"] if waiting else []
        kinds += ["force", "rename", "rm", "run"] if settled else []
        kind = self.rng.choice(kinds)
        return (kind, *getattr(self, "plan_" + kind)())

    def plan_set(self):
        name, value = self.fresh_name(), self.fresh_value()
        return ["set", name, "--stdin"], value, self.entries | {name: (value, 1, False)}

    def plan_deposit(self):
        name, value = self.fresh_name(), self.fresh_value()
        return ["set", name, "--stdin", "--locked"], value, self.entries | {name: (value, 0, True)}

    def plan_force(self):
        name, value = self.pick(), self.fresh_value()
        version = self.entries[name][1] + 1
        return ["set", name, "--stdin", "--force"], value, self.entries | {name: (value, version, False)}

    def plan_confirm(self):
        name = self.pick(pending=True)
        return ["confirm", name, "--yes"], "", self.entries | {name: (self.entries[name][0], 1, False)}

    def plan_discard(self):
        name = self.pick(pending=True)
        return ["confirm", name, "--discard", "--yes"], "", self.without(name)

    def plan_rename(self):
        name, new = self.pick(), self.fresh_name()
        return ["rename", name, new], "", self.without(name) | {new: self.entries[name]}

    def plan_rm(self):
        name = self.pick()
        return ["rm", name, "--yes"], "", self.without(name)

    def plan_run(self):
        return ["run", "-s", f"{self.pick()}=VALUE", "--", "/bin/true"], "", self.entries

    def without(self, name):
        return {other: entry for other, entry in self.entries.items() if other != name}


def shape(entries):
    return {name: entry[1:] for name, entry in entries.items()}


def shape_of(vault):
    listed = vault.ok("list", "--json").json()["secrets"]
    return {entry["name"]: (entry["value_version"], entry["pending"]) for entry in listed}


def start(vault, words, text):
    """The command, with its input in a pipe already: nothing that this process does later can hold it up."""
    read, write = os.pipe()
    os.write(write, text.encode())
    os.close(write)
    passphrase = "--locked" not in words
    child = vault.popen(*words, passphrase=passphrase, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(read)
    return child


def kill_after(child, seconds):
    """-> status, what it said."""
    descriptor = os.pidfd_open(child.pid)
    select.select([descriptor], [], [], seconds)
    os.close(descriptor)
    child.kill()
    _, talk = child.communicate(timeout=60)
    return child.returncode, talk


def processes_with(word):
    """Processes that have the word on their command line: a supervisor, what it forked, and the program it became."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if word.encode() in words:
            found.append(int(path.parent.name))
    return found


def check_values(vault, entries):
    """Log, vault and every value that is in use."""
    assert vault.check()["ok"]
    assert vault.run("doctor", "--passphrase-file", vault.passphrase_file).status in (0, 1)
    names = sorted(name for name, entry in entries.items() if not entry[2])
    if not names:
        return
    options = [word for number, name in enumerate(names) for word in ("-s", f"{name}=VALUE{number}:file")]
    script = "".join(f'cat "$VALUE{number}"; echo; ' for number in range(len(names)))
    found = vault.ok("inject", *options, "--", "/bin/sh", "-c", script).text.splitlines()
    assert found == [entries[name][0] for name in names]


class Durations:
    """How long each kind of command takes here, by those that got through."""

    def __init__(self):
        self.seen = {}

    def note(self, kind, seconds):
        self.seen.setdefault(kind, []).append(seconds)

    def usual(self, kind):
        return statistics.median(self.seen[kind])


def run_to_end(vault, model, durations, plan):
    kind, words, text, after = plan
    begun = time.monotonic()
    child = start(vault, words, text)
    _, talk = child.communicate(timeout=60)
    durations.note(kind, time.monotonic() - begun)
    assert child.returncode == 0, (words, talk)
    model.entries = after
    assert shape_of(vault) == shape(after), words


def measure(vault, model, durations):
    """Every kind of command a few times, undisturbed."""
    for kind in ["set", "force", "deposit", "confirm", "deposit", "discard", "rename", "rm", "set", "run"] * 3:
        run_to_end(vault, model, durations, (kind, *getattr(model, "plan_" + kind)()))


def crash_round(vault, model, durations, earliest):
    """-> what became of it: "old", "new" or, for a command that was through already, "done"."""
    kind, words, text, after = model.plan()
    usual = durations.usual(kind)
    delay = model.rng.uniform(earliest * usual, usual)
    status, talk = kill_after(start(vault, words, text), delay)
    where = f"{words} killed after {delay:.4f} s: {status}, {talk!r}"
    assert status in (0, -9), where
    found = shape_of(vault)
    allowed = [shape(after)] + ([shape(model.entries)] if status != 0 else [])
    assert found in allowed, f"{where}: {found}, was {model.entries}"
    vault.ok("audit", "verify", "--chain-only")
    outcome = "done" if status == 0 else "new" if found == shape(after) and kind != "run" else "old"
    if found == shape(after):
        model.entries = after
    return outcome


def crash_rounds(vault, rng, rounds):
    model, durations, outcomes = Model(rng), Durations(), {}
    measure(vault, model, durations)
    for number in range(1, rounds + 1):
        outcome = crash_round(vault, model, durations, LATE_PART if number % 2 else 0)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if number % FULL_CHECK_EVERY == 0:
            check_values(vault, model.entries)
    check_values(vault, model.entries)
    print(f"{rounds} rounds: {outcomes}")
    assert outcomes.get("old"), "no command was killed before it was through: the delays are of no use"
