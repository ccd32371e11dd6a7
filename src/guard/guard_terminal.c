// Where a human is asked, and who else could answer or listen there.
#include "guard/guard_internal.h"

#include <fcntl.h>

static void check_terminal(const struct guard_source *source, struct finding *finding)
{
	struct process asker;
	_cleanup_fd_ int fd = source->pid != 0 ? -1 : open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool has_terminal = source->pid != 0 ? process_read(source->proc, source->pid, &asker) && asker.terminal != 0 : fd >= 0;
	if (has_terminal)
		finding_set(finding, FINDING_OK, "", "there is a controlling terminal to ask on");
	else
		finding_set(finding, FINDING_NOTE, "give the passphrase with --passphrase-fd or --passphrase-file",
			    "there is no controlling terminal: nobody can be asked here");
}

static void check_tiocsti(const struct guard_source *source, struct finding *finding)
{
	long long legacy = 0;
	bool known = guard_read_number(source->proc, "sys/dev/tty/legacy_tiocsti", &legacy);
	if (known && legacy == 0)
		finding_set(finding, FINDING_OK, "", "programs cannot put keystrokes into a terminal (TIOCSTI is off)");
	else
		finding_set(finding, FINDING_WARN,
			    known ? "sysctl dev.tty.legacy_tiocsti=0" : "use a kernel from 6.2 on",
			    "a program on your terminal can put keystrokes into it as if you had typed them (TIOCSTI): "
			    "run agents in a terminal of their own");
}

static void check_multiplexer(const struct guard_source *source, struct finding *finding)
{
	static const char *const names[] = {"TMUX", "STY", "ZELLIJ"};
	const char *name = guard_variable_set(source, names, ARRAY_COUNT(names));
	if (name)
		finding_set(finding, FINDING_WARN, "type passphrases in a terminal outside of it",
			    "this terminal is inside a multiplexer ($%s): any process of yours can read and type there "
			    "through its socket",
			    name);
	else
		finding_set(finding, FINDING_OK, "", "this terminal is not inside a multiplexer");
}

static void check_remote(const struct guard_source *source, struct finding *finding)
{
	static const char *const names[] = {"SSH_CONNECTION", "SSH_TTY"};
	if (guard_variable_set(source, names, ARRAY_COUNT(names)))
		finding_set(finding, FINDING_NOTE, "",
			    "this session came over SSH: whoever controls the machine at its other end sees what you "
			    "type");
	else
		finding_set(finding, FINDING_OK, "", "this session did not come over SSH");
}

static void check_display(const struct guard_source *source, struct finding *finding)
{
	static const char *const x11[] = {"DISPLAY"}, *const wayland[] = {"WAYLAND_DISPLAY"};
	if (guard_variable_set(source, wayland, ARRAY_COUNT(wayland)))
		finding_set(finding, FINDING_OK, "", "the desktop is Wayland: programs do not see each other's keys");
	else if (guard_variable_set(source, x11, ARRAY_COUNT(x11)))
		finding_set(finding, FINDING_WARN, "use a Wayland session, or a text console, to type passphrases",
			    "the desktop is X11: every program on it sees what you type, and can type in your place");
	else
		finding_set(finding, FINDING_OK, "", "there is no desktop in this session");
}

const struct guard_check guard_terminal_checks[] = {
	{"terminal", "terminal", FINDING_NOTE, check_terminal},
	{"terminal-injection", "terminal", FINDING_WARN, check_tiocsti},
	{"terminal-multiplexer", "terminal", FINDING_WARN, check_multiplexer},
	{"remote", "terminal", FINDING_NOTE, check_remote},
	{"display", "terminal", FINDING_WARN, check_display},
};
const size_t guard_terminal_check_count = ARRAY_COUNT(guard_terminal_checks);
