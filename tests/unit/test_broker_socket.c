// Where the broker listens, and who is at the other end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/socket.h"

struct place {
	char base[64];
	struct home home;
	struct err err;
};

// The folder itself is not made; it is `depth` folders of 50 letters down.
static void place_open(struct place *place, size_t depth)
{
	memset(place, 0, sizeof(*place));
	snprintf(place->base, sizeof(place->base), "/tmp/envseal-socket-XXXXXX");
	assert_non_null(mkdtemp(place->base));
	_cleanup_buf_ struct buf path = BUF_INIT(4096);
	assert_int_equal(buf_append_text(&path, place->base, &place->err), 0);
	for (size_t i = 0; i < depth; i++)
		assert_int_equal(buf_printf(&path, &place->err, "/%050zu", i), 0);
	assert_int_equal(buf_append_text(&path, "/run", &place->err), 0);
	place->home.run_dir = strdup(buf_text(&path));
	assert_non_null(place->home.run_dir);
}
static void place_done(struct place *place)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", place->base);
	assert_int_equal(system(command), 0);
	free(place->home.run_dir);
}
#define _cleanup_place_ _cleanup_(place_done)

struct listener {
	int fd;
	int lock_fd;
};
#define LISTENER_NONE ((struct listener){-1, -1})
static void listener_done(struct listener *listener)
{
	fd_close(&listener->fd);
	fd_close(&listener->lock_fd);
}
#define _cleanup_listener_ _cleanup_(listener_done)

static int place_listen(struct place *place, struct listener *out)
{
	return socket_listen(&place->home, &out->fd, &out->lock_fd, &place->err);
}

static int place_connect(struct place *place, int *out_fd)
{
	return socket_connect(&place->home, 0, out_fd, &place->err);
}

static void file_path(const struct place *place, const char *name, char out[4096])
{
	snprintf(out, 4096, "%s/%s", place->home.run_dir, name);
}

static struct stat file_stat(const struct place *place, const char *name)
{
	char path[4096];
	struct stat st;
	file_path(place, name, path);
	assert_int_equal(lstat(path, &st), 0);
	return st;
}

static void assert_connects(struct place *place, const struct listener *listener)
{
	_cleanup_fd_ int ours = -1, theirs = -1;
	assert_int_equal(place_connect(place, &ours), 0);
	theirs = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(theirs >= 0);
	assert_int_equal(write(ours, "x", 1), 1);
	char byte;
	assert_int_equal(read(theirs, &byte, 1), 1);
}

static void it_listens_in_private(void **state)
{
	(void)state;
	static const mode_t masks[] = {0, 0777, 0022};
	for (size_t i = 0; i < ARRAY_COUNT(masks); i++) {
		_cleanup_place_ struct place place;
		place_open(&place, 0);
		_cleanup_listener_ struct listener listener = LISTENER_NONE;
		mode_t before = umask(masks[i]);
		int r = place_listen(&place, &listener);
		assert_int_equal(umask(before), masks[i]);
		assert_int_equal(r, 0);
		assert_int_equal(file_stat(&place, "").st_mode, S_IFDIR | 0700);
		assert_int_equal(file_stat(&place, SOCKET_NAME).st_mode, S_IFSOCK | 0600);
		assert_int_equal(file_stat(&place, SOCKET_LOCK_NAME).st_mode, S_IFREG | 0600);
		assert_int_equal(fcntl(listener.fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(fcntl(listener.lock_fd, F_GETFD), FD_CLOEXEC);
		assert_connects(&place, &listener);
		assert_int_equal(accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC), -1);
		assert_int_equal(errno, EAGAIN);
	}
}

static void a_long_path_works(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 5);
	assert_true(strlen(place.home.run_dir) > 200);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &listener), 0);
	assert_connects(&place, &listener);
}

// In a child with an empty /proc, where the kernel lets an ordinary user make one.
static void it_works_without_proc(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 5);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		uid_t uid = getuid();
		char map[64];
		int len = snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(77);
		int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, map, (size_t)len) != len || mount("none", "/proc", "tmpfs", 0, NULL) < 0)
			_exit(77);
		struct listener listener = LISTENER_NONE;
		int client = -1;
		char before[4096], after[4096];
		struct stat st;
		if (!getcwd(before, sizeof(before)) || place_listen(&place, &listener) < 0 || place_connect(&place, &client) < 0)
			_exit(1);
		if (!getcwd(after, sizeof(after)) || strcmp(before, after) != 0 || accept4(listener.fd, NULL, NULL, 0) < 0)
			_exit(2);
		_exit(stat("/proc/self", &st) == 0 ? 3 : 0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void one_that_nobody_listens_on_is_replaced(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener first = LISTENER_NONE, second = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &first), 0);
	listener_done(&first);
	_cleanup_fd_ int client = -1;
	assert_int_equal(place_connect(&place, &client), ERR_NOT_FOUND);
	assert_int_equal(client, -1);
	assert_int_equal(place_listen(&place, &second), 0);
	assert_connects(&place, &second);
}

