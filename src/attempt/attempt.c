#include "attempt/attempt_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// ---------------------------------------------------------------------------------------------------------- results

struct attempt_result result_worked(void)
{
	return (struct attempt_result){.outcome = ATTEMPT_WORKED};
}

struct attempt_result result_refused(int error)
{
	return (struct attempt_result){.outcome = ATTEMPT_REFUSED, .error = error};
}

struct attempt_result result_noted(struct attempt_result result, const char *note)
{
	snprintf(result.note, sizeof(result.note), "%s", note);
	return result;
}

struct attempt_result result_absent(const char *what)
{
	return result_noted((struct attempt_result){.outcome = ATTEMPT_ABSENT, .error = errno}, what);
}

struct attempt_result result_broken(const char *what)
{
	return result_noted((struct attempt_result){.outcome = ATTEMPT_BROKEN, .error = errno}, what);
}

struct attempt_result result_of(long returned)
{
	if (returned >= 0)
		return result_worked();
	return errno == ENOSYS ? result_absent("this kernel has no such call") : result_refused(errno);
}

struct attempt_result result_of_fd(int fd)
{
	struct attempt_result result = result_of(fd);
	fd_close(&fd);
	return result;
}

// ------------------------------------------------------------------------------------------------------------ scene

static const char *const word_names[SCENE_WORD_COUNT] = {
	[SCENE_NONE] = "", [SCENE_VICTIM] = "victim", [SCENE_ADDRESS] = "address", [SCENE_MARK] = "mark",
	[SCENE_CHILD] = "child", [SCENE_FOLDER] = "folder", [SCENE_PTS] = "pts", [SCENE_FILE] = "file",
	[SCENE_PLACE] = "place", [SCENE_SSH_KEY] = "ssh-key", [SCENE_CLOUD] = "cloud", [SCENE_AGENT] = "agent",
	[SCENE_KEYRING] = "keyring", [SCENE_HISTORY] = "history",
	[SCENE_DOTENV] = "dotenv", [SCENE_VAULT] = "vault", [SCENE_LOG] = "log", [SCENE_OWN_SOCKET] = "own-socket",
	[SCENE_BUS] = "bus", [SCENE_SOCKET] = "socket", [SCENE_HOME_SOCKET] = "home-socket",
	[SCENE_ABSTRACT] = "abstract",
	[SCENE_TCP] = "tcp", [SCENE_UDP] = "udp", [SCENE_PORT] = "port", [SCENE_TEMPORARY] = "temporary",
};

const char *scene_word_name(enum scene_word word)
{
	return word_names[word];
}

bool scene_word_take(struct attempt_scene *scene, const char *text)
{
	for (size_t i = SCENE_NONE + 1; i < SCENE_WORD_COUNT; i++) {
		size_t len = strlen(word_names[i]);
		if (strncmp(text, word_names[i], len) != 0 || text[len] != '=')
			continue;
		scene->words[i] = text + len + 1;
		return true;
	}
	return false;
}

uint64_t scene_number(const struct attempt_scene *scene, enum scene_word word)
{
	const char *text = scene->words[word];
	return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void scene_left_name(const struct attempt_scene *scene, char out[SCENE_NAME_BYTES])
{
	snprintf(out, SCENE_NAME_BYTES, "left%.11s", scene->words[SCENE_MARK]);
}

pid_t attempt_left(const struct attempt_scene *scene)
{
	DIR *proc = scene->words[SCENE_MARK] != NULL ? opendir("/proc") : NULL;
	if (proc == NULL)
		return 0;
	char name[SCENE_NAME_BYTES];
	scene_left_name(scene, name);
	pid_t found = 0;
	struct process process;
	for (struct dirent *entry = readdir(proc); entry != NULL && found == 0; entry = readdir(proc)) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && process_read("/proc", pid, &process) && !process.is_dead &&
		    strcmp(process.name, name) == 0)
			found = pid;
	}
	closedir(proc);
	return found;
}

// ----------------------------------------------------------------------------------------------------------- running

static _Noreturn void child_try(const struct attempt *attempt, const struct attempt_scene *scene, int fd)
{
	// What is tried may be ended by a signal; nothing of that is to be a core file.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct attempt_result result = attempt->try(attempt, scene);
	ssize_t written = write(fd, &result, sizeof(result));
	_exit(written == (ssize_t)sizeof(result) ? 0 : 1);
}

// A child that the kernel ended: SIGSYS is how a filter refuses. `is_late`: it was ended here.
static struct attempt_result ended(int status, bool is_late)
{
	if (is_late)
		return result_broken("nothing happened in time");
	if (!WIFSIGNALED(status))
		return result_broken("it ended without a result");
	struct attempt_result result = {.outcome = WTERMSIG(status) == SIGSYS ? ATTEMPT_REFUSED : ATTEMPT_BROKEN,
					.signal = WTERMSIG(status)};
	return result_noted(result, "ended by a signal");
}

static struct attempt_result child_wait(pid_t child, int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	int64_t end = clock_monotonic_ms() + ATTEMPT_SECONDS * 1000;
	int polled = 0;
	do {
		int64_t left = end - clock_monotonic_ms();
		polled = poll(&ready, 1, left > 0 ? (int)left : 0);
	} while (polled < 0 && errno == EINTR);
	struct attempt_result result;
	bool is_read = polled > 0 && read(fd, &result, sizeof(result)) == (ssize_t)sizeof(result);
	if (polled == 0)
		kill(child, SIGKILL);
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	return is_read ? result : ended(status, polled == 0);
}

struct attempt_result attempt_run(const struct attempt *attempt, const struct attempt_scene *scene)
{
	errno = 0;
	if (attempt->word != SCENE_NONE && scene->words[attempt->word] == NULL)
		return result_noted(result_absent(""), "the scene has none");
	// It stops who is asked, not a child of his.
	if (attempt->try == try_self_stop)
		return attempt->try(attempt, scene);
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return result_broken("no pipe");
	struct attempt_scene with_starter = *scene;
	with_starter.starter = getppid();
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		child_try(attempt, &with_starter, ends[1]);
	}
	close(ends[1]);
	struct attempt_result result = child > 0 ? child_wait(child, ends[0]) : result_broken("no process");
	close(ends[0]);
	return result;
}
