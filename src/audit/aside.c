#include "audit/audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int aside_move(const struct audit *audit, const char *name, int folder_fd, const char *folder, struct err *err)
{
	// ENOENT: the folder was listed as it was before an earlier move.
	if (renameat(audit->dir_fd, name, folder_fd, name) < 0 && errno != ENOENT)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot move %s into %s", name, folder);
	return 0;
}

// The torn parts go too: they are named by numbers, which the new chain gives out again.
static int aside_move_all(const struct audit *audit, int folder_fd, const char *folder, struct err *err)
{
	_cleanup_(dir_close_ptr) DIR *dir = NULL;
	int r = log_list(audit, &dir, err);
	while (r == 0) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry && errno != 0)
			return err_set_errno(err, ERR_SYSTEM, errno, "cannot list the folder of the audit log");
		if (!entry)
			break;
		if (is_record_file(entry->d_name))
			r = aside_move(audit, entry->d_name, folder_fd, folder, err);
	}
	return r;
}

int audit_set_aside(struct audit *audit, struct err *err)
{
	_cleanup_log_lock_ int lock = -1;
	char folder[AUDIT_NAME_BYTES];
	snprintf(folder, sizeof(folder), "audit-aside-%lld", (long long)clock_now());
	int r = log_lock(audit, LOCK_EX, &lock, err);
	if (r < 0)
		return r;
	if (mkdirat(audit->dir_fd, folder, 0700) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make the folder %s", folder);
	_cleanup_fd_ int folder_fd = openat(audit->dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot open the folder %s", folder);
	r = aside_move_all(audit, folder_fd, folder, err);
	if (r == 0 && (fsync(folder_fd) < 0 || fsync(audit->dir_fd) < 0))
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot write the folder of the audit log to disk");
	return r;
}
