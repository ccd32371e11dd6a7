// What a process that entered Landlock can still do, tried by doing it.
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "sandbox_scene.h"

#define PROBES_MAX 48
#define ABI_REFER 2

static const int no_terminals[3] = {-1, -1, -1};

enum act { READ, LIST, WRITE, TRUNCATE, MAKE, MAKE_FOLDER, REMOVE, RENAME, LINK, IOCTL };

struct probe {
	enum act act;
	const char *name;  // below the scene; absolute otherwise
	const char *other; // of RENAME and LINK
	int error;         // expected
};

static int act_list(const char *path)
{
	DIR *dir = opendir(path);
	return dir ? closedir(dir) : -1;
}

static int act_open(const char *path, int flags)
{
	char byte;
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	ssize_t n = (flags & O_ACCMODE) == O_RDONLY ? read(fd, &byte, 1) : write(fd, "y", 1);
	close(fd);
	return n < 0 ? -1 : 0;
}

static int act_ioctl(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct winsize size;
	int r = fd < 0 ? -1 : ioctl(fd, TIOCGWINSZ, &size);
	return r;
}

static int act_do(enum act act, const char *path, const char *other)
{
	switch (act) {
	case READ: return act_open(path, O_RDONLY | O_NONBLOCK);
	case LIST: return act_list(path);
	case WRITE: return act_open(path, O_WRONLY);
	case TRUNCATE: return truncate(path, 0);
	case MAKE: return act_open(path, O_WRONLY | O_CREAT | O_EXCL);
	case MAKE_FOLDER: return mkdir(path, 0700);
	case REMOVE: return remove(path);
	case RENAME: return rename(path, other);
	case LINK: return link(path, other);
	case IOCTL: return act_ioctl(path);
	}
	return -1;
}

static const char *probe_path(const struct sandbox_scene *scene, const char *name, char *out)
{
	snprintf(out, PATH_MAX, "%s%s%s", name[0] == '/' ? "" : scene->base, name[0] == '/' ? "" : "/", name);
	return out;
}

static void probes_do(const struct sandbox_scene *scene, const struct probe *probes, size_t count, int *errors)
{
	char path[PATH_MAX], other[PATH_MAX];
	for (size_t i = 0; i < count; i++) {
		errno = 0;
		int r = act_do(probes[i].act, probe_path(scene, probes[i].name, path),
			       probe_path(scene, probes[i].other ? probes[i].other : "", other));
		errors[i] = r < 0 ? errno : 0;
	}
}

// Calls `act` in a child that entered, with memory that both have. The answer of landlock_enter.
static int enter_in_child(const struct access_list *list, const int terminals[3], bool has_scope,
			  void (*act)(int *shared, void *data), int *shared, void *data)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(255);
		int error = landlock_enter(list, terminals, has_scope);
		if (error == 0 && act)
			act(shared, data);
		_exit(error);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int *shared_new(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	return shared;
}

struct trial {
	const struct sandbox_scene *scene;
	const struct probe *probes;
	size_t count;
};

static void trial_do(int *shared, void *data)
{
	const struct trial *trial = data;
	probes_do(trial->scene, trial->probes, trial->count, shared);
}

static void probes_check(const struct sandbox_scene *scene, const struct sandbox_plan *plan, const int terminals[3],
			 const struct probe *probes, size_t count)
{
	_cleanup_access_list_ struct access_list list = {0};
	struct err err;
	struct trial trial = {.scene = scene, .probes = probes, .count = count};
	int *errors = shared_new();
	assert_true(count <= PROBES_MAX);
	assert_int_equal(access_list_build(plan, &list, &err), 0);
	assert_int_equal(enter_in_child(&list, terminals, false, trial_do, errors, &trial), 0);
	for (size_t i = 0; i < count; i++) {
		if (errors[i] != probes[i].error)
			print_error("probe %zu, act %d on %s: errno %d\n", i, probes[i].act, probes[i].name, errors[i]);
		assert_int_equal(errors[i], probes[i].error);
	}
	munmap(errors, 4096);
}

static void skip_without_landlock(void)
{
	if (landlock_abi() <= ABI_REFER)
		skip();
}

