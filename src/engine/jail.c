// The agent in a jail: this process becomes it, so whatever is looked for, written or said comes before.
#include "engine/jail_scene.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void jail_scene_done(struct jail_scene *scene)
{
	jail_plan_done(&scene->plan);
	free(scene->home);
	free(scene->directory);
	free(scene->temporary);
	free(scene->own_program);
	free(scene->program);
	*scene = (struct jail_scene){0};
}

// ---------------------------------------------------------------------------------------------------------------- program

static bool is_program(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int program_look(const char *asked, char **out, struct err *err)
{
	char brief[200];
	text_brief(span_text(asked), brief, sizeof(brief));
	if (access(asked, F_OK) < 0)
		return err_set(err, ERR_NO_PROGRAM, "there is no program %s", brief);
	if (!is_program(asked))
		return err_set(err, ERR_NO_EXEC, "%s cannot be executed", brief);
	*out = strdup(asked);
	return *out ? 0 : err_set(err, ERR_MEMORY, "out of memory");
}

// As execvp, but that an empty entry is none.
static int program_search(const char *asked, char **out, struct err *err)
{
	char brief[200];
	const char *path = getenv("PATH");
	_cleanup_free_ char *entries = strdup(path ? path : "/usr/bin:/bin");
	char *rest = entries, *entry;
	while (rest && asked[0] && (entry = strsep(&rest, ":"))) {
		_cleanup_free_ char *candidate = NULL;
		if (!entry[0])
			continue;
		int r = path_join(entry, asked, &candidate, err);
		if (r < 0)
			return r;
		if (!is_program(candidate))
			continue;
		*out = TAKE_PTR(candidate);
		return 0;
	}
	return err_set(err, ERR_NO_PROGRAM, "there is no program '%s' on the PATH; give its path if it is elsewhere",
		       text_brief(span_text(asked), brief, sizeof(brief)));
}

static int program_find_agent(const char *asked, char **out, struct err *err)
{
	return strchr(asked, '/') ? program_look(asked, out, err) : program_search(asked, out, err);
}

// ------------------------------------------------------------------------------------------------------------------- plan

static int network_read(const char *word, enum sandbox_network *out, struct err *err)
{
	for (int i = SANDBOX_NETWORK_HOST; word && i <= SANDBOX_NETWORK_ALLOW; i++)
		if (strcmp(word, sandbox_network_name((enum sandbox_network)i)) == 0) {
			*out = (enum sandbox_network)i;
			return 0;
		}
	return word ? err_set(err, ERR_USAGE, "--net wants host, none, loopback or allow") : 0;
}

static int wish_make(const struct engine_jail *request, struct jail_wish *out, struct err *err)
{
	*out = (struct jail_wish){
		.profile = request->profile,
		.agent = request->argv ? request->argv[0] : NULL,
		.hide = request->hide, .hide_count = request->hide_count,
		.readable = request->read, .readable_count = request->read_count,
		.writable = request->write, .writable_count = request->write_count,
		.endpoints = request->endpoints, .endpoint_count = request->endpoint_count,
		.is_degradable = request->degrade,
	};
	int r = network_read(request->network, &out->network, err);
	if (r < 0 || out->network != SANDBOX_NETWORK_ALLOW || out->endpoint_count > 0)
		return r;
	return err_set(err, ERR_USAGE, "--net allow wants to know where to: name HOST:PORT before --");
}

// One that is above the home or the project would make all of it writable.
static char *temporary_find(const struct jail_scene *scene)
{
	const char *path = getenv("TMPDIR");
	_cleanup_free_ char *real = path && path[0] == '/' ? realpath(path, NULL) : NULL;
	if (!real)
		return NULL;
	struct text_list folder = {&real, 1};
	bool is_above = (scene->home && rule_paths_cover(&folder, scene->home)) ||
			(scene->directory && rule_paths_cover(&folder, scene->directory));
	return is_above ? NULL : TAKE_PTR(real);
}

int jail_scene_make(const struct engine *engine, const struct engine_jail *request, struct jail_scene *out, struct err *err)
{
	_cleanup_jail_scene_ struct jail_scene scene = {0};
	struct jail_wish wish;
	const struct home *home = &engine->home;
	const char *user = getenv("HOME");
	_cleanup_free_ char *listed = NULL;
	int r = wish_make(request, &wish, err);
	if (r == 0)
		r = home_of_user(geteuid(), &listed, err);
	_cleanup_free_ char *listed_home = listed ? realpath(listed, NULL) : NULL;
	if (r == 0 && request->argv)
		r = program_find_agent(request->argv[0], &scene.program, err);
	if (r < 0)
		return r;
	scene.home = user && user[0] == '/' ? realpath(user, NULL) : NULL;
	scene.directory = getcwd(NULL, 0);
	scene.temporary = temporary_find(&scene);
	scene.own_program = realpath("/proc/self/exe", NULL);
	// Where the broker will be: a folder that comes later would not be seen.
	struct err ignored;
	int run_fd = -1;
	if (dir_open_private(home->run_dir, true, &run_fd, &ignored) == 0)
		fd_close(&run_fd);
	const char *own[] = {home->data_dir, home->state_dir, home->run_dir, NULL};
	const char *programs[] = {scene.program ? scene.program : scene.own_program, scene.own_program, NULL};
	const struct jail_place place = {
		.place = {.home = scene.home, .directory = scene.directory, .temporary = scene.temporary, .own = own},
		.listed_home = listed_home, .runtime = getenv("XDG_RUNTIME_DIR"), .broker = home->run_dir, .programs = programs};
	r = jail_plan_build(&wish, &place, &scene.plan, err);
	if (r < 0)
		return r;
	*out = scene;
	scene = (struct jail_scene){0};
	return 0;
}

// ----------------------------------------------------------------------------------------------------------------- record

static json_t *text_json(const char *text)
{
	_cleanup_buf_ struct buf printable = BUF_INIT(RECORD_PATHS_BYTES_MAX);
	struct err ignored;
	return text_printable(span_text(text), &printable, &ignored) < 0 ? NULL : json_string(buf_text(&printable));
}

static json_t *plan_fields(const struct engine *engine, const struct jail_scene *scene, const struct sandbox_record *record)
{
	const struct sandbox_plan *sandbox = &scene->plan.sandbox;
	json_t *missing = json_array();
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++) {
		const char *error = record->errors[i] ? strerrorname_np(record->errors[i]) : NULL;
		if (record->missing & sandbox_bit((enum sandbox_mechanism)i))
			json_array_append_new(missing, json_pack("{s:s, s:s?}", "mechanism",
								 sandbox_mechanism_name((enum sandbox_mechanism)i), "error", error));
	}
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:b, s:o, s:o}", "program",
			 text_json(scene->program), "profile", scene->plan.profile, "directory",
			 text_json(sandbox->directory), "hidden",
			 paths_json(NULL, sandbox->hidden.items, sandbox->hidden.count), "masked",
			 paths_json(NULL, scene->plan.masked.items, scene->plan.masked.count), "writable",
			 paths_json(NULL, sandbox->writable.items, sandbox->writable.count), "network",
			 sandbox_network_name(sandbox->network), "endpoints",
			 paths_json(NULL, sandbox->endpoints.items, sandbox->endpoints.count), "degrade", sandbox->is_degradable ? 1 : 0,
			 "missing", missing, "asker", asker_json(engine));
}

