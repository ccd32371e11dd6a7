#include "base/base.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void home_done(struct home *home)
{
	free(home->data_dir);
	free(home->state_dir);
	free(home->run_dir);
	*home = (struct home){0};
}

// An absolute value of the variable, or NULL: the XDG specification says to ignore relative ones.
static const char *variable_absolute(const char *name)
{
	const char *value = getenv(name);
	return value && value[0] == '/' ? value : NULL;
}

static int home_dir(const char *variable, const char *fallback, char **out, struct err *err)
{
	const char *base = variable_absolute(variable);
	if (base)
		return path_join(base, "envseal", out, err);
	const char *user = variable_absolute("HOME");
	if (!user)
		return err_set(err, ERR_USAGE, "HOME is not set to an absolute path; set it, or ENVSEAL_HOME");
	return path_join(user, fallback, out, err);
}

static int home_dir_copy(const char *dir, char **out, struct err *err)
{
	*out = strdup(dir);
	return *out ? 0 : err_set(err, ERR_MEMORY, "out of memory for a path");
}

// What a login leaves there for its user, where the variable is not set: in the environment of a daemon, or of cron.
static bool is_own_folder(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 0077) == 0;
}

static int run_dir_find(char **out, struct err *err)
{
	char path[64];
	const char *base = variable_absolute("XDG_RUNTIME_DIR");
	if (base)
		return path_join(base, "envseal", out, err);
	snprintf(path, sizeof(path), "/run/user/%u", geteuid());
	if (is_own_folder(path))
		return path_join(path, "envseal", out, err);
	snprintf(path, sizeof(path), "/tmp/envseal-%u", geteuid());
	return home_dir_copy(path, out, err);
}

int home_init(struct home *out, struct err *err)
{
	_cleanup_home_ struct home home = {0};
	const char *all = getenv("ENVSEAL_HOME");
	int r;
	if (all && all[0] != '/')
		return err_set(err, ERR_USAGE, "ENVSEAL_HOME must be an absolute path");
	if (all) {
		r = home_dir_copy(all, &home.data_dir, err);
		if (r == 0)
			r = home_dir_copy(all, &home.state_dir, err);
		if (r == 0)
			r = path_join(all, "run", &home.run_dir, err);
	} else {
		r = home_dir("XDG_DATA_HOME", ".local/share/envseal", &home.data_dir, err);
		if (r == 0)
			r = home_dir("XDG_STATE_HOME", ".local/state/envseal", &home.state_dir, err);
		if (r == 0)
			r = run_dir_find(&home.run_dir, err);
	}
	if (r < 0)
		return r;
	*out = home;
	home = (struct home){0};
	return 0;
}

int home_of_user(uid_t user, char **out, struct err *err)
{
	const struct passwd *entry = NULL;
	*out = NULL;
	FILE *file = fopen("/etc/passwd", "re");
	if (!file)
		return 0;
	while ((entry = fgetpwent(file)) != NULL && entry->pw_uid != user)
		;
	bool is_fit = entry && entry->pw_dir[0] == '/' && entry->pw_dir[1] != 0;
	int r = is_fit ? home_dir_copy(entry->pw_dir, out, err) : 0;
	fclose(file);
	return r;
}
