#include "engine/life.h"

#include "engine/engine_internal.h"

#include <stdlib.h>
#include <string.h>

// Even numbers: what a name had before the log tells of it. Odd ones: what a record stored.
static size_t value_older(const struct life *life, const struct life_name *name)
{
	return 2 * (size_t)(name - life->names);
}

int err_memory(struct err *err)
{
	return err_set(err, ERR_MEMORY, "out of memory");
}

const char *record_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

const char *record_listed_name(const json_t *member)
{
	return json_string_value(json_is_object(member) ? json_object_get(member, "name") : member);
}

int64_t record_time(const json_t *record)
{
	const char *text = record_text(record, "time");
	struct err ignored;
	int64_t seconds = 0;
	return text && clock_parse(text, 0, &seconds, &ignored) == 0 ? seconds : 0;
}

static uint64_t member_number(const json_t *record, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(record, key));
	return number > 0 ? (uint64_t)number : 0;
}

uint32_t record_version(const json_t *record, const char *key)
{
	uint64_t number = member_number(record, key);
	return number < UINT32_MAX ? (uint32_t)number : 0;
}

// --------------------------------------------------------------------------------------------------------------- names

int life_init(struct life *life, struct err *err)
{
	*life = (struct life){.index = json_object()};
	return life->index ? 0 : err_memory(err);
}

void life_done(struct life *life)
{
	for (size_t i = 0; i < life->name_count; i++)
		free(life->names[i].held);
	free(life->names);
	free(life->stored);
	json_decref(life->index);
	*life = (struct life){0};
}

const struct life_name *life_find(const struct life *life, const char *name)
{
	const json_t *position = json_object_get(life->index, name);
	return position ? &life->names[json_integer_value(position)] : NULL;
}

int life_note(struct life *life, const char *name, struct err *err)
{
	if (!name || life_find(life, name))
		return 0;
	struct life_name *names = array_room(life->names, life->name_count, sizeof(*names));
	if (!names)
		return err_memory(err);
	life->names = names;
	if (json_object_set_new(life->index, name, json_integer((json_int_t)life->name_count)) < 0)
		return err_memory(err);
	void *key = json_object_iter_at(life->index, name);
	names[life->name_count++] = (struct life_name){.name = json_object_iter_key(key)};
	return 0;
}

static struct life_name *name_of(struct life *life, const char *name)
{
	const struct life_name *found = name ? life_find(life, name) : NULL;
	return found ? &life->names[found - life->names] : NULL;
}

// Whatever comes of the record: both readings must number the names alike.
static int names_note(struct life *life, const json_t *record, struct err *err)
{
	const json_t *list = json_object_get(record, "secrets");
	int r = life_note(life, record_text(record, "secret"), err);
	if (r == 0)
		r = life_note(life, record_text(record, "to"), err);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = life_note(life, record_listed_name(json_array_get(list, i)), err);
	if (!life->is_begun) {
		const char *kind = record_text(record, "kind");
		life->is_whole = kind && strcmp(kind, "vault.init") == 0;
		life->is_begun = true;
	}
	return r;
}

// -------------------------------------------------------------------------------------------------------------- values

const struct life_name *life_now(const struct life *life, const struct life_name *name)
{
	// A name that one was renamed to was held then; so this never comes back to where it was.
	while (name->state == LIFE_RENAMED)
		name = &life->names[name->renamed_to];
	return name;
}

size_t life_value(const struct life *life, const struct life_name *name)
{
	name = life_now(life, name);
	return name->held_count > 0 ? name->held[name->held_count - 1].value : value_older(life, name);
}

size_t life_value_of_version(const struct life *life, const struct life_name *name, uint32_t version)
{
	for (size_t i = name->held_count; i > 0; i--)
		if (name->held[i - 1].version == version)
			return name->held[i - 1].value;
	return value_older(life, name);
}

struct life_origin life_origin(const struct life *life, size_t value)
{
	return value % 2 == 1 ? life->stored[value / 2] : (struct life_origin){0};
}

size_t life_value_end(const struct life *life)
{
	size_t count = life->name_count > life->stored_count ? life->name_count : life->stored_count;
	return 2 * count + 2;
}

static int name_hold(struct life_name *name, uint32_t version, size_t value, struct err *err)
{
	struct life_held *held = array_room(name->held, name->held_count, sizeof(*held));
	if (!held)
		return err_memory(err);
	name->held = held;
	held[name->held_count++] = (struct life_held){version, value};
	name->state = LIFE_HELD;
	return 0;
}

// What the log does not say of an earlier version still was there.
static int name_hold_older(struct life *life, struct life_name *name, uint32_t version, struct err *err)
{
	if (name->state != LIFE_HELD || name->held_count > 0 || version == 1)
		return 0;
	return name_hold(name, version > 0 ? version - 1 : 0, value_older(life, name), err);
}

// Where the record does not tell the version, it is the next one.
static uint32_t version_next(const struct life *life, const struct life_name *name)
{
	if (name->state != LIFE_HELD || (name->held_count == 0 && life->is_whole))
		return 1;
	uint32_t last = name->held_count > 0 ? name->held[name->held_count - 1].version : 0;
	return last > 0 ? last + 1 : 0;
}

static int name_store(struct life *life, const char *text, uint32_t version, const json_t *record, struct err *err)
{
	struct life_name *name = name_of(life, text);
	if (!name)
		return 0;
	if (version == 0)
		version = version_next(life, name);
	struct life_origin *stored = array_room(life->stored, life->stored_count, sizeof(*stored));
	if (!stored)
		return err_memory(err);
	life->stored = stored;
	stored[life->stored_count] = (struct life_origin){member_number(record, "seq"), record_time(record)};
	int r = name_hold_older(life, name, version, err);
	if (r == 0)
		r = name_hold(name, version, 2 * life->stored_count + 1, err);
	life->stored_count++;
	return r;
}

