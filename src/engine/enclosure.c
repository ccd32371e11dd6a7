#include "engine/enclosure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------------------------ what is asked for

static int path_add(const char *option, const char *path, struct text_list *list, struct err *err)
{
	char brief[200];
	_cleanup_free_ char *real = realpath(path, NULL);
	if (!real)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, errno, "%s %s cannot be used", option,
				     text_brief(span_text(path), brief, sizeof(brief)));
	return text_list_add(list, real, err);
}

static int paths_read(const char *option, const char *const *paths, size_t count, struct text_list *list, struct err *err)
{
	if (count > SANDBOX_PATHS_MAX)
		return err_set(err, ERR_LIMIT, "%s is given %zu times, and %d are the most; name a folder above", option, count,
			       SANDBOX_PATHS_MAX);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = path_add(option, paths[i], list, err);
	return r;
}

static int tier_read(const char *word, enum sandbox_tier *out, struct err *err)
{
	if (!word || sandbox_tier_parse(word, out))
		return 0;
	return err_set(err, ERR_USAGE, "--tier wants standard, hardened or lockdown");
}

static int network_read(const char *word, enum sandbox_network *out, struct err *err)
{
	for (int i = SANDBOX_NETWORK_NONE; word && i <= SANDBOX_NETWORK_ALLOW; i++)
		if (strcmp(word, sandbox_network_name((enum sandbox_network)i)) == 0) {
			*out = (enum sandbox_network)i;
			return 0;
		}
	return word ? err_set(err, ERR_USAGE, "--net wants none, loopback or allow") : 0;
}

static int endpoints_read(const struct engine_sandbox *request, struct rule_sandbox *sandbox, struct err *err)
{
	if (sandbox->network == SANDBOX_NETWORK_ALLOW && request->endpoint_count == 0)
		return err_set(err, ERR_USAGE, "--net allow wants to know where to: name HOST:PORT before --");
	if (request->endpoint_count > SANDBOX_ENDPOINTS_MAX)
		return err_set(err, ERR_LIMIT, "%zu endpoints are named, and %d are the most", request->endpoint_count,
			       SANDBOX_ENDPOINTS_MAX);
	int r = 0;
	for (size_t i = 0; r == 0 && i < request->endpoint_count; i++) {
		r = sandbox_endpoint_check(request->endpoints[i], err);
		if (r == 0)
			r = text_list_add(&sandbox->endpoints, request->endpoints[i], err);
	}
	return r;
}

int enclosure_read(const struct engine_sandbox *request, struct rule_sandbox *out, struct err *err)
{
	_cleanup_rule_sandbox_ struct rule_sandbox sandbox = {.is_unshielded = request->no_shield,
							      .is_degradable = request->degrade};
	int r = tier_read(request->tier, &sandbox.tier, err);
	if (r == 0)
		r = network_read(request->network, &sandbox.network, err);
	if (r == 0)
		r = endpoints_read(request, &sandbox, err);
	if (r == 0)
		r = paths_read("--read", request->read, request->read_count, &sandbox.readable, err);
	if (r == 0)
		r = paths_read("--write", request->write, request->write_count, &sandbox.writable, err);
	if (r < 0)
		return r;
	*out = sandbox;
	sandbox = (struct rule_sandbox){0};
	return 0;
}

// ------------------------------------------------------------------------------------------------------ what rules add

// That of the rule which allows this secret; NULL: none does.
static const struct rule_sandbox *sandbox_of(const struct decision *decision, size_t secret)
{
	const struct rule *rule = decision->verdicts[secret].rule;
	return rule && rule->effect == RULE_ALLOW ? &rule->sandbox : NULL;
}

// What the rules of all secrets have in common with one sandbox that opens something.
static bool is_common(const struct decision *decision, const struct rule_sandbox *opening)
{
	for (size_t i = 0; i < decision->question.request.secret_count; i++) {
		const struct rule_sandbox *sandbox = sandbox_of(decision, i);
		if (!sandbox || !rule_sandbox_covers(sandbox, opening))
			return false;
	}
	return true;
}

