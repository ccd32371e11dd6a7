// The jail, tried: the attacks of src/attempt, and each hidden file that there is, from inside. What is tried is looked for
// and put up outside; the child that enters the jail writes down what came of it.
#include "engine/jail_scene.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attempt/attempt.h"

#define ATTEMPTS_MAX 128
#define FILES_MAX 256
#define DEPTH_MAX 3
#define TEXT_BYTES 512

// Written by the child.
struct findings {
	bool is_done;
	struct err err; // code 0: it was entered
	struct sandbox_record record;
	struct attempt_result attempts[ATTEMPTS_MAX];
	bool is_read[FILES_MAX];
};

struct trial {
	const struct engine *engine;
	const struct jail_scene *scene;
	struct attempt_scene *words;
	struct text_list files;   // in what is hidden: each can be read outside
	struct text_list texts;   // that words point to
	struct findings *findings;
};

const char *jail_verdict_name(enum jail_verdict verdict)
{
	static const char *const names[] = {
		[JAIL_CLOSED] = "closed", [JAIL_OPEN] = "OPEN", [JAIL_ALLOWED] = "allowed", [JAIL_ABSENT] = "not here"};
	return names[verdict];
}

// What a jail leaves to the agent, and why. Some is not tried: it would fill the machine, or the human's terminal.
static const struct {
	const char *id;
	bool is_tried;
	const char *why;
} allowed[] = {
	{"proc-cmdline", true, "anybody may read it"},
	{"proc-fd", true, "how many files it has open; not which"},
	{"tty", false, "the agent has the human's terminal"},
	{"home-read", true, "what is not hidden can be read; --hide PATH"},
	{"home-chmod", true, "Landlock has no rule for modes, owners, times and attributes"},
	{"etc-read", true, "what is not hidden can be read"},
	{"own-socket", true, "envseal run works from inside, by it"},
	{"home-socket", true, "what can be seen can be connected to"},
	{"tcp", true, "the network is the machine's; --net"},
	{"tcp-listen", true, "the network is the machine's; --net"},
	{"udp", true, "the network is the machine's; --net"},
	{"dns", true, "the network is the machine's; --net"},
	{"netlink-route", true, "addresses and routes"},
	{"outlive", false, "what the agent starts goes on in the jail"},
	{"memory", false, "memory is not limited"},
	{"fill-tmp", false, "space is not limited but by what /tmp has"},
};

static int allowed_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_COUNT(allowed); i++)
		if (strcmp(allowed[i].id, id) == 0)
			return (int)i;
	return -1;
}

static bool is_tried(const struct attempt *attempt)
{
	int at = allowed_find(attempt->id);
	return attempt->group != ATTEMPT_ALONE && (at < 0 || allowed[at].is_tried);
}

// ------------------------------------------------------------------------------------------------------------------ scene

static bool is_readable(const char *path)
{
	char byte;
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && read(fd, &byte, 1) == 1;
}

// The first file at the path, or below it, that can be read here.
static bool file_find(const char *path, int depth, char out[PATH_MAX])
{
	bool is_found = false;
	if (!path_is_folder(path)) {
		snprintf(out, PATH_MAX, "%s", path);
		return is_readable(path);
	}
	DIR *dir = depth > 0 ? opendir(path) : NULL;
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry && !is_found; entry = readdir(dir)) {
		_cleanup_free_ char *below = NULL;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		is_found = asprintf(&below, "%s/%s", path, entry->d_name) >= 0 && file_find(below, depth - 1, out);
	}
	if (dir)
		closedir(dir);
	return is_found;
}

// A symbolic link is in the list by what it leads to, too.
static int files_find(struct trial *trial, struct err *err)
{
	const struct text_list *hidden = &trial->scene->plan.sandbox.hidden;
	_cleanup_free_ char *found = malloc(PATH_MAX);
	int r = found ? 0 : err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; r == 0 && i < hidden->count && trial->files.count < FILES_MAX; i++)
		if (file_find(hidden->items[i], DEPTH_MAX, found))
			r = text_list_append(&trial->files, found, err);
	return r;
}

static bool is_hidden(const struct trial *trial, const char *path)
{
	return rule_paths_cover(&trial->scene->plan.sandbox.hidden, path);
}

struct place_row {
	enum scene_word word;
	const char *path; // below the home
	bool wants_hidden; // it may be the agent's own
};