// ------------------------------------------------------------------------------------------------------------- changes

static int apply_set(struct life *life, const json_t *record, struct err *err)
{
	const char *name = record_text(record, "secret");
	return name_store(life, name, record_version(record, "version"), record, err);
}

// Of values that waited and were confirmed, and of an import.
static int apply_stored(struct life *life, const json_t *record, struct err *err)
{
	const json_t *list = json_object_get(record, "secrets");
	int r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = name_store(life, record_listed_name(json_array_get(list, i)), 0, record, err);
	return r;
}

static int apply_rename(struct life *life, const json_t *record, struct err *err)
{
	struct life_name *from = name_of(life, record_text(record, "secret"));
	struct life_name *to = name_of(life, record_text(record, "to"));
	if (!from || !to || from == to)
		return 0;
	int r = from->held_count == 0 ? name_hold(from, 0, value_older(life, from), err) : 0;
	for (size_t i = 0; r == 0 && i < from->held_count; i++)
		r = name_hold(to, from->held[i].version, from->held[i].value, err);
	from->state = LIFE_RENAMED;
	from->renamed_to = (size_t)(to - life->names);
	from->ended = record_time(record);
	return r;
}

static int apply_copy(struct life *life, const json_t *record, struct err *err)
{
	const struct life_name *from = name_of(life, record_text(record, "secret"));
	struct life_name *to = name_of(life, record_text(record, "to"));
	return from && to ? name_hold(to, 1, life_value(life, from), err) : 0;
}

static int apply_remove(struct life *life, const json_t *record, struct err *err)
{
	const json_t *list = json_object_get(record, "secrets");
	(void)err;
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct life_name *name = name_of(life, record_listed_name(json_array_get(list, i)));
		if (!name)
			continue;
		name->state = LIFE_REMOVED;
		name->ended = record_time(record);
	}
	return 0;
}

static int apply_rollback(struct life *life, const json_t *record, struct err *err)
{
	struct life_name *name = name_of(life, record_text(record, "secret"));
	if (!name)
		return 0;
	size_t value = life_value_of_version(life, name, record_version(record, "from"));
	return name_hold(name, record_version(record, "version"), value, err);
}

typedef int apply_fn(struct life *life, const json_t *record, struct err *err);

static apply_fn *change_find(const json_t *record)
{
	static const struct {
		const char *kind;
		apply_fn *apply;
	} changes[] = {{"secret.set", apply_set}, {"secret.confirm", apply_stored}, {"import", apply_stored},
		       {"secret.rename", apply_rename}, {"secret.copy", apply_copy}, {"secret.remove", apply_remove},
		       {"secret.rollback", apply_rollback}};
	const char *kind = record_text(record, "kind");
	for (size_t i = 0; kind && i < ARRAY_COUNT(changes); i++)
		if (strcmp(kind, changes[i].kind) == 0)
			return changes[i].apply;
	return NULL;
}

static bool is_void(const struct life_voids *voids, uint64_t record)
{
	size_t low = 0, high = voids->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (voids->records[middle] < record)
			low = middle + 1;
		else
			high = middle;
	}
	return low < voids->count && voids->records[low] == record;
}

int life_add(struct life *life, const struct life_voids *voids, const json_t *record, struct err *err)
{
	apply_fn *apply = change_find(record);
	int r = names_note(life, record, err);
	return r == 0 && apply && !is_void(voids, member_number(record, "seq")) ? apply(life, record, err) : r;
}

// ------------------------------------------------------------------------------------------------------------- history

int history_init(struct life_history *history, struct err *err)
{
	*history = (struct life_history){0};
	return life_init(&history->life, err);
}

void history_done(struct life_history *history)
{
	life_done(&history->life);
	free(history->voids.records);
	json_decref(history->pending);
	*history = (struct life_history){0};
}

// The pending change happened, unless the next generation is that of its own record again, or an earlier one: then a power
// cut has taken states before it too.
static int pending_settle(struct life_history *history, uint64_t generation, struct err *err)
{
	json_t *record = TAKE_PTR(history->pending);
	struct life_voids *voids = &history->voids;
	int r = 0;
	if (member_number(record, "generation") < generation) {
		r = change_find(record)(&history->life, record, err);
	} else {
		uint64_t *records = array_room(voids->records, voids->count, sizeof(*records));
		if (records) {
			records[voids->count++] = member_number(record, "seq");
			voids->records = records;
		}
		r = records ? 0 : err_memory(err);
	}
	json_decref(record);
	return r;
}

static void history_note(struct life_history *history, const json_t *record)
{
	const char *kind = record_text(record, "kind");
	if (!history->life.is_begun)
		history->begins = record_time(record);
	history->last = member_number(record, "seq");
	if (kind && strcmp(kind, "audit.accept") == 0)
		history->accepted = (struct life_origin){history->last, record_time(record)};
}

int history_add(struct life_history *history, json_t *record, struct err *err)
{
	uint64_t generation = member_number(record, "generation");
	apply_fn *apply = change_find(record);
	history_note(history, record);
	int r = names_note(&history->life, record, err);
	if (r == 0 && history->pending && (generation > 0 || apply))
		r = pending_settle(history, generation, err);
	if (r == 0 && apply && generation > 0)
		history->pending = json_incref(record);
	else if (r == 0 && apply)
		r = apply(&history->life, record, err);
	return r;
}

int history_end(struct life_history *history, uint64_t generation, struct err *err)
{
	return history->pending ? pending_settle(history, generation + 1, err) : 0;
}
