// Folders, processes and direct access to the vault's file for test_store.c, test_vault.c and their kin.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static struct err err;
static char dir[256];       // the test's own folder; the vault is in dir/v
static char vault_dir[300]; // not made by dir_setup
static char vault_path[320];

static inline int dir_setup(void **state)
{
	(void)state;
	const char *base = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/envseal-vault-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	snprintf(vault_dir, sizeof(vault_dir), "%s/v", dir);
	snprintf(vault_path, sizeof(vault_path), "%s/vault.db", vault_dir);
	return 0;
}

static inline size_t dir_empty(const char *path, bool remove)
{
	size_t count = 0;
	DIR *stream = opendir(path);
	for (struct dirent *entry; stream && (entry = readdir(stream));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		if (remove)
			unlinkat(dirfd(stream), entry->d_name, 0);
	}
	if (stream)
		closedir(stream);
	return count;
}

static inline size_t dir_count(const char *path)
{
	return dir_empty(path, false);
}

static inline int dir_teardown(void **state)
{
	(void)state;
	chmod(vault_dir, 0700);
	dir_empty(vault_dir, true);
	rmdir(vault_dir);
	dir_empty(dir, true);
	return rmdir(dir);
}

// Runs `body` in a child and returns its exit status; a signal is 1000 + its number.
static inline int child_run(int (*body)(void *context), void *context)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(body(context));
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// Root may write anywhere: a child that must meet a closed folder becomes a plain user, who owns the test's folder.
static inline void dir_give_away(void)
{
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_int_equal(chown(vault_dir, 65534, 65534), 0);
	assert_int_equal(chown(vault_path, 65534, 65534), 0);
}

static inline bool become_plain(void)
{
	return geteuid() != 0 ||
	       (setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

// Changes the vault's file behind the program's back.
static inline void sql_run(const char *sql)
{
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(vault_path, &db), SQLITE_OK);
	char *message = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
}

static inline struct buf file_load(const char *path)
{
	struct buf content = BUF_INIT(64u << 20);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_all(fd, &content, path, &err), 0);
	close(fd);
	return content;
}

static inline void file_store(const char *path, struct span content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, content, path, &err), 0);
	close(fd);
}
