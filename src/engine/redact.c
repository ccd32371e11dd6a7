#include "engine/consent.h"
#include "engine/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void redact_outcome_done(struct redact_outcome *outcome)
{
	for (size_t i = 0; i < outcome->name_count; i++)
		free(outcome->names[i]);
	free(outcome->names);
	exec_leaks_done(&outcome->leaks);
	*outcome = (struct redact_outcome){0};
}

// ------------------------------------------------------------------------------------------------------- descriptors

static int events_check(const struct engine_redact *request, struct err *err)
{
	int fd = request->events_fd;
	if (fd < 0)
		return 0;
	if (fd <= STDERR_FILENO)
		return err_set(err, ERR_USAGE, "--events-fd %d: 0, 1 and 2 have a use already; open another one, as in "
					       "--events-fd 3 3>events.jsonl", fd);
	if (fd == request->unlock.passphrase_fd)
		return err_set(err, ERR_USAGE, "--events-fd and --passphrase-fd are both %d; give two descriptors", fd);
	int mode = fcntl(fd, F_GETFL);
	if (mode < 0 || (mode & O_PATH) != 0)
		return err_set(err, ERR_USAGE, "--events-fd %d: this descriptor is not open; open it, as in %d>events.jsonl", fd, fd);
	if ((mode & O_ACCMODE) == O_RDONLY)
		return err_set(err, ERR_USAGE, "--events-fd %d: this descriptor is open for reading only; open it for writing, as in "
					       "%d>events.jsonl", fd, fd);
	return 0;
}

static int request_check(const struct engine_redact *request, struct err *err)
{
	if (request->inherited->std_closed[STDIN_FILENO] || request->inherited->std_closed[STDOUT_FILENO])
		return err_set(err, ERR_USAGE, "standard %s is closed; a filter needs both, as in `command | envseal redact`",
			       request->inherited->std_closed[STDIN_FILENO] ? "input" : "output");
	if (request->unlock.passphrase_fd == STDIN_FILENO)
		return err_set(err, ERR_USAGE, "standard input holds the text; give the passphrase on another descriptor");
	if (request->all && (request->secret_count > 0 || request->profile))
		return err_set(err, ERR_USAGE, "--all takes every secret; leave out --secret and --profile with it");
	if (request->profile && request->secret_count > 0)
		return err_set(err, ERR_USAGE, "--profile chooses a section of the manifest, and -s does without it; give one of them");
	return events_check(request, err);
}

// -------------------------------------------------------------------------------------------------------------- names

static int names_add(struct redact_outcome *outcome, const char *name, struct err *err)
{
	for (size_t i = 0; i < outcome->name_count; i++)
		if (strcmp(outcome->names[i], name) == 0)
			return 0;
	char **names = reallocarray(outcome->names, outcome->name_count + 1, sizeof(*names));
	if (!names)
		return err_set(err, ERR_MEMORY, "out of memory");
	outcome->names = names;
	names[outcome->name_count] = strdup(name);
	if (!names[outcome->name_count])
		return err_set(err, ERR_MEMORY, "out of memory");
	outcome->name_count++;
	return 0;
}

static int names_from_manifest(const struct engine *engine, const char *profile, struct redact_outcome *outcome, struct err *err)
{
	_cleanup_manifest_ struct manifest manifest = {0};
	_cleanup_free_ char *directory = getcwd(NULL, 0);
	if (!directory)
		return err_set_errno(err, ERR_SYSTEM, errno, "the working directory cannot be named; go to one that exists");
	int r = manifest_choose(engine, directory, profile, &manifest, err);
	for (size_t i = 0; r == 0 && i < manifest.count; i++) {
		const struct manifest_entry *entry = &manifest.entries[i];
		if (entry->secret && manifest_lookup(&manifest, profile, entry->variable) == entry)
			r = names_add(outcome, entry->secret, err);
	}
	if (r == 0 && outcome->name_count == 0)
		return err_set(err, ERR_USAGE, "the manifest names no secret; name them with -s NAME, or take all with --all");
	return r;
}

// Called under the transaction and unlocked, so that the list is the whole of it.
struct all_names {
	struct redact_outcome *outcome;
	struct engine *engine;
	struct err *err;
};

static int all_names_add(void *context, const struct vault_entry *entry)
{
	struct all_names *all = context;
	if (entry->version > 0)
		return names_add(all->outcome, entry->name, all->err);
	engine_notice(all->engine, "%s has no confirmed value and is not looked for (`envseal confirm %s`)", entry->name,
		      entry->name);
	return 0;
}

static int names_all(struct session *session, struct redact_outcome *outcome, struct err *err)
{
	struct all_names all = {outcome, session->engine, err};
	int r = vault_list(session->vault, all_names_add, &all, err);
	if (r == 0 && outcome->name_count == 0)
		return err_set(err, ERR_NOT_FOUND, "the vault has no secret to look for; store one with `envseal set NAME`");
	return r;
}

static int names_given(const struct engine *engine, const struct engine_redact *request, struct redact_outcome *outcome, struct err *err)
{
	int r = 0;
	if (request->all)
		return 0;
	if (request->secret_count == 0)
		return names_from_manifest(engine, request->profile, outcome, err);
	for (size_t i = 0; r == 0 && i < request->secret_count; i++) {
		r = name_check(request->secrets[i], err);
		if (r == 0)
			r = names_add(outcome, request->secrets[i], err);
	}
	return r;
}