enum opened_list { OPENED_READABLE, OPENED_WRITABLE, OPENED_ENDPOINTS, OPENED_COUNT };

static struct text_list *opened_list(struct rule_sandbox *sandbox, enum opened_list which)
{
	return which == OPENED_READABLE ? &sandbox->readable
	       : which == OPENED_WRITABLE ? &sandbox->writable : &sandbox->endpoints;
}

// One by one: of two rules, each may open what the other does not.
static int lists_add(const struct decision *decision, const struct rule_sandbox *rule, struct rule_sandbox *granted,
		     struct err *err)
{
	int r = 0;
	for (enum opened_list which = 0; r == 0 && which < OPENED_COUNT; which++) {
		struct rule_sandbox copy = *rule;
		const struct text_list *list = opened_list(&copy, which);
		for (size_t i = 0; r == 0 && i < list->count; i++) {
			struct rule_sandbox opening = {0};
			*opened_list(&opening, which) = (struct text_list){&list->items[i], 1};
			if (is_common(decision, &opening))
				r = text_list_add(opened_list(granted, which), list->items[i], err);
		}
	}
	return r;
}

static void flags_add(const struct decision *decision, const struct security_demands *demands, struct rule_sandbox *granted)
{
	const struct rule_sandbox unshielded = {.is_unshielded = true}, degradable = {.is_degradable = true};
	for (enum sandbox_network network = SANDBOX_NETWORK_LOOPBACK; network <= SANDBOX_NETWORK_ALLOW; network++) {
		const struct rule_sandbox opening = {.network = network};
		if (granted->network < network && is_common(decision, &opening))
			granted->network = network;
	}
	// What the level never permits is not taken, where nobody asked for it.
	if (demands->unshielded != PERMIT_NEVER && is_common(decision, &unshielded))
		granted->is_unshielded = true;
	if (demands->degrade != PERMIT_NEVER && is_common(decision, &degradable))
		granted->is_degradable = true;
}

static int rules_add_all(const struct decision *decision, const struct security_demands *demands, struct rule_sandbox *granted,
			 struct err *err)
{
	int r = 0;
	size_t count = decision->question.request.secret_count;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct rule_sandbox *sandbox = sandbox_of(decision, i);
		if (!sandbox || decision_is_repeated(decision, i))
			continue;
		if (sandbox->tier > granted->tier)
			granted->tier = sandbox->tier;
		r = lists_add(decision, sandbox, granted, err);
	}
	if (r == 0 && count > 0)
		flags_add(decision, demands, granted);
	// No endpoint of one rule is another's.
	if (granted->network == SANDBOX_NETWORK_ALLOW && granted->endpoints.count == 0)
		granted->network = SANDBOX_NETWORK_LOOPBACK;
	return r;
}

// What the broker starts runs outside of whatever confines the asker, who is not to get out that way.
static bool is_asker_confined(const struct engine *engine)
{
	return engine->client && engine->client->is_confined;
}

static int granted_make(const struct engine *engine, const struct plan *plan, const struct security_demands *demands,
			const struct decision *decision, struct rule_sandbox *out, struct err *err)
{
	int r = rule_sandbox_copy(&plan->asked, out, err);
	if (demands->tier > out->tier)
		out->tier = demands->tier;
	if (is_asker_confined(engine) && out->tier < SANDBOX_HARDENED)
		out->tier = SANDBOX_HARDENED;
	return r == 0 && decision ? rules_add_all(decision, demands, out, err) : r;
}

// --------------------------------------------------------------------------------------------------------------- the plan

