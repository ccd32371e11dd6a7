// What doctor says of a machine: each answer of each check, on prepared copies of /proc and /sys.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include "guard/guard.h"
#include "policy/policy.h"

#define FINDINGS_MAX 64

struct findings {
	struct finding rows[FINDINGS_MAX];
	size_t count;
};

static int finding_keep(void *context, const struct finding *finding)
{
	struct findings *findings = context;
	assert_true(findings->count < FINDINGS_MAX);
	findings->rows[findings->count++] = *finding;
	return 0;
}

// ---------------------------------------------------------------------------------------------------------- the tree

static char scene[256];
static struct guard_source given; // what a test gives beside the tree

static int scene_setup(void **state)
{
	(void)state;
	given = (struct guard_source){0};
	const char *tmp = getenv("TMPDIR");
	snprintf(scene, sizeof(scene), "%s/guard-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(scene) && chdir(scene) == 0 ? 0 : -1;
}

static int scene_teardown(void **state)
{
	(void)state;
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", scene);
	return system(command) == 0 && chdir("/") == 0 ? 0 : -1;
}

// Relative to the scene; missing folders are made.
static void file_write(const char *path, const char *content)
{
	char folder[256];
	struct err err;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
		mkdir(folder, 0755);
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, span_text(content), path, &err), 0);
	close(fd);
}

#define SWAPS_HEADING "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
#define MOUNT_ROOT "21 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"

// A machine on which everything is as it should be.
static const struct {
	const char *path;
	const char *content;
} good_files[] = {
	{"proc/self/status", "Name:\tenvseal\nState:\tR (running)\nTracerPid:\t0\nUid:\t1000\n"},
	{"proc/self/uid_map", "         0          0 4294967295\n"},
	{"proc/self/mountinfo", MOUNT_ROOT "22 21 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible\n"},
	{"proc/swaps", SWAPS_HEADING},
	{"proc/sys/kernel/core_pattern", "core\n"},
	{"proc/sys/kernel/osrelease", "6.1.0-30-amd64\n"},
	{"proc/sys/kernel/yama/ptrace_scope", "1\n"},
	{"proc/sys/user/max_user_namespaces", "15000\n"},
	{"proc/sys/vm/memfd_noexec", "0\n"},
	{"proc/sys/dev/tty/legacy_tiocsti", "0\n"},
};

static struct finding find(const char *id)
{
	struct findings findings = {0};
	char proc[300], sys[300], etc[300], dev[300];
	struct guard_source source = given;
	source.proc = proc;
	source.sys = sys;
	source.etc = etc;
	source.dev = dev;
	snprintf(proc, sizeof(proc), "%s/proc", scene);
	snprintf(sys, sizeof(sys), "%s/sys", scene);
	snprintf(etc, sizeof(etc), "%s/etc", scene);
	snprintf(dev, sizeof(dev), "%s/dev", scene);
	assert_int_equal(guard_check(&source, finding_keep, &findings), 0);
	for (size_t i = 0; i < findings.count; i++) {
		struct finding_kind kind;
		assert_true(finding_kind_find(span_text(findings.rows[i].id), &kind));
		assert_true(findings.rows[i].severity <= kind.worst);
		if (strcmp(findings.rows[i].id, id) == 0)
			return findings.rows[i];
	}
	fail_msg("there is no finding %s", id);
	return findings.rows[0];
}

static void assert_finding(const char *id, enum finding_severity severity, const char *words)
{
	struct finding finding = find(id);
	if (finding.severity != severity || !strstr(finding.text, words))
		fail_msg("%s: %s instead of %s, about '%s': %s", id, finding_severity_name(finding.severity),
			 finding_severity_name(severity), words, finding.text);
	if (severity >= FINDING_WARN)
		assert_true(finding.remedy[0] != 0);
	if (severity == FINDING_OK)
		assert_string_equal(finding.remedy, "");
	// A full buffer would be a sentence that was cut.
	assert_true(strlen(finding.text) + 1 < FINDING_TEXT_BYTES);
	assert_true(strlen(finding.remedy) + 1 < FINDING_TEXT_BYTES);
}

static void tree_make(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(good_files); i++)
		file_write(good_files[i].path, good_files[i].content);
}

// ---------------------------------------------------------------------------------------------------------- the files

