#include "store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "vault.db"
// SQLite's unix layer holds paths of 512 bytes with the companion's suffix and a NUL.
#define FILE_PATH_BYTES_MAX 500

static const char *const file_suffixes[] = {"", "-wal", "-shm", "-journal"};

int sqlite_store_new(const char *place, struct sqlite_store **out, struct err *err)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, ERR_MEMORY, "out of memory");
	s->store.driver = &store_sqlite;
	s->dir = strdup(place);
	int r =
	    s->dir ? path_join(place, FILE_NAME, &s->path, err) : err_set(err, ERR_MEMORY, "out of memory for a path");
	if (r < 0) {
		sqlite_store_free(s);
		return r;
	}
	text_brief(span_text(s->path), s->shown, sizeof(s->shown));
	*out = s;
	return 0;
}

static void fresh_remove(struct sqlite_store *s)
{
	_cleanup_fd_ int dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; dir_fd >= 0 && i < ARRAY_COUNT(file_suffixes); i++) {
		char name[NAME_MAX + 1];
		snprintf(name, sizeof(name), "%s%s", s->fresh_name, file_suffixes[i]);
		unlinkat(dir_fd, name, 0);
	}
	if (s->has_made_dir)
		rmdir(s->dir);
}

void sqlite_store_free(struct sqlite_store *s)
{
	sqlite_disconnect(s);
	if (s->fresh_name)
		fresh_remove(s);
	free(s->fresh_name);
	free(s->path);
	free(s->dir);
	free(s);
}

// SQLite gives the companions the mode of the vault, so reading a vault that was closed to writing leaves such ones
// behind, and no write works any more after the vault itself was opened again.
static int companion_check_mode(const struct sqlite_store *s, const char *suffix, int vault_fd, int fd, struct err *err)
{
	struct stat vault, companion;
	if (fstat(vault_fd, &vault) < 0 || fstat(fd, &companion) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot examine %s%s", s->shown, suffix);
	mode_t lacking = vault.st_mode & ~companion.st_mode & 0600;
	if (!lacking)
		return 0;
	char path[FILE_PATH_BYTES_MAX + 16], quoted[420];
	snprintf(path, sizeof(path), "%s%s", s->path, suffix);
	return err_set(err, ERR_UNSAFE, "%s%s is closed to its owner (mode %04o); mend it with: chmod 600 %s", s->shown,
		       suffix, (unsigned)(companion.st_mode & 07777), path_quote(path, quoted, sizeof(quoted)));
}

int sqlite_files_check(const struct sqlite_store *s, struct err *err)
{
	_cleanup_fd_ int dir_fd = -1, vault_fd = -1;
	int r = dir_open_private(s->dir, false, &dir_fd, err);
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(file_suffixes); i++) {
		char name[sizeof(FILE_NAME) + 16];
		snprintf(name, sizeof(name), "%s%s", FILE_NAME, file_suffixes[i]);
		_cleanup_fd_ int fd = -1;
		// O_PATH because closing an ordinary descriptor would drop the locks that another store of this process
		// may hold on the file.
		r = file_open_private(dir_fd, s->dir, name, O_PATH, &fd, err);
		if (r == 0 && i > 0)
			r = companion_check_mode(s, file_suffixes[i], vault_fd, fd, err);
		else if (r == 0)
			vault_fd = TAKE_FD(fd);
		else if (r == ERR_NOT_FOUND && i > 0)
			r = 0;
	}
	if (r == ERR_NOT_FOUND)
		return err_set(err, ERR_NO_VAULT, "there is no vault at %s; make one with: envseal init", s->shown);
	return r;
}