static void a_live_one_stays(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener first = LISTENER_NONE, second = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &first), 0);
	ino_t inode = file_stat(&place, SOCKET_NAME).st_ino;
	assert_int_equal(place_listen(&place, &second), ERR_EXISTS);
	assert_non_null(strstr(place.err.text, "envseal lock"));
	// Either of the two alone is enough: without the lock,
	fd_close(&first.lock_fd);
	assert_int_equal(place_listen(&place, &second), ERR_EXISTS);
	assert_int_equal(second.fd, -1);
	assert_int_equal(second.lock_fd, -1);
	assert_int_equal(file_stat(&place, SOCKET_NAME).st_ino, inode);
}

// … and with its socket taken away.
static void the_lock_alone_is_enough(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener first = LISTENER_NONE, second = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &first), 0);
	char path[4096];
	file_path(&place, SOCKET_NAME, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(place_listen(&place, &second), ERR_EXISTS);
	fd_close(&first.lock_fd);
	assert_int_equal(place_listen(&place, &second), 0);
}

#define STARTERS 16

// Of many that start at once one wins, and it is the one that is found.
static void of_many_starts_one_wins(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	int go[2], stay[2];
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(stay), 0);
	pid_t children[STARTERS];
	_cleanup_fd_ int results = open(place.base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(results >= 0);
	for (size_t i = 0; i < STARTERS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] != 0)
			continue;
		struct listener listener = LISTENER_NONE;
		char byte;
		close(go[1]);
		close(stay[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(100);
		int r = place_listen(&place, &listener);
		// Who has won stays until all have tried.
		_exit(r == 0 && read(stay[0], &byte, 1) == 0 ? 0 : r == ERR_EXISTS ? 1 : 101);
	}
	close(go[0]);
	close(stay[0]);
	close(go[1]);
	int won = 0, status;
	for (size_t ended = 0; ended < STARTERS - 1; ended++) {
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
	}
	_cleanup_fd_ int client = -1;
	assert_int_equal(place_connect(&place, &client), 0);
	close(stay[1]);
	assert_true(wait(&status) > 0);
	won += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	assert_int_equal(won, 1);
}

static void a_full_queue_is_not_waited_for(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &listener), 0);
	assert_int_equal(listen(listener.fd, 0), 0);
	_cleanup_fd_ int first = -1, second = -1;
	assert_int_equal(place_connect(&place, &first), 0);
	assert_int_equal(place_connect(&place, &second), ERR_SYSTEM);
	assert_int_equal(place.err.sys_errno, EAGAIN);
	// It is live all the same.
	_cleanup_listener_ struct listener other = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &other), ERR_EXISTS);
}

// ------------------------------------------------------------------------------------------------- what is not as it must be

static void assert_both_unsafe(struct place *place, const char *part)
{
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	_cleanup_fd_ int client = -1;
	assert_int_equal(place_listen(place, &listener), ERR_UNSAFE);
	assert_non_null(strstr(place->err.text, part));
	assert_int_equal(place_connect(place, &client), ERR_UNSAFE);
	assert_non_null(strstr(place->err.text, part));
}

static void other_files_are_left_alone(void **state)
{
	(void)state;
	for (int kind = 0; kind < 4; kind++) {
		_cleanup_place_ struct place place;
		place_open(&place, 0);
		assert_int_equal(mkdir(place.home.run_dir, 0700), 0);
		char path[4096];
		file_path(&place, SOCKET_NAME, path);
		if (kind == 0)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		else if (kind == 1)
			assert_int_equal(symlink("elsewhere", path), 0);
		else if (kind == 2)
			assert_int_equal(mkfifo(path, 0600), 0);
		else
			assert_int_equal(mkdir(path, 0700), 0);
		ino_t inode = file_stat(&place, SOCKET_NAME).st_ino;
		assert_both_unsafe(&place, "is not a socket");
		assert_int_equal(file_stat(&place, SOCKET_NAME).st_ino, inode);
	}
}

