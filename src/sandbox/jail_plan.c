// From what is asked for to the lists of a jail.
#include "sandbox/jail_internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const enum sandbox_need jail_needs[SANDBOX_MECHANISM_COUNT] = {
	[SANDBOX_USER_NAMESPACE] = SANDBOX_PREFERRED,
	[SANDBOX_IPC_NAMESPACE] = SANDBOX_PREFERRED,
	[SANDBOX_MOUNTS] = SANDBOX_PREFERRED,
	[SANDBOX_CAPABILITIES] = SANDBOX_REQUIRED,
	[SANDBOX_NO_NEW_PRIVS] = SANDBOX_REQUIRED,
	[SANDBOX_LANDLOCK] = SANDBOX_REQUIRED,
	[SANDBOX_SCOPE] = SANDBOX_REQUIRED,
	[SANDBOX_FILTER] = SANDBOX_REQUIRED,
};

void jail_plan_done(struct jail_plan *plan)
{
	sandbox_plan_done(&plan->sandbox);
	text_list_done(&plan->masked);
	text_list_done(&plan->covered);
	text_list_done(&plan->dotenv);
	text_list_done(&plan->read_only);
	text_list_done(&plan->kept);
	free(plan->runtime);
	free(plan->temporary);
	free(plan->broker);
	*plan = (struct jail_plan){0};
}

static int text_copy(const char *text, char **out, struct err *err)
{
	*out = text ? strdup(text) : NULL;
	return text && !*out ? err_set(err, ERR_MEMORY, "out of memory") : 0;
}

static const char *folder_above(const struct text_list *folders, const char *path)
{
	for (size_t i = 0; i < folders->count; i++)
		if (strcmp(folders->items[i], path) != 0 && path_is_below(path, folders->items[i]))
			return folders->items[i];
	return NULL;
}

// ------------------------------------------------------------------------------------------------------------ mechanisms

static int network_fill(const struct jail_wish *wish, struct sandbox_plan *sandbox, struct err *err)
{
	int r = 0;
	memcpy(sandbox->needs, jail_needs, sizeof(sandbox->needs));
	sandbox->network = wish->network;
	for (size_t i = 0; i < wish->endpoint_count && r == 0; i++) {
		r = sandbox_endpoint_check(wish->endpoints[i], err);
		if (r == 0)
			r = text_list_add(&sandbox->endpoints, wish->endpoints[i], err);
	}
	if (wish->network == SANDBOX_NETWORK_HOST)
		return r;
	sandbox->needs[SANDBOX_NETWORK_NAMESPACE] = SANDBOX_REQUIRED;
	sandbox->needs[SANDBOX_USER_NAMESPACE] = SANDBOX_REQUIRED;
	sandbox->needs[SANDBOX_MOUNTS] = SANDBOX_REQUIRED;
	return r;
}

// ----------------------------------------------------------------------------------------------------------------- lists

static int folder_check(const struct jail_place *at, struct err *err)
{
	const struct sandbox_place *place = &at->place;
	if (!place->directory)
		return err_set(err, ERR_SYSTEM, "the working directory cannot be named; go to one that exists");
	bool is_home = (place->home && path_is_below(place->home, place->directory)) ||
		       (at->listed_home && path_is_below(at->listed_home, place->directory));
	if (!is_home)
		return 0;
	return err_set(err, ERR_USAGE, "in %s the whole home would be the agent's to change; go to the folder of a project",
		       place->directory);
}

static int sandbox_fill(const struct jail_wish *wish, const struct jail_profile *profile, const struct sandbox_place *place,
			struct sandbox_plan *out, struct err *err)
{
	const struct sandbox_wish hardened = {
		.tier = SANDBOX_HARDENED,
		.is_degradable = wish->is_degradable,
		.readable = (const char *const *)profile->read.items,
		.readable_count = profile->read.count,
		.writable = (const char *const *)profile->write.items,
		.writable_count = profile->write.count,
	};
	int r = sandbox_plan_build(&hardened, place, out, err);
	return r < 0 ? r : network_fill(wish, out, err);
}

// Beside what is asked for, of which there may be fewer.
static int caches_fill(const struct jail_wish *wish, const struct jail_place *at, struct jail_plan *plan, struct err *err)
{
	struct text_list found = {0};
	int r = jail_cache_find(at->place.home, wish->agent != NULL, &found, err);
	for (size_t i = 0; i < found.count && r == 0; i++)
		if (!path_is_hidden(&plan->sandbox, found.items[i]))
			r = text_list_add(&plan->sandbox.writable, found.items[i], err);
	text_list_done(&found);
	return r;
}

// By its name, and where that leads to another place, there too.
static int hidden_put(struct jail_plan *plan, const char *path, struct err *err)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	int r = text_list_add(&plan->sandbox.hidden, path, err);
	return r < 0 || !real ? r : text_list_add(&plan->sandbox.hidden, real, err);
}