static void scene_fill(struct sandbox_scene *scene)
{
	static const char *const names[] = {
		"home/.ssh/id", "home/.ssh/known_hosts", "home/.netrc", "home/notes", "home/.sshx/id", "home/.config/gh/hosts",
		"home/.config/other", "home/code/deep/file", "work/file", "work/a/file", "work/b/", "outside/file"};
	scene_init(scene);
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		scene_make(scene, names[i]);
	scene_link(scene, "home/.ssh", "home/keys");
	scene_link(scene, "home/notes", "home/notes-too");
}

static void plan_fill(struct sandbox_scene *scene, struct sandbox_plan *plan)
{
	static const char *const hidden[] = {"home/.ssh", "home/.netrc", "home/.config/gh", "home/.aws", "home/.local/share/keyrings"};
	for (size_t i = 0; i < ARRAY_COUNT(hidden); i++)
		scene_list_add(&plan->hidden, scene_path(scene, hidden[i]));
}

static void test_reads(void **state)
{
	static const struct probe probes[] = {
		{READ, "home/notes", NULL, 0},
		{READ, "home/notes-too", NULL, 0},
		{READ, "home/.sshx/id", NULL, 0},
		{READ, "home/.config/other", NULL, 0},
		{READ, "home/code/deep/file", NULL, 0},
		{READ, "outside/file", NULL, 0},
		{READ, "/etc/passwd", NULL, 0},
		{READ, "/proc/self/status", NULL, 0},
		{READ, "home/.ssh/id", NULL, EACCES},
		{READ, "home/keys/id", NULL, EACCES},
		{READ, "home/.netrc", NULL, EACCES},
		{READ, "home/.config/gh/hosts", NULL, EACCES},
		{READ, "/proc/self/root/etc/passwd", NULL, 0},
		{LIST, "/", NULL, 0},
		{LIST, "home", NULL, 0},
		{LIST, "home/code", NULL, 0},
		{WRITE, "home/.ssh/id", NULL, EACCES},
		{WRITE, "home/notes", NULL, EACCES},
		{WRITE, "outside/file", NULL, EACCES},
		{TRUNCATE, "home/notes", NULL, EACCES},
		{MAKE, "home/new", NULL, EACCES},
		{MAKE_FOLDER, "home/.aws", NULL, EACCES},
	};
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

// By "/proc/self/root" and by "..", a hidden file is the same file.
static void test_roundabout_ways(void **state)
{
	struct sandbox_scene scene;
	char way[PATH_MAX], dots[PATH_MAX];
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	snprintf(way, sizeof(way), "/proc/self/root%s/home/.ssh/id", scene.base);
	snprintf(dots, sizeof(dots), "/usr/..%s/home/code/../.ssh/id", scene.base);
	const struct probe probes[] = {{READ, way, NULL, EACCES}, {READ, dots, NULL, EACCES}};
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

static void test_writes(void **state)
{
	static const struct probe probes[] = {
		{WRITE, "work/file", NULL, 0},
		{READ, "work/file", NULL, 0},
		{TRUNCATE, "work/file", NULL, 0},
		{MAKE, "work/new", NULL, 0},
		{MAKE_FOLDER, "work/folder", NULL, 0},
		{RENAME, "work/a/file", "work/b/moved", 0},
		{RENAME, "work/folder", "work/b/folder", 0},
		{LINK, "work/b/moved", "work/a/again", 0},
		{REMOVE, "work/a/again", NULL, 0},
		{REMOVE, "work/b/folder", NULL, 0},
		// Nothing gains a right by a new place: neither out, nor in what is hidden or only readable.
		{RENAME, "work/file", "outside/file", EACCES},
		{LINK, "outside/file", "work/linked", EXDEV},
		{LINK, "home/.ssh/id", "work/linked", EXDEV},
		{RENAME, "home/.ssh", "work/ssh", EACCES},
		{REMOVE, "outside/file", NULL, EACCES},
		{REMOVE, "home/.ssh/id", NULL, EACCES},
	};
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	scene_list_add(&plan.writable, scene_path(&scene, "work"));
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

// The working folder is the home: what is in its folders can be changed, and nothing be made beside what is hidden.
static void test_writable_above_hidden(void **state)
{
	static const struct probe probes[] = {
		{WRITE, "home/notes", NULL, 0},
		{TRUNCATE, "home/notes", NULL, 0},
		{MAKE, "home/code/new", NULL, 0},
		{REMOVE, "home/code/deep/file", NULL, 0},
		{WRITE, "home/.config/other", NULL, 0},
		{MAKE, "home/new", NULL, EACCES},
		{REMOVE, "home/notes", NULL, EACCES},
		{MAKE_FOLDER, "home/.aws", NULL, EACCES},
		{MAKE, "home/.config/new", NULL, EACCES},
		{RENAME, "home/.ssh", "home/code/ssh", EACCES},
		{RENAME, "home/code/new", "home/.ssh/authorized_keys", EACCES},
		{WRITE, "home/.ssh/id", NULL, EACCES},
		{READ, "home/.ssh/id", NULL, EACCES},
		{READ, "home/.config/gh/hosts", NULL, EACCES},
		{MAKE, "home/.ssh/new", NULL, EACCES},
		{WRITE, "outside/file", NULL, EACCES},
	};
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	scene_list_add(&plan.writable, scene_path(&scene, "home"));
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

static void test_shown(void **state)
{
	static const struct probe probes[] = {
		{READ, "home/.ssh/known_hosts", NULL, 0},
		{READ, "home/.ssh/id", NULL, EACCES},
		{WRITE, "home/.ssh/known_hosts", NULL, EACCES},
		{READ, "home/notes", NULL, 0},
	};
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	scene_list_add(&plan.shown, scene_path(&scene, "home/.ssh/known_hosts"));
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

// What is hidden wins over what may be written.
static void test_writable_in_hidden(void **state)
{
	static const struct probe probes[] = {
		{WRITE, "home/.ssh/id", NULL, EACCES},
		{READ, "home/.ssh/id", NULL, EACCES},
		{WRITE, "home/.config/other", NULL, 0},
	};
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	scene_list_add(&plan.writable, scene_path(&scene, "home/.ssh"));
	scene_list_add(&plan.writable, scene_path(&scene, "home/.config/other"));
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

static void made_later_do(int *shared, void *data)
{
	static const struct probe probes[] = {{READ, "home/.aws/credentials", NULL, 0}, {READ, "home/code/later", NULL, 0}};
	char byte;
	struct trial *trial = data;
	if (read(shared[PROBES_MAX], &byte, 1) == 1)
		probes_do(trial->scene, probes, ARRAY_COUNT(probes), shared);
}

// A hidden folder that comes while the program runs; what comes in a folder that is open as a whole can be read.
static void test_hidden_that_comes_later(void **state)
{
	struct sandbox_scene scene;
	struct err err;
	int ends[2], status;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	assert_int_equal(access_list_build(&plan, &list, &err), 0);
	assert_int_equal(pipe(ends), 0);
	int *shared = shared_new();
	shared[0] = shared[1] = -1;
	shared[PROBES_MAX] = ends[0];
	pid_t pid = fork();
	if (pid == 0) {
		struct trial trial = {.scene = &scene};
		_exit(enter_in_child(&list, no_terminals, false, made_later_do, shared, &trial));
	}
	scene_make(&scene, "home/.aws/credentials");
	scene_make(&scene, "home/code/later");
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(shared[0], EACCES);
	assert_int_equal(shared[1], 0);
	close(ends[0]);
	close(ends[1]);
	munmap(shared, 4096);
	scene_done(&scene);
}

// A link that takes the place of a neighbour between listing and start leads nowhere.
static void test_swapped_for_a_link(void **state)
{
	static const struct probe probes[] = {{READ, "home/code/id", NULL, EACCES}, {READ, "home/notes", NULL, EACCES}};
	struct sandbox_scene scene;
	struct err err;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	scene_fill(&scene);
	plan_fill(&scene, &plan);
	assert_int_equal(access_list_build(&plan, &list, &err), 0);
	char gone[PATH_MAX];
	snprintf(gone, sizeof(gone), "%s/home/code-was", scene.base);
	assert_int_equal(rename(scene_path(&scene, "home/code"), gone), 0);
	assert_int_equal(remove(scene_path(&scene, "home/notes")), 0);
	scene_link(&scene, "home/.ssh", "home/code");
	scene_link(&scene, "home/.ssh/id", "home/notes");
	struct trial trial = {.scene = &scene, .probes = probes, .count = ARRAY_COUNT(probes)};
	int *errors = shared_new();
	assert_int_equal(enter_in_child(&list, no_terminals, false, trial_do, errors, &trial), 0);
	assert_int_equal(errors[0], EACCES);
	assert_int_equal(errors[1], EACCES);
	munmap(errors, 4096);
	scene_done(&scene);
}

static void test_devices(void **state)
{
	static const struct probe probes[] = {
		{WRITE, "/dev/null", NULL, 0},      {READ, "/dev/zero", NULL, 0},     {READ, "/dev/urandom", NULL, 0},
		{READ, "/dev/ptmx", NULL, EACCES},  {WRITE, "/dev/full", NULL, ENOSPC}, {LIST, "/dev", NULL, 0},
	};
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_init(&scene);
	probes_check(&scene, &plan, no_terminals, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
}

// The own terminal by its path, and not another one.
static void test_terminals(void **state)
{
	int masters[2];
	char names[2][64];
	struct sandbox_scene scene;
	(void)state;
	skip_without_landlock();
	for (size_t i = 0; i < 2; i++) {
		masters[i] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(masters[i] >= 0);
		assert_int_equal(grantpt(masters[i]), 0);
		assert_int_equal(unlockpt(masters[i]), 0);
		assert_int_equal(ptsname_r(masters[i], names[i], sizeof(names[i])), 0);
	}
	int own = open(names[0], O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(own >= 0);
	const struct probe probes[] = {{WRITE, names[0], NULL, 0}, {IOCTL, names[0], NULL, 0},
				       {WRITE, names[1], NULL, EACCES}, {IOCTL, names[1], NULL, EACCES}};
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	scene_init(&scene);
	probes_check(&scene, &plan, (const int[3]){-1, own, own}, probes, ARRAY_COUNT(probes));
	scene_done(&scene);
	close(own);
	close(masters[0]);
	close(masters[1]);
}

static void scope_do(int *shared, void *data)
{
	const struct sockaddr_un *address = data;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address->sun_path + 1));
	shared[0] = kill(getppid(), 0) < 0 ? errno : 0;
	shared[1] = connect(fd, (const struct sockaddr *)address, length) < 0 ? errno : 0;
	shared[2] = kill(getpid(), 0) < 0 ? errno : 0;
	shared[3] = act_open("/etc/passwd", O_RDONLY) < 0 ? errno : 0;
}

static void test_scope(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)state;
	if (!landlock_has_scope())
		skip();
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "envseal-test-%d", (int)getpid());
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 4), 0);
	int *errors = shared_new();
	assert_int_equal(enter_in_child(NULL, no_terminals, true, scope_do, errors, &address), 0);
	assert_int_equal(errors[0], EPERM);
	assert_int_equal(errors[1], EPERM);
	assert_int_equal(errors[2], 0);
	assert_int_equal(errors[3], 0);
	assert_int_equal(enter_in_child(NULL, no_terminals, false, scope_do, errors, &address), 0);
	assert_int_equal(errors[0], 0);
	assert_int_equal(errors[1], 0);
	munmap(errors, 4096);
	close(listener);
}

// The kernel of this process answers landlock_create_ruleset with an error, or the question for the ABI with another number.
static int landlock_answer(uint32_t flags_asked, uint32_t action, unsigned long listener)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags_asked, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_COUNT(filter), .filter = filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, listener, &program);
}

