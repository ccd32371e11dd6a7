#include "attempt/attempt_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *path_of(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return attempt->detail != NULL ? attempt->detail : scene->words[attempt->word];
}

struct attempt_result try_read(const struct attempt *attempt, const struct attempt_scene *scene)
{
	_cleanup_fd_ int fd = open(path_of(attempt, scene), O_RDONLY | O_CLOEXEC);
	char byte = 0;
	if (fd < 0)
		return result_refused(errno);
	// A file that is covered by an empty one is as good as closed.
	ssize_t got = read(fd, &byte, 1);
	return got == 1 ? result_worked() : result_noted(result_refused(got < 0 ? errno : 0), "it is empty");
}

// Opened, and not written to: that would do harm.
struct attempt_result try_write(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return result_of_fd(open(path_of(attempt, scene), O_WRONLY | O_APPEND | O_CLOEXEC));
}

// To what it is already.
struct attempt_result try_mode(const struct attempt *attempt, const struct attempt_scene *scene)
{
	struct stat status;
	if (stat(path_of(attempt, scene), &status) < 0)
		return result_refused(errno);
	return result_of(chmod(path_of(attempt, scene), status.st_mode & 07777));
}

static struct attempt_result make_in(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%.4000s/envseal-attempt-%d", folder, (int)getpid());
	struct attempt_result result = result_of_fd(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (result.outcome == ATTEMPT_WORKED)
		unlink(path);
	return result;
}

struct attempt_result try_make(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return make_in(scene->words[attempt->word]);
}

struct attempt_result try_make_beside(const struct attempt *attempt, const struct attempt_scene *scene)
{
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%s", scene->words[attempt->word]);
	char *slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return result_absent("the word is no path");
	*slash = '\0';
	return make_in(folder);
}