// Known before the passphrase is asked for.
static int names_check(struct engine *engine, const struct redact_outcome *outcome, struct err *err)
{
	_cleanup_vault_ struct vault *vault = NULL;
	int r = vault_open(engine->home.data_dir, &vault, err);
	for (size_t i = 0; r == 0 && i < outcome->name_count; i++)
		r = secret_check_usable(vault, outcome->names[i], err);
	return r;
}

// ------------------------------------------------------------------------------------------------------------ records

static json_t *intent_json(const struct engine *engine, const struct engine_redact *request,
			   const struct redact_outcome *outcome)
{
	size_t left_out = 0;
	json_t *names = names_json_bounded((const char *const *)outcome->names, outcome->name_count, &left_out);
	return json_pack("{s:o, s:I, s:b, s:o}", "secrets", names, "secrets_left_out", (json_int_t)left_out, "all",
			 request->all ? 1 : 0, "asker", asker_json(engine));
}

static const char *end_name(const struct redact_outcome *outcome)
{
	if (outcome->failure.code != 0)
		return "error";
	return outcome->signal == 0 ? "input" : outcome->signal == SIGPIPE ? "reader" : "signal";
}

static json_t *end_json(const struct redact_outcome *outcome)
{
	const struct leak_list leaks = {(const char *const *)outcome->names, &outcome->leaks};
	size_t left_out = 0;
	json_t *names = names_json_bounded((const char *const *)outcome->names, outcome->name_count, &left_out);
	return json_pack("{s:o, s:I, s:s, s:i, s:I, s:I, s:o, s:I, s:b}", "secrets", names, "secrets_left_out",
			 (json_int_t)left_out, "end", end_name(outcome), "signal", outcome->signal, "read_bytes",
			 (json_int_t)outcome->read_bytes, "written_bytes", (json_int_t)outcome->written_bytes, "leaks",
			 leaks_json(&leaks), "leak_total", (json_int_t)outcome->leaks.total, "tables_unlocked",
			 outcome->tables_unlocked ? 1 : 0);
}

// --------------------------------------------------------------------------------------------------------- the use-case

// By what is masked, and when, a value can be guessed piece by piece: not for whoever asks.
static int redact_ask(struct session *session, const struct redact_outcome *outcome, struct err *err)
{
	char subject[ERR_TEXT_BYTES] = "every secret";
	struct change change = {.action = "redact", .subject = subject};
	size_t used = 0;
	for (size_t i = 0; i < outcome->name_count && used < sizeof(subject); i++)
		used += (size_t)snprintf(subject + used, sizeof(subject) - used, "%s%s", i > 0 ? ", " : "", outcome->names[i]);
	if (used >= sizeof(subject))
		snprintf(subject, sizeof(subject), "%zu secrets", outcome->name_count);
	notes_add(&change.notes, "whoever asks sees which of its own texts are masked, and can find out a value that way");
	int r = consent_change(session, &change, err);
	notes_done(&change.notes);
	return r;
}

static int redact_open(const struct engine_redact *request, struct session *session, struct redact_outcome *outcome,
		       struct redactor **out, struct err *err)
{
	_cleanup_opened_ struct opened opened = {0};
	int r = session_begin(session, err);
	if (r == 0 && request->all)
		r = names_all(session, outcome, err);
	const char *const *names = (const char *const *)outcome->names;
	if (r == 0)
		r = opened_add_all(&opened, session, names, outcome->name_count, err);
	if (r == 0)
		r = opened_redactor(&opened, names, out, err);
	return r < 0 ? r : session_commit(session, "redact.intent", intent_json(session->engine, request, outcome), err);
}

// Narrowed first: while the text is read, this process can go on with the log, and open nothing more.
static int redact_stream(const struct engine_redact *request, struct session *session, const struct redactor *redactor,
			 struct redact_outcome *outcome, struct err *err)
{
	const struct stream_plan plan = {.engine = session->engine, .redactor = redactor,
					 .names = (const char *const *)outcome->names, .events_fd = request->events_fd,
					 .inherited = request->inherited};
	struct redact_outcome streamed = {0};
	struct err record_err;
	vault_narrow(session->vault);
	int r = stream_run(&plan, &streamed, err);
	if (r < 0)
		streamed.failure = *err;
	streamed.names = TAKE_PTR(outcome->names);
	streamed.name_count = outcome->name_count;
	*outcome = streamed;
	int recorded = session_begin(session, &record_err);
	if (recorded == 0)
		recorded = session_commit(session, "redact.outcome", end_json(outcome), &record_err);
	if (recorded < 0)
		engine_notice(session->engine, "the end of the stream could not be recorded in the audit log: %s",
			      record_err.text);
	return r;
}

int engine_redact(struct engine *engine, const struct engine_redact *request, struct redact_outcome *out, struct err *err)
{
	_cleanup_redact_outcome_ struct redact_outcome outcome = {0};
	_cleanup_redactor_ struct redactor *redactor = NULL;
	_cleanup_session_ struct session session = {0};
	int r = request_check(request, err);
	if (r == 0)
		r = names_given(engine, request, &outcome, err);
	if (r == 0)
		r = names_check(engine, &outcome, err);
	if (r == 0)
		r = session_open_reading(engine, &request->unlock, &session, err);
	if (r == 0 && engine->client)
		r = redact_ask(&session, &outcome, err);
	if (r == 0)
		r = redact_open(request, &session, &outcome, &redactor, err);
	if (r == 0)
		r = redact_stream(request, &session, redactor, &outcome, err);
	if (r < 0)
		return r;
	*out = outcome;
	outcome = (struct redact_outcome){0};
	return 0;
}