static const struct place_row places[] = {
	{SCENE_FILE, ".bashrc", false}, {SCENE_FILE, ".profile", false}, {SCENE_FILE, ".zshrc", false},
	{SCENE_SSH_KEY, ".ssh", true}, {SCENE_CLOUD, ".aws/credentials", true}, {SCENE_AGENT, ".claude/.credentials.json", true},
	{SCENE_AGENT, ".codex/auth.json", true}, {SCENE_AGENT, ".gemini/oauth_creds.json", true},
	{SCENE_KEYRING, ".local/share/keyrings", true}, {SCENE_HISTORY, ".bash_history", true},
	{SCENE_HISTORY, ".zsh_history", true},
};

static int word_put(struct trial *trial, enum scene_word word, const char *folder, const char *name, struct err *err)
{
	_cleanup_free_ char *path = NULL, *found = malloc(PATH_MAX);
	if (!found)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = folder ? path_join(folder, name, &path, err) : 0;
	struct stat st;
	bool is_socket = path && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
	if (r < 0 || !path || trial->words->words[word] || !(is_socket || file_find(path, DEPTH_MAX, found)))
		return r;
	r = text_list_append(&trial->texts, is_socket ? path : found, err);
	if (r == 0)
		trial->words->words[word] = trial->texts.items[trial->texts.count - 1];
	return r;
}

static int words_put(struct trial *trial, struct err *err)
{
	const struct home *home = &trial->engine->home;
	const struct jail_scene *scene = trial->scene;
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(places) && r == 0; i++) {
		_cleanup_free_ char *path = NULL;
		r = scene->home ? path_join(scene->home, places[i].path, &path, err) : 0;
		if (r == 0 && path && (!places[i].wants_hidden || is_hidden(trial, path)))
			r = word_put(trial, places[i].word, scene->home, places[i].path, err);
	}
	if (scene->home)
		trial->words->words[SCENE_PLACE] = scene->home;
	if (scene->plan.dotenv.count > 0)
		trial->words->words[SCENE_DOTENV] = scene->plan.dotenv.items[0];
	if (r == 0)
		r = word_put(trial, SCENE_VAULT, home->data_dir, "vault.db", err);
	if (r == 0)
		r = word_put(trial, SCENE_LOG, home->state_dir, "audit.jsonl", err);
	if (r == 0)
		r = word_put(trial, SCENE_OWN_SOCKET, home->run_dir, "broker.sock", err);
	return r < 0 ? r : word_put(trial, SCENE_BUS, getenv("XDG_RUNTIME_DIR"), "bus", err);
}

// ------------------------------------------------------------------------------------------------------------------ inside

static _Noreturn void inside_run(const struct trial *trial)
{
	struct findings *findings = trial->findings;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int r = jail_settle(&trial->scene->plan, &findings->record, &findings->err);
	if (r == 0)
		r = jail_enter(&trial->scene->plan, &findings->record, &findings->err);
	if (r < 0)
		_exit(0);
	findings->err.code = 0;
	for (size_t i = 0; i < attempt_count() && i < ATTEMPTS_MAX; i++)
		if (is_tried(&attempt_table[i]))
			findings->attempts[i] = attempt_run(&attempt_table[i], trial->words);
	for (size_t i = 0; i < trial->files.count; i++)
		findings->is_read[i] = is_readable(trial->files.items[i]);
	findings->is_done = true;
	_exit(0);
}

static int inside(const struct trial *trial, struct err *err)
{
	pid_t child = fork();
	if (child < 0)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make a process");
	if (child == 0)
		inside_run(trial);
	process_reap(child);
	if (trial->findings->err.code != 0) {
		*err = trial->findings->err;
		return err->code;
	}
	return trial->findings->is_done ? 0 : err_set(err, ERR_SYSTEM, "the process that tried the jail was ended");
}

// ----------------------------------------------------------------------------------------------------------------- telling

static void why_open(const struct trial *trial, char out[TEXT_BYTES])
{
	const struct sandbox_record *record = &trial->findings->record;
	out[0] = 0;
	for (int i = SANDBOX_MOUNTS; i <= SANDBOX_FILTER; i++)
		if (record->missing & sandbox_bit((enum sandbox_mechanism)i)) {
			snprintf(out, TEXT_BYTES, "needs %s, which is not to be had here (%s); see `envseal doctor`",
				 i == SANDBOX_MOUNTS ? "a mount namespace" : sandbox_mechanism_name((enum sandbox_mechanism)i),
				 strerrordesc_np(record->errors[i]));
			return;
		}
}

