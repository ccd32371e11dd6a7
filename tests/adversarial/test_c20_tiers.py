"""C20: what each tier refuses, the kernel refuses. Every cell of attack_table.txt is tried."""

import contextlib
import os
import pathlib
import resource
import signal
import subprocess

import pytest

from envseal_support import binary, is_alive
from tier_support import COLUMNS, SECRET, TIERS, WORDS, Held, Place, attack, attempt_ids, can_unshare, table_read, tried

pytestmark = pytest.mark.skipif(os.geteuid() == 0, reason="root may do what is tried")

ROWS = table_read()
CELLS = [(name, column) for column in COLUMNS for name, cells in ROWS.items() if cells[column] != "-"]


def test_every_attempt_has_a_row():
    assert list(ROWS) == attempt_ids()


@pytest.mark.parametrize("name", ROWS)
def test_cells_are_known_words(name):
    cells = ROWS[name]
    assert set(cells.values()) <= WORDS
    assert cells["control"] != "-" and "absent-ok" not in [cells[column] for column in COLUMNS[1:]]


@pytest.mark.parametrize("name", ROWS)
def test_tiers_grow_strictly(name):
    for columns in (TIERS, ["2" + tier for tier in TIERS]):
        cells = [ROWS[name][column] in ("refused", "killed") for column in columns]
        assert cells == sorted(cells)


class Attempts:
    """Made once for each column, when the first cell of it is asked for."""

    def __init__(self, place):
        self.place = place
        self.columns = {}

    def column(self, name):
        if name not in self.columns:
            try:
                self.columns[name] = self.place.outside(name[1:]) if name.startswith("2") else self.place.inside(name)
            except (AssertionError, StopIteration, subprocess.SubprocessError) as failure:
                self.columns[name] = failure
        if isinstance(self.columns[name], Exception):
            raise self.columns[name]
        return self.columns[name]


# The program that attacks has a sanitizer's library too, which must be the first one, and LD_PRELOAD is among the attacks.
@pytest.fixture(scope="module")
def place(tmp_path_factory, original, unsanitized):
    place = Place(tmp_path_factory.mktemp("place"), original)
    yield place
    place.done()


@pytest.fixture(scope="module")
def attempts(place):
    return Attempts(place)


def skip_where_not_to_be_had(column):
    tier = column.removeprefix("2")
    if tier in ("hardened", "lockdown") and not can_unshare():
        pytest.skip(f"this machine lets plain users make no namespaces, so it has no {tier}")
    if tier == "jail" and not has_jail():
        pytest.skip("this envseal has no jail")


def has_jail():
    return b"jail" in subprocess.run([binary(), "help"], capture_output=True, timeout=60).stdout


TRACING = {"proc-mem", "ptrace-attach", "ptrace-seize", "gcore", "vm-read", "pidfd-getfd"}


def skip_where_the_machine_refuses(name):
    """What works everywhere but where somebody has closed it to all."""
    yama = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    if name in TRACING and yama.exists() and yama.read_text() != "0\n":
        pytest.skip("kernel.yama.ptrace_scope lets nobody trace what he did not start")
    if name == "core" and resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("core dumps cannot be allowed here")
    if name == "set-id" and "NoNewPrivs:\t1" in pathlib.Path("/proc/self/status").read_text():
        pytest.skip("set-id programs gain nothing here")


@pytest.mark.parametrize("name, column", CELLS, ids=lambda value: value)
def test_cell(attempts, name, column):
    if column == "control":
        skip_where_the_machine_refuses(name)
    skip_where_not_to_be_had(column)
    result, control = attempts.column(column)[name], attempts.column("control")[name]
    assert result.outcome in ("worked", "refused", "absent"), result
    word = ROWS[name][column]
    if word == "absent-ok":
        return
    if column == "lockdown" and word == "works" and name.startswith("home-") and attempts.place.is_temporary:
        pytest.skip("the home is in a folder for temporary files, which lockdown hides: set ENVSEAL_TEST_ROOM")
    if column != "control" and word == "works" and control.outcome != "worked":
        pytest.skip(f"nobody may, or can, here: {control}")
    if column != "control" and result.outcome == control.outcome == "absent":
        pytest.skip(f"there is none here: {control}")
    # To hide it is to refuse it.
    outcome = "refused" if result.outcome == "absent" and column != "control" else result.outcome
    assert outcome == {"works": "worked", "refused": "refused", "killed": "refused"}[word], result
    if word == "killed":
        assert result.signal == signal.SIGSYS, result


NAMESPACES = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
PRIVILEGED = [name for name, cells in ROWS.items() if cells["control"] == "refused" and name != "setns"]


def test_what_control_refuses_works_with_capabilities(place):
    """Or these rows would hold whatever a tier does: a user namespace gives what is needed, and a tier takes it away."""
    skip_where_not_to_be_had("hardened")
    done = subprocess.run([*NAMESPACES, place.program, "try", *PRIVILEGED], capture_output=True, text=True, timeout=60)
    found = tried(done.stdout)
    assert list(found) == PRIVILEGED and {result.outcome for result in found.values()} == {"worked"}, found


def test_namespace_without_a_shield_can_be_entered(place):
    """What the late group map is there for: without it the owner of the namespace reads what is in it."""
    skip_where_not_to_be_had("hardened")
    with contextlib.closing(Held(place, ["env", f"API_TOKEN={SECRET}", *NAMESPACES], place.work)) as held:
        found = tried(attack("try", "setns", *held.scene))["setns"]
        assert found.outcome == "worked", found


CLOSED = ["proc-environ", "proc-mem", "proc-maps", "proc-fd", "proc-cwd", "proc-root", "proc-exe", "ptrace-attach",
          "ptrace-seize", "gcore", "vm-read", "pidfd-getfd", "kcmp", "setns"]


@pytest.mark.parametrize("tier", TIERS)
def test_envseals_own_processes_are_closed(place, tier):
    """All that stand between the caller and the program: what supervises, and process 1 of the namespace."""
    skip_where_not_to_be_had(tier)
    with contextlib.closing(Held(place, place.command(tier, []), place.work)) as held:
        others = held.others()
        assert len(others) >= (1 if tier == "standard" else 2)
        for pid in others:
            found = tried(attack("try", *CLOSED, *held.scene[1:3], f"victim={pid}"))
            # What prepared the start may have ended meanwhile: of a zombie there is nothing to get.
            assert {result.outcome for result in found.values()} == {"refused"} or not is_alive(pid), (pid, found)


@pytest.mark.parametrize("tier", TIERS)
def test_who_started_the_program_is_closed_to_it(place, tier):
    """From inside: what supervises, or process 1 of the namespace, which had the secrets before the program did."""
    skip_where_not_to_be_had(tier)
    script = f'exec "$0" try {" ".join(CLOSED)} "$@" victim=$PPID'
    words = ["/bin/sh", "-c", script, place.program, *place.scene]
    found = place.finish(place.popen(place.command(tier, words)))
    assert len(found) == len(CLOSED) and {result.outcome for result in found.values()} == {"refused"}, found