// Without the vault, and without waiting for the disk: nothing is given out. In another jail there is no log to be reached.
static void start_record(struct engine *engine, const struct jail_scene *scene, const struct sandbox_record *record)
{
	_cleanup_audit_ struct audit *audit = NULL;
	struct audit_head head;
	struct err err;
	int r = audit_open_existing(engine->home.state_dir, &audit, &err);
	if (r == ERR_NOT_FOUND)
		return;
	audit = audit_close(audit);
	json_t *fields = r == 0 ? plan_fields(engine, scene, record) : NULL;
	if (r == 0)
		r = fields ? audit_open(engine->home.state_dir, &audit, &err) : err_set(&err, ERR_MEMORY, "out of memory");
	if (r == 0)
		r = audit_append_soon(audit, "jail.start", fields, &head, &err);
	json_decref(fields);
	if (r < 0)
		engine_notice(engine, "jail: the start could not be recorded in the audit log: %s", err.text);
}

// ----------------------------------------------------------------------------------------------------------------- notices

static void open_list(const struct jail_scene *scene, const struct sandbox_record *record, struct buf *out)
{
	struct err ignored;
	char brief[128];
	const struct text_list *masked = &scene->plan.masked;
	for (size_t i = 0; i < masked->count; i++)
		if (jail_still_open(&scene->plan, record, masked->items[i]))
			buf_printf(out, &ignored, "%s%s", out->len > 0 ? ", " : "",
				   text_brief(span_text(masked->items[i]), brief, sizeof(brief)));
}

