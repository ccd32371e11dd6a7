"""kill -9 at random times, part a: see crash_support. Two files, so that two processes can share the 500 rounds."""

from crash_support import crash_rounds
from envseal_support import seeded

ROUNDS = 250


def test_kill_at_any_time_leaves_the_old_or_the_new_state(empty):
    crash_rounds(empty, seeded("crash rounds, part a"), ROUNDS)
