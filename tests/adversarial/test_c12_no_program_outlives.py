"""C12: a program does not outlive its supervisor unnoticed."""

import os
import signal

from envseal_support import is_alive, wait_gone


def test_killed_supervisor_takes_the_program_along(vault):
    fifo = vault.work / "fifo"
    os.mkfifo(fifo)
    child = vault.popen("run", "-s", "API_TOKEN", "--", "/bin/sh", "-c", 'echo $$ > "$0"; exec /bin/sleep 600', fifo)
    program = int(fifo.read_text())
    assert is_alive(program)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    wait_gone(program)