static void test_no_landlock(void **state)
{
	static const int errors[] = {ENOSYS, EOPNOTSUPP};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(errors); i++) {
		int status = -1;
		pid_t pid = fork();
		if (pid == 0) {
			if (landlock_answer(1, SECCOMP_RET_ERRNO | (uint32_t)errors[i], 0) < 0)
				_exit(255);
			bool is_none = landlock_abi() == 0 && !landlock_has_scope();
			_exit(is_none ? landlock_enter(NULL, no_terminals, true) : 254);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), errors[i]);
	}
}

// In a process of its own: says the number once. Its parent's death would not end it, where that is kept from signalling.
static void abi_say(int listener, int abi)
{
	struct seccomp_notif asked = {0};
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) == 0) {
		struct seccomp_notif_resp answer = {.id = asked.id, .val = abi};
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
	_exit(0);
}

static int abi_enter(int abi, const struct access_list *list, bool has_scope)
{
	int listener = landlock_answer(1, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	pid_t teller = listener < 0 ? -1 : fork();
	if (teller < 0)
		return 255;
	if (teller == 0)
		abi_say(listener, abi);
	return landlock_enter(list, no_terminals, has_scope);
}

// What older kernels know, as far as the running one can play them: everything of theirs, and nothing of later ones.
static void test_older_abis(void **state)
{
	static const struct probe probes[] = {{READ, "home/.ssh/id", NULL, 0}, {READ, "home/notes", NULL, 0},
					      {WRITE, "work/file", NULL, 0},   {MAKE, "outside/new", NULL, 0},
					      {TRUNCATE, "home/notes", NULL, 0}, {RENAME, "work/a/file", "work/b/moved", 0}};
	static const struct {
		int abi;
		bool has_scope;
		int answer;
		int errors[ARRAY_COUNT(probes)];
	} rows[] = {
		{1, false, 0, {EACCES, 0, 0, EACCES, 0, EXDEV}},
		{2, false, 0, {EACCES, 0, 0, EACCES, 0, 0}},
		{3, false, 0, {EACCES, 0, 0, EACCES, EACCES, 0}},
		{4, false, 0, {EACCES, 0, 0, EACCES, EACCES, 0}},
		{5, false, 0, {EACCES, 0, 0, EACCES, EACCES, 0}},
		{5, true, EPROTONOSUPPORT, {0}},
		{6, true, 0, {EACCES, 0, 0, EACCES, EACCES, 0}},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows) && rows[i].abi <= landlock_abi(); i++) {
		struct sandbox_scene scene;
		struct err err;
		int status = -1, *errors = shared_new();
		_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
		_cleanup_access_list_ struct access_list list = {0};
		scene_fill(&scene);
		plan_fill(&scene, &plan);
		scene_list_add(&plan.writable, scene_path(&scene, "work"));
		assert_int_equal(access_list_build(&plan, &list, &err), 0);
		pid_t pid = fork();
		if (pid == 0) {
			int error = abi_enter(rows[i].abi, &list, rows[i].has_scope);
			if (error == 0)
				probes_do(&scene, probes, ARRAY_COUNT(probes), errors);
			_exit(error);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), rows[i].answer);
		assert_memory_equal(errors, rows[i].errors, sizeof(rows[i].errors));
		munmap(errors, 4096);
		scene_done(&scene);
	}
}

