#include "policy/security.h"
#include "policy/rule_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define SECURITY_VERSION 1
// Longer than any id.
#define ID_BYTES_MAX 48

// ----------------------------------------------------------------------------------------------------------- overrides

// Levenshtein, one row of the table at a time.
static size_t text_distance(struct span a, const char *b)
{
	size_t row[ID_BYTES_MAX + 1];
	size_t columns = strlen(b) < ID_BYTES_MAX ? strlen(b) : ID_BYTES_MAX;
	for (size_t j = 0; j <= columns; j++)
		row[j] = j;
	for (size_t i = 0; i < a.len; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < columns; j++) {
			size_t change = diagonal + (a.data[i] != (uint8_t)b[j]);
			size_t step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;
			diagonal = row[j + 1];
			row[j + 1] = change < step ? change : step;
		}
	}
	return row[columns];
}

static const char *id_nearest(struct span id)
{
	struct finding_kind kind;
	const char *nearest = "";
	size_t least = SIZE_MAX;
	id.len = id.len < ID_BYTES_MAX ? id.len : ID_BYTES_MAX;
	for (size_t i = 0; finding_kind_at(i, &kind); i++) {
		size_t distance = text_distance(id, kind.id);
		if (distance < least)
			nearest = kind.id;
		least = distance < least ? distance : least;
	}
	return nearest;
}

static int id_find(struct span id, struct finding_kind *out, struct err *err)
{
	if (finding_kind_find(id, out))
		return 0;
	return err_set(err, ERR_INPUT, "there is no finding of that name; the nearest is '%s', and `envseal doctor` "
				       "lists all", id_nearest(id));
}

static size_t override_position(const struct security_overrides *overrides, const char *id)
{
	size_t at = 0;
	while (at < overrides->count && strcmp(overrides->rows[at].id, id) < 0)
		at++;
	return at;
}

const struct security_override *security_override_find(const struct security_overrides *overrides, const char *id)
{
	size_t at = override_position(overrides, id);
	return at < overrides->count && strcmp(overrides->rows[at].id, id) == 0 ? &overrides->rows[at] : NULL;
}

int security_override_put(struct security_overrides *overrides, struct span id, enum guard_action action,
			  struct err *err)
{
	struct finding_kind kind;
	int r = id_find(id, &kind, err);
	if (r < 0)
		return r;
	size_t at = override_position(overrides, kind.id);
	struct security_override *row = &overrides->rows[at];
	if (!security_override_find(overrides, kind.id)) {
		if (overrides->count == SECURITY_OVERRIDES_MAX)
			return err_set(err, ERR_LIMIT, "more than %d findings with an action of their own",
				       SECURITY_OVERRIDES_MAX);
		memmove(row + 1, row, (overrides->count - at) * sizeof(*row));
		overrides->count++;
	}
	*row = (struct security_override){kind.id, action};
	return 0;
}

int security_override_drop(struct security_overrides *overrides, struct span id, struct err *err)
{
	struct finding_kind kind;
	int r = id_find(id, &kind, err);
	if (r < 0 || !security_override_find(overrides, kind.id))
		return r;
	size_t at = override_position(overrides, kind.id);
	struct security_override *row = &overrides->rows[at];
	overrides->count--;
	memmove(row, row + 1, (overrides->count - at) * sizeof(*row));
	return 0;
}

// ------------------------------------------------------------------------------------------------------------- actions

static enum guard_action action_stricter(enum guard_action a, enum guard_action b)
{
	return a > b ? a : b;
}

static enum guard_action action_of(enum security_level level, const struct security_overrides *overrides,
				   const char *id, enum finding_severity severity)
{
	const struct security_override *own = security_override_find(overrides, id);
	if (severity == FINDING_OK)
		return GUARD_NOTE;
	return own ? own->action : security_demands(level)->actions[severity];
}

// A level that the file forces is forced for the findings too, whatever was chosen for single ones, here or there.
static enum guard_action floor_action(const struct security_floor *floor, const char *id,
				      enum finding_severity severity)
{
	static const struct security_overrides none;
	enum guard_action action = action_of(SECURITY_STANDARD, &floor->findings, id, severity);
	enum guard_action by_level = action_of(floor->level, &none, id, severity);
	if (!security_override_find(&floor->findings, id))
		action = GUARD_NOTE;
	return floor->level == SECURITY_STANDARD ? action : action_stricter(action, by_level);
}

static enum guard_action security_action(const struct security *security, const char *id,
					 enum finding_severity severity)
{
	return action_stricter(action_of(security->level, &security->findings, id, severity),
			       floor_action(&security->floor, id, severity));
}