// A symbolic link to a listening socket: nobody is asked through it.
static void a_link_to_a_socket_is_refused(void **state)
{
	(void)state;
	_cleanup_place_ struct place place, other;
	place_open(&place, 0);
	place_open(&other, 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	assert_int_equal(place_listen(&other, &listener), 0);
	char from[4096], to[4096];
	file_path(&place, SOCKET_NAME, from);
	file_path(&other, SOCKET_NAME, to);
	assert_int_equal(mkdir(place.home.run_dir, 0700), 0);
	assert_int_equal(symlink(to, from), 0);
	assert_both_unsafe(&place, "is not a socket");
}

static void an_open_folder_is_refused(void **state)
{
	(void)state;
	static const mode_t modes[] = {0755, 0770, 0701};
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		_cleanup_place_ struct place place;
		place_open(&place, 0);
		assert_int_equal(mkdir(place.home.run_dir, 0700), 0);
		assert_int_equal(chmod(place.home.run_dir, modes[i]), 0);
		char command[4200], quoted[4100];
		snprintf(command, sizeof(command), "chmod 700 %s", path_quote(place.home.run_dir, quoted, sizeof(quoted)));
		assert_both_unsafe(&place, command);
	}
}

static void an_open_socket_is_refused(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &listener), 0);
	char path[4096], command[4200], quoted[4100];
	file_path(&place, SOCKET_NAME, path);
	assert_int_equal(chmod(path, 0666), 0);
	snprintf(command, sizeof(command), "chmod 600 %s", path_quote(path, quoted, sizeof(quoted)));
	assert_both_unsafe(&place, command);
}

static void a_lock_that_is_a_link_is_refused(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	assert_int_equal(mkdir(place.home.run_dir, 0700), 0);
	char path[4096];
	file_path(&place, SOCKET_LOCK_NAME, path);
	assert_int_equal(symlink("elsewhere", path), 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &listener), ERR_UNSAFE);
}

static void a_socket_of_another_kind_is_refused(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	assert_int_equal(mkdir(place.home.run_dir, 0700), 0);
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[4096];
	file_path(&place, SOCKET_NAME, path);
	assert_true(strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_both_unsafe(&place, "another kind");
}

static void nothing_there_is_not_found(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_fd_ int client = -1;
	assert_int_equal(place_connect(&place, &client), ERR_NOT_FOUND);
	assert_int_equal(access(place.home.run_dir, F_OK), -1);
	assert_int_equal(mkdir(place.home.run_dir, 0700), 0);
	assert_int_equal(place_connect(&place, &client), ERR_NOT_FOUND);
	assert_int_equal(client, -1);
}

// ------------------------------------------------------------------------------------------------------------- its end

static void only_its_own_is_removed(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	struct socket_name name, other;
	assert_int_equal(place_listen(&place, &listener), 0);
	assert_int_equal(socket_name_read(&place.home, &name, &place.err), 0);
	other = name;
	other.inode++;
	socket_remove(&place.home, &other);
	assert_int_equal(file_stat(&place, SOCKET_NAME).st_ino, name.inode);
	socket_remove(&place.home, &name);
	char path[4096];
	file_path(&place, SOCKET_NAME, path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(socket_name_read(&place.home, &other, &place.err), ERR_NOT_FOUND);
}

// ------------------------------------------------------------------------------------------------------------------ peers

static void peers_know_each_other(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &listener), 0);
	int go[2];
	assert_int_equal(pipe(go), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd = -1;
		char byte;
		struct peer peer = PEER_NONE;
		close(go[1]);
		if (place_connect(&place, &fd) < 0 || peer_find(fd, &peer, &place.err) < 0)
			_exit(1);
		if (peer.pid != getppid() || peer.uid != getuid() || !peer_is_alive(&peer) || peer.start == 0)
			_exit(2);
		_exit(write(fd, "x", 1) != 1 || read(go[0], &byte, 1) != 0 ? 3 : 0);
	}
	close(go[0]);
	assert_int_equal(fcntl(listener.fd, F_SETFL, O_RDWR), 0);
	_cleanup_fd_ int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
	char byte;
	assert_int_equal(read(fd, &byte, 1), 1);
	_cleanup_peer_ struct peer peer = PEER_NONE;
	assert_int_equal(peer_find(fd, &peer, &place.err), 0);
	struct process process;
	assert_true(process_read("/proc", child, &process));
	assert_true(peer.pid == child && peer.uid == getuid() && peer.start == process.start && peer.start != 0);
	assert_int_equal(fcntl(peer.pidfd, F_GETFD), FD_CLOEXEC);
	assert_true(peer_is_alive(&peer));
	close(go[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(peer_is_alive(&peer));
}

// The maker of the connection has died, and its child holds the socket: it is nobody's. While the maker is a zombie, and after it.
static void a_peer_that_has_ended(void **state)
{
	(void)state;
	for (int is_waited_for = 0; is_waited_for < 2; is_waited_for++) {
		int ends[2], go[2];
		struct err err;
		_cleanup_place_ struct place place;
		place_open(&place, 0);
		_cleanup_listener_ struct listener listener = LISTENER_NONE;
		assert_int_equal(place_listen(&place, &listener), 0);
		assert_int_equal(pipe(go), 0);
		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			int fd = -1;
			char byte;
			close(go[1]);
			close(ends[0]);
			if (place_connect(&place, &fd) < 0)
				_exit(1);
			if (fork() != 0)
				_exit(0);
			ssize_t n = read(go[0], &byte, 1);
			_exit(write(fd, "x", (size_t)(n == 0)) == 1 ? 0 : 1);
		}
		close(go[0]);
		close(ends[1]);
		siginfo_t info;
		assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | (is_waited_for ? 0 : WNOWAIT)), 0);
		assert_int_equal(info.si_status, 0);
		_cleanup_fd_ int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
		assert_true(fd >= 0);
		_cleanup_peer_ struct peer peer = PEER_NONE;
		assert_int_equal(peer_find(fd, &peer, &err), ERR_NOT_FOUND);
		assert_int_equal(peer.pidfd, -1);
		assert_false(peer_is_alive(&peer));
		// The other end is open all the same.
		close(go[1]);
		char byte;
		assert_int_equal(read(fd, &byte, 1), 1);
		assert_int_equal(read(ends[0], &byte, 1), 0);
		close(ends[0]);
		if (!is_waited_for)
			assert_int_equal(waitpid(child, NULL, 0), child);
	}
}