static void open_tell(struct engine *engine, const struct jail_scene *scene, const struct sandbox_record *record)
{
	_cleanup_buf_ struct buf open = BUF_INIT(400);
	if (scene->plan.is_cut)
		engine_notice(engine, "jail: the project has too many files to find each .env in it; those that were not found can be read");
	for (int i = 0; i < SANDBOX_MECHANISM_COUNT; i++)
		if ((record->missing & sandbox_bit((enum sandbox_mechanism)i)) && scene->plan.sandbox.needs[i] == SANDBOX_REQUIRED)
			engine_notice(engine, "jail: without %s (%s), as --degrade permits", sandbox_mechanism_name((enum sandbox_mechanism)i),
				      strerrordesc_np(record->errors[i]));
	if (!(record->missing & sandbox_bit(SANDBOX_MOUNTS)))
		return;
	open_list(scene, record, &open);
	engine_notice(engine, "jail: no mount namespace is to be had here (%s), so sockets in /run and /tmp can be reached%s%s; `envseal "
			      "jail --check` shows what is open, `envseal doctor` why",
		      strerrordesc_np(record->errors[SANDBOX_MOUNTS]), open.len > 0 ? ", and these files be read: " : "", buf_text(&open));
}

// ------------------------------------------------------------------------------------------------------------------- start

static char **environment_make(char *const *from, struct err *err)
{
	size_t count = 0, kept = 0;
	while (from[count])
		count++;
	char **out = calloc(count + 1, sizeof(*out));
	if (!out) {
		err_set(err, ERR_MEMORY, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		if (!jail_drops_variable(from[i]))
			out[kept++] = from[i];
	return out;
}

static int become(const struct engine_jail *request, const char *program, struct err *err)
{
	char brief[200];
	_cleanup_free_ char **environment = environment_make(request->environment, err);
	if (!environment)
		return err->code;
	int error = exec_become(program, request->argv, environment, request->inherited);
	text_brief(span_text(program), brief, sizeof(brief));
	if (error == ENOENT)
		return err_set(err, ERR_NO_PROGRAM, "cannot start %s: its interpreter or its loader is missing, or hidden in the jail", brief);
	return err_set_errno(err, ERR_NO_EXEC, error, "cannot start %s", brief);
}

int engine_jail(struct engine *engine, const struct engine_jail *request, struct err *err)
{
	_cleanup_jail_scene_ struct jail_scene scene = {0};
	struct sandbox_record record;
	int r = jail_scene_make(engine, request, &scene, err);
	if (r == 0)
		r = jail_settle(&scene.plan, &record, err);
	if (r < 0)
		return r;
	start_record(engine, &scene, &record);
	if (!request->is_quiet)
		open_tell(engine, &scene, &record);
	r = jail_enter(&scene.plan, &record, err);
	return r < 0 ? r : become(request, scene.program, err);
}