static const struct {
	const char *id;
	const char *path;
	const char *content; // NULL: the file is not there
	enum finding_severity severity;
	const char *words;
} cases[] = {
	{"proc", "proc/self/status", NULL, FINDING_WARN, "/proc is missing"},
	{"tracer", "proc/self/status", NULL, FINDING_NOTE, "cannot be read"},
	{"tracer", "proc/self/status", "Name:\tx\nTracerPid:\t4711\nUid:\t0\n", FINDING_BAD, "process 4711"},
	{"tracer", "proc/self/status", "Name:\tx\nUid:\t0\n", FINDING_NOTE, "cannot be read"},
	{"core-pattern", "proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n", FINDING_NOTE,
	 "pipe"},
	{"core-pattern", "proc/sys/kernel/core_pattern", "", FINDING_OK, "limit"},
	{"core-pattern", "proc/sys/kernel/core_pattern", NULL, FINDING_NOTE, "cannot be read"},
	{"ptrace-scope", "proc/sys/kernel/yama/ptrace_scope", "0\n", FINDING_WARN, "ptrace_scope is 0"},
	{"ptrace-scope", "proc/sys/kernel/yama/ptrace_scope", "3\n", FINDING_OK, "ptrace_scope 3"},
	{"ptrace-scope", "proc/sys/kernel/yama/ptrace_scope", "x\n", FINDING_WARN, "no ptrace_scope"},
	{"ptrace-scope", "proc/sys/kernel/yama/ptrace_scope", "", FINDING_WARN, "no ptrace_scope"},
	{"ptrace-scope", "proc/sys/kernel/yama/ptrace_scope", "99999999999999999999", FINDING_WARN, "no ptrace_scope"},
	{"ptrace-scope", "proc/sys/kernel/yama/ptrace_scope", NULL, FINDING_WARN, "no ptrace_scope"},
	{"proc-hidepid", "proc/self/mountinfo", MOUNT_ROOT "22 21 0:21 / /proc rw - proc proc rw\n", FINDING_NOTE,
	 "other users can"},
	{"proc-hidepid", "proc/self/mountinfo", "22 21 0:21 / /proc rw - proc proc rw,hidepid=0\n", FINDING_NOTE,
	 "other users can"},
	{"proc-hidepid", "proc/self/mountinfo", "22 21 0:21 / /proc rw - proc proc rw,hidepid=off\n", FINDING_NOTE,
	 "other users can"},
	{"proc-hidepid", "proc/self/mountinfo", "22 21 0:21 / /proc rw - proc proc rw,hidepid=2", FINDING_OK,
	 "cannot see"},
	// Another mount of it elsewhere says nothing, and of two in one place the upper one counts.
	{"proc-hidepid", "proc/self/mountinfo", "22 21 0:21 / /mnt rw - proc proc rw,hidepid=2\n", FINDING_NOTE,
	 "other users can"},
	{"proc-hidepid", "proc/self/mountinfo",
	 "22 21 0:21 / /proc rw - proc proc rw,hidepid=2\n23 22 0:22 / /proc rw - proc proc rw\n", FINDING_NOTE, "other users can"},
	{"proc-hidepid", "proc/self/mountinfo", NULL, FINDING_NOTE, "cannot be read"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/zram0 partition 100 0 100\n", FINDING_OK, "zram"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/sda2 partition 100 0 -2\n", FINDING_WARN, "not visibly encrypted"},
	{"swap", "proc/swaps", SWAPS_HEADING "/swapfile file 100 0 -2\n", FINDING_WARN, "not visibly encrypted"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/dm-1 partition 100 0 -2\n", FINDING_OK, "encrypted"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/dm-2 partition 100 0 -2\n", FINDING_WARN, "not visibly encrypted"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/dm-3 partition 100 0 -2\n", FINDING_WARN, "not visibly encrypted"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/zram0 partition 1 0 1\n/dev/dm-1 partition 1 0 1", FINDING_OK,
	 "encrypted"},
	{"swap", "proc/swaps", SWAPS_HEADING "/dev/sda2 partition 1 0 1\n/dev/zram0 partition 1 0 1\n", FINDING_WARN,
	 "not visibly"},
	{"swap", "proc/swaps", "", FINDING_OK, "no swap"},
	{"swap", "proc/swaps", NULL, FINDING_NOTE, "cannot be read"},
	{"kernel", "proc/sys/kernel/osrelease", "5.10.0\n", FINDING_OK, "Linux 5.10.0"},
	{"kernel", "proc/sys/kernel/osrelease", "5.9.16-x\n", FINDING_WARN, "older than"},
	{"kernel", "proc/sys/kernel/osrelease", "4.19.0\n", FINDING_WARN, "older than"},
	{"kernel", "proc/sys/kernel/osrelease", "10.1\n", FINDING_OK, "Linux 10.1"},
	{"kernel", "proc/sys/kernel/osrelease", NULL, FINDING_NOTE, "cannot be read"},
	{"preload-file", "etc/ld.so.preload", "/usr/lib/libx.so\n", FINDING_WARN, "every program"},
	{"preload-file", "etc/ld.so.preload", " \n:\t\n", FINDING_OK, "no library"},
	{"preload-file", "etc/ld.so.preload", "", FINDING_OK, "no library"},
	{"uinput", "dev/uinput", "", FINDING_WARN, "can be a keyboard"},
	{"uinput", "dev/uinput.old", "", FINDING_OK, "no keyboard"},
	{"input-events", "dev/input/event7", "", FINDING_WARN, "see each key"},
	{"input-events", "dev/input/mouse0", "", FINDING_OK, "cannot be read"},
	{"screen-recorder", "proc/4711/comm", "wf-recorder\n", FINDING_WARN, "wf-recorder is running"},
	{"screen-recorder", "proc/4711/comm", "simplescreenrec\n", FINDING_WARN, "simplescreenrec is"},
	{"screen-recorder", "proc/4711/comm", "wf-recorder2\n", FINDING_OK, "no program"},
	{"screen-recorder", "proc/4711/comm", "obs is a longer name\n", FINDING_OK, "no program"},
	{"screen-recorder", "proc/self/comm", "obs\n", FINDING_OK, "no program"},
	{"memfd-exec", "proc/sys/vm/memfd_noexec", "1\n", FINDING_OK, "sealed copies"},
	{"memfd-exec", "proc/sys/vm/memfd_noexec", "2\n", FINDING_WARN, "cannot be executed"},
	{"memfd-exec", "proc/sys/vm/memfd_noexec", NULL, FINDING_OK, "sealed copies"},
	{"terminal-injection", "proc/sys/dev/tty/legacy_tiocsti", "1\n", FINDING_WARN, "TIOCSTI"},
	{"terminal-injection", "proc/sys/dev/tty/legacy_tiocsti", NULL, FINDING_WARN, "TIOCSTI"},
};

