// engine/life: which value a name had when, as far as the audit log tells. A value keeps its identity when its name
// changes, when it is copied, and when a rollback brings it back. No value is opened for this: a number stands for it.
//
// The log is read twice, in order: by history_add, and, once that is over, by life_add with what history found. The
// same value has the same number both times.
#pragma once

#include "engine/engine.h"

// A value that was stored before the log begins has no record that stored it.
struct life_origin {
	uint64_t record; // 0: not in the log
	int64_t time;
};

struct life_held {
	uint32_t version; // 0: not known
	size_t value;
};

enum life_state { LIFE_HELD, LIFE_RENAMED, LIFE_REMOVED };

struct life_name {
	const char *name; // borrowed from the index
	enum life_state state;
	size_t renamed_to;      // for LIFE_RENAMED: a position in names
	int64_t ended;          // when it was renamed or removed
	struct life_held *held; // oldest first; the last one is current
	size_t held_count;
};

struct life {
	json_t *index; // name -> position in names
	struct life_name *names;
	size_t name_count;
	struct life_origin *stored;
	size_t stored_count;
	bool is_whole; // the log begins with the vault
	bool is_begun;
};

struct life_voids {
	uint64_t *records; // ascending
	size_t count;
};

// The first reading. A change whose record a crash parted from the vault never happened: the generation tells.
struct life_history {
	struct life life;
	struct life_voids voids;
	json_t *pending; // the last change, until it is known that it happened
	uint64_t last;   // number of the last record
	int64_t begins;  // time of the first one
	struct life_origin accepted; // the last time the log was accepted as it was
};

int err_memory(struct err *err); // ERR_MEMORY

int life_init(struct life *life, struct err *err);
void life_done(struct life *life);
// Takes in one record. `voids` are those that history found.
int life_add(struct life *life, const struct life_voids *voids, const json_t *record, struct err *err);

int history_init(struct life_history *history, struct err *err);
void history_done(struct life_history *history);
int history_add(struct life_history *history, json_t *record, struct err *err);
// `generation` is the vault's.
int history_end(struct life_history *history, uint64_t generation, struct err *err);

// Makes room for a name that the log may have nothing of, once it was read.
int life_note(struct life *life, const char *name, struct err *err);
// NULL: the log has nothing of the name.
const struct life_name *life_find(const struct life *life, const char *name);
// The name that it has now; itself unless it was renamed.
const struct life_name *life_now(const struct life *life, const struct life_name *name);
// The number of the value that the name has, or had last.
size_t life_value(const struct life *life, const struct life_name *name);
// The value of one of its versions.
size_t life_value_of_version(const struct life *life, const struct life_name *name, uint32_t version);
struct life_origin life_origin(const struct life *life, size_t value);
// All numbers of values are below.
size_t life_value_end(const struct life *life);

// A member that is text; NULL for any other.
const char *record_text(const json_t *object, const char *key);
// Of the list "secrets": its members are names, or objects that have one. NULL for any other.
const char *record_listed_name(const json_t *member);
// The time of a record in seconds; 0 when it has none.
int64_t record_time(const json_t *record);
// A version's number; 0 when it has none.
uint32_t record_version(const json_t *record, const char *key);
