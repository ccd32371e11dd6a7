"""Too little of something: memory, descriptors, processes. An error with a sentence, and nothing lost."""

import os
import resource

import pytest

from envseal_support import SECRETS, assert_nowhere

MIB = 1 << 20
NEW_VALUE = b"a value for the new one"


def limited(kind, amount):
    return lambda: resource.setrlimit(kind, (amount, amount))


def attempt(vault, kind, amount):
    """Storing and running under a limit. -> their exit statuses (2: not even the passphrase file could be opened)"""
    set_ = vault.run("set", "NEW", "--stdin", "--force", input=NEW_VALUE, preexec_fn=limited(kind, amount))
    run = vault.run("run", "-s", "API_TOKEN", "--", "/bin/echo", "started", preexec_fn=limited(kind, amount))
    for result, statuses in ((set_, (0, 1, 2)), (run, (0, 125, 126))):
        assert result.status in statuses, (amount, result)
        assert result.status == 0 or "envseal: " in result.talk, (amount, result)
        assert_nowhere([*SECRETS.values(), NEW_VALUE], result.out + result.err)
    assert run.out == (b"started\n" if run.status == 0 else b""), (amount, run)
    return set_.status, run.status


def assert_whole(vault):
    assert vault.check()["ok"]
    vault.set("NEW", NEW_VALUE, "--force")
    assert vault.is_value("API_TOKEN", SECRETS["API_TOKEN"])


@pytest.mark.usefixtures("unsanitized")
def test_address_space(vault):
    sizes = (8, 16, 24, 32, 48, 64, 68, 72, 76, 80, 96, 128, 1024)
    seen = [attempt(vault, resource.RLIMIT_AS, mib * MIB) for mib in sizes]
    assert seen[0][0] == 1 and seen[0][1] != 0 and seen[-1] == (0, 0), seen
    assert_whole(vault)


@pytest.mark.usefixtures("unsanitized")
def test_data_segment(vault):
    seen = [attempt(vault, resource.RLIMIT_DATA, mib * MIB) for mib in (1, 2, 4, 8, 32, 64, 72, 1024)]
    assert seen[-1] == (0, 0), seen
    assert_whole(vault)


@pytest.mark.usefixtures("unsanitized")
def test_descriptors(vault):
    seen = [attempt(vault, resource.RLIMIT_NOFILE, count) for count in (3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20, 64)]
    assert seen[0][0] in (1, 2) and seen[0][1] == 125 and seen[-1] == (0, 0), seen
    assert_whole(vault)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may have any number of processes")
def test_processes(vault):
    assert attempt(vault, resource.RLIMIT_NPROC, 1) == (0, 125)
    assert_whole(vault)


@pytest.mark.parametrize("amount", [0, 4096, 16384, 65536, MIB])
def test_locked_memory(vault, amount):
    set_, run = attempt(vault, resource.RLIMIT_MEMLOCK, amount)
    if set_ == 1 and os.geteuid() != 0:
        result = vault.run("set", "NEW", "--stdin", "--force", input=NEW_VALUE, status=1,
                           preexec_fn=limited(resource.RLIMIT_MEMLOCK, amount))
        assert "ulimit -l" in result.talk
    assert_whole(vault)


def test_stack(vault):
    for kib in (128, 256):
        assert attempt(vault, resource.RLIMIT_STACK, kib << 10) == (0, 0)
    assert_whole(vault)


@pytest.mark.usefixtures("unsanitized")
def test_init_with_too_little_memory_leaves_nothing(no_vault):
    result = no_vault.run("init", "--pwhash", "interactive", status=1, preexec_fn=limited(resource.RLIMIT_AS, 48 * MIB))
    assert "memory" in result.talk
    assert not no_vault.database.exists()
    no_vault.init()