static void test_each_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		tree_make();
		file_write("sys/block/dm-1/dm/uuid", "CRYPT-PLAIN-swap\n");
		file_write("sys/block/dm-2/dm/uuid", "LVM-abcdef\n");
		if (cases[i].content)
			file_write(cases[i].path, cases[i].content);
		else
			assert_int_equal(unlink(cases[i].path), 0);
		assert_finding(cases[i].id, cases[i].severity, cases[i].words);
		unlink(cases[i].path);
	}
}

static void test_good_machine(void **state)
{
	(void)state;
	tree_make();
	static const char *const ids[] = {"proc", "tracer", "core-pattern", "ptrace-scope", "proc-hidepid", "swap",
					  "user-namespace",
					  "kernel", "memfd-exec", "terminal-injection", "preload-file",
					  "uinput", "input-events", "screen-recorder"};
	for (size_t i = 0; i < ARRAY_COUNT(ids); i++)
		assert_finding(ids[i], FINDING_OK, "");
}

// Nothing that a file holds stops the others, nor is it believed to end where it should.
static void test_strange_files(void **state)
{
	(void)state;
	static const char *const contents[] = {
		"", "\n", "\n\n\n", " ", "-1", "999999999999999999999999", "\xff\xfe", "| ", "x y z",
		"\nTracerPid:", "\n/dev/dm-\n", "\n/dev/dm-/../../x 1\n", "\n \n", " /proc  - proc hidepid=",
	};
	for (size_t c = 0; c < ARRAY_COUNT(contents); c++) {
		tree_make();
		for (size_t i = 0; i < ARRAY_COUNT(good_files); i++)
			file_write(good_files[i].path, contents[c]);
		assert_finding("tracer", strstr(contents[c], "\nTracerPid:") ? FINDING_OK : FINDING_NOTE, "");
	}
	for (size_t i = 0; i < ARRAY_COUNT(good_files); i++) {
		assert_int_equal(unlink(good_files[i].path), 0);
		assert_int_equal(mkdir(good_files[i].path, 0755), 0);
	}
	assert_finding("tracer", FINDING_NOTE, "cannot be read");
	for (size_t i = 0; i < ARRAY_COUNT(good_files); i++) {
		assert_int_equal(rmdir(good_files[i].path), 0);
		assert_int_equal(mkfifo(good_files[i].path, 0644), 0);
	}
	find("tracer"); // comes back
}

// Where another process asks, it is that one whose tracer and terminal count.
static void test_of_another_process(void **state)
{
	(void)state;
	static const char stat[] = "4711 (x y) S 1 4711 4711 %d -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 0 0";
	char line[200];
	tree_make();
	file_write("proc/self/status", "Name:\tx\nTracerPid:\t17\n");
	given.pid = 4711;
	assert_finding("tracer", FINDING_NOTE, "the process that asks");
	assert_finding("terminal", FINDING_NOTE, "no controlling terminal");
	file_write("proc/4711/status", "Name:\tx\nTracerPid:\t0\n");
	assert_finding("tracer", FINDING_OK, "");
	file_write("proc/4711/status", "Name:\tx\nTracerPid:\t4712\n");
	assert_finding("tracer", FINDING_BAD, "process 4712");
	snprintf(line, sizeof(line), stat, 0);
	file_write("proc/4711/stat", line);
	assert_finding("terminal", FINDING_NOTE, "no controlling terminal");
	snprintf(line, sizeof(line), stat, 34816);
	file_write("proc/4711/stat", line);
	assert_finding("terminal", FINDING_OK, "there is a controlling terminal");
	given.pid = 0;
	assert_finding("tracer", FINDING_BAD, "process 17");
}

// ------------------------------------------------------------------------------------------------------- the process

// Runs the check in a child that `prepare` was called in.
static void assert_in_child(void (*prepare)(void), const char *id, enum finding_severity severity, const char *words)
{
	int status = -1;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prepare();
		struct finding finding = find(id);
		_exit(finding.severity == severity && strstr(finding.text, words) ? 0 : 1 + (int)finding.severity);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: wait status %#x instead of %s", id, (unsigned)status, finding_severity_name(severity));
}

static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static void dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void core_one(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
}

static void core_none(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static void core_soft_only(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){1, 4096});
}

static void test_process(void **state)
{
	(void)state;
	tree_make();
	assert_in_child(undumpable, "process-dumpable", FINDING_OK, "closed");
	assert_in_child(dumpable, "process-dumpable", FINDING_BAD, "dumpable");
	assert_in_child(core_one, "core-limit", FINDING_OK, "off");
	assert_in_child(core_none, "core-limit", FINDING_OK, "off");
	struct rlimit limit;
	if (getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max >= 4096)
		assert_in_child(core_soft_only, "core-limit", FINDING_BAD, "not off");
	file_write("proc/sys/kernel/core_pattern", "|/usr/bin/taker\n");
	assert_in_child(core_one, "core-limit", FINDING_OK, "off");
	assert_in_child(core_none, "core-limit", FINDING_WARN, "hard core limit is 0");
	assert_finding("root", geteuid() == 0 ? FINDING_WARN : FINDING_OK,
		       geteuid() == 0 ? "as root" : "ordinary user");
}

static void memlock_set(rlim_t bytes)
{
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){bytes, bytes});
}

