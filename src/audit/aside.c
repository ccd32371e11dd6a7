#include "audit/audit_internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define ASIDE_NAME_BYTES 64

static int aside_move(const struct audit *audit, const char *name, const char *folder, struct err *err)
{
	char to[ASIDE_NAME_BYTES + AUDIT_NAME_BYTES];
	snprintf(to, sizeof(to), "%s/%s", folder, name);
	if (renameat(audit->dir_fd, name, audit->dir_fd, to) < 0 && errno != ENOENT)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot move %s into %s", name, folder);
	return 0;
}

int audit_set_aside(struct audit *audit, struct err *err)
{
	_cleanup_log_lock_ int lock = -1;
	_cleanup_rotated_ struct rotated rotated = {0};
	char folder[ASIDE_NAME_BYTES];
	snprintf(folder, sizeof(folder), "audit-aside-%lld", (long long)clock_now());
	int r = log_lock(audit, LOCK_EX, &lock, err);
	if (r == 0)
		r = rotated_list(audit, &rotated, err);
	if (r == 0 && mkdirat(audit->dir_fd, folder, 0700) < 0)
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot make the folder %s", folder);
	for (size_t i = 0; r == 0 && i < rotated.count; i++) {
		char name[AUDIT_NAME_BYTES];
		rotated_name(rotated.first[i], name);
		r = aside_move(audit, name, folder, err);
	}
	if (r == 0)
		r = aside_move(audit, AUDIT_ACTIVE_NAME, folder, err);
	if (r == 0 && fsync(audit->dir_fd) < 0)
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot write the folder of the audit log to disk");
	return r;
}
