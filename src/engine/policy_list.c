#include "engine/policy_set.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// --------------------------------------------------------------------------------------------------------------- state

// A program as it is now. Many rules are for the same one, and looking is reading it.
struct seen {
	char *path;
	struct program *program; // NULL: not there
};

struct sight {
	struct seen *items;
	size_t count;
	const char *path_list; // for the interpreter behind env; it is looked at and not run
};

static void sight_done(struct sight *sight)
{
	for (size_t i = 0; i < sight->count; i++) {
		free(sight->items[i].path);
		program_free_ptr(&sight->items[i].program);
	}
	free(sight->items);
}

// Each would hold a descriptor, and a copy, that nobody needs any more.
static void program_let_go(struct program *program)
{
	for (; program; program = program->interpreter)
		fd_close(&program->fd);
}

static int sight_find(struct sight *sight, const char *path, const struct program **out, struct err *err)
{
	struct program_options options = {.path_list = sight->path_list ? sight->path_list : PATH_DEFAULT};
	struct err gone;
	for (size_t i = 0; i < sight->count; i++)
		if (strcmp(sight->items[i].path, path) == 0) {
			*out = sight->items[i].program;
			return 0;
		}
	struct seen *items = array_room(sight->items, sight->count, sizeof(*items));
	if (!items)
		return err_set(err, ERR_MEMORY, "out of memory");
	sight->items = items;
	struct seen *seen = &items[sight->count];
	*seen = (struct seen){.path = strdup(path)};
	if (!seen->path)
		return err_set(err, ERR_MEMORY, "out of memory");
	sight->count++;
	if (program_resolve(path, &options, &seen->program, &gone) < 0)
		seen->program = NULL;
	program_let_go(seen->program);
	*out = seen->program;
	return 0;
}

static bool binding_holds(const struct rule_binding *binding, const struct program *program)
{
	if (binding->kind == RULE_BINDING_EXACT)
		return memcmp(binding->digest, program->digest, DIGEST_BYTES) == 0;
	return program->is_system && strcmp(binding->path, program->path) == 0;
}

static bool interpreter_holds(const struct rule *rule, const struct program *program)
{
	return rule->interpreter.kind == RULE_BINDING_ANY ||
	       (program->interpreter && binding_holds(&rule->interpreter, program->interpreter));
}

// What the rule says of a file that the program is told to run.
static const char *script_state(const struct rule *rule)
{
	uint8_t digest[DIGEST_BYTES];
	struct err ignored;
	struct stat st;
	if (rule->script.kind == RULE_BINDING_ANY)
		return "ok";
	_cleanup_fd_ int fd = open(rule->script.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return "gone";
	bool is_read = S_ISREG(st.st_mode) && st.st_size <= (off_t)PROGRAM_SCRIPT_BYTES_MAX &&
		       digest_file(fd, rule->script.path, digest, &ignored) == 0;
	return is_read && memcmp(digest, rule->script.digest, DIGEST_BYTES) == 0 ? "ok" : "changed";
}

static int state_find(const struct rule *rule, const struct rule_clock *clock, struct sight *sight, const char **out,
		      struct err *err)
{
	const struct program *program = NULL;
	*out = "ended";
	if (rule_is_over(rule, clock))
		return 0;
	*out = script_state(rule);
	if (rule->program.kind == RULE_BINDING_ANY)
		return 0;
	int r = sight_find(sight, rule->program.path, &program, err);
	if (r < 0)
		return r;
	if (!program)
		*out = "gone";
	else if (!binding_holds(&rule->program, program) || !interpreter_holds(rule, program))
		*out = "changed";
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- list

int engine_policy_list(struct engine *engine, const struct engine_unlock *unlock, bool only_grants,
		       engine_rule_fn *each, void *context, struct err *err)
{
	_cleanup_rules_ struct rule_set set = {0};
	_cleanup_(sight_done) struct sight sight = {.path_list = engine_variable(engine, "PATH")};
	struct rule_clock clock = rule_clock_now();
	int r = policy_read(engine, unlock, &set, err);
	for (size_t i = 0; r == 0 && i < set.count; i++) {
		const struct rule *rule = &set.rules[i];
		const char *state;
		if (only_grants && !rule_is_grant(rule))
			continue;
		r = state_find(rule, &clock, &sight, &state, err);
		if (r == 0)
			r = rule_show(rule, state, each, context, err);
	}
	return r;
}

int engine_policy_export(struct engine *engine, const struct engine_unlock *unlock, bool with_grants, struct buf *out,
			 struct err *err)
{
	_cleanup_rules_ struct rule_set set = {0};
	int r = policy_read(engine, unlock, &set, err);
	if (r < 0)
		return r;
	size_t kept = 0;
	for (size_t i = 0; i < set.count; i++)
		if (with_grants || !rule_is_grant(&set.rules[i]))
			set.rules[kept++] = set.rules[i];
		else
			rule_done(&set.rules[i]);
	set.count = kept;
	return rules_format(&set, out, err);
}
