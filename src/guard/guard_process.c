// What holds for envseal's own process, and for the programs that it starts.
#include "guard/guard_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_BYTES_MAX 65536
#define MOUNTS_BYTES_MAX (1u << 20)
#define LINE_BYTES_MAX 4096

// PIDFD_GET_USER_NAMESPACE of linux/pidfd.h and PROC_USER_INIT_INO of linux/proc_ns.h, which older headers lack.
#define PIDFD_USER_NAMESPACE _IO(0xFF, 9)
#define USER_NAMESPACE_FIRST 0xEFFFFFFDu

static void check_proc(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf status = BUF_INIT(STATUS_BYTES_MAX);
	if (guard_read(source->proc, "self/status", &status))
		finding_set(finding, FINDING_OK, "", "/proc is mounted");
	else
		finding_set(finding, FINDING_WARN, "mount it: mount -t proc proc /proc",
			    "/proc is missing: secrets as files (-s NAME=VAR:file) and sealed copies of scripts cannot "
			    "be opened");
}

static void check_dumpable(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
		finding_set(finding, FINDING_OK, "", "this process is closed to other processes of yours and dumps no "
						     "core");
	else
		finding_set(finding, FINDING_BAD, "report this as a bug, with your kernel's version",
			    "this process is dumpable: other processes of yours can read its memory");
}

static void check_tracer(const struct guard_source *source, struct finding *finding)
{
	char path[32] = "self/status";
	_cleanup_buf_ struct buf status = BUF_INIT(STATUS_BYTES_MAX);
	const char *line = NULL;
	if (source->pid != 0)
		snprintf(path, sizeof(path), "%d/status", source->pid);
	if (guard_read(source->proc, path, &status))
		line = strstr(buf_text(&status), "\nTracerPid:");
	long tracer = line ? strtol(line + strlen("\nTracerPid:"), NULL, 10) : 0;
	if (!line)
		finding_unknown(finding, source->pid != 0 ? "the status of the process that asks" : "/proc/self/status");
	else if (tracer == 0)
		finding_set(finding, FINDING_OK, "", "no debugger or tracer is attached");
	else
		finding_set(finding, FINDING_BAD, "find out what it is, and end it: ps -fp followed by that number",
			    "process %ld is attached as a tracer and can read every secret", tracer);
}

static bool core_is_piped(const struct guard_source *source)
{
	_cleanup_buf_ struct buf pattern = BUF_INIT(LINE_BYTES_MAX);
	return guard_read(source->proc, "sys/kernel/core_pattern", &pattern) && buf_text(&pattern)[0] == '|';
}

static void check_core_limit(const struct guard_source *source, struct finding *finding)
{
	struct rlimit limit;
	// 0 stops files only: the kernel still feeds a program that core_pattern names. 1 stops both.
	bool known = getrlimit(RLIMIT_CORE, &limit) == 0;
	if (!known || limit.rlim_max > 1)
		finding_set(finding, FINDING_BAD, "report this as a bug, with your kernel's version",
			    "core dumps are not off: a crash could write secrets to disk");
	else if (limit.rlim_max == 0 && core_is_piped(source))
		finding_set(finding, FINDING_WARN, "make the hard core limit 1, or kernel.core_pattern a file name",
			    "the hard core limit is 0, which a program that takes core dumps (core_pattern) is not "
			    "bound by: the crash of a program may be recorded with its secrets");
	else
		finding_set(finding, FINDING_OK, "", "core dumps are off for envseal and for the programs it starts");
}

static void check_core_pattern(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf pattern = BUF_INIT(LINE_BYTES_MAX);
	if (!guard_read(source->proc, "sys/kernel/core_pattern", &pattern))
		finding_unknown(finding, "/proc/sys/kernel/core_pattern");
	else if (buf_text(&pattern)[0] == '|')
		finding_set(finding, FINDING_NOTE, "",
			    "crashes on this machine are handed to a program (core_pattern is a pipe); envseal's limit "
			    "of 1 byte stops that too, unless a program raises its own limit as root");
	else
		finding_set(finding, FINDING_OK, "", "core dumps would go to files, and the limit stops them");
}

