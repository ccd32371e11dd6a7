#include "attempt/attempt_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define PATH_BYTES 64

static struct attempt_result write_nothing(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	// A NUL is shown by no terminal.
	return fd < 0 ? result_refused(errno) : result_of(write(fd, "", 1));
}

struct attempt_result try_tty(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	return write_nothing("/dev/tty");
}

struct attempt_result try_pts(const struct attempt *attempt, const struct attempt_scene *scene)
{
	return write_nothing(scene->words[attempt->word]);
}

static struct attempt_result starter_open(const struct attempt_scene *scene, const char *file, int flags)
{
	char path[PATH_BYTES];
	if (scene->starter == 0)
		return result_noted(result_refused(ENOENT), "there is none to be seen");
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)scene->starter, file);
	return result_of_fd(open(path, flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

struct attempt_result try_parent_stream(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	return starter_open(scene, "fd/1", O_WRONLY);
}

struct attempt_result try_parent_memory(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	return starter_open(scene, "environ", O_RDONLY);
}

struct attempt_result try_push(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)attempt;
	(void)scene;
	_cleanup_fd_ int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return result_refused(errno);
	struct attempt_result result = result_of(ioctl(fd, TIOCSTI, " "));
	// Nobody typed it.
	if (result.outcome == ATTEMPT_WORKED)
		tcflush(fd, TCIFLUSH);
	return result;
}

struct attempt_result try_uinput(const struct attempt *attempt, const struct attempt_scene *scene)
{
	(void)scene;
	if (access(attempt->detail, F_OK) < 0 && errno == ENOENT)
		return result_absent("there is no such device");
	return result_of_fd(open(attempt->detail, O_WRONLY | O_NONBLOCK | O_CLOEXEC));
}
