// bench_run DIR COUNT: in a fresh vault of COUNT secrets under DIR, times a whole `run -- /bin/true` with one secret below the
// passphrase's own cost (plan, open, unlock by the key that is held, a rule, intent, start, outcome), beside plain fork and exec, in turns; one
// line of JSON, microseconds, medians.
#include "bench.h"
#include "engine/engine_internal.h"
#include "vault/vault_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 41
#define COUNT_MAX 1000000

static void ignore_notice(const char *sentence)
{
	(void)sentence;
}

static void ignore_rule(void *context, const struct engine_rule *rule)
{
	(void)context;
	(void)rule;
}

static int fill(struct vault *vault, uint64_t count, struct err *err)
{
	int r = vault_begin(vault, err);
	for (uint64_t i = 0; r == 0 && i < count; i++) {
		char name[64];
		snprintf(name, sizeof(name), "SECRET_%" PRIu64, i);
		r = vault_put(vault, name, SPAN_LITERAL("value-of-a-secret-0123456789"), NULL, false, false, err);
	}
	return r < 0 ? r : vault_commit(vault, &(struct vault_anchor){0}, err);
}

static void plain_run(char *const argv[])
{
	pid_t child = fork();
	if (child == 0) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static int sealed_run(struct engine *engine, const struct engine_run *request, struct err *err)
{
	_cleanup_plan_ struct plan plan = {0};
	struct exec_outcome outcome = {0};
	int r = plan_build(engine, request, &plan, err);
	if (r == 0)
		r = engine_run(engine, &plan, &request->unlock, &outcome, err);
	if (r == 0 && outcome.status != 0)
		r = err_set(err, ERR_NO, "the program ended with %d", outcome.status);
	exec_outcome_done(&outcome);
	return r;
}

static int rule_add(struct engine *engine, const struct engine_run *run, struct err *err)
{
	const struct engine_policy_add request = {.secrets = run->secrets, .secret_count = run->secret_count, .directory = "any",
						  .unlock = run->unlock, .argv = run->argv, .environment = run->environment,
						  .inherited = run->inherited};
	return engine_policy_add(engine, &request, ignore_rule, NULL, err);
}

static int measure(struct engine *engine, const struct exec_inherited *inherited, uint64_t count, struct err *err)
{
	static double plain[ROUNDS], sealed[ROUNDS];
	char *argv[] = {(char[]){"/bin/true"}, NULL};
	const char *secrets[] = {"SECRET_0=SECRET_0"};
	struct engine_run request = {.action = ENGINE_RUN, .secrets = secrets, .secret_count = 1, .argv = argv,
				     .environment = environ, .inherited = inherited,
				     // nothing is asked on a terminal
				     .unlock = {.passphrase_fd = -1, .passphrase_file = "/dev/null"}};
	// The supervisor lets go of standard output when its program does.
	FILE *report = fdopen(dup(STDOUT_FILENO), "w");
	int r = report ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0)
		r = rule_add(engine, &request, err);
	for (size_t i = 0; r == 0 && i < ROUNDS; i++) {
		double start = now_us();
		plain_run(argv);
		plain[i] = now_us() - start;
		start = now_us();
		r = sealed_run(engine, &request, err);
		sealed[i] = now_us() - start;
	}
	if (r == 0)
		fprintf(report, "{\"secrets\": %" PRIu64 ", \"plain_us\": %.0f, \"run_us\": %.0f}\n", count,
			median(plain, ROUNDS), median(sealed, ROUNDS));
	if (report)
		fclose(report);
	return r;
}

static int bench(const char *dir, const char *count_text, struct err *err)
{
	struct exec_inherited inherited;
	_cleanup_engine_ struct engine *engine = NULL;
	_cleanup_secret_ struct secret *root = NULL;
	_cleanup_vault_ struct vault *vault = NULL;
	const uint8_t id[VAULT_ID_BYTES] = {1};
	uint64_t count;
	int r = text_parse_u64(count_text, "COUNT", 1, COUNT_MAX, &count, err);
	if (r == 0)
		r = exec_inherit(&inherited, err);
	if (r == 0 && setenv("ENVSEAL_HOME", dir, 1) < 0)
		r = err_set(err, ERR_MEMORY, "out of memory");
	if (r == 0)
		r = engine_new(ignore_notice, &engine, err);
	if (r == 0)
		r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &root, err);
	if (r == 0)
		r = vault_create_with_root_key(dir, root, id, SPAN_LITERAL("no slot"), &vault, err);
	if (r == 0)
		r = fill(vault, count, err);
	vault_close_ptr(&vault);
	if (r == 0)
		r = shielded_new(root, &engine->root, err);
	return r < 0 ? r : measure(engine, &inherited, count, err);
}

int main(int argc, char **argv)
{
	struct err err;
	if (argc != 3) {
		fputs("usage: bench_run DIR COUNT\n", stderr);
		return 2;
	}
	if (bench(argv[1], argv[2], &err) == 0)
		return 0;
	fprintf(stderr, "bench_run: %s\n", err.text);
	return 1;
}