static void attempt_tell(const struct trial *trial, size_t i, void (*each)(void *context, const struct jail_row *row), void *context)
{
	const struct attempt *attempt = &attempt_table[i];
	const struct attempt_result *result = &trial->findings->attempts[i];
	char remark[TEXT_BYTES] = "";
	int at = allowed_find(attempt->id);
	struct jail_row row = {.id = attempt->id, .what = attempt->what, .remark = remark, .verdict = JAIL_CLOSED};
	if (at >= 0 && (!allowed[at].is_tried || result->outcome == ATTEMPT_WORKED)) {
		row.verdict = JAIL_ALLOWED;
		row.remark = allowed[at].why;
	} else if (result->outcome == ATTEMPT_ABSENT) {
		row.verdict = JAIL_ABSENT;
		row.remark = result->note;
	} else if (result->outcome == ATTEMPT_WORKED) {
		row.verdict = JAIL_OPEN;
		why_open(trial, remark);
	} else if (result->outcome != ATTEMPT_REFUSED) {
		row.verdict = JAIL_OPEN;
		snprintf(remark, sizeof(remark), "it could not be tried: %s", result->note);
	}
	each(context, &row);
}

static bool is_dotenv(const struct trial *trial, const char *path)
{
	const struct text_list *dotenv = &trial->scene->plan.dotenv;
	for (size_t i = 0; i < dotenv->count; i++)
		if (strcmp(dotenv->items[i], path) == 0)
			return true;
	return false;
}

static void file_tell(const struct trial *trial, size_t i, void (*each)(void *context, const struct jail_row *row), void *context)
{
	char what[TEXT_BYTES], brief[TEXT_BYTES - 8], remark[TEXT_BYTES] = "";
	const char *path = trial->files.items[i];
	bool is_open = trial->findings->is_read[i];
	snprintf(what, sizeof(what), "read %s", text_brief(span_text(path), brief, sizeof(brief)));
	if (is_open)
		why_open(trial, remark);
	each(context, &(struct jail_row){.id = is_dotenv(trial, path) ? "dotenv-file" : "hidden", .what = what, .remark = remark,
					 .verdict = is_open ? JAIL_OPEN : JAIL_CLOSED});
}

static int trial_run(struct trial *trial, void (*each)(void *context, const struct jail_row *row), void *context, struct err *err)
{
	int r = words_put(trial, err);
	if (r == 0)
		r = files_find(trial, err);
	if (r == 0)
		r = inside(trial, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < attempt_count() && i < ATTEMPTS_MAX; i++)
		if (attempt_table[i].group != ATTEMPT_ALONE)
			attempt_tell(trial, i, each, context);
	for (size_t i = 0; i < trial->files.count; i++)
		file_tell(trial, i, each, context);
	return 0;
}

static int stage_run(struct trial *trial, const char *folder, void (*each)(void *context, const struct jail_row *row), void *context,
		     struct err *err)
{
	_cleanup_scene_stage_ struct scene_stage *stage = NULL;
	int r = scene_stage_open(folder, &stage, err);
	if (r < 0)
		return r;
	trial->words = scene_stage_scene(stage);
	return trial_run(trial, each, context, err);
}

int engine_jail_check(struct engine *engine, const struct engine_jail *request,
		      void (*each)(void *context, const struct jail_row *row), void *context, struct err *err)
{
	_cleanup_jail_scene_ struct jail_scene scene = {0};
	char folder[] = "/tmp/envseal-jail-XXXXXX";
	struct trial trial = {.engine = engine, .scene = &scene};
	int r = jail_scene_make(engine, request, &scene, err);
	if (r < 0)
		return r;
	trial.findings = mmap(NULL, sizeof(*trial.findings), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (trial.findings == MAP_FAILED)
		return err_set_errno(err, ERR_MEMORY, errno, "cannot share memory with a process");
	if (!mkdtemp(folder))
		r = err_set_errno(err, ERR_SYSTEM, errno, "cannot make a folder in /tmp");
	if (r == 0) {
		r = stage_run(&trial, folder, each, context, err);
		rmdir(folder);
	}
	text_list_done(&trial.files);
	text_list_done(&trial.texts);
	munmap(trial.findings, sizeof(*trial.findings));
	return r;
}
