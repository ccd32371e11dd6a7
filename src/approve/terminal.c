#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "approve/prompt.h"

// ------------------------------------------------------------------------------------------------------- who else has it

// As TIOCGDEV and /proc number a device.
static uint32_t device_number(dev_t device)
{
	unsigned low = minor(device);
	return (low & 0xff) | (major(device) << 8) | ((low & ~0xffu) << 12);
}

static bool has_open(pid_t pid, uint32_t device)
{
	char path[64];
	struct stat st;
	bool is_found = false;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	while (dir && !is_found && (entry = readdir(dir)) != NULL)
		is_found = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISCHR(st.st_mode) && device_number(st.st_rdev) == device;
	if (dir)
		closedir(dir);
	return is_found;
}

// What an agent left behind in its jail keeps the terminal, and can take keys there before whoever asks.
static void terminal_tell_confined(struct terminal *terminal)
{
	unsigned device = 0;
	DIR *dir = ioctl(terminal->fd, TIOCGDEV, &device) == 0 ? opendir("/proc") : NULL;
	const struct dirent *entry;
	while (dir && (entry = readdir(dir)) != NULL) {
		struct process process;
		struct err ignored;
		char name[PROCESS_NAME_BYTES * 4], line[PROCESS_NAME_BYTES * 4 + 256];
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || !process_read("/proc", pid, &process) || process.is_dead || !process_is_confined("/proc", pid) ||
		    (process.terminal != device && !has_open(pid, device)))
			continue;
		snprintf(line, sizeof(line),
			 "envseal: process %d (%s), which a jail or another sandbox holds, has this terminal too and can take what is typed here; "
			 "end it, or use another terminal\n", (int)pid, text_brief(span_text(process.name), name, sizeof(name)));
		terminal_print(terminal, span_text(line), &ignored);
	}
	if (dir)
		closedir(dir);
}

int terminal_open(const char *need, struct terminal **out, struct err *err)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_LOCKED, "%s is needed and there is no terminal to ask on; use --passphrase-fd N or "
						"--passphrase-file FILE", need);
	struct terminal *terminal = calloc(1, sizeof(*terminal));
	if (!terminal) {
		close(fd);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	terminal->fd = fd;
	terminal_tell_confined(terminal);
	*out = terminal;
	return 0;
}

struct terminal *terminal_close(struct terminal *terminal)
{
	if (terminal) {
		fd_close(&terminal->fd);
		free(terminal);
	}
	return NULL;
}

void terminal_close_ptr(struct terminal **terminal)
{
	*terminal = terminal_close(*terminal);
}

int terminal_print(struct terminal *terminal, struct span printable, struct err *err)
{
	return fd_write_all(terminal->fd, printable, "to the terminal", err);
}

int terminal_ask_secret(struct terminal *terminal, const char *text, size_t max_bytes, struct secret **out,
			struct err *err)
{
	_cleanup_secret_ struct secret *line = NULL;
	int r = secret_new(max_bytes, SECRET_LOCK_REQUIRED, &line, err);
	if (r < 0)
		return r;
	_cleanup_prompt_ struct prompt prompt = PROMPT_NONE;
	size_t len = 0;
	r = prompt_begin(terminal, PROMPT_WAIT_FOREVER, &prompt, err);
	if (r == 0)
		r = prompt_line(&prompt, text, line, &len, err);
	if (r < 0)
		return r;
	secret_shorten(line, len);
	*out = TAKE_PTR(line);
	return 0;
}

int terminal_ask_yes(struct terminal *terminal, const char *question, bool *out, struct err *err)
{
	_cleanup_prompt_ struct prompt prompt = PROMPT_NONE;
	uint8_t key = 0;
	int r = prompt_begin(terminal, PROMPT_WAIT_FOREVER, &prompt, err);
	if (r == 0)
		r = prompt_key(&prompt, question, &key, err);
	if (r < 0)
		return r;
	bool yes = key == 'y' || key == 'Y';
	r = terminal_print(terminal, yes ? SPAN_LITERAL("yes\n") : SPAN_LITERAL("no\n"), err);
	if (r < 0)
		return r;
	*out = yes;
	return 0;
}
