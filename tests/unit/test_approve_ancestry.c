// Who asks: the chain of processes, by a made-up /proc and by the real one, and the session they belong to.
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "approve/agent.h"
#include "approve/ancestry.h"

// --------------------------------------------------------------------------------------------------- a made-up /proc

static char proc[256];

static int proc_setup(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(proc, sizeof(proc), "%s/proc-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(proc) ? 0 : -1;
}

static int proc_teardown(void **state)
{
	(void)state;
	char command[300];
	snprintf(command, sizeof(command), "rm -rf '%s'", proc);
	return system(command) == 0 ? 0 : -1;
}

static void file_put(int pid, const char *file, struct span content)
{
	char path[400];
	struct err err;
	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%d/%s", proc, pid, file);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fd_write_all(fileno(out), content, path, &err), 0);
	fclose(out);
}

static void process_put(int pid, const char *name, int parent)
{
	char line[512];
	snprintf(line, sizeof(line), "%d (%s) S %d %d 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 99 1 18446744073709551615\n", pid,
		 name, parent, parent, pid * 10);
	file_put(pid, "stat", span_text(line));
}

static void test_stat_fields(void **state)
{
	(void)state;
	static const char *const names[] = {"bash", "a b", ") S 1 2 3 (", "", "(((", "a) R 1 1", "x\ny"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		char line[256];
		struct process stat;
		snprintf(line, sizeof(line), "7 (%s) S 5 6 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 18446744073709551615 9\n", names[i]);
		assert_true(process_parse(line, &stat));
		assert_string_equal(stat.name, names[i]);
		assert_int_equal(stat.parent, 5);
		assert_int_equal(stat.session, 4);
		assert_true(stat.start == UINT64_MAX);
	}
}

static void test_what_is_no_stat(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"", "7", "7 (a", "7 a) S 1", ")(", "7 (a)", "7 (a) S 5 6 4 0 -1", "7 (a)S 5 6 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 9",
		"7 (a) S -5 6 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 9", "7 (a) S 5 6 4x 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 9",
		"7 (a) S 99999999999 6 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9 9",
		"7 (a) S 5 6 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 18446744073709551616 9"};
	for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
		struct process stat;
		assert_false(process_parse(lines[i], &stat));
	}
}

static void test_the_chain(void **state)
{
	(void)state;
	process_put(50, "bash", 40);
	process_put(40, "node", 30);
	file_put(40, "cmdline", SPAN_LITERAL("/usr/bin/node\0--no-warnings\0/home/u/.local/bin/claude\0-p\0"));
	process_put(30, ") S 1 (", 1);
	process_put(1, "systemd", 0);
	struct ancestry ancestry;
	ancestry_find(proc, 50, &ancestry);
	assert_int_equal(ancestry.count, 4);
	static const struct ancestor expected[] = {{50, "bash"}, {40, "node claude"}, {30, ") S 1 ("}, {1, "systemd"}};
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(ancestry.items[i].pid, expected[i].pid);
		assert_string_equal(ancestry.items[i].name, expected[i].name);
	}
	assert_string_equal(ancestry.agent, "claude");
}

static void test_the_nearest_agent(void **state)
{
	(void)state;
	process_put(50, "codex", 40);
	process_put(40, "claude", 1);
	process_put(1, "goose", 0);
	struct ancestry ancestry;
	ancestry_find(proc, 50, &ancestry);
	assert_string_equal(ancestry.agent, "codex");
	process_put(50, "zsh", 1);
	process_put(1, "init", 0);
	ancestry_find(proc, 50, &ancestry);
	assert_null(ancestry.agent);
}

static void test_long_chains_and_circles_end(void **state)
{
	(void)state;
	for (int pid = 100; pid < 200; pid++)
		process_put(pid, "sh", pid + 1);
	struct ancestry ancestry;
	ancestry_find(proc, 100, &ancestry);
	assert_int_equal(ancestry.count, ANCESTRY_STEPS_MAX);
	process_put(101, "sh", 100);
	ancestry_find(proc, 100, &ancestry);
	assert_int_equal(ancestry.count, ANCESTRY_STEPS_MAX);
}

static void test_what_cannot_be_read_ends_it(void **state)
{
	(void)state;
	struct ancestry ancestry;
	ancestry_find(proc, 77, &ancestry);
	assert_int_equal(ancestry.count, 1);
	assert_int_equal(ancestry.items[0].pid, 77);
	assert_string_equal(ancestry.items[0].name, "?");
	process_put(77, "sh", 78);
	file_put(78, "stat", SPAN_LITERAL("nonsense\n"));
	ancestry_find(proc, 77, &ancestry);
	assert_int_equal(ancestry.count, 1);
	assert_string_equal(ancestry.items[0].name, "sh");
}

// The longest names that the kernel and a script can have.
static void test_long_names_are_cut(void **state)
{
	(void)state;
	char name[200], cmdline[600] = "python3";
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(cmdline + 8, sizeof(cmdline) - 8, "/tmp/%s", name);
	process_put(9, "python3", 1);
	file_put(9, "cmdline", span_of(cmdline, 8 + strlen(cmdline + 8) + 1));
	process_put(1, name, 0);
	struct ancestry ancestry;
	ancestry_find(proc, 9, &ancestry);
	assert_int_equal(ancestry.count, 2);
	assert_int_equal(strlen(ancestry.items[0].name), strlen("python3 ") + 31);
	assert_int_equal(strlen(ancestry.items[1].name), 31);
}

// -------------------------------------------------------------------------------------------------------------- agents