static void memlock_tiny(void)
{
	memlock_set(32 << 10);
}

// Of kernels before 5.16: little, and enough to work with.
static void memlock_old_default(void)
{
	memlock_set(64 << 10);
}

static void memlock_small(void)
{
	memlock_set(1 << 20);
}

static void memlock_enough(void)
{
	memlock_set(8 << 20);
}

static void test_memory_lock(void **state)
{
	(void)state;
	tree_make();
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	assert_in_child(memlock_tiny, "memory-lock", FINDING_BAD, "only 32 KiB");
	assert_in_child(memlock_old_default, "memory-lock", FINDING_WARN, "only 64 KiB");
	if (limit.rlim_max >= 8 << 20) {
		assert_in_child(memlock_small, "memory-lock", FINDING_WARN, "only 1024 KiB");
		assert_in_child(memlock_enough, "memory-lock", FINDING_OK, "8192 KiB");
	}
}

// The right to lock frees from the limit, and counts only where it was given by the machine and not by a namespace.
static void test_memory_lock_right(void **state)
{
	(void)state;
	tree_make();
	file_write("proc/self/status", "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000000000004000\n");
	assert_int_equal(unlink("proc/self/uid_map"), 0);
	assert_in_child(memlock_tiny, "memory-lock", FINDING_BAD, "only 32 KiB");
	file_write("proc/self/uid_map", "         0          0 4294967295\n");
	assert_in_child(memlock_tiny, "memory-lock", FINDING_OK, "as much memory as needed");
	file_write("proc/self/uid_map", "         0       1000          1\n");
	assert_in_child(memlock_tiny, "memory-lock", FINDING_BAD, "only 32 KiB");
	file_write("proc/self/uid_map", "         0          0 4294967295\n");
	file_write("proc/self/status", "Name:\tx\nCapPrm:\t0000000000004000\nCapEff:\t000001ffffffbfff\n");
	assert_in_child(memlock_tiny, "memory-lock", FINDING_BAD, "only 32 KiB");
	file_write("proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
	assert_in_child(memlock_tiny, "memory-lock", FINDING_OK, "as much memory as needed");
}

// Whether the tests themselves run in one, as in a container.
static bool is_nested_here(void)
{
	struct stat st;
	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino != 4026531837;
}

static void test_user_namespace(void **state)
{
	(void)state;
	static const char *const maps[] = {"", "0 1000 1\n", "1000 1000 1\n", "0 0 65536\n", "0 100000 4294967295\n", "x",
					   "0 0 1000\n1000 1000 4294966295\n"};
	tree_make();
	for (size_t i = 0; i < ARRAY_COUNT(maps); i++) {
		file_write("proc/self/uid_map", maps[i]);
		assert_finding("user-namespace", FINDING_WARN, "another /etc");
	}
	if (is_nested_here())
		skip();
	tree_make();
	assert_finding("user-namespace", FINDING_OK, "machine's own");
	assert_int_equal(unlink("proc/self/uid_map"), 0);
	assert_finding("user-namespace", FINDING_NOTE, "cannot be read");
}

static void namespace_make(void)
{
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(77);
}

// Kernels from 6.11 on say so themselves, whatever lies where /proc should be.
static void test_user_namespace_behind_files(void **state)
{
	(void)state;
	tree_make();
	int status = -1;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		namespace_make();
		int process = (int)syscall(SYS_pidfd_open, getpid(), 0);
		bool is_told = process >= 0 && ioctl(process, _IO(0xFF, 9), 0) >= 0;
		struct finding finding = find("user-namespace");
		_exit(!is_told ? 77 : finding.severity == FINDING_WARN ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool kind_is_wanted(const void *context, const struct finding_kind *kind)
{
	return kind->worst >= *(const enum finding_severity *)context;
}

// Only what is wanted is run; and what is told is what the table of kinds has, in its order.
static void test_kinds(void **state)
{
	(void)state;
	static const enum finding_severity least[] = {FINDING_OK, FINDING_WARN, FINDING_BAD};
	tree_make();
	for (size_t l = 0; l < ARRAY_COUNT(least); l++) {
		struct guard_source source = {.is_wanted = kind_is_wanted, .wanted_context = &least[l]};
		struct findings findings = {0};
		struct finding_kind kind;
		size_t told = 0;
		assert_int_equal(guard_check(&source, finding_keep, &findings), 0);
		for (size_t i = 0; finding_kind_at(i, &kind); i++)
			if (kind.worst >= least[l])
				assert_string_equal(findings.rows[told++].id, kind.id);
		assert_int_equal(told, findings.count);
		assert_true(told > 3);
	}
	struct finding_kind kind = {0};
	assert_true(finding_kind_find(SPAN_LITERAL("core-limit"), &kind));
	assert_true(strcmp(kind.id, "core-limit") == 0 && kind.worst == FINDING_BAD);
	assert_false(finding_kind_find(SPAN_LITERAL("core"), &kind));
	assert_false(finding_kind_find(SPAN_LITERAL(""), &kind));
}

// ------------------------------------------------------------------------------------------------------- the session

static void test_variables(void **state)
{
	(void)state;
	static const char *const names[] = {"LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES", "TMUX", "STY", "ZELLIJ", "SSH_CONNECTION",
					    "SSH_TTY",
					    "DISPLAY", "WAYLAND_DISPLAY"};
	static const struct {
		const char *name;
		const char *id;
		enum finding_severity severity;
		const char *words;
	} rows[] = {
		{"LD_PRELOAD", "preload", FINDING_NOTE, "LD_PRELOAD"},
		{"LD_AUDIT", "preload", FINDING_NOTE, "LD_AUDIT"},
		{"GLIBC_TUNABLES", "preload", FINDING_NOTE, "GLIBC_TUNABLES"},
		{"TMUX", "terminal-multiplexer", FINDING_WARN, "$TMUX"},
		{"STY", "terminal-multiplexer", FINDING_WARN, "$STY"},
		{"SSH_CONNECTION", "remote", FINDING_NOTE, "SSH"},
		{"SSH_TTY", "remote", FINDING_NOTE, "SSH"},
		{"DISPLAY", "display", FINDING_WARN, "X11"},
		{"WAYLAND_DISPLAY", "display", FINDING_OK, "Wayland"},
	};
	tree_make();
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		unsetenv(names[i]);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		setenv(rows[i].name, "", 1);
		assert_int_equal(find(rows[i].id).severity, FINDING_OK);
		setenv(rows[i].name, "a value that is not shown", 1);
		assert_finding(rows[i].id, rows[i].severity, rows[i].words);
		assert_null(strstr(find(rows[i].id).text, "a value"));
		unsetenv(rows[i].name);
	}
	assert_finding("terminal-multiplexer", FINDING_OK, "not inside");
	assert_finding("remote", FINDING_OK, "not come");
	assert_finding("display", FINDING_OK, "no desktop");
	setenv("DISPLAY", ":0", 1);
	setenv("WAYLAND_DISPLAY", "wayland-0", 1);
	assert_finding("display", FINDING_OK, "Wayland");
	unsetenv("DISPLAY");
	unsetenv("WAYLAND_DISPLAY");
}

static void terminal_none(void)
{
	setsid();
}

static void terminal_own(void)
{
	int main_fd, terminal_fd;
	setsid();
	if (openpty(&main_fd, &terminal_fd, NULL, NULL, NULL) < 0 || login_tty(terminal_fd) < 0)
		_exit(99);
}

static void test_terminal(void **state)
{
	(void)state;
	tree_make();
	assert_in_child(terminal_none, "terminal", FINDING_NOTE, "no controlling terminal");
	assert_in_child(terminal_own, "terminal", FINDING_OK, "there is a controlling terminal");
}

#define LONG_ENTRY "LD_A_NAME_THAT_IS_LONGER_THAN_WHAT_IS_SHOWN=1"

// Which of a session's variables will not reach programs: names only, the first few, and nothing that moves a cursor.
static void test_dropped_variables(void **state)
{
	(void)state;
	static char *const none[] = {"LANG=C", "PORT=80", "ENVSEAL_HOME=/x", "=", "PYTHONHASHSEED=0", NULL};
	static char *const one[] = {"NODE_OPTIONS=--require /hidden", "LANG=C", NULL};
	static char *const many[] = {"LD_\033[2J=1", "BASH_ENV=2", "PERL5LIB=3", "RUBYOPT", "PYTHONPATH=4", NULL};
	static char *const wide[] = {LONG_ENTRY, LONG_ENTRY, LONG_ENTRY, LONG_ENTRY, LONG_ENTRY, NULL};
	tree_make();
	given.environment = one;
	assert_finding("variables", FINDING_NOTE, "not known");
	given.variable_is_steering = variable_is_steering;
	assert_finding("variables", FINDING_NOTE, "1 variable here");
	assert_string_equal(strchr(find("variables").text, ':'), ": NODE_OPTIONS");
	given.environment = many;
	assert_finding("variables", FINDING_NOTE, "5 variables here");
	assert_string_equal(strchr(find("variables").text, ':'),
			    ": LD_\\x1b[2J, BASH_ENV, PERL5LIB, RUBYOPT, and others");
	given.environment = wide;
	assert_finding("variables", FINDING_NOTE, "..., and others");
	given.environment = none;
	assert_finding("variables", FINDING_OK, "no variable");
}

static void environment_path(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void environment_path(const char *format, ...)
{
	static char variable[1024];
	static char *environment[] = {variable, NULL};
	int len = snprintf(variable, sizeof(variable), "PATH=");
	va_list args;
	va_start(args, format);
	vsnprintf(variable + len, sizeof(variable) - (size_t)len, format, args);
	va_end(args);
	given.environment = environment;
}

// Devices that are there and closed, as they are for a user outside of their groups.
static void test_closed_devices(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip(); // nothing is closed to root
	tree_make();
	file_write("dev/uinput", "");
	file_write("dev/input/event0", "");
	assert_int_equal(chmod("dev/uinput", 0440) | chmod("dev/input/event0", 0220), 0);
	assert_finding("uinput", FINDING_OK, "no keyboard");
	assert_finding("input-events", FINDING_OK, "cannot be read");
	assert_int_equal(chmod("dev/uinput", 0220) | chmod("dev/input/event0", 0440), 0);
	assert_finding("uinput", FINDING_WARN, "can be a keyboard");
	assert_finding("input-events", FINDING_WARN, "see each key");
}

static void test_input_tools(void **state)
{
	(void)state;
	tree_make();
	file_write("bin/xdotool", "");
	environment_path("/nowhere::bin:%s/bin", scene);
	assert_finding("input-tools", FINDING_OK, "no tool");
	assert_int_equal(chmod("bin/xdotool", 0755), 0);
	assert_finding("input-tools", FINDING_NOTE, "xdotool is installed");
	environment_path("bin:./bin:%s", scene);
	assert_finding("input-tools", FINDING_OK, "no tool");
	environment_path("%s", "");
	assert_finding("input-tools", FINDING_OK, "no tool");
}

// As an ordinary user has it: a folder of his own, the system's, and some that are not there.
static void test_path(void **state)
{
	(void)state;
	tree_make();
	assert_int_equal(mkdir("own", 0755), 0);
	assert_int_equal(mkdir("open", 0755), 0);
	assert_int_equal(chmod("open", 0777), 0);
	environment_path("/usr/bin:%s/open", scene);
	assert_finding("path-writable", FINDING_NOTE, "not known");
	given.path_entry_is_safe = path_entry_is_safe;
	assert_finding("path-writable", FINDING_WARN, "/open')");
	environment_path("/usr/bin::/bin");
	assert_finding("path-writable", FINDING_WARN, "('')");
	environment_path("/usr/bin:b\033in");
	assert_finding("path-writable", FINDING_WARN, "('b\\x1bin')");
	environment_path("/nowhere/at/all:/usr/bin:%s/own:%s/nowhere", scene, scene);
	assert_finding("path-writable", FINDING_OK, "nobody but");
	environment_path("/usr/sbin:%s/own:/usr/bin", scene);
	// Root's own folders are the system's.
	bool is_root = geteuid() == 0;
	assert_finding("path-writable", is_root ? FINDING_OK : FINDING_NOTE, is_root ? "nobody" : "/own)");
	environment_path("%s/own", scene);
	assert_finding("path-writable", FINDING_OK, "nobody but");
	given.environment = (char *[]){NULL};
	assert_finding("path-writable", FINDING_OK, "nobody but");
}

static void test_vault_filesystem(void **state)
{
	(void)state;
	static const struct {
		const char *lines; // behind those of the root, with the scene's path for %s
		enum finding_severity severity;
		const char *words;
	} rows[] = {
		{"", FINDING_OK, "(ext4)"},
		{"30 21 0:30 / %s/data rw shared:1 - nfs4 host:/x rw\n", FINDING_WARN, "(nfs4)"},
		{"30 21 0:30 / %s/data rw - cifs //host/x rw\n", FINDING_WARN, "another machine"},
		{"30 21 0:30 / %s/data rw - 9p share rw\n", FINDING_WARN, "another machine"},
		{"30 21 0:30 / %s/data rw - vboxsf share rw\n", FINDING_WARN, "another machine"},
		{"30 21 0:30 / %s/data rw - fuse.sshfs host: rw\n", FINDING_WARN, "(fuse.sshfs)"},
		{"30 21 0:30 / %s/data/v\\040x rw - fuse.sshfs host: rw\n", FINDING_WARN, "(fuse.sshfs)"},
		{"30 21 0:30 / %s/data rw - fuseblk /dev/sdb1 rw\n", FINDING_WARN, "keeps no owners"},
		{"30 21 0:30 / %s/data rw - vfat /dev/sdb1 rw\n", FINDING_WARN, "keeps no owners"},
		{"30 21 0:30 / %s/dat rw - nfs host:/x rw\n", FINDING_OK, "(ext4)"},
		{"30 21 0:30 / %s/data/v rw - nfs host:/x rw\n", FINDING_OK, "(ext4)"},
		// The nearest counts, in any order, and of two in one place the upper.
		{"30 21 0:30 / %s/data rw - xfs /dev/sdb rw\n31 21 0:31 / /tmp rw - nfs x rw\n", FINDING_OK, "(xfs)"},
		{"30 21 0:30 / %s/data rw - xfs x rw\n31 21 0:31 / %s/data rw - nfs x rw", FINDING_WARN, "(nfs)"},
		{"30 21 0:30 / %s/data rw - a\033b x rw\n", FINDING_OK, "(a\\x1bb)"},
		{"30 21 0:30 / %s/data rw nfs\n31 21 - nfs\n - nfs x\n\n", FINDING_OK, "(ext4)"},
	};
	char vault[300], real[PATH_MAX];
	tree_make();
	assert_finding("vault-filesystem", FINDING_NOTE, "not known");
	file_write("data/v x/vault.db", "");
	assert_non_null(realpath(scene, real));
	snprintf(vault, sizeof(vault), "%s/data/v x/not/yet", scene);
	given.vault_dir = vault;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		_cleanup_buf_ struct buf mounts = BUF_INIT(65536);
		struct err err;
		assert_int_equal(buf_append_text(&mounts, MOUNT_ROOT, &err), 0);
		for (const char *at = rows[i].lines, *mark; *at; at = mark ? mark + 2 : at + strlen(at)) {
			mark = strstr(at, "%s");
			size_t len = mark ? (size_t)(mark - at) : strlen(at);
			assert_int_equal(buf_append(&mounts, span_of(at, len), &err), 0);
			assert_int_equal(buf_append_text(&mounts, mark ? real : "", &err), 0);
		}
		file_write("proc/self/mountinfo", buf_text(&mounts));
		assert_finding("vault-filesystem", rows[i].severity, rows[i].words);
	}
	file_write("proc/self/mountinfo", "");
	assert_finding("vault-filesystem", FINDING_NOTE, "cannot be read");
	file_write("proc/self/mountinfo", "30 21 0:30 / /elsewhere rw - nfs x rw\n");
	assert_finding("vault-filesystem", FINDING_NOTE, "cannot be read");
	given.vault_dir = "no/absolute/path";
	assert_finding("vault-filesystem", FINDING_NOTE, "cannot be read");
}

// From here on the kernel gives that answer to these calls.
static void calls_answer(uint32_t answer, const int calls[2])
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[0], 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[1], 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {ARRAY_COUNT(filter), filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
}

static void kernel_old(void)
{
	calls_answer(SECCOMP_RET_ERRNO | ENOSYS, (const int[]){SYS_pidfd_open, 444}); // landlock_create_ruleset
	calls_answer(SECCOMP_RET_ERRNO | ENOSYS, (const int[]){447, 447}); // memfd_secret
}

static void landlock_off(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EOPNOTSUPP, (const int[]){444, 444});
}

static void filters_refused(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EINVAL, (const int[]){SYS_prctl, SYS_seccomp});
}