static void check_ptrace(const struct guard_source *source, struct finding *finding)
{
	long long scope = 0;
	bool known = guard_read_number(source->proc, "sys/kernel/yama/ptrace_scope", &scope);
	if (known && scope >= 1)
		finding_set(finding, FINDING_OK, "",
			    "processes cannot attach to others of the same user (ptrace_scope %lld); /proc/PID/environ of what "
			    "runs without the shield, or was started by a program, stays readable to you", scope);
	else
		finding_set(finding, FINDING_WARN, known ? "sysctl kernel.yama.ptrace_scope=1"
							 : "use a kernel with the Yama module, and "
							   "kernel.yama.ptrace_scope=1",
			    "what runs without the shield, or was started by a program that has secrets, can be read and "
			    "traced by any process of yours (%s); what is in a jail cannot do so",
			    known ? "ptrace_scope is 0" : "this kernel has no ptrace_scope");
}

static void check_root(const struct guard_source *source, struct finding *finding)
{
	(void)source;
	if (geteuid() != 0)
		finding_set(finding, FINDING_OK, "", "envseal runs as an ordinary user");
	else
		finding_set(finding, FINDING_WARN, "work as an ordinary user, and let agents do so",
			    "envseal runs as root: whatever else runs as root can read its memory and change its "
			    "files, and no setting prevents that");
}

// Whoever made a user namespace may put other files over /proc in it, so the kernel is asked too: from 6.11 on it
// answers.
static bool namespace_is_nested(void)
{
	struct stat st;
	_cleanup_fd_ int process = (int)syscall(SYS_pidfd_open, getpid(), 0);
	_cleanup_fd_ int space = process < 0 ? -1 : ioctl(process, PIDFD_USER_NAMESPACE, 0);
	return space >= 0 && fstat(space, &st) == 0 && st.st_ino != USER_NAMESPACE_FIRST;
}

static bool map_is_whole(const char *map)
{
	static const unsigned long long whole[] = {0, 0, UINT32_MAX};
	for (size_t i = 0; i < ARRAY_COUNT(whole); i++) {
		char *end = NULL;
		if (strtoull(map, &end, 10) != whole[i] || end == map)
			return false;
		map = end;
	}
	return *map == 0;
}

static void check_user_namespace(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf map = BUF_INIT(STATUS_BYTES_MAX);
	bool is_read = guard_read(source->proc, "self/uid_map", &map);
	if (namespace_is_nested() || (is_read && !map_is_whole(buf_text(&map))))
		finding_set(finding, FINDING_WARN, "work outside of containers and sandboxes of your own user",
			    "this runs in a user namespace: whoever made it can read the memory of all programs in it, "
			    "and show them another /etc, so that no configuration file forces anything");
	else if (!is_read)
		finding_unknown(finding, "/proc/self/uid_map");
	else
		finding_set(finding, FINDING_OK, "", "this runs in the machine's own user namespace");
}

// Not read by envseal: it is linked statically. Programs get none of them.
static void check_preload(const struct guard_source *source, struct finding *finding)
{
	static const char *const names[] = {"LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES"};
	const char *found = guard_variable_set(source, names, ARRAY_COUNT(names));
	if (found)
		finding_set(finding, FINDING_NOTE, "find out who sets it: look into your shell's start-up files",
			    "%s is set; it does not reach envseal, which is linked statically, nor the programs it "
			    "starts, but everything else in this session", found);
	else
		finding_set(finding, FINDING_OK, "", "no variable is set that changes what every program loads "
						     "(LD_PRELOAD, LD_AUDIT, GLIBC_TUNABLES)");
}