static int hidden_fill(const struct jail_profile *profile, const struct sandbox_place *place, struct jail_plan *plan, struct err *err)
{
	int r = 0;
	for (size_t i = 0; i < profile->hide.count && r == 0; i++)
		r = hidden_put(plan, profile->hide.items[i], err);
	struct text_list found = {0};
	if (r == 0)
		r = jail_dotenv_find(place->directory, place->home, &found, &plan->is_cut, err);
	for (size_t i = 0; i < found.count && r == 0; i++) {
		// One that was asked for stays.
		if (text_list_has(&profile->read, found.items[i]))
			continue;
		r = text_list_add(&plan->dotenv, found.items[i], err);
		if (r == 0)
			r = hidden_put(plan, found.items[i], err);
	}
	text_list_done(&found);
	return r;
}

// Where hidden things are sorted: by names and by real paths.
struct sorting {
	const struct jail_place *at;
	struct text_list own;
	struct text_list programs;
};

static void sorting_done(struct sorting *sorting)
{
	text_list_done(&sorting->own);
	text_list_done(&sorting->programs);
}

static int both_put(struct text_list *list, const char *const *paths, struct err *err)
{
	int r = 0;
	for (; paths && *paths && r == 0; paths++) {
		_cleanup_free_ char *real = realpath(*paths, NULL);
		r = text_list_add(list, *paths, err);
		if (r == 0 && real)
			r = text_list_add(list, real, err);
	}
	return r;
}

static bool has_below(const struct text_list *list, const char *folder)
{
	for (size_t i = 0; i < list->count; i++)
		if (path_is_below(list->items[i], folder))
			return true;
	return false;
}

// Not where something in it is to be seen.
static bool is_to_be_covered(const struct sorting *sorting, const struct jail_plan *plan, const char *path)
{
	return path_is_folder(path) && !has_below(&plan->sandbox.shown, path) &&
	       !has_below(&plan->sandbox.writable, path) && !path_is_below(sorting->at->place.directory, path) &&
	       !has_below(&sorting->own, path) && !has_below(&sorting->programs, path);
}

// Of something hidden.
struct look {
	bool is_there; // or may be; else certainly not, as far as its folder can be read
	bool is_in_writable;
};

// Of the neighbours [first, end), which are in one folder: that is read once, instead of asking for each. There are folders in
// which upper and lower case are the same.
static void neighbours_look(const struct jail_plan *plan, size_t first, size_t end, size_t folder_length, struct look *looks)
{
	const struct text_list *hidden = &plan->sandbox.hidden;
	char folder[PATH_MAX];
	snprintf(folder, sizeof(folder), "%.*s", (int)folder_length, hidden->items[first]);
	DIR *dir = opendir(folder[0] ? folder : "/");
	const struct look look = {!dir && errno != ENOENT && errno != ENOTDIR, folder_above(&plan->sandbox.writable, hidden->items[first]) != NULL};
	for (size_t i = first; i < end; i++)
		looks[i] = look;
	for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
		for (size_t i = first; i < end; i++)
			looks[i].is_there |= strcasecmp(hidden->items[i] + folder_length + 1, entry->d_name) == 0;
	if (dir)
		closedir(dir);
}

static struct look *hidden_look(const struct jail_plan *plan)
{
	const struct text_list *hidden = &plan->sandbox.hidden;
	struct look *looks = calloc(hidden->count + 1, sizeof(*looks));
	for (size_t first = 0, end; looks && first < hidden->count; first = end) {
		size_t length = (size_t)(path_base(hidden->items[first]) - hidden->items[first]) - 1;
		for (end = first + 1; end < hidden->count; end++)
			if (strncmp(hidden->items[end], hidden->items[first], length + 1) != 0 || strchr(hidden->items[end] + length + 1, '/'))
				break;
		neighbours_look(plan, first, end, length, looks);
	}
	return looks;
}

enum hidden_place { HIDDEN_ELSEWHERE, HIDDEN_MASKED, HIDDEN_READ_ONLY, HIDDEN_LEFT };

// Below a writable folder Landlock could close it only by closing that folder to new files: it is covered where it exists,
// and what does not exist is left.
static enum hidden_place hidden_judge(const struct sorting *sorting, const char *path, struct look look)
{
	struct stat st;
	if (!look.is_in_writable)
		return HIDDEN_ELSEWHERE;
	if (strcmp(path, sorting->at->broker) == 0)
		return HIDDEN_READ_ONLY;
	if (text_list_has(&sorting->own, path))
		return HIDDEN_ELSEWHERE;
	return lstat(path, &st) == 0 && !S_ISLNK(st.st_mode) ? HIDDEN_MASKED : HIDDEN_LEFT;
}