static void memory_files_none(void)
{
	calls_answer(SECCOMP_RET_ERRNO | ENOSYS, (const int[]){SYS_memfd_create, SYS_memfd_create});
}

static void descriptors_refused(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EPERM, (const int[]){SYS_execveat, SYS_close_range});
}

static void secret_pages_refused(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EAGAIN, (const int[]){SYS_ftruncate, SYS_ftruncate});
}

static void test_old_kernel(void **state)
{
	(void)state;
	tree_make();
	assert_finding("pidfd", FINDING_OK, "can be held");
	assert_in_child(kernel_old, "pidfd", FINDING_WARN, "pidfd_open");
	assert_in_child(kernel_old, "landlock", FINDING_NOTE, "Landlock is not there");
	assert_in_child(kernel_old, "landlock-scope", FINDING_NOTE, "ABI 6");
	assert_in_child(kernel_old, "landlock-sockets", FINDING_NOTE, "ABI 9");
	assert_in_child(landlock_off, "landlock", FINDING_NOTE, "switched off");
	assert_in_child(filters_refused, "seccomp", FINDING_NOTE, "cannot be filtered");
	assert_in_child(filters_refused, "seccomp-notify", FINDING_NOTE, "no process can answer");
	assert_in_child(kernel_old, "memfd-secret", FINDING_NOTE, "cannot be had");
	assert_in_child(secret_pages_refused, "memfd-secret", FINDING_NOTE, "cannot be had");
	assert_finding("execveat", FINDING_OK, "by a descriptor");
	assert_finding("close-range", FINDING_OK, "all at once");
	assert_in_child(memory_files_none, "memfd-exec", FINDING_WARN, "(memfd_create: Function not implemented)");
	assert_in_child(descriptors_refused, "execveat", FINDING_WARN, "(execveat: Operation not permitted)");
	assert_in_child(descriptors_refused, "close-range", FINDING_NOTE, "(close_range: Operation not permitted)");
}