// Whoever may change a folder above it could have put a link to another place there.
static int list_check_real(const struct text_list *list, struct err *err)
{
	char brief[200];
	for (size_t i = 0; i < list->count; i++) {
		_cleanup_free_ char *real = realpath(list->items[i], NULL);
		if (real && strcmp(real, list->items[i]) == 0)
			continue;
		text_brief(span_text(list->items[i]), brief, sizeof(brief));
		if (!real)
			return err_set_errno(err, ERR_NOT_FOUND, errno, "%s, which the run is to have, cannot be used", brief);
		return err_set(err, ERR_DENIED, "%s leads elsewhere now: a link was put there, or above it", brief);
	}
	return 0;
}

static const char *environment_value(const struct environment *environment, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < environment->count; i++)
		if (strncmp(environment->entries[i], name, len) == 0 && environment->entries[i][len] == '=')
			return environment->entries[i] + len + 1;
	return NULL;
}

// Whoever asks chooses the variable, and would have their whole home written to by it.
static bool is_temporary(const char *path)
{
	static char tmp[] = "/tmp", var_tmp[] = "/var/tmp";
	char *folders[] = {tmp, var_tmp};
	return rule_paths_cover(&(struct text_list){folders, ARRAY_COUNT(folders)}, path);
}

static int list_take(struct text_list *list, struct text_list *from, struct err *err)
{
	char **items = reallocarray(list->items, list->count + from->count + 1, sizeof(*items));
	if (!items)
		return err_set(err, ERR_MEMORY, "out of memory");
	list->items = items;
	for (size_t i = 0; i < from->count; i++)
		if (!text_list_has(list, from->items[i]))
			items[list->count++] = TAKE_PTR(from->items[i]);
	return 0;
}

static int home_build(const struct engine *engine, const struct plan *plan, const struct rule_sandbox *granted,
		      const char *user, struct sandbox_plan *out, struct err *err)
{
	const struct home *home = &engine->home;
	const char *temporary = environment_value(&plan->environment, "TMPDIR");
	_cleanup_free_ char *real = temporary && temporary[0] == '/' ? realpath(temporary, NULL) : NULL;
	struct sandbox_wish wish = {
		.tier = granted->tier,
		.is_degradable = granted->is_degradable,
		.is_unshielded = granted->is_unshielded,
		.network = granted->network,
		.readable = (const char *const *)granted->readable.items,
		.readable_count = granted->readable.count,
		.writable = (const char *const *)granted->writable.items,
		.writable_count = granted->writable.count,
		.endpoints = (const char *const *)granted->endpoints.items,
		.endpoint_count = granted->endpoints.count,
	};
	struct sandbox_place place = {
		.home = user && user[0] == '/' ? user : NULL,
		.directory = plan->directory,
		.temporary = real && is_temporary(real) ? real : NULL,
		.own = (const char *const[]){home->data_dir, home->state_dir, home->run_dir, NULL},
	};
	return sandbox_plan_build(&wish, &place, out, err);
}

static void list_keep(struct text_list *list, const struct text_list *others)
{
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++)
		if (text_list_has(others, list->items[i]))
			list->items[kept++] = list->items[i];
		else
			free(list->items[i]);
	list->count = kept;
}

// What another folder of theirs hides, and what is shown in that. What is writable is so by each.
static int home_add(const struct engine *engine, const struct plan *plan, const struct rule_sandbox *granted, const char *user,
		    struct sandbox_plan *made, struct err *err)
{
	_cleanup_sandbox_plan_ struct sandbox_plan other = {0};
	int r = home_build(engine, plan, granted, user, &other, err);
	if (r == 0)
		r = list_take(&made->hidden, &other.hidden, err);
	if (r == 0)
		list_keep(&made->writable, &other.writable);
	return r == 0 ? list_take(&made->shown, &other.shown, err) : r;
}