static void test_agents(void **state)
{
	(void)state;
	static const struct {
		const char *process;
		struct span cmdline;
		const char *agent;
	} cases[] = {
		{"claude", SPAN_LITERAL("claude\0"), "claude"},
		{"bash", SPAN_LITERAL("bash\0claude\0"), NULL},
		{"claudette", SPAN_LITERAL("claudette\0"), NULL},
		{"cursor-agent", SPAN_LITERAL(""), "cursor-agent"},
		{"node", SPAN_LITERAL("node\0/opt/gemini.js\0"), "gemini"},
		{"MainThread", SPAN_LITERAL("node\0/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js\0"), "claude"},
		{"node", SPAN_LITERAL("node\0/usr/lib/node_modules/opencode/bin/x\0"), "opencode"},
		{"node", SPAN_LITERAL("node\0/home/goose/server.js\0"), NULL},
		{"node", SPAN_LITERAL("node\0-e\0claude\0"), NULL},
		{"node", SPAN_LITERAL("node\0"), NULL},
		{"python3.11", SPAN_LITERAL("python3\0/home/u/.local/bin/aider\0--model\0x\0"), "aider"},
		{"python3", SPAN_LITERAL("python3\0-m\0aider\0"), "aider"},
		{"python3", SPAN_LITERAL("python3\0-c\0aider\0"), NULL},
		{"python-config", SPAN_LITERAL("python-config\0aider\0"), NULL},
	};
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *script = cases[i].cmdline.len == 0 ? NULL : agent_script(cases[i].process,
				(const char *)cases[i].cmdline.data, cases[i].cmdline.len);
		const char *agent = agent_name(cases[i].process, script);
		if (cases[i].agent)
			assert_string_equal(agent, cases[i].agent);
		else
			assert_null(agent);
	}
}

// ----------------------------------------------------------------------------------------------------- real processes

// A child that leads a session, if asked to, and has a child of its own; both wait until the test ends them.
struct family {
	pid_t child, grandchild;
};

static struct family family_start(bool leads)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	struct family family = {fork(), 0};
	if (family.child == 0) {
		prctl(PR_SET_NAME, ") a (b) 1 2");
		if (leads)
			setsid();
		pid_t grandchild = fork();
		if (grandchild > 0 && write(ends[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &family.grandchild, sizeof(family.grandchild)), sizeof(family.grandchild));
	close(ends[0]);
	close(ends[1]);
	return family;
}

static void family_end(struct family family)
{
	kill(family.grandchild, SIGKILL);
	kill(family.child, SIGKILL);
	assert_int_equal(waitpid(family.child, NULL, 0), family.child);
}

static void test_real_ancestry(void **state)
{
	(void)state;
	struct family family = family_start(true);
	struct ancestry ancestry;
	ancestry_find("/proc", family.grandchild, &ancestry);
	assert_true(ancestry.count >= 3);
	assert_int_equal(ancestry.items[0].pid, family.grandchild);
	assert_int_equal(ancestry.items[1].pid, family.child);
	assert_string_equal(ancestry.items[1].name, ") a (b) 1 2");
	assert_int_equal(ancestry.items[2].pid, getpid());
	family_end(family);
}

// valgrind 3.19 does not know the call.
static void pidfd_needed(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0U);
	if (fd < 0)
		skip();
	close(fd);
}

static void test_the_leader(void **state)
{
	(void)state;
	pidfd_needed();
	struct err err;
	struct family family = family_start(true);
	struct rule_session session = {0}, own = {0};
	struct process stat;
	assert_int_equal(session_leader_find(family.grandchild, &session, &err), 0);
	assert_int_equal(session.pid, family.child);
	assert_true(process_read("/proc", family.child, &stat));
	assert_true(session.start == stat.start && session.start > 0);
	// A leader belongs to its own session.
	assert_int_equal(session_leader_find(family.child, &own, &err), 0);
	assert_int_equal(own.pid, family.child);
	family_end(family);
	assert_int_equal(session_leader_find(family.child, &own, &err), ERR_SYSTEM);
}

// A session outlives its leader; so does the leader's number, for a while as that of a zombie.
static void test_the_leader_is_gone(void **state)
{
	(void)state;
	pidfd_needed();
	struct err err;
	struct family family = family_start(true);
	struct rule_session session = {.pid = 1};
	kill(family.child, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)family.child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(session_leader_find(family.grandchild, &session, &err), 0);
	assert_true(session.pid == 0 && session.start == 0);
	assert_int_equal(waitpid(family.child, NULL, 0), family.child);
	session.pid = 1;
	assert_int_equal(session_leader_find(family.grandchild, &session, &err), 0);
	assert_true(session.pid == 0 && session.start == 0);
	kill(family.grandchild, SIGKILL);
}

static void test_we_are_no_leader(void **state)
{
	(void)state;
	pid_t child = fork();
	if (child == 0) {
		struct err err;
		struct rule_session session = {.pid = 1, .start = 1};
		setsid();
		int r = session_leader_find(getpid(), &session, &err);
		_exit(r == 0 && session.pid == 0 && session.start == 0 ? 0 : 1);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define proc_test(function) cmocka_unit_test_setup_teardown(function, proc_setup, proc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_fields),
		cmocka_unit_test(test_what_is_no_stat),
		proc_test(test_the_chain),
		proc_test(test_the_nearest_agent),
		proc_test(test_long_chains_and_circles_end),
		proc_test(test_what_cannot_be_read_ends_it),
		proc_test(test_long_names_are_cut),
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_real_ancestry),
		cmocka_unit_test(test_the_leader),
		cmocka_unit_test(test_the_leader_is_gone),
		cmocka_unit_test(test_we_are_no_leader),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