static void test_landlock(void **state)
{
	(void)state;
	long abi = syscall(444, NULL, 0, 1U);
	char words[32];
	tree_make();
	if (abi <= 0)
		skip();
	snprintf(words, sizeof(words), "(ABI %ld", abi);
	assert_finding("landlock", FINDING_OK, words);
	assert_int_equal(strstr(find("landlock").text, "sockets with a path") != NULL, abi < 9);
	assert_int_equal(strstr(find("landlock").text, "signals") != NULL, abi < 6);
	assert_int_equal(find("landlock-scope").severity, abi < 6 ? FINDING_NOTE : FINDING_OK);
	assert_int_equal(find("landlock-sockets").severity, abi < 9 ? FINDING_NOTE : FINDING_OK);
}

// ------------------------------------------------------------------------------------------------------------ namespaces

// From here on no user namespace can be had, by either call.
static void namespaces_answer(uint32_t answer)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {ARRAY_COUNT(filter), filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(99);
}

static void namespaces_refused(void)
{
	namespaces_answer(SECCOMP_RET_ERRNO | EPERM);
}

static void namespaces_none(void)
{
	namespaces_answer(SECCOMP_RET_ERRNO | EINVAL);
}

static void namespaces_deadly(void)
{
	namespaces_answer(SECCOMP_RET_KILL_PROCESS);
}

