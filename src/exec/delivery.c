#include "exec/exec_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Linux 6.3; where vm.memfd_noexec is 2 the kernel insists on it.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define FILE_PATH_BYTES sizeof("/proc/self/fd/4294967295")

// binfmts.h: MAX_ARG_STRLEN is 32 pages, and counts the NUL.
static size_t variable_bytes_max(void)
{
	return 32 * (size_t)sysconf(_SC_PAGESIZE);
}

static int variable_value_check(const struct exec_secret *secret, struct err *err)
{
	struct span value = secret_span(secret->value);
	if (value.len > 0 && memchr(value.data, 0, value.len))
		return err_set(err, ERR_INPUT,
			       "%s holds a NUL byte, which no environment variable can carry; give it to the program "
			       "as a file (-s %s=%s:file) or on its standard input (envseal pipe)",
			       secret->name, secret->name, secret->variable);
	size_t max = variable_bytes_max() - strlen(secret->variable) - 2;
	if (value.len > max)
		return err_set(err, ERR_LIMIT,
			       "%s is larger than the %zu bytes that the variable %s can carry; give it to the program "
			       "as a file (-s %s=%s:file) or on its standard input (envseal pipe)",
			       secret->name, max, secret->variable, secret->name, secret->variable);
	return 0;
}

static int secret_check(const struct exec_plan *plan, size_t index, struct err *err)
{
	const struct exec_secret *secret = &plan->secrets[index];
	bool to_stdin = secret->delivery == EXEC_TO_STDIN;
	if (!to_stdin && (!secret->variable || !variable_is_valid(span_text(secret->variable))))
		return err_set(err, ERR_USAGE, "%s has no valid variable name; use letters, digits and _ (-s %s=VAR)",
			       secret->name, secret->name);
	for (size_t i = 0; i < index; i++) {
		const struct exec_secret *other = &plan->secrets[i];
		if (to_stdin && other->delivery == EXEC_TO_STDIN)
			return err_set(err, ERR_USAGE, "%s and %s cannot both be the standard input; choose one",
				       other->name, secret->name);
		if (to_stdin || other->delivery == EXEC_TO_STDIN || strcmp(secret->variable, other->variable) != 0)
			continue;
		return err_set(err, ERR_USAGE, "%s and %s are both meant for the variable %s; give one another name",
			       other->name, secret->name, secret->variable);
	}
	return secret->delivery == EXEC_TO_VARIABLE ? variable_value_check(secret, err) : 0;
}

static int secrets_check(const struct exec_plan *plan, struct err *err)
{
	bool has_file = false;
	for (size_t i = 0; i < plan->secret_count; i++) {
		int r = secret_check(plan, i, err);
		if (r < 0)
			return r;
		has_file |= plan->secrets[i].delivery == EXEC_TO_FILE;
	}
	if (has_file && access("/proc/self/fd", X_OK) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno,
				     "the file form needs /proc, which is not there; mount it or use another form");
	return 0;
}

// ---------------------------------------------------------------------------------------------------- sealed copies

