#include "engine/record.h"
#include "engine/rules.h"
#include "engine/security.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool engine_is_holding(const struct engine *engine)
{
	return engine->root != NULL;
}

void engine_hold_here(struct engine *engine)
{
	if (engine->root)
		shielded_adopt(engine->root);
}

void engine_prepare_names(struct engine *engine)
{
	if (sandbox_folder_open(&engine->names_fd) != 0)
		engine->names_fd = -1;
}

void engine_forget(struct engine *engine)
{
	shielded_forget(engine->root);
	engine->root = NULL;
}

int engine_keep_open(struct engine *engine, int fd, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	struct pollfd end = {.fd = fd, .events = POLLIN};
	int r = vault_open(engine->home.data_dir, &vault, err);
	while (r == 0 && poll(&end, 1, -1) < 0)
		;
	return r;
}

void engine_serve(struct engine *engine, const struct engine_client *client)
{
	engine->client = client;
	process_born_closed();
}

// ------------------------------------------------------------------------------------------------------------- who asks

pid_t engine_caller(const struct engine *engine)
{
	return engine->client ? engine->client->pid : getpid();
}

pid_t engine_asker(const struct engine *engine)
{
	struct process caller;
	if (!engine->client)
		return getppid();
	return process_read("/proc", engine->client->pid, &caller) ? caller.parent : 0;
}

const char *engine_variable(const struct engine *engine, const char *name)
{
	size_t len = strlen(name);
	if (!engine->client)
		return getenv(name);
	for (char *const *entry = engine->client->environment; *entry; entry++)
		if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=')
			return *entry + len + 1;
	return NULL;
}

// -------------------------------------------------------------------------------------------------------------- the key

int session_unlock_by_key(struct session *session, struct err *err)
{
	_cleanup_secret_ struct secret *root = NULL;
	if (!session->engine->root)
		return err_set(err, ERR_LOCKED, "no key is held; unlock with `envseal unlock`");
	int r = shielded_open(session->engine->root, &root, err);
	if (r == 0)
		r = vault_unlock_with_root_key(session->vault, root, err);
	session->is_by_key = r == 0;
	return r;
}

// A worker acts for whoever asks. What comes this way no human is asked about, so it is not for it.
static int worker_refuse(struct err *err)
{
	return err_set(err, ERR_DENIED, "the broker does this for nobody; say --direct, and give the passphrase");
}

int session_unlock_by(struct session *session, const struct engine_unlock *unlock, const char *prompt, struct err *err)
{
	_cleanup_secret_ struct secret *passphrase = NULL;
	if (session->engine->client && !session->engine->is_permitted)
		return worker_refuse(err);
	if (session->engine->root)
		return session_unlock_by_key(session, err);
	int r = passphrase_get(unlock, prompt, &passphrase, err);
	return r == 0 ? session_unlock(session, passphrase, err) : r;
}

int session_open_reading(struct engine *engine, const struct engine_unlock *unlock, struct session *out, struct err *err)
{
	if (!engine->client)
		return session_open_unlocked(engine, unlock, out, err);
	return session_open_by_key(engine, out, err);
}

int session_open_by_key(struct engine *engine, struct session *out, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	int r = session_open(engine, &session, err);
	if (r == 0)
		r = session_unlock_by_key(&session, err);
	if (r < 0)
		return r;
	*out = session;
	session = (struct session){0};
	return 0;
}

// ------------------------------------------------------------------------------------------------------ holding, letting go

static int hold_commit(struct session *session, const struct engine_hold *request, struct err *err)
{
	int r = session_begin(session, err);
	if (r < 0)
		return r;
	return session_commit(session, "broker.unlock",
			      json_pack("{s:I, s:I, s:o}", "for", (json_int_t)request->for_seconds, "idle",
					(json_int_t)request->idle_seconds, "asker", asker_json(session->engine)), err);
}

int engine_hold(struct engine *engine, const struct engine_hold *request, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_secret_ struct secret *passphrase = NULL, *root = NULL;
	struct shielded *shielded = NULL;
	struct security security;
	if (engine->root)
		return err_set(err, ERR_EXISTS, "the key is held already; see `envseal status`");
	int r = session_open(engine, &session, err);
	if (r == 0)
		r = passphrase_get(&request->unlock, "Passphrase: ", &passphrase, err);
	if (r == 0)
		r = session_unlock_keeping(&session, passphrase, &root, err);
	// Under a level that cannot be told nothing would ever be given out.
	if (r == 0)
		r = session_security(&session, &security, err);
	if (r == 0)
		r = shielded_new(root, &shielded, err);
	if (r == 0)
		r = hold_commit(&session, request, err);
	if (r < 0) {
		shielded_free(shielded);
		return r;
	}
	engine->root = shielded;
	return 0;
}

static int release_commit(struct engine *engine, const char *reason, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	int r = session_open_by_key(engine, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	return r < 0 ? r : session_commit(&session, "broker.lock", json_pack("{s:s}", "reason", reason), err);
}

int engine_release(struct engine *engine, const char *reason, struct err *err)
{
	if (!engine->root)
		return err_set(err, ERR_LOCKED, "no key is held");
	int r = release_commit(engine, reason, err);
	engine_wipe(engine);
	return r;
}

void engine_wipe(struct engine *engine)
{
	engine->root = shielded_free(engine->root);
}

// ---------------------------------------------------------------------------------------------------------- ended sessions

// Moves them out of the set.
static int ended_take(struct rule_set *set, struct rule_set *gone, struct err *err)
{
	size_t kept = 0;
	gone->rules = calloc(set->count + 1, sizeof(*gone->rules));
	if (!gone->rules)
		return err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < set->count; i++) {
		const struct rule *rule = &set->rules[i];
		if (rule->session.pid != 0 && !rule_session_is_alive(&rule->session))
			gone->rules[gone->count++] = *rule;
		else
			set->rules[kept++] = *rule;
	}
	set->count = kept;
	return 0;
}

static json_t *ended_json(const struct rule_set *gone)
{
	size_t left_out = 0;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	_cleanup_free_ const char **ids = calloc(gone->count, sizeof(*ids));
	for (size_t i = 0; ids && i < gone->count; i++)
		ids[i] = gone->rules[i].id;
	json_t *rules = ids ? names_json_bounded(ids, gone->count, &left_out) : NULL;
	return json_pack("{s:o, s:I}", "rules", rules, "rules_left_out", (json_int_t)left_out);
}

int engine_sessions_tidy(struct engine *engine, size_t *out_count, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_rules_ struct rule_set set = {0}, gone = {0};
	int r = session_open_by_key(engine, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = session_rules_load(&session, &set, err);
	if (r == 0)
		r = ended_take(&set, &gone, err);
	if (r == 0 && gone.count > 0)
		r = session_rules_store(&session, &set, err);
	if (r == 0 && gone.count > 0)
		r = session_commit(&session, "grant.ended", ended_json(&gone), err);
	if (r == 0)
		*out_count = gone.count;
	return r;
}
