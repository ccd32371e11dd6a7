#include "engine/security.h"

#include "engine/totp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTING_KEY "security"
#define PATH_BRIEF_BYTES 200

// -------------------------------------------------------------------------------------------------- configuration file

static int floor_refuse(const char *path, const char *what, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	return err_set(err, ERR_UNSAFE, "%s %s; nothing is given out until root has mended it, see envseal.conf(5)",
		       text_brief(span_text(path), brief, sizeof(brief)), what);
}

// That the file is not there counts only where nobody but root can have taken it away.
static int floor_check_absent(const char *path, struct err *err)
{
	struct stat st;
	_cleanup_free_ char *folder = strndup(path, (size_t)(path_base(path) - path) - 1);
	if (!folder)
		return err_set(err, ERR_MEMORY, "out of memory for a path");
	if (lstat(folder, &st) < 0 && errno == ENOENT)
		return 0;
	_cleanup_fd_ int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !path_is_system(folder, fd))
		return floor_refuse(folder, "is a folder that others than root can change, or leads to none", err);
	return 0;
}

static int floor_check(const char *path, int fd, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return floor_refuse(path, "is no regular file", err);
	if (!path_is_system(path, fd))
		return floor_refuse(path, "can be changed by others than root, by its owner or mode or those of a "
					  "folder above it", err);
	return 0;
}

static int floor_open_failed(const char *path, int number, struct err *err)
{
	char brief[PATH_BRIEF_BYTES];
	if (number == ENOENT)
		return floor_check_absent(path, err);
	if (number == ELOOP)
		return floor_refuse(path, "is a symbolic link", err);
	return err_set_errno(err, ERR_UNSAFE, number,
			     "%s cannot be read, and nothing is given out until root has mended it",
			     text_brief(span_text(path), brief, sizeof(brief)));
}

static int floor_fill(int fd, const char *path, struct buf *text, struct err *err)
{
	struct err why;
	int r = fd_read_all(fd, text, path, &why);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_INPUT, "%s; mend it as root, see envseal.conf(5)", why.text);
	return r < 0 ? err_set(err, ERR_UNSAFE, "%s; nothing is given out until root has mended it", why.text) : 0;
}

int security_floor_read(const char *path, struct security_floor *out, struct err *err)
{
	struct security_floor floor = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(SECURITY_FILE_BYTES_MAX);
	// O_NONBLOCK keeps the open of a FIFO from waiting for its other end.
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int r = fd < 0 ? floor_open_failed(path, errno, err) : floor_check(path, fd, err);
	if (r == 0 && fd >= 0)
		r = floor_fill(fd, path, &text, err);
	if (r == 0)
		r = security_floor_parse(buf_span(&text), path, &floor, err);
	if (r == 0)
		*out = floor;
	return r;
}

int security_floor_load(struct security_floor *out, struct err *err)
{
	return security_floor_read(SECURITY_FILE, out, err);
}

// ------------------------------------------------------------------------------------------------------ sealed setting

static int sealed_load(struct session *session, struct security *out, struct err *err)
{
	struct err why;
	_cleanup_buf_ struct buf text = BUF_INIT(VAULT_SETTING_BYTES_MAX);
	int r = vault_setting_get(session->vault, SETTING_KEY, &text, err);
	if (r < 0)
		return r;
	*out = (struct security){0};
	if (text.len > 0 && security_parse(buf_span(&text), out, &why) < 0)
		return err_set(err, ERR_DAMAGED, "%s; another version of envseal wrote it, so use that one", why.text);
	return 0;
}

static int sealed_store(struct session *session, const struct security *security, struct err *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SECURITY_BYTES_MAX);
	bool is_default = security->level == SECURITY_STANDARD && security->findings.count == 0;
	int r = is_default ? 0 : security_format(security, &text, err);
	return r < 0 ? r : vault_setting_put(session->vault, SETTING_KEY, buf_span(&text), err);
}

int session_security(struct session *session, struct security *out, struct err *err)
{
	struct security security;
	struct security_floor floor = {0};
	int r = security_floor_load(&floor, err);
	if (r == 0)
		r = sealed_load(session, &security, err);
	if (r < 0)
		return r;
	security_raise(&security, &floor);
	*out = security;
	return 0;
}

int engine_security_show(struct engine *engine, const struct engine_unlock *unlock, struct engine_security *out,
			 struct err *err)
{
	struct engine_security shown;
	struct security_floor floor = {0};
	_cleanup_session_ struct session session = {0};
	int r = security_floor_load(&floor, err);
	if (r == 0)
		r = session_open_reading(engine, unlock, &session, err);
	if (r == 0)
		r = sealed_load(&session, &shown.sealed, err);
	if (r < 0)
		return r;
	shown.in_force = shown.sealed;
	security_raise(&shown.in_force, &floor);
	*out = shown;
	return 0;
}

// ------------------------------------------------------------------------------------------------------------ changing

// ID=ACTION, or ID=level
static int finding_apply(const char *text, struct security *security, struct err *err)
{
	enum guard_action action;
	const char *equals = strchr(text, '=');
	if (!equals)
		return err_set(err, ERR_USAGE, "--finding wants ID=ACTION, such as core-pattern=deny");
	struct span id = span_of(text, (size_t)(equals - text));
	if (strcmp(equals + 1, "level") == 0)
		return security_override_drop(&security->findings, id, err);
	if (!guard_action_parse(equals + 1, &action))
		return err_set(err, ERR_USAGE, "the action of a finding is note, warn, ask or deny, or level for what "
					       "the level says");
	return security_override_put(&security->findings, id, action, err);
}

