#include "engine/record.h"
#include "engine/value_health.h"

#include <stdlib.h>
#include <string.h>

// What is kept of a secret while the others are opened.
struct health_item {
	char name[NAME_BYTES_MAX + 1];
	struct value_times times;
	bool has_value; // a confirmed one
	bool is_wanted;
	unsigned findings;
	uint8_t mac[DIGEST_BYTES]; // of the value
	size_t group;              // where the items with the same value begin in `by_mac`
	size_t group_count;
};

struct health {
	const struct engine_health *request;
	struct secret *key; // for `mac`; after it is gone, nobody can tell which value a mac was made of
	struct health_item *items;
	size_t count;
	struct health_item **by_mac; // those that have a value
	const char **names;          // of the same, for the record
	size_t value_count;
	struct err *err;
};

static void health_done(struct health *health)
{
	secret_free_ptr(&health->key);
	free(health->items);
	free(health->by_mac);
	free(health->names);
}

static bool entry_is_wanted(const struct engine_health *request, const struct vault_entry *entry)
{
	if (request->name)
		return strcmp(entry->name, request->name) == 0;
	return entry_has_tags(entry, request->tags, request->tag_count);
}

static int health_add(void *context, const struct vault_entry *entry)
{
	struct health *health = context;
	struct health_item *items = array_room(health->items, health->count, sizeof(*items));
	if (!items)
		return err_set(health->err, ERR_MEMORY, "out of memory");
	health->items = items;
	struct health_item *item = &items[health->count++];
	*item = (struct health_item){.times.expires = entry->expires, .has_value = entry->version > 0,
				     .is_wanted = entry_is_wanted(health->request, entry)};
	memcpy(item->name, entry->name, sizeof(item->name));
	if (entry->is_pending)
		item->findings |= HEALTH_BIT(HEALTH_UNCONFIRMED);
	return 0;
}

static int item_judge(struct session *session, struct health *health, struct health_item *item, struct err *err)
{
	_cleanup_secret_ struct secret *value = NULL;
	// A change of the note or the tags counts as a change of the entry; what makes a value old is when it was stored.
	int r = secret_stored(session->vault, item->name, &item->times.stored, err);
	if (r == 0)
		r = vault_reveal(session->vault, item->name, 0, &value, err);
	if (r < 0)
		return r;
	item->findings |= value_health(secret_span(value));
	mac_bytes(secret_data(health->key), secret_span(value), item->mac);
	health->by_mac[health->value_count] = item;
	health->names[health->value_count++] = item->name;
	return 0;
}

static int health_judge(struct session *session, struct health *health, struct err *err)
{
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	health->by_mac = calloc(health->count + 1, sizeof(*health->by_mac));
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept
	health->names = calloc(health->count + 1, sizeof(*health->names));
	if (!health->by_mac || !health->names)
		return err_set(err, ERR_MEMORY, "out of memory");
	int r = secret_new(KEY_BYTES, SECRET_LOCK_REQUIRED, &health->key, err);
	if (r < 0)
		return r;
	rng_fill(secret_data(health->key), KEY_BYTES);
	int64_t now = clock_now();
	for (size_t i = 0; r == 0 && i < health->count; i++) {
		struct health_item *item = &health->items[i];
		if (item->has_value)
			r = item_judge(session, health, item, err);
		if (r == 0)
			item->findings |= times_health(&item->times, now);
	}
	health->key = secret_free(health->key);
	return r;
}

// Names within a group stay in their order: the items lie in it.
static int item_compare(const void *a, const void *b)
{
	const struct health_item *left = *(struct health_item *const *)a, *right = *(struct health_item *const *)b;
	int order = memcmp(left->mac, right->mac, DIGEST_BYTES);
	return order ? order : (left > right) - (left < right);
}

static void health_group(struct health *health)
{
	struct health_item **by_mac = health->by_mac;
	// NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is sorted
	qsort(by_mac, health->value_count, sizeof(*by_mac), item_compare);
	for (size_t begin = 0, end; begin < health->value_count; begin = end) {
		for (end = begin + 1; end < health->value_count && digest_is_equal(by_mac[begin]->mac, by_mac[end]->mac);)
			end++;
		for (size_t i = begin; i < end; i++) {
			by_mac[i]->group = begin;
			by_mac[i]->group_count = end - begin;
			if (end - begin > 1)
				by_mac[i]->findings |= HEALTH_BIT(HEALTH_DUPLICATE);
		}
	}
}

static void item_tell(const struct health *health, const struct health_item *item,
		      void (*each)(void *context, const struct health_row *row), void *context)
{
	struct health_row row = {.name = item->name, .findings = item->findings,
				 .same_count = item->group_count > 1 ? item->group_count - 1 : 0};
	size_t told = 0;
	for (size_t i = 0; i < item->group_count && told < HEALTH_SAME_MAX; i++) {
		const struct health_item *other = health->by_mac[item->group + i];
		if (other != item)
			row.same_as[told++] = other->name;
	}
	each(context, &row);
}

static json_t *health_json(const struct health *health)
{
	size_t left_out = 0;
	json_t *names = names_json_bounded(health->names, health->value_count, &left_out);
	return json_pack("{s:o, s:I}", "secrets", names, "secrets_left_out", (json_int_t)left_out);
}

int engine_health(struct engine *engine, const struct engine_health *request,
		  void (*each)(void *context, const struct health_row *row), void *context, struct err *err)
{
	_cleanup_session_ struct session session = {0};
	_cleanup_(health_done) struct health health = {.request = request, .err = err};
	int r = session_open_named(engine, &request->unlock, &request->name, request->name ? 1 : 0, &session, err);
	if (r == 0)
		r = session_begin(&session, err);
	if (r == 0)
		r = vault_list(session.vault, health_add, &health, err);
	if (r == 0)
		r = health_judge(&session, &health, err);
	// Recorded like every opening of a value, before anything is told of it.
	if (r == 0)
		r = session_commit(&session, "secret.health", health_json(&health), err);
	if (r < 0)
		return r;
	health_group(&health);
	for (size_t i = 0; i < health.count; i++)
		if (health.items[i].is_wanted)
			item_tell(&health, &health.items[i], each, context);
	return 0;
}

const char *health_name(enum health_finding finding)
{
	static const char *const names[HEALTH_COUNT] = {
		[HEALTH_PLACEHOLDER] = "placeholder",   [HEALTH_SHORT] = "short",
		[HEALTH_LOW_ENTROPY] = "low-entropy",   [HEALTH_WEAK] = "weak",
		[HEALTH_DUPLICATE] = "duplicate",       [HEALTH_OLD] = "old",
		[HEALTH_EXPIRED] = "expired",           [HEALTH_EXPIRES_SOON] = "expires-soon",
		[HEALTH_UNCONFIRMED] = "unconfirmed",
	};
	return names[finding];
}