static void what_is_no_socket_has_no_peer(void **state)
{
	(void)state;
	struct err err;
	_cleanup_peer_ struct peer peer = PEER_NONE;
	assert_int_equal(peer_find(STDIN_FILENO, &peer, &err), ERR_SYSTEM);
	assert_int_equal(peer_find(-1, &peer, &err), ERR_SYSTEM);
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(peer_find(fd, &peer, &err), 0);
	assert_int_equal(peer.pidfd, -1);
}

// systemd's listen made systemd the peer; the broker's own makes it the broker.
static void a_socket_that_is_handed_on(void **state)
{
	(void)state;
	_cleanup_place_ struct place place;
	place_open(&place, 0);
	_cleanup_listener_ struct listener listener = LISTENER_NONE, other = LISTENER_NONE;
	assert_int_equal(place_listen(&place, &listener), 0);
	fd_close(&listener.lock_fd);
	int done[2], go[2];
	assert_int_equal(pipe(done), 0);
	assert_int_equal(pipe(go), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char byte;
		int lock_fd = -1;
		close(go[1]);
		if (socket_take_over(&place.home, listener.fd, &lock_fd, &place.err) < 0 || write(done[1], "x", 1) != 1)
			_exit(1);
		_exit(read(go[0], &byte, 1) == 0 ? 0 : 2);
	}
	close(go[0]);
	close(done[1]);
	char byte;
	assert_int_equal(read(done[0], &byte, 1), 1);
	close(done[0]);
	_cleanup_fd_ int fd = -1;
	assert_int_equal(place_connect(&place, &fd), 0);
	_cleanup_peer_ struct peer peer = PEER_NONE;
	assert_int_equal(peer_find(fd, &peer, &place.err), 0);
	assert_int_equal(peer.pid, child);
	int lock_fd = -1;
	assert_int_equal(socket_take_over(&place.home, listener.fd, &lock_fd, &place.err), ERR_EXISTS);
	assert_int_equal(place_listen(&place, &other), ERR_EXISTS);
	close(go[1]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(socket_take_over(&place.home, fd, &lock_fd, &place.err), ERR_UNSAFE);
	assert_int_equal(socket_take_over(&place.home, STDIN_FILENO, &lock_fd, &place.err), ERR_UNSAFE);
	assert_int_equal(lock_fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_listens_in_private),
		cmocka_unit_test(a_long_path_works),
		cmocka_unit_test(it_works_without_proc),
		cmocka_unit_test(one_that_nobody_listens_on_is_replaced),
		cmocka_unit_test(a_live_one_stays),
		cmocka_unit_test(the_lock_alone_is_enough),
		cmocka_unit_test(of_many_starts_one_wins),
		cmocka_unit_test(a_full_queue_is_not_waited_for),
		cmocka_unit_test(other_files_are_left_alone),
		cmocka_unit_test(a_link_to_a_socket_is_refused),
		cmocka_unit_test(an_open_folder_is_refused),
		cmocka_unit_test(an_open_socket_is_refused),
		cmocka_unit_test(a_lock_that_is_a_link_is_refused),
		cmocka_unit_test(a_socket_of_another_kind_is_refused),
		cmocka_unit_test(nothing_there_is_not_found),
		cmocka_unit_test(only_its_own_is_removed),
		cmocka_unit_test(peers_know_each_other),
		cmocka_unit_test(a_peer_that_has_ended),
		cmocka_unit_test(what_is_no_socket_has_no_peer),
		cmocka_unit_test(a_socket_that_is_handed_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