static int hidden_sort(const struct jail_place *at, struct jail_plan *plan, struct err *err)
{
	_cleanup_(sorting_done) struct sorting sorting = {.at = at};
	struct text_list *hidden = &plan->sandbox.hidden;
	size_t kept = 0;
	int r = both_put(&sorting.own, at->place.own, err);
	if (r == 0)
		r = both_put(&sorting.programs, at->programs, err);
	_cleanup_free_ struct look *looks = hidden_look(plan);
	if (r == 0 && !looks)
		r = err_set(err, ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < hidden->count; i++) {
		enum hidden_place place = r == 0 ? hidden_judge(&sorting, hidden->items[i], looks[i]) : HIDDEN_LEFT;
		if (place == HIDDEN_MASKED || place == HIDDEN_READ_ONLY)
			r = text_list_add(place == HIDDEN_MASKED ? &plan->masked : &plan->read_only, hidden->items[i], err);
		else if (place == HIDDEN_ELSEWHERE && looks[i].is_there && is_to_be_covered(&sorting, plan, hidden->items[i]))
			r = text_list_add(&plan->covered, hidden->items[i], err);
		if (place == HIDDEN_ELSEWHERE || place == HIDDEN_MASKED)
			hidden->items[kept++] = hidden->items[i];
		else
			free(hidden->items[i]);
	}
	hidden->count = kept;
	return r;
}

static int kept_put(struct jail_plan *plan, const char *path, struct err *err)
{
	_cleanup_free_ char *real = path ? realpath(path, NULL) : NULL;
	return real && strcmp(real, "/") != 0 ? text_list_add(&plan->kept, real, err) : 0;
}

static int kept_fill(const struct jail_place *at, const struct jail_profile *profile, struct jail_plan *plan, struct err *err)
{
	int r = kept_put(plan, at->place.directory, err);
	if (r == 0)
		r = kept_put(plan, at->place.home, err);
	for (const char *const *own = at->place.own; own && *own && r == 0; own++)
		r = kept_put(plan, *own, err);
	for (const char *const *program = at->programs; program && *program && r == 0; program++)
		r = kept_put(plan, *program, err);
	for (size_t i = 0; i < profile->read.count && r == 0; i++)
		r = kept_put(plan, profile->read.items[i], err);
	for (size_t i = 0; i < profile->write.count && r == 0; i++)
		r = kept_put(plan, profile->write.items[i], err);
	return r;
}

// Git runs what lies there, outside too. What is not there could not be kept closed.
static int read_only_fill(struct jail_plan *plan, const char *directory, bool has_agent, struct err *err)
{
	_cleanup_free_ char *git = NULL, *hooks = NULL;
	int r = path_join(directory, ".git", &git, err);
	if (r < 0 || !path_is_folder(git))
		return r;
	r = path_join(git, "hooks", &hooks, err);
	if (r == 0 && has_agent && mkdir(hooks, 0777) < 0 && errno != EEXIST)
		return err_set_errno(err, ERR_SYSTEM, errno, "cannot make %s, which the jail keeps closed", hooks);
	if (r < 0 || !path_is_folder(hooks))
		return r;
	return text_list_add(&plan->read_only, hooks, err);
}

static int folders_fill(const struct jail_wish *wish, const struct jail_place *at, struct jail_plan *plan, struct err *err)
{
	bool has_runtime = at->runtime && at->runtime[0] == '/' && strcmp(at->runtime, "/") != 0;
	int r = text_copy(has_runtime ? at->runtime : NULL, &plan->runtime, err);
	if (r == 0)
		r = text_copy(at->place.temporary, &plan->temporary, err);
	if (r == 0)
		r = text_copy(at->broker, &plan->broker, err);
	return r == 0 ? read_only_fill(plan, at->place.directory, wish->agent != NULL, err) : r;
}

// What is inside could give itself more at the next start.
static int profile_check(const struct jail_wish *wish, const struct text_list *writable, struct err *err)
{
	char brief[200];
	_cleanup_free_ char *real = wish->profile && strchr(wish->profile, '/') ? realpath(wish->profile, NULL) : NULL;
	const char *folder = real ? folder_above(writable, real) : NULL;
	if (!real || (!folder && !text_list_has(writable, real)))
		return 0;
	return err_set(err, ERR_UNSAFE, "the agent could change the profile %s for its next start; keep it in a folder that the agent "
					"cannot write to", text_brief(span_text(wish->profile), brief, sizeof(brief)));
}

static int plan_fill(const struct jail_wish *wish, const struct jail_place *at, struct jail_profile *profile,
		     struct jail_plan *plan, struct err *err)
{
	int r = folder_check(at, err);
	if (r == 0)
		r = jail_profile_load(wish, &at->place, wish->agent != NULL, profile, err);
	if (r < 0)
		return r;
	plan->profile = profile->name;
	r = sandbox_fill(wish, profile, &at->place, &plan->sandbox, err);
	if (r == 0)
		r = hidden_fill(profile, &at->place, plan, err);
	if (r == 0)
		r = caches_fill(wish, at, plan, err);
	if (r == 0)
		r = profile_check(wish, &plan->sandbox.writable, err);
	if (r == 0)
		r = folders_fill(wish, at, plan, err);
	if (r == 0)
		r = hidden_sort(at, plan, err);
	return r == 0 ? kept_fill(at, profile, plan, err) : r;
}

int jail_plan_build(const struct jail_wish *wish, const struct jail_place *place, struct jail_plan *out, struct err *err)
{
	struct jail_plan plan = {0};
	struct jail_profile profile = {0};
	int r = plan_fill(wish, place, &profile, &plan, err);
	jail_profile_done(&profile);
	if (r < 0) {
		jail_plan_done(&plan);
		return r;
	}
	*out = plan;
	return 0;
}