enum guard_action guard_action_for(const struct security *security, const struct finding *finding)
{
	return security_action(security, finding->id, finding->severity);
}

enum guard_action guard_action_worst(const struct security *security, const struct finding_kind *kind)
{
	return security_action(security, kind->id, kind->worst);
}

enum guard_action guard_action_forced(const struct security_floor *floor, const struct finding_kind *kind)
{
	return floor_action(floor, kind->id, kind->worst);
}

// --------------------------------------------------------------------------------------------------------------- floor

void security_raise(struct security *security, const struct security_floor *floor)
{
	security->floor = *floor;
	if (floor->level > security->level)
		security->level = floor->level;
}

int security_check_floor(const struct security *wanted, const struct security_floor *floor, struct err *err)
{
	if (wanted->level < floor->level)
		return err_set(err, ERR_DENIED, "the level %s is weaker than %s, which %s forces",
			       security_level_name(wanted->level), security_level_name(floor->level), SECURITY_FILE);
	for (size_t i = 0; i < wanted->findings.count; i++) {
		const struct security_override *own = &wanted->findings.rows[i];
		struct finding_kind kind = {.id = own->id};
		finding_kind_find(span_text(own->id), &kind);
		enum guard_action forced = guard_action_forced(floor, &kind);
		if (own->action < forced)
			return err_set(err, ERR_DENIED,
				       "the action %s for the finding %s is weaker than %s, which %s forces",
				       guard_action_name(own->action), own->id, guard_action_name(forced),
				       SECURITY_FILE);
	}
	return 0;
}

// ---------------------------------------------------------------------------------------------------------------- JSON

static const char *field_text(json_t *object, const char *field)
{
	return json_string_value(json_object_get(object, field));
}

static int findings_read(json_t *json, struct security_overrides *out, struct err *err)
{
	const char *key;
	json_t *value;
	int r = 0;
	if (!json_is_object(json))
		return field_refuse(err, "findings", json ? "must be an object" : "is missing");
	json_object_foreach(json, key, value) {
		enum guard_action action;
		if (!json_is_string(value) || !guard_action_parse(json_string_value(value), &action))
			return field_refuse(err, "findings", "must hold note, warn, ask or deny for each finding");
		r = security_override_put(out, span_text(key), action, err);
		if (r < 0)
			return err_prefix(err, "the field 'findings'");
	}
	return r;
}

static int security_read(json_t *json, struct security *out, struct err *err)
{
	const json_t *version = json_object_get(json, "version");
	const char *level = field_text(json, "level");
	if (!json_is_object(json))
		return err_set(err, ERR_INPUT, "it is not an object");
	if (!json_is_integer(version) || json_integer_value(version) != SECURITY_VERSION)
		return field_refuse(err, "version", "is not 1; this is for another version of envseal");
	if (!level || !security_level_parse(level, &out->level))
		return field_refuse(err, "level", "must be standard, hardened or lockdown");
	// With all three there, any other is one too many.
	int r = findings_read(json_object_get(json, "findings"), &out->findings, err);
	return r == 0 && json_object_size(json) != 3 ? err_set(err, ERR_INPUT, "it has a field that is not known") : r;
}

int security_parse(struct span text, struct security *out, struct err *err)
{
	struct security security = {0};
	json_error_t error = {0};
	char brief[120];
	if (text.len > SECURITY_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "the security setting is too long (%d bytes at most)",
			       SECURITY_BYTES_MAX);
	json_auto_t *json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	int r = json ? security_read(json, &security, err)
		     : err_set(err, ERR_INPUT, "line %d, column %d: %s", error.line, error.column,
			       text_brief(span_text(error.text), brief, sizeof(brief)));
	if (r < 0)
		return err_prefix(err, "the security setting");
	*out = security;
	return 0;
}

int security_format(const struct security *security, struct buf *out, struct err *err)
{
	json_auto_t *findings = json_object();
	bool ok = findings != NULL;
	for (size_t i = 0; ok && i < security->findings.count; i++)
		ok = json_object_set_new(findings, security->findings.rows[i].id,
					 json_string(guard_action_name(security->findings.rows[i].action))) == 0;
	json_auto_t *object = json_pack("{s:O, s:s, s:i}", "findings", findings, "level",
					security_level_name(security->level), "version", SECURITY_VERSION);
	_cleanup_free_ char *text = ok && object ? json_dumps(object, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	return text ? buf_append_text(out, text, err)
		    : err_set(err, ERR_MEMORY, "out of memory for the security setting");
}