// As on Ubuntu from 23.10 on: the namespace is made, and then there is no right in it.
static void mounts_refused(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EACCES, (const int[]){SYS_mount, SYS_mount});
}

static void proc_refused(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EPERM, (const int[]){SYS_fsmount, SYS_fsmount});
}

static void proc_none(void)
{
	calls_answer(SECCOMP_RET_ERRNO | ENOSYS, (const int[]){SYS_fsopen, SYS_fsopen});
}

static void join_refused(void)
{
	calls_answer(SECCOMP_RET_ERRNO | EPERM, (const int[]){SYS_setns, SYS_setns});
}

static void children_ignored(void)
{
	signal(SIGCHLD, SIG_IGN);
}

static void test_no_namespaces(void **state)
{
	(void)state;
	static const char *const ids[] = {"user-namespaces",  "network-namespaces", "mounts", "proc-mount",
					  "helper-namespaces", "namespace-join"};
	static const struct {
		const char *path; // in the tree
		const char *content;
		const char *words;
	} rows[] = {
		{"proc/sys/user/max_user_namespaces", "0\n", "max_user_namespaces is 0"},
		{"proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor"},
		{"proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0\n", "Operation not permitted"},
		{"proc/sys/kernel/unprivileged_userns_clone", "0\n", "userns_clone is 0"},
		{"proc/sys/kernel/unprivileged_userns_clone", "1\n", "Operation not permitted"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
		tree_make();
		assert_in_child(namespaces_refused, ids[i], FINDING_NOTE, "Operation not permitted");
		assert_in_child(namespaces_deadly, ids[i], FINDING_NOTE, "Operation not permitted");
		assert_in_child(namespaces_none, ids[i], FINDING_NOTE, "the kernel has none");
		for (size_t r = 0; r < ARRAY_COUNT(rows); r++) {
			file_write(rows[r].path, rows[r].content);
			assert_in_child(namespaces_refused, ids[i], FINDING_NOTE, rows[r].words);
			assert_int_equal(unlink(rows[r].path), 0);
			tree_make();
		}
	}
}

static bool has_namespaces(void)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET) < 0 ||
		      mount("tmpfs", "/", "tmpfs", 0, NULL) < 0);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