// No environment is clean of this one: the loader of each program reads the file.
static void check_preload_file(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf libraries = BUF_INIT(STATUS_BYTES_MAX);
	bool names_any = guard_read(source->etc, "ld.so.preload", &libraries) &&
			 buf_text(&libraries)[strspn(buf_text(&libraries), " \t\n:")] != 0;
	if (names_any)
		finding_set(finding, FINDING_WARN, "look what it names, and remove it unless you know why it is there",
			    "/etc/ld.so.preload loads a library into every program that is not linked statically, "
			    "those that get secrets too; envseal itself is not reached");
	else
		finding_set(finding, FINDING_OK, "", "no library is loaded into every program (/etc/ld.so.preload)");
}

#define NAMES_SHOWN 4
#define NAME_BRIEF_BYTES 32

// Those that envseal reads itself are no surprise.
static bool is_dropped(const struct guard_source *source, struct span name)
{
	return source->variable_is_steering(name) && !span_has_prefix(name, SPAN_LITERAL("ENVSEAL_"));
}

static void check_variables(const struct guard_source *source, struct finding *finding)
{
	if (!source->variable_is_steering) {
		finding_set(finding, FINDING_NOTE, "", "not known: nothing here tells which variables steer code");
		return;
	}
	char names[NAMES_SHOWN * (NAME_BRIEF_BYTES + 2)] = "", brief[NAME_BRIEF_BYTES];
	size_t count = 0, used = 0;
	for (char *const *entry = source->environment; *entry; entry++) {
		struct span name = span_of(*entry, strcspn(*entry, "="));
		if (!is_dropped(source, name) || ++count > NAMES_SHOWN)
			continue;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", count > 1 ? ", " : "",
					 text_brief(name, brief, sizeof(brief)));
	}
	if (count == 0)
		finding_set(finding, FINDING_OK, "", "no variable here loads or steers code in programs");
	else
		finding_set(finding, FINDING_NOTE, "",
			    "%zu variable%s here may load or steer code, and will not reach programs without "
			    "--keep-env: %s%s", count,
			    count == 1 ? "" : "s", names, count > NAMES_SHOWN ? ", and others" : "");
}

// The last line of mountinfo(5) whose mount point is /proc counts.
static bool proc_is_hiding(const char *mounts)
{
	bool hiding = false;
	for (const char *line = mounts; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t len = strcspn(line, "\n");
		if (!memmem(line, len, " /proc ", 7) || !memmem(line, len, " - proc ", 8))
			continue;
		const char *option = memmem(line, len, "hidepid=", 8);
		hiding = option && option[8] != '0' && strncmp(option + 8, "off", 3) != 0;
	}
	return hiding;
}

static void check_hidepid(const struct guard_source *source, struct finding *finding)
{
	_cleanup_buf_ struct buf mounts = BUF_INIT(MOUNTS_BYTES_MAX);
	if (!guard_read(source->proc, "self/mountinfo", &mounts))
		finding_unknown(finding, "/proc/self/mountinfo");
	else if (proc_is_hiding(buf_text(&mounts)))
		finding_set(finding, FINDING_OK, "", "other users cannot see the arguments of your processes "
						     "(hidepid)");
	else
		finding_set(finding, FINDING_NOTE, "",
			    "other users can see the arguments of your processes; envseal never puts a value there, "
			    "and neither should the programs that you start");
}

const struct guard_check guard_process_checks[] = {
	{"proc", "files", FINDING_WARN, check_proc},
	{"process-dumpable", "process", FINDING_BAD, check_dumpable},
	{"tracer", "process", FINDING_BAD, check_tracer},
	{"core-limit", "process", FINDING_BAD, check_core_limit},
	{"core-pattern", "process", FINDING_NOTE, check_core_pattern},
	{"ptrace-scope", "process", FINDING_WARN, check_ptrace},
	{"root", "process", FINDING_WARN, check_root},
	{"user-namespace", "process", FINDING_WARN, check_user_namespace},
	{"preload", "process", FINDING_NOTE, check_preload},
	{"preload-file", "process", FINDING_WARN, check_preload_file},
	{"variables", "process", FINDING_NOTE, check_variables},
	{"proc-hidepid", "process", FINDING_NOTE, check_hidepid},
};
const size_t guard_process_check_count = ARRAY_COUNT(guard_process_checks);