// Whoever asks chooses the variable. So what is in the home that the user has by /etc/passwd is hidden too, and with a
// broker's worker what is in that of the human who started it.
static int sandbox_build(const struct engine *engine, const struct plan *plan, const struct rule_sandbox *granted,
			 struct sandbox_plan *out, struct err *err)
{
	const char *own = getenv("HOME"), *user = engine_variable(engine, "HOME");
	// Nothing is hidden there, in whatever home; each run would read /etc/passwd for nothing.
	if (granted->tier == SANDBOX_STANDARD)
		return home_build(engine, plan, granted, user, out, err);
	_cleanup_sandbox_plan_ struct sandbox_plan made = {0};
	_cleanup_free_ char *listed = NULL;
	int r = home_of_user(geteuid(), &listed, err);
	if (r == 0)
		r = home_build(engine, plan, granted, user, &made, err);
	if (r == 0 && own && (!user || strcmp(own, user) != 0))
		r = home_add(engine, plan, granted, own, &made, err);
	if (r == 0 && listed && (!user || strcmp(listed, user) != 0) && (!own || strcmp(listed, own) != 0))
		r = home_add(engine, plan, granted, listed, &made, err);
	if (r < 0)
		return r;
	*out = made;
	made = (struct sandbox_plan){0};
	return 0;
}

static bool list_is_same(const struct text_list *a, const struct text_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool sandbox_is_same(const struct sandbox_plan *a, const struct sandbox_plan *b)
{
	return a->tier == b->tier && memcmp(a->needs, b->needs, sizeof(a->needs)) == 0 && a->is_degradable == b->is_degradable &&
	       a->network == b->network && list_is_same(&a->hidden, &b->hidden) &&
	       list_is_same(&a->shown, &b->shown) && list_is_same(&a->writable, &b->writable) &&
	       list_is_same(&a->endpoints, &b->endpoints);
}

static bool granted_is_same(const struct rule_sandbox *a, const struct rule_sandbox *b)
{
	return a->tier == b->tier && a->network == b->network && a->is_unshielded == b->is_unshielded &&
	       a->is_degradable == b->is_degradable && list_is_same(&a->readable, &b->readable) &&
	       list_is_same(&a->writable, &b->writable) && list_is_same(&a->endpoints, &b->endpoints);
}

int plan_enclose(const struct engine *engine, struct plan *plan, const struct security_demands *demands,
		 const struct decision *decision, bool *ret_changed, struct err *err)
{
	_cleanup_rule_sandbox_ struct rule_sandbox granted = {0};
	struct sandbox_plan sandbox = {0};
	int r = granted_make(engine, plan, demands, decision, &granted, err);
	if (r == 0)
		r = list_check_real(&granted.readable, err);
	if (r == 0)
		r = list_check_real(&granted.writable, err);
	bool is_there = plan->is_just_enclosed && granted_is_same(&plan->granted, &granted);
	plan->is_just_enclosed = false;
	if (r == 0 && is_there) {
		*ret_changed = false;
		return 0;
	}
	if (r == 0)
		r = sandbox_build(engine, plan, &granted, &sandbox, err);
	if (r < 0)
		return r;
	*ret_changed = !sandbox_is_same(&plan->sandbox, &sandbox);
	sandbox_plan_done(&plan->sandbox);
	rule_sandbox_done(&plan->granted);
	plan->sandbox = sandbox;
	plan->granted = granted;
	granted = (struct rule_sandbox){0};
	return 0;
}

int enclosure_check(const struct plan *plan, const struct security_demands *demands, struct err *err)
{
	if (plan->names_tier && plan->asked.tier < demands->tier)
		return err_set(err, ERR_DENIED, "the security level runs programs in the tier %s at least, and --tier %s is weaker; "
						"leave it out", sandbox_tier_name(demands->tier), sandbox_tier_name(plan->asked.tier));
	if (plan->action == ENGINE_INJECT && plan->granted.tier != SANDBOX_STANDARD)
		return err_set(err, ERR_DENIED, "inject becomes the program itself, and the tier %s needs a process of envseal's beside "
						"it; use `envseal run`", sandbox_tier_name(plan->granted.tier));
	return 0;
}
