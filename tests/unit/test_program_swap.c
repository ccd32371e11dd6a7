// A program that is swapped while it is looked at, decided about and started: where an exact rule allows it, what runs is what
// the rule is for. Another process swaps in a loop, and the test itself once more between decision and start.
#include "program_scene.h"
#include "rule_scene.h"

#include <signal.h>

#define TRIES 1000
#define GOOD "/usr/bin/true"  // ends with 0
#define EVIL "/usr/bin/false" // ends with 1

enum swap { SWAP_RENAME, SWAP_IN_PLACE };

static uint8_t room[2][1u << 20];
static struct span contents[2]; // good, evil

static struct span content_read(const char *path, uint8_t *out)
{
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while ((n = read(fd, out + len, sizeof(room[0]) - len)) > 0)
		len += (size_t)n;
	close(fd);
	assert_true(n == 0 && len > 0 && len < sizeof(room[0]));
	return span_of(out, len);
}

// What is not seen by asserts, which a second process must not do.
static bool put(const char *path, struct span content, enum swap swap)
{
	char other[32];
	struct err err;
	snprintf(other, sizeof(other), "new-%d", (int)getpid());
	const char *target = swap == SWAP_RENAME ? other : path;
	int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	bool is_done = fd >= 0 && fd_write_all(fd, content, target, &err) == 0 && ftruncate(fd, (off_t)content.len) == 0;
	if (fd >= 0)
		close(fd);
	return is_done && (swap == SWAP_IN_PLACE || rename(other, path) == 0);
}

static pid_t swapper_start(enum swap swap)
{
	pid_t parent = getpid(), pid = fork();
	if (pid != 0)
		return pid;
	for (size_t i = 0; getppid() == parent; i++)
		if (!put("a/tool", contents[i % 2], swap))
			_exit(1);
	_exit(0);
}

static struct rule good_rule(void)
{
	char text[1024], hex[DIGEST_HEX_BYTES];
	_cleanup_program_ struct program *good = resolve("a/tool", NULL);
	digest_hex(good->digest, hex);
	snprintf(text, sizeof(text), RULE("good", "allow", "'X'", EXACT("%s", "%s"), ANY_ARGV, TO_TOKEN), good->path, hex);
	return scene_rule(text);
}

static bool is_allowed(const struct rule *rule, const struct program *program, char *const argv[])
{
	struct policy_secret secret = {.name = "X", .delivery = RULE_TO_VARIABLE, .variable = "TOKEN"};
	struct policy_request request = {.secrets = &secret, .secret_count = 1, .program = program, .argv = argv,
					 .directory = scene, .redaction = true, .now = NOW, .boottime_ms = NOW_BOOT_MS,
					 .boot = BOOT, .uses = 1};
	struct policy_verdict verdict;
	struct policy_decision decision = {.verdicts = &verdict};
	policy_decide(rule, 1, &request, &decision);
	return decision.effect == RULE_ALLOW;
}

// Whether it was allowed; `run` fails for any other end than that of the good one.
static bool try_once(const struct rule *rule, enum swap swap)
{
	const char *const argv[] = {"a/tool", NULL};
	_cleanup_program_ struct program *program = NULL;
	struct err err;
	assert_true(put("a/tool", contents[0], swap));
	int r = program_resolve("a/tool", &(struct program_options){0}, &program, &err);
	if (r != 0) {
		assert_int_equal(r, ERR_NO_EXEC);
		return false;
	}
	if (!is_allowed(rule, program, mutable(argv)))
		return false;
	assert_true(put("a/tool", contents[1], swap));
	run(program, argv, 0);
	return true;
}

static void swap_test(enum swap swap)
{
	skip_under_valgrind();
	int status = 0;
	unsigned allowed = 0;
	contents[0] = content_read(GOOD, room[0]);
	contents[1] = content_read(EVIL, room[1]);
	assert_true(put("a/tool", contents[0], SWAP_RENAME));
	_cleanup_rule_ struct rule rule = good_rule();
	pid_t swapper = swapper_start(swap);
	assert_true(swapper > 0);
	for (unsigned i = 0; i < TRIES; i++)
		allowed += try_once(&rule, swap);
	assert_int_equal(waitpid(swapper, &status, WNOHANG), 0);
	kill(swapper, SIGKILL);
	assert_int_equal(waitpid(swapper, &status, 0), swapper);
	print_message("%u of %d were allowed\n", allowed, TRIES);
	assert_in_range(allowed, 1, TRIES);
}

static void swapped_by_rename(void **state)
{
	(void)state;
	swap_test(SWAP_RENAME);
}

static void swapped_in_place(void **state)
{
	(void)state;
	swap_test(SWAP_IN_PLACE);
}

// The rule is of use at all, and the other program is none of its.
static void evil_is_not_allowed(void **state)
{
	(void)state;
	const char *const argv[] = {"a/tool", NULL};
	contents[0] = content_read(GOOD, room[0]);
	contents[1] = content_read(EVIL, room[1]);
	assert_true(put("a/tool", contents[0], SWAP_RENAME));
	_cleanup_rule_ struct rule rule = good_rule();
	_cleanup_program_ struct program *good = resolve("a/tool", NULL);
	assert_true(is_allowed(&rule, good, mutable(argv)));
	assert_true(put("a/tool", contents[1], SWAP_RENAME));
	_cleanup_program_ struct program *evil = resolve("a/tool", NULL);
	assert_false(is_allowed(&rule, evil, mutable(argv)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(swapped_by_rename),
		scene_test(swapped_in_place),
		scene_test(evil_is_not_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
