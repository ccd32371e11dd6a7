#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct sandbox {
	const struct sandbox_plan *plan;
	struct sandbox_record *record; // in memory that the processes of one start share
};

int sandbox_prepare(const struct sandbox_plan *plan, struct sandbox **out, struct err *err)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
	if (!sandbox)
		return err_set(err, ERR_MEMORY, "out of memory");
	sandbox->plan = plan;
	sandbox->record = mmap(NULL, sizeof(*sandbox->record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sandbox->record == MAP_FAILED) {
		free(sandbox);
		return err_set_errno(err, ERR_MEMORY, errno, "cannot share memory with the program's process");
	}
	*out = sandbox;
	return 0;
}

void sandbox_free_ptr(struct sandbox **sandbox)
{
	if (!*sandbox)
		return;
	munmap((*sandbox)->record, sizeof(*(*sandbox)->record));
	free(*sandbox);
	*sandbox = NULL;
}

bool sandbox_has_init(const struct sandbox *sandbox)
{
	return sandbox->plan->needs[SANDBOX_PID_NAMESPACE] != SANDBOX_UNUSED;
}

int sandbox_fork(struct sandbox *sandbox, pid_t *ret_pid, struct err *err)
{
	(void)sandbox;
	pid_t pid = fork();
	if (pid < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a process");
	*ret_pid = pid;
	return 0;
}

struct sandbox_failure sandbox_settle(struct sandbox *sandbox)
{
	(void)sandbox;
	return (struct sandbox_failure){0};
}

// 0 or an errno.
static int (*const entries[SANDBOX_MECHANISM_COUNT])(void) = {
	[SANDBOX_NO_CORE] = limits_no_core,
	[SANDBOX_NO_NEW_PRIVS] = limits_no_new_privs,
};

// The answer, or what stands in the way of what is required.
static int mechanism_note(struct sandbox *sandbox, enum sandbox_mechanism mechanism, int error)
{
	struct sandbox_record *record = sandbox->record;
	uint32_t bit = UINT32_C(1) << mechanism;
	record->applied |= error == 0 ? bit : 0;
	record->missing |= error != 0 ? bit : 0;
	record->errors[mechanism] = error;
	bool is_needed = sandbox->plan->needs[mechanism] == SANDBOX_REQUIRED && !sandbox->plan->is_degradable;
	return is_needed ? error : 0;
}

struct sandbox_failure sandbox_enter(struct sandbox *sandbox, const int terminal_fds[3])
{
	(void)terminal_fds;
	for (enum sandbox_mechanism i = SANDBOX_NO_CORE; i < SANDBOX_SHIELD; i++) {
		if (sandbox->plan->needs[i] == SANDBOX_UNUSED)
			continue;
		int error = mechanism_note(sandbox, i, entries[i] ? entries[i]() : ENOSYS);
		if (error != 0)
			return (struct sandbox_failure){.mechanism = i, .error = error};
	}
	return (struct sandbox_failure){0};
}

void sandbox_started(struct sandbox *sandbox, pid_t program)
{
	(void)sandbox;
	(void)program;
}

int sandbox_failure_say(const char *program, struct sandbox_failure failure, struct err *err)
{
	return err_set_errno(err, ERR_NO_EXEC, failure.error, "refused to start %s: the sandbox cannot give %s", program,
			     sandbox_mechanism_name(failure.mechanism));
}

void sandbox_note_shield(struct sandbox *sandbox, bool is_applied)
{
	uint32_t bit = UINT32_C(1) << SANDBOX_SHIELD;
	if (is_applied)
		sandbox->record->applied |= bit;
	else if (sandbox->plan->needs[SANDBOX_SHIELD] != SANDBOX_UNUSED)
		sandbox->record->missing |= bit;
}

struct sandbox_record sandbox_record_get(const struct sandbox *sandbox)
{
	return *sandbox->record;
}
