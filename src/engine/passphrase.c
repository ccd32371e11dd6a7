#include "engine/engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

// Room for a path in a command that mends something.
#define PATH_QUOTE_BYTES 420

bool unlock_is_terminal(const struct engine_unlock *unlock)
{
	return unlock->passphrase_fd < 0 && !unlock->passphrase_file;
}

// Reads one line byte by byte: what follows it on the descriptor belongs to somebody else, such as the program's own
// standard input.
static int passphrase_read_line(int fd, struct secret **out, struct err *err)
{
	_cleanup_secret_ struct secret *line = NULL;
	int r = secret_new(PASSPHRASE_BYTES_MAX, SECRET_LOCK_REQUIRED, &line, err);
	if (r < 0)
		return r;
	size_t len = 0;
	for (;;) {
		uint8_t byte = 0;
		ssize_t n = read(fd, &byte, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, ERR_USAGE, errno, "cannot read the passphrase from descriptor %d", fd);
		if (n == 0 || byte == '\n')
			break;
		if (len == PASSPHRASE_BYTES_MAX) {
			secret_wipe(&byte, 1);
			return err_set(err, ERR_LIMIT, "the passphrase is longer than %d bytes", PASSPHRASE_BYTES_MAX);
		}
		secret_data(line)[len++] = byte;
		secret_wipe(&byte, 1);
	}
	if (len > 0 && secret_data(line)[len - 1] == '\r')
		len--;
	secret_shorten(line, len);
	if (len == 0)
		return err_set(err, ERR_USAGE, "the passphrase is empty");
	*out = TAKE_PTR(line);
	return 0;
}

// What a shell makes for process substitution. It has no mode to judge, and nobody else finds it; a FIFO has a name.
static bool is_unnamed_pipe(int fd)
{
	struct statfs fs;
	return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

// A passphrase that others can read or swap is none.
static int passphrase_file_check(int fd, const char *path, const char *brief, struct err *err)
{
	char quoted[PATH_QUOTE_BYTES];
	struct stat named;
	if (lstat(path, &named) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine %s", brief);
	if (!S_ISLNK(named.st_mode))
		return file_check_private(fd, path, err);
	path_quote(path, quoted, sizeof(quoted));
	return err_set(err, ERR_UNSAFE, "%s is a symbolic link; name the passphrase file itself, which is found with: "
		       "readlink -f %s", brief, quoted);
}

static int passphrase_read_file(const char *path, struct secret **out, struct err *err)
{
	char brief[200];
	text_brief(span_text(path), brief, sizeof(brief));
	// O_NONBLOCK keeps the open of a FIFO from waiting for its other end.
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_USAGE, errno, "cannot open the passphrase file %s", brief);
	int r = is_unnamed_pipe(fd) ? 0 : passphrase_file_check(fd, path, brief, err);
	if (r == 0 && fcntl(fd, F_SETFL, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot prepare %s for reading", brief);
	return r < 0 ? r : passphrase_read_line(fd, out, err);
}

// True with *ret set when the passphrase does not come from the terminal.
static bool passphrase_from_option(const struct engine_unlock *unlock, struct secret **out, int *ret, struct err *err)
{
	if (unlock->passphrase_file)
		*ret = passphrase_read_file(unlock->passphrase_file, out, err);
	else if (unlock->passphrase_fd >= 0)
		*ret = passphrase_read_line(unlock->passphrase_fd, out, err);
	else
		return false;
	return true;
}

int passphrase_get(const struct engine_unlock *unlock, const char *prompt, struct secret **out, struct err *err)
{
	int r;
	if (passphrase_from_option(unlock, out, &r, err))
		return r;
	_cleanup_terminal_ struct terminal *terminal = NULL;
	r = terminal_open("the passphrase", &terminal, err);
	if (r < 0)
		return r;
	_cleanup_secret_ struct secret *typed = NULL;
	r = terminal_ask_secret(terminal, prompt, PASSPHRASE_BYTES_MAX, &typed, err);
	if (r < 0)
		return r;
	if (secret_len(typed) == 0)
		return err_set(err, ERR_DENIED, "no passphrase was typed; nothing was done");
	*out = TAKE_PTR(typed);
	return 0;
}

int passphrase_choose(const struct engine_unlock *unlock, struct secret **out, struct err *err)
{
	int r;
	if (passphrase_from_option(unlock, out, &r, err))
		return r;
	_cleanup_secret_ struct secret *first = NULL, *second = NULL;
	r = passphrase_get(unlock, "New passphrase for the vault: ", &first, err);
	if (r < 0)
		return r;
	r = passphrase_get(unlock, "The same once more: ", &second, err);
	if (r < 0)
		return r;
	if (!secret_is_equal(secret_span(first), secret_span(second)))
		return err_set(err, ERR_PASSPHRASE, "the two passphrases differ; nothing was made");
	*out = TAKE_PTR(first);
	return 0;
}