// What a setting says does not count where it works, and that the namespace was made does not count where it does not.
static void test_namespaces(void **state)
{
	(void)state;
	static const char mounts[] = MOUNT_ROOT "22 21 0:21 / /proc rw - proc proc rw\n"
					       "23 22 0:22 / /proc/kcore rw - tmpfs tmpfs rw\n";
	if (!has_namespaces())
		skip();
	tree_make();
	file_write("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
	assert_finding("user-namespaces", FINDING_OK, "can make");
	assert_finding("network-namespaces", FINDING_OK, "of its own");
	assert_finding("mounts", FINDING_OK, "can mount");
	assert_in_child(children_ignored, "mounts", FINDING_OK, "can mount");
	assert_in_child(mounts_refused, "user-namespaces", FINDING_OK, "can make");
	assert_in_child(mounts_refused, "mounts", FINDING_NOTE, "AppArmor");
	assert_in_child(mounts_refused, "helper-namespaces", FINDING_NOTE, "AppArmor");
	assert_in_child(proc_refused, "proc-mount", FINDING_NOTE, "AppArmor");
	assert_int_equal(unlink("proc/sys/kernel/apparmor_restrict_unprivileged_userns"), 0);
	assert_in_child(mounts_refused, "mounts", FINDING_NOTE, "(mount: Permission denied)");
	assert_in_child(proc_refused, "proc-mount", FINDING_NOTE, "(fsmount: Operation not permitted)");
	file_write("proc/self/mountinfo", mounts);
	assert_in_child(proc_refused, "proc-mount", FINDING_NOTE, "are covered");
	assert_finding("helper-namespaces", FINDING_OK, "can go over");
	assert_finding("namespace-join", FINDING_OK, "can join");
	assert_in_child(join_refused, "namespace-join", FINDING_NOTE, "(setns: Operation not permitted)");
	assert_in_child(proc_none, "proc-mount", FINDING_NOTE, "(there is no fsopen(2))");
}

// --------------------------------------------------------------------------------------------------------- every row

static void test_rows_are_sound(void **state)
{
	(void)state;
	static const char *const categories[] = {"process", "kernel", "memory", "terminal", "files"};
	struct findings findings = {0};
	assert_int_equal(guard_check(NULL, finding_keep, &findings), 0);
	assert_true(findings.count > 20);
	for (size_t i = 0; i < findings.count; i++) {
		const struct finding *row = &findings.rows[i];
		bool is_known = false;
		for (size_t c = 0; c < ARRAY_COUNT(categories); c++)
			is_known = is_known || strcmp(row->category, categories[c]) == 0;
		assert_true(is_known);
		for (size_t other = 0; other < i; other++)
			assert_string_not_equal(row->id, findings.rows[other].id);
		assert_int_equal(row->id[strspn(row->id, "abcdefghijklmnopqrstuvwxyz-")], 0);
		assert_true(row->text[0] != 0);
		assert_null(strpbrk(row->text, "\n\033"));
		assert_true(strlen(row->text) + 1 < FINDING_TEXT_BYTES);
		assert_true(strlen(row->remedy) + 1 < FINDING_TEXT_BYTES);
	}
}

static int stop_at_third(void *context, const struct finding *finding)
{
	(void)finding;
	int *count = context;
	return ++*count == 3 ? -42 : 0;
}

static void test_each_can_stop(void **state)
{
	(void)state;
	int count = 0;
	assert_int_equal(guard_check(&(struct guard_source){0}, stop_at_third, &count), -42);
	assert_int_equal(count, 3);
}

static void test_severity_names(void **state)
{
	(void)state;
	static const char *const names[] = {
		[FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_WARN] = "warn", [FINDING_BAD] = "bad"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		assert_string_equal(finding_severity_name((enum finding_severity)i), names[i]);
}

#define scene_test(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_each_file),
		scene_test(test_good_machine),
		scene_test(test_strange_files),
		scene_test(test_of_another_process),
		scene_test(test_process),
		scene_test(test_memory_lock),
		scene_test(test_memory_lock_right),
		scene_test(test_variables),
		scene_test(test_terminal),
		scene_test(test_dropped_variables),
		scene_test(test_closed_devices),
		scene_test(test_input_tools),
		scene_test(test_path),
		scene_test(test_vault_filesystem),
		scene_test(test_old_kernel),
		scene_test(test_landlock),
		scene_test(test_no_namespaces),
		scene_test(test_namespaces),
		scene_test(test_user_namespace),
		scene_test(test_user_namespace_behind_files),
		scene_test(test_kinds),
		cmocka_unit_test(test_rows_are_sound),
		cmocka_unit_test(test_each_can_stop),
		cmocka_unit_test(test_severity_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