static int sealed_new(int *out_fd)
{
	// A fixed name: it shows in /proc/PID/fd, and names of secrets are nobody else's business.
	int fd = memfd_create("envseal", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("envseal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	*out_fd = fd;
	return fd < 0 ? -1 : 0;
}

static int sealed_copy(const struct exec_secret *secret, int *out_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	if (sealed_new(&fd) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make the sealed copy of %s", secret->name);
	int r = fd_write_all(fd, secret_span(secret->value), "the sealed copy", err);
	if (r < 0)
		return r;
	const int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	if (lseek(fd, 0, SEEK_SET) < 0 || fchmod(fd, 0400) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot seal the copy of %s", secret->name);
	*out_fd = TAKE_FD(fd);
	return 0;
}

// F_DUPFD takes the first free number from the wish on, so two copies never meet; the lower wishes are for small
// descriptor limits.
static int sealed_copy_high(const struct exec_secret *secret, int *out_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = sealed_copy(secret, &fd, err);
	if (r < 0)
		return r;
	static const int wishes[] = {EXEC_FILE_FD_FIRST, 64, 10};
	int high = -1;
	for (size_t i = 0; i < ARRAY_COUNT(wishes) && high < 0; i++)
		high = fcntl(fd, F_DUPFD_CLOEXEC, wishes[i]);
	if (high < 0)
		return err_set_errno(err, ERR_SYSTEM, errno,
				     "no descriptor is left for the copy of %s; raise `ulimit -n`", secret->name);
	*out_fd = high;
	return 0;
}

static int copies_make(const struct exec_plan *plan, struct delivery *out, struct err *err)
{
	out->file_fds = calloc(plan->secret_count + 1, sizeof(*out->file_fds));
	if (!out->file_fds)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < plan->secret_count; i++) {
		const struct exec_secret *secret = &plan->secrets[i];
		int r = 0;
		if (secret->delivery == EXEC_TO_STDIN)
			r = sealed_copy(secret, &out->stdin_fd, err);
		if (secret->delivery == EXEC_TO_FILE)
			r = sealed_copy_high(secret, &out->file_fds[out->file_count], err);
		if (r < 0)
			return r;
		if (secret->delivery == EXEC_TO_FILE)
			out->file_count++;
	}
	return 0;
}

// ------------------------------------------------------------------------------------------------------ environment

static size_t block_bytes(const struct exec_plan *plan)
{
	size_t bytes = 0;
	for (size_t i = 0; i < plan->secret_count; i++) {
		const struct exec_secret *secret = &plan->secrets[i];
		if (secret->delivery == EXEC_TO_STDIN)
			continue;
		size_t value = secret->delivery == EXEC_TO_FILE ? FILE_PATH_BYTES : secret_len(secret->value) + 1;
		bytes += strlen(secret->variable) + 1 + value;
	}
	return bytes;
}

static bool is_replaced(const struct exec_plan *plan, const char *entry)
{
	for (size_t i = 0; i < plan->secret_count; i++) {
		const char *variable = plan->secrets[i].delivery == EXEC_TO_STDIN ? NULL : plan->secrets[i].variable;
		size_t len = variable ? strlen(variable) : 0;
		if (len > 0 && strncmp(entry, variable, len) == 0 && entry[len] == '=')
			return true;
	}
	return false;
}

// Writes "VARIABLE=value" and its NUL at `at`; returns where the next one goes.
static uint8_t *entry_write(uint8_t *at, const struct exec_secret *secret, int file_fd)
{
	size_t name_len = strlen(secret->variable);
	memcpy(at, secret->variable, name_len);
	at[name_len] = '=';
	at += name_len + 1;
	char path[FILE_PATH_BYTES];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
	struct span value = secret->delivery == EXEC_TO_FILE ? span_text(path) : secret_span(secret->value);
	if (value.len > 0)
		memcpy(at, value.data, value.len);
	at[value.len] = 0;
	return at + value.len + 1;
}

static int environment_make(const struct exec_plan *plan, struct delivery *out, struct err *err)
{
	size_t plain_count = 0;
	while (plan->environment && plan->environment[plain_count])
		plain_count++;
	out->environment = calloc(plain_count + plan->secret_count + 1, sizeof(*out->environment));
	if (!out->environment)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = secret_new(block_bytes(plan), SECRET_LOCK_REQUIRED, &out->block, err);
	if (r < 0)
		return r;
	size_t count = 0;
	for (size_t i = 0; i < plain_count; i++)
		if (!is_replaced(plan, plan->environment[i]))
			out->environment[count++] = plan->environment[i];
	uint8_t *at = secret_data(out->block);
	size_t file_index = 0;
	for (size_t i = 0; i < plan->secret_count; i++) {
		const struct exec_secret *secret = &plan->secrets[i];
		if (secret->delivery == EXEC_TO_STDIN)
			continue;
		int file_fd = secret->delivery == EXEC_TO_FILE ? out->file_fds[file_index++] : -1;
		out->environment[count++] = (char *)at;
		at = entry_write(at, secret, file_fd);
	}
	return 0;
}

int delivery_prepare(const struct exec_plan *plan, struct delivery *out, struct err *err)
{
	int r = secrets_check(plan, err);
	if (r < 0)
		return r;
	r = copies_make(plan, out, err);
	if (r < 0)
		return r;
	return environment_make(plan, out, err);
}

void delivery_done(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->file_count; i++)
		fd_close(&delivery->file_fds[i]);
	free(delivery->file_fds);
	free(delivery->environment);
	secret_free(delivery->block);
	fd_close(&delivery->stdin_fd);
	*delivery = DELIVERY_INIT;
}
