"""What each tier does to real programs: the one list. tests/e2e/test_tier_programs.py runs every cell of it, and the manual,
envseal-sandbox(7), shows it as this program prints it."""

import collections

TIERS = ("standard", "hardened", "lockdown")
WORKS, OPENED, BREAKS = "works", "opened", "breaks"

Row = collections.namedtuple("Row", "id what standard hardened lockdown remedy", defaults=("",))

NEW_TERMINAL = "No new terminal can be made: its other side would be one that others have, too."
TRACE = "Nothing can be traced. Debug it outside, or in the tier standard."
SERVER = "_opened_: *--net allow*, and its _HOST:PORT_ before *--*."
REACHED = "Nobody outside reaches the program's network. Run a server that others need in hardened."
HOME = ("_opened_: *--write* and the folder, which has to exist, and so with every cache and log below the home. In a folder "
        "that holds something hidden, such as ~/.cache, nothing can be made: name the one below it.")

ROWS = [
    Row("bash", "bash: jobs, here-documents, process substitution, pipes", WORKS, WORKS, WORKS),
    Row("perl", "perl: children, pipes, temporary files", WORKS, WORKS, WORKS),
    Row("python", "python3: subprocesses, semaphores, pools, temporary files", WORKS, WORKS, WORKS),
    Row("venv", "python3 -m venv, and a script in it", WORKS, WORKS, WORKS),
    Row("node", "node: child processes, workers", WORKS, WORKS, WORKS),
    Row("npm", "npm test", WORKS, WORKS, WORKS),
    Row("npmrc", "npm with the registry or token of ~/.npmrc", WORKS, OPENED, OPENED,
        "_opened_: *--read ~/.npmrc*. So with every file that is hidden; *run --explain* lists them."),
    Row("git", "git: clone by path, commit", WORKS, WORKS, WORKS),
    Row("git-server", "git: clone from a server", WORKS, WORKS, OPENED, SERVER),
    Row("make", "make -j2, gcc, ar, ld, and what was built", WORKS, WORKS, WORKS),
    Row("cache", "writing in the home outside the working folder", WORKS, OPENED, OPENED, HOME),
    Row("sqlite", "sqlite3 with a write-ahead log", WORKS, WORKS, WORKS),
    Row("psql", "psql to a server", WORKS, WORKS, OPENED, SERVER),
    Row("curl", "curl to a server", WORKS, WORKS, OPENED, SERVER),
    Row("ssh", "ssh with a key in ~/.ssh", WORKS, OPENED, OPENED,
        "_opened_: *--read* and the key; in lockdown also *--net allow* and its _HOST:PORT_ before *--*. ssh can remember no host."),
    Row("agent", "ssh-add with an agent outside, and --keep-env SSH_AUTH_SOCK", WORKS, WORKS, BREAKS, "The agent's socket is not there. *--read* and a key, instead."),
    Row("both", "a server and its client in one program", WORKS, WORKS, OPENED, "_opened_: *--net loopback*."),
    Row("http-server", "python3 -m http.server, reached from outside", WORKS, WORKS, BREAKS, REACHED),
    Row("node-server", "a server in node, reached from outside", WORKS, WORKS, BREAKS, REACHED),
    Row("vim", "vim on a terminal", WORKS, WORKS, WORKS),
    Row("less", "less on a terminal", WORKS, WORKS, WORKS),
    Row("script", "script", WORKS, BREAKS, BREAKS, NEW_TERMINAL),
    Row("tmux", "tmux started inside", WORKS, BREAKS, BREAKS, NEW_TERMINAL),
    Row("gdb", "gdb of a program of its own", WORKS, BREAKS, BREAKS, TRACE),
    Row("strace", "strace", WORKS, BREAKS, BREAKS, TRACE),
    Row("su", "su, sudo and other set-id programs", BREAKS, BREAKS, BREAKS, "They gain nothing, on purpose. Run them outside."),
]


def table():
    """As it stands in the manual: a row a line, and the remedies below."""
    remedies = list(dict.fromkeys(row.remedy for row in ROWS if row.remedy))
    lines = ["```", "standard  hardened  lockdown"]
    for row in ROWS:
        note = f" ({remedies.index(row.remedy) + 1})" if row.remedy else ""
        lines.append(f"{row.standard:9} {row.hardened:9} {row.lockdown:9} {row.what}{note}")
    lines += ["```", ""]
    for number, remedy in enumerate(remedies, 1):
        lines += [f"({number}) {remedy}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(), end="")
