"""Leads a session on a terminal as an interactive shell does, and runs one program as its foreground job. Without what
a shell adds: it prints nothing, and leaves the terminal's modes as the job left them.

    terminal_leader.py CONTROL TERMINAL CLOSED IGNORED PROGRAM [ARGUMENT]...

CONTROL and TERMINAL are descriptors (TERMINAL -1: there is none), CLOSED lists the descriptors the program gets
closed, IGNORED the signals it gets ignored. Lines written to CONTROL: `started PID`, `stopped N`, `exited N`,
`killed N`, and in the end `left PID...`, the processes that are still there. Lines read: `fg`, `bg`; its end means that
all is over.
"""

import ctypes
import fcntl
import os
import signal
import sys
import termios
import time

END = b"<end of the job>"
LEFT_SECONDS = 20  # how long what has to end with the program may take
PR_SET_CHILD_SUBREAPER = 36
SHELL_IGNORES = (signal.SIGTTOU, signal.SIGTTIN, signal.SIGTSTP, signal.SIGINT, signal.SIGQUIT)


class Leader:
    def __init__(self, control, terminal, closed, ignored, words):
        self.control, self.terminal, self.closed, self.words = control, terminal, closed, words
        self.ignored = ignored
        self.commands = os.fdopen(os.dup(control), "r")
        self.job = 0

    def say(self, *words):
        os.write(self.control, (" ".join(map(str, words)) + "\n").encode())

    def take_terminal(self, group):
        if self.terminal < 0:
            return
        try:
            os.tcsetpgrp(self.terminal, group)
        except OSError:  # hung up
            self.terminal = -1

    def mark(self):
        """Comes after everything the job has printed, so that nobody has to guess whether more will come."""
        if self.terminal >= 0:
            try:
                os.write(self.terminal, END)
            except OSError:
                self.terminal = -1

    def start(self):
        self.job = os.fork()
        if self.job == 0:
            self.become()
        try:
            os.setpgid(self.job, self.job)
        except OSError:  # it has done so itself, and has begun
            pass
        signal.signal(signal.SIGHUP, self.hang_up)
        # Who reads the job's output is to see its end, and who writes its input that nobody reads.
        nothing = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        self.say("started", self.job)

    def become(self):
        os.setpgid(0, 0)
        self.take_terminal(os.getpgrp())
        for number in (*SHELL_IGNORES, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        for number in self.ignored:
            signal.signal(number, signal.SIG_IGN)
        for descriptor in (self.control, self.terminal):
            if descriptor >= 0:
                os.set_inheritable(descriptor, False)
        for descriptor in self.closed:
            os.close(descriptor)
        os.execvp(self.words[0], self.words)

    def hang_up(self, number, frame):
        try:
            os.killpg(self.job, signal.SIGHUP)
            os.killpg(self.job, signal.SIGCONT)
        except ProcessLookupError:  # it has seen the end of its input first, and has ended
            pass

    def watch(self):
        while True:
            _, status = os.waitpid(self.job, os.WUNTRACED)
            self.take_terminal(os.getpgrp())
            self.mark()
            if os.WIFSTOPPED(status):
                self.say("stopped", os.WSTOPSIG(status))
                self.go_on(self.commands.readline().strip())
            elif os.WIFEXITED(status):
                return self.say("exited", os.WEXITSTATUS(status))
            else:
                return self.say("killed", os.WTERMSIG(status))

    def go_on(self, command):
        if command == "fg":
            self.take_terminal(self.job)
        os.killpg(self.job, signal.SIGCONT if command else signal.SIGKILL)

    def clear(self):
        """Everything that outlives its parent has become a child of this process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        end = time.monotonic() + LEFT_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    signal.sigtimedwait({signal.SIGCHLD}, left)
            except ChildProcessError:
                break
        left = children()
        self.say("left", *left)
        while pids := children():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(word) for word in file.read().split()]


def main():
    control, terminal = int(sys.argv[1]), int(sys.argv[2])
    closed, ignored = ([int(word) for word in text.split(",") if word] for text in sys.argv[3:5])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in SHELL_IGNORES:
        signal.signal(number, signal.SIG_IGN)
    if terminal >= 0:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    leader = Leader(control, terminal, closed, ignored, sys.argv[5:])
    leader.start()
    leader.watch()
    leader.commands.read()
    leader.clear()


if __name__ == "__main__":
    main()