int sqlite_file_make(struct sqlite_store *s, struct err *err)
{
	struct stat st;
	s->has_made_dir = stat(s->dir, &st) < 0;
	uint32_t random = 0;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot get random bytes");
	char name[64];
	snprintf(name, sizeof(name), ".%s.%08x.new", FILE_NAME, (unsigned)random);
	s->fresh_name = strdup(name);
	if (!s->fresh_name)
		return err_set(err, ERR_MEMORY, "out of memory for a path");
	_cleanup_fd_ int dir_fd = -1;
	int r = dir_open_private(s->dir, true, &dir_fd, err);
	if (r < 0)
		return r;
	_cleanup_fd_ int fd = -1;
	r = file_open_private(dir_fd, s->dir, name, O_RDWR | O_CREAT | O_EXCL, &fd, err);
	if (r < 0)
		return r;
	// A umask may have taken the owner's own bits. SQLite gives the companion files the mode of this one.
	if (fchmod(fd, 0600) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot set the mode of the new %s", s->shown);
	return 0;
}

// Moves the finished file to its name, unless that is taken. Some file systems cannot do it in one step (EINVAL): there
// a second name is given and the first taken away, which also fails when the name is taken.
static int file_move(int dir_fd, const char *from, const char *to)
{
	if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return linkat(dir_fd, from, dir_fd, to, 0) == 0 ? unlinkat(dir_fd, from, 0) : -1;
}

int sqlite_file_publish(struct sqlite_store *s, struct err *err)
{
	// Closing the last connection moves the log into the file and takes the log away, so that one file is left to
	// move.
	sqlite_disconnect(s);
	_cleanup_fd_ int dir_fd = -1;
	int r = dir_open_private(s->dir, false, &dir_fd, err);
	if (r < 0)
		return r;
	char log_name[NAME_MAX + 1];
	snprintf(log_name, sizeof(log_name), "%s-wal", s->fresh_name);
	if (faccessat(dir_fd, log_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(err, ERR_SYSTEM, "cannot finish the new %s; look whether its disk is full", s->shown);
	if (file_move(dir_fd, s->fresh_name, FILE_NAME) < 0)
		return errno == EEXIST
			   ? err_set(err, ERR_EXISTS, "there is already a vault at %s", s->shown)
			   : err_set_errno(err, ERR_SYSTEM, errno, "cannot put the new vault in place at %s", s->shown);
	free(s->fresh_name);
	s->fresh_name = NULL;
	if (fsync(dir_fd) < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot write the folder of %s to disk", s->shown);
	return sqlite_connect(s, FILE_NAME, false, err);
}

bool sqlite_has_log(const struct sqlite_store *s)
{
	char path[FILE_PATH_BYTES_MAX + 8];
	snprintf(path, sizeof(path), "%s-wal", s->path);
	struct stat st;
	return lstat(path, &st) == 0 && st.st_size > 0;
}

// SQLite's own waiting doubles up to 100 ms; with 32 writers that leaves the disk idle. Here the pauses stay short and
// differ among processes, so that none is always late.
static int wait_for_writer(void *context, int count)
{
	struct sqlite_store *s = context;
	int64_t now_ms = clock_monotonic_ms();
	if (count == 0 || s->wait_until_ms == 0)
		s->wait_until_ms = now_ms + STORE_WAIT_MS;
	if (now_ms >= s->wait_until_ms)
		return 0;
	long spread_us = (long)((unsigned)getpid() * 2654435761u >> 22) * 4;
	long pause_us = 1000 + spread_us + (count < 10 ? count * 1000 : 10000);
	nanosleep(&(struct timespec){.tv_nsec = pause_us * 1000}, NULL);
	return 1;
}

// "file:" and the path with the characters escaped that mean something there.
static int uri_of(const char *path, struct buf *out, struct err *err)
{
	int r = buf_append_text(out, "file:", err);
	for (const char *at = path; r == 0 && *at; at++)
		r = strchr("%?#", *at) ? buf_printf(out, err, "%%%02X", (unsigned)(unsigned char)*at)
				       : buf_append_byte(out, (uint8_t)*at, err);
	return r < 0 ? r : buf_append_text(out, "?immutable=1", err);
}

static int connection_harden(struct sqlite_store *s, struct err *err)
{
	static const struct {
		int option;
		int value;
	} options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		       {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
		       {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
		       {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0}};
	int rc = SQLITE_OK;
	for (size_t i = 0; rc == SQLITE_OK && i < ARRAY_COUNT(options); i++)
		rc = sqlite3_db_config(s->db, options[i].option, options[i].value, NULL);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, (int)STORE_BODY_BYTES_MAX + 8192);
	sqlite3_limit(s->db, SQLITE_LIMIT_SQL_LENGTH, 4096);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(s->db, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_handler(s->db, wait_for_writer, s);
	// synchronous=FULL: in WAL mode only this makes a commit durable. checkpoint_fullfsync: to tell apart what a commit
	// waits for and what a checkpoint does. temp_store: nothing is written elsewhere.
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db,
				  "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON; "
				  "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; "
				  "PRAGMA checkpoint_fullfsync=ON",
				  NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_fail(s, rc, "open", err);
}

int sqlite_connect(struct sqlite_store *s, const char *name, bool is_immutable, struct err *err)
{
	// The folder's own path may lead through symbolic links (a linked home is usual); the file itself may not be
	// one.
	_cleanup_free_ char *real_dir = realpath(s->dir, NULL);
	if (!real_dir)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot resolve the folder of %s", s->shown);
	if (strlen(real_dir) + 1 + strlen(name) > FILE_PATH_BYTES_MAX)
		return err_set(err, ERR_LIMIT,
			       "the path of the vault is longer than %d bytes; set ENVSEAL_HOME to a shorter one",
			       FILE_PATH_BYTES_MAX);
	_cleanup_free_ char *path = NULL;
	int r = path_join(real_dir, name, &path, err);
	_cleanup_buf_ struct buf uri = BUF_INIT(4 * FILE_PATH_BYTES_MAX);
	if (r == 0)
		r = uri_of(path, &uri, err);
	if (r < 0)
		return r;
	int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	flags |= is_immutable ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE;
	int rc = sqlite3_open_v2(is_immutable ? buf_text(&uri) : path, &s->db, flags, NULL);
	r = rc == SQLITE_OK ? connection_harden(s, err) : sqlite_fail(s, rc, "open", err);
	if (r < 0)
		sqlite_disconnect(s);
	return r;
}

static int mode_take(void *context, int count, char **values, char **names)
{
	(void)names;
	struct sqlite_store *s = context;
	s->has_log = count == 1 && values[0] && strcmp(values[0], "wal") == 0;
	return 0;
}

int sqlite_log_use(struct sqlite_store *s, struct err *err)
{
	int rc = sqlite3_exec(s->db, "PRAGMA journal_mode=WAL", mode_take, s, NULL);
	return rc == SQLITE_OK ? 0 : sqlite_fail(s, rc, "open", err);
}

void sqlite_disconnect(struct sqlite_store *s)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++) {
		sqlite3_finalize(s->kept[i]);
		s->kept[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
}