static int request_apply(const struct engine_security_set *request, struct security *security, struct err *err)
{
	if (!request->level && request->finding_count == 0)
		return err_set(err, ERR_USAGE, "name a level (standard, hardened or lockdown), or a finding with "
					       "--finding");
	if (request->level && !security_level_parse(request->level, &security->level))
		return err_set(err, ERR_USAGE, "the level is standard, hardened or lockdown");
	int r = 0;
	for (size_t i = 0; r == 0 && i < request->finding_count; i++)
		r = finding_apply(request->findings[i], security, err);
	return r;
}

int session_factor_check(struct session *session, enum security_level level, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	_cleanup_secret_ struct secret *code = NULL;
	bool is_set = false;
	if (security_demands(level)->factor == FACTOR_PASSPHRASE)
		return 0;
	int r = session_totp_is_set(session, &is_set, err);
	if (r == 0 && !is_set)
		return err_set(err, ERR_DENIED, "the level %s wants a code beside the passphrase; set up codes first: `envseal "
						"totp setup`", security_level_name(level));
	if (r == 0 && terminal_open("a code", &terminal, err) < 0)
		return err_set(err, ERR_LOCKED, "the level %s wants a code, which is typed on a terminal, and there is none",
			       security_level_name(level));
	if (r == 0)
		r = terminal_ask_secret(terminal, "Code: ", TOTP_ANSWER_BYTES_MAX, &code, err);
	return r == 0 ? session_totp_check(session, code, err) : r;
}

int session_factor_check_now(struct session *session, struct err *err)
{
	struct security security;
	int r = session_security(session, &security, err);
	return r == 0 ? session_factor_check(session, security.level, err) : r;
}

static enum security_level level_stronger(enum security_level a, enum security_level b)
{
	return a > b ? a : b;
}

static json_t *security_json(const struct security *security)
{
	struct err ignored;
	_cleanup_buf_ struct buf text = BUF_INIT(SECURITY_BYTES_MAX);
	return security_format(security, &text, &ignored) < 0 ? NULL : json_loads(buf_text(&text), 0, NULL);
}

static bool sealed_is_equal(const struct security *a, const struct security *b)
{
	bool is_equal = a->level == b->level && a->findings.count == b->findings.count;
	for (size_t i = 0; is_equal && i < a->findings.count; i++)
		is_equal = a->findings.rows[i].id == b->findings.rows[i].id &&
			   a->findings.rows[i].action == b->findings.rows[i].action;
	return is_equal;
}

// What was there when the factor was asked for must still be: a stronger level would have asked for more.
static int change_commit(struct session *session, const struct engine_security *was, const struct security *wanted,
			 struct err *err)
{
	struct security now;
	int r = session_begin(session, err);
	if (r == 0)
		r = sealed_load(session, &now, err);
	if (r == 0 && !sealed_is_equal(&now, &was->sealed))
		r = err_set(err, ERR_DENIED, "the security setting was changed meanwhile; look at it and try again");
	if (r == 0)
		r = sealed_store(session, wanted, err);
	if (r < 0) {
		session_rollback(session);
		return r;
	}
	json_t *old = security_json(&was->sealed), *new = security_json(wanted);
	return session_commit(session, "security.set", json_pack("{s:o, s:o}", "old", old, "new", new), err);
}

int engine_security_set(struct engine *engine, const struct engine_security_set *request, struct engine_security *out,
			struct err *err)
{
	struct engine_security was = {0};
	struct security_floor floor = {0};
	struct security wanted = {0};
	_cleanup_session_ struct session session = {0};
	// A typing mistake should not cost a passphrase.
	int r = request_apply(request, &wanted, err);
	if (r == 0)
		r = security_floor_load(&floor, err);
	if (r == 0)
		r = session_open_unlocked(engine, &request->unlock, &session, err);
	if (r == 0)
		r = sealed_load(&session, &was.sealed, err);
	if (r < 0)
		return r;
	wanted = was.sealed;
	r = request_apply(request, &wanted, err);
	if (r == 0)
		r = security_check_floor(&wanted, &floor, err);
	enum security_level stronger = level_stronger(floor.level, level_stronger(was.sealed.level, wanted.level));
	if (r == 0)
		r = session_factor_check(&session, stronger, err);
	if (r == 0)
		r = change_commit(&session, &was, &wanted, err);
	if (r < 0)
		return r;
	out->sealed = out->in_force = wanted;
	security_raise(&out->in_force, &floor);
	return 0;
}

// --------------------------------------------------------------------------------------------------------------- guard

struct guard_source engine_guard_source(const struct engine *engine)
{
	return (struct guard_source){
		.environment = engine->client ? engine->client->environment : NULL,
		.pid = engine->client ? engine->client->pid : 0,
		.vault_dir = engine->home.data_dir,
		.variable_is_steering = variable_is_steering,
		.path_entry_is_safe = path_entry_is_safe,
	};
}

struct judge {
	const struct security *security;
	guard_judge_fn *each;
	void *context;
};

static bool judge_wants(const void *context, const struct finding_kind *kind)
{
	return guard_action_worst(context, kind) > GUARD_NOTE;
}

static int judge_finding(void *context, const struct finding *finding)
{
	const struct judge *judge = context;
	enum guard_action action = guard_action_for(judge->security, finding);
	return action > GUARD_NOTE ? judge->each(judge->context, finding, action) : 0;
}

int guard_judge(const struct security *security, const struct guard_source *source, guard_judge_fn *each,
		void *context)
{
	struct guard_source wanted = *source;
	struct judge judge = {security, each, context};
	wanted.is_wanted = judge_wants;
	wanted.wanted_context = security;
	return guard_check(&wanted, judge_finding, &judge);
}