static void nest_do(int *shared, void *data)
{
	while (shared[0] < 64 && (shared[1] = landlock_enter(data, no_terminals, false)) == 0)
		shared[0]++;
}

// In other domains of Landlock, until the kernel has no more of them; then the reason is a distinct one.
static void test_layers_used_up(void **state)
{
	struct err err;
	(void)state;
	skip_without_landlock();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	assert_int_equal(access_list_build(&plan, &list, &err), 0);
	int *shared = shared_new();
	assert_int_equal(enter_in_child(&list, no_terminals, false, nest_do, shared, &list), 0);
	assert_true(shared[0] >= 1 && shared[0] < 64);
	assert_int_equal(shared[1], E2BIG);
	munmap(shared, 4096);
}

static void test_without_no_new_privs(void **state)
{
	struct err err;
	int status = -1;
	(void)state;
	skip_without_landlock();
	if (geteuid() == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		skip();
	_cleanup_sandbox_plan_ struct sandbox_plan plan = {0};
	_cleanup_access_list_ struct access_list list = {0};
	assert_int_equal(access_list_build(&plan, &list, &err), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(landlock_enter(&list, no_terminals, false));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_roundabout_ways),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_writable_above_hidden),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_writable_in_hidden),
		cmocka_unit_test(test_hidden_that_comes_later),
		cmocka_unit_test(test_swapped_for_a_link),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_terminals),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_no_landlock),
		cmocka_unit_test(test_older_abis),
		cmocka_unit_test(test_layers_used_up),
		cmocka_unit_test(test_without_no_new_privs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
