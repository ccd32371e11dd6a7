#include "approve/approve.h"

#include <stdlib.h>
#include <string.h>

#define WIRE_VERSION 2
enum { OFFERS_VALUES = 1, OFFERS_COOL_DOWN = 2, IS_UNSHIELDED = 4, IS_DEGRADABLE = 8 };
// A list of names, or what stands for none of it.
enum { IS_ABSENT, IS_PRESENT };
#define LENGTH_BYTES 4
#define LISTS 9

// ------------------------------------------------------------------------------------------------------------- writing

static int text_write(const char *text, struct buf *out, struct err *err)
{
	int r = writer_u8(out, text ? IS_PRESENT : IS_ABSENT, err);
	return r == 0 && text ? writer_string(out, span_text(text), err) : r;
}

static int list_write(const char *const *texts, size_t count, struct buf *out, struct err *err)
{
	if (count > APPROVAL_WIRE_BYTES_MAX)
		return err_set(err, ERR_LIMIT, "there is too much in it");
	int r = writer_u32(out, (uint32_t)count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = writer_string(out, span_text(texts[i]), err);
	return r;
}

static int argv_write(char *const *argv, struct buf *out, struct err *err)
{
	size_t count = 0;
	while (argv && argv[count])
		count++;
	int r = writer_u8(out, argv ? IS_PRESENT : IS_ABSENT, err);
	return r == 0 && argv ? list_write((const char *const *)argv, count, out, err) : r;
}

// Those that approval_format can name, and how many more there are: it may be any number.
static int dropped_write(const struct approval *approval, struct buf *out, struct err *err)
{
	size_t named = 0, bytes = 0;
	while (named < approval->dropped_count && bytes <= APPROVAL_DROPPED_BYTES_MAX)
		bytes += strlen(approval->dropped[named++]) + 2;
	int r = list_write(approval->dropped, named, out, err);
	return r == 0 ? writer_u64(out, approval->dropped_count - named + approval->dropped_more, err) : r;
}

static int askers_write(const struct ancestry *askers, struct buf *out, struct err *err)
{
	int r = writer_u32(out, (uint32_t)askers->count, err);
	for (size_t i = 0; r == 0 && i < askers->count; i++) {
		r = writer_u32(out, (uint32_t)askers->items[i].pid, err);
		if (r == 0)
			r = writer_string(out, span_text(askers->items[i].name), err);
	}
	return r == 0 ? text_write(askers->agent, out, err) : r;
}

static int program_write(const struct approval *approval, struct buf *out, struct err *err)
{
	const char *const texts[] = {approval->program_path, approval->program_kind, approval->program_digest,
				     approval->interpreter_path, approval->directory, approval->tier, approval->network,
				     approval->level, approval->reason};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(texts); i++)
		r = text_write(texts[i], out, err);
	return r == 0 ? argv_write(approval->argv, out, err) : r;
}

static int lists_write(const struct approval *approval, struct buf *out, struct err *err)
{
	int r = list_write(approval->secrets, approval->secret_count, out, err);
	if (r == 0)
		r = dropped_write(approval, out, err);
	if (r == 0)
		r = list_write(approval->kept, approval->kept_count, out, err);
	if (r == 0)
		r = list_write(approval->readable, approval->readable_count, out, err);
	if (r == 0)
		r = list_write(approval->writable, approval->writable_count, out, err);
	if (r == 0)
		r = list_write(approval->endpoints, approval->endpoint_count, out, err);
	if (r == 0)
		r = list_write(approval->notes, approval->note_count, out, err);
	return r == 0 ? list_write(approval->waiting, approval->waiting_count, out, err) : r;
}

static int choices_write(const struct approval *approval, struct buf *out, struct err *err)
{
	unsigned flags = (approval->offers_values ? OFFERS_VALUES : 0) | (approval->offers_cool_down ? OFFERS_COOL_DOWN : 0) |
			 (approval->is_unshielded ? IS_UNSHIELDED : 0) | (approval->is_degradable ? IS_DEGRADABLE : 0);
	int r = writer_u8(out, (uint8_t)flags, err);
	if (r == 0)
		r = writer_u8(out, (uint8_t)approval->choices, err);
	if (r == 0)
		r = writer_u64(out, (uint64_t)approval->choice_seconds, err);
	for (size_t i = 0; r == 0 && i < APPROVAL_CHOICE_COUNT; i++)
		r = text_write(approval->becomes[i], out, err);
	return r;
}

int approval_write(const struct approval *approval, struct buf *out, struct err *err)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(APPROVAL_WIRE_BYTES_MAX);
	int r = writer_u8(&bytes, WIRE_VERSION, err);
	if (r == 0)
		r = writer_string(&bytes, span_text(approval->action), err);
	if (r == 0)
		r = askers_write(approval->askers, &bytes, err);
	if (r == 0)
		r = program_write(approval, &bytes, err);
	if (r == 0)
		r = lists_write(approval, &bytes, err);
	if (r == 0)
		r = choices_write(approval, &bytes, err);
	if (r == ERR_LIMIT)
		return err_set(err, ERR_LIMIT, "this question has more than %u bytes, which is more than can be asked; "
					       "ask for fewer secrets at once", APPROVAL_WIRE_BYTES_MAX);
	return r == 0 ? buf_append(out, buf_span(&bytes), err) : r;
}

// ------------------------------------------------------------------------------------------------------------- reading

struct approval_copy {
	struct approval approval;
	struct ancestry askers;
	char *texts;     // one behind the other
	char **pointers; // the lists, NULL behind each
};

// Where the next of each goes. Both are made for the whole question, by how many bytes a text and a list have at least.
struct room {
	struct reader reader;
	char *text;
	char **pointer;
};

static char *text_take(struct room *room, size_t max_bytes)
{
	struct span bytes = reader_string(&room->reader, max_bytes);
	if (bytes.len > 0 && memchr(bytes.data, 0, bytes.len))
		room->reader.failed = true;
	if (room->reader.failed)
		return room->text;
	char *text = room->text;
	if (bytes.len > 0)
		memcpy(text, bytes.data, bytes.len);
	text[bytes.len] = 0;
	room->text += bytes.len + 1;
	return text;
}

static bool is_present(struct room *room)
{
	uint8_t flag = reader_u8(&room->reader);
	if (flag > IS_PRESENT)
		room->reader.failed = true;
	return flag == IS_PRESENT;
}

static char *text_read(struct room *room)
{
	return is_present(room) ? text_take(room, APPROVAL_WIRE_BYTES_MAX) : NULL;
}

static char **list_read(struct room *room, size_t *ret_count)
{
	uint32_t count = reader_u32(&room->reader);
	if (count > room->reader.rest.len / LENGTH_BYTES)
		room->reader.failed = true;
	char **list = room->pointer;
	for (uint32_t i = 0; !room->reader.failed && i < count; i++)
		*room->pointer++ = text_take(room, APPROVAL_WIRE_BYTES_MAX);
	*room->pointer++ = NULL;
	*ret_count = room->reader.failed ? 0 : count;
	return list;
}

static void askers_read(struct room *room, struct ancestry *out)
{
	uint32_t count = reader_u32(&room->reader);
	if (count > ANCESTRY_STEPS_MAX)
		room->reader.failed = true;
	for (uint32_t i = 0; !room->reader.failed && i < count; i++) {
		out->items[i].pid = (pid_t)reader_u32(&room->reader);
		char *name = text_take(room, ANCESTRY_NAME_BYTES - 1);
		if (!room->reader.failed)
			memcpy(out->items[i].name, name, strlen(name) + 1);
		out->count = i + 1;
	}
	out->agent = text_read(room);
}

static void program_read(struct room *room, struct approval *out)
{
	size_t ignored = 0;
	out->program_path = text_read(room);
	out->program_kind = text_read(room);
	out->program_digest = text_read(room);
	out->interpreter_path = text_read(room);
	out->directory = text_read(room);
	out->tier = text_read(room);
	out->network = text_read(room);
	out->level = text_read(room);
	out->reason = text_read(room);
	out->argv = is_present(room) ? list_read(room, &ignored) : NULL;
	// approval_format takes these as given.
	bool is_whole = out->program_kind && out->program_digest && out->directory && out->argv;
	if (out->program_path && !is_whole)
		room->reader.failed = true;
}

static void lists_read(struct room *room, struct approval *out)
{
	out->secrets = (const char *const *)list_read(room, &out->secret_count);
	out->dropped = (const char *const *)list_read(room, &out->dropped_count);
	uint64_t more = reader_u64(&room->reader);
	if (more > UINT32_MAX)
		room->reader.failed = true;
	out->dropped_more = (size_t)more;
	out->kept = (const char *const *)list_read(room, &out->kept_count);
	out->readable = (const char *const *)list_read(room, &out->readable_count);
	out->writable = (const char *const *)list_read(room, &out->writable_count);
	out->endpoints = (const char *const *)list_read(room, &out->endpoint_count);
	out->notes = (const char *const *)list_read(room, &out->note_count);
	out->waiting = (const char *const *)list_read(room, &out->waiting_count);
}

static void choices_read(struct room *room, struct approval *out)
{
	uint8_t flags = reader_u8(&room->reader);
	out->offers_values = flags & OFFERS_VALUES;
	out->offers_cool_down = flags & OFFERS_COOL_DOWN;
	out->is_unshielded = flags & IS_UNSHIELDED;
	out->is_degradable = flags & IS_DEGRADABLE;
	out->choices = reader_u8(&room->reader);
	out->choice_seconds = (int64_t)reader_u64(&room->reader);
	for (size_t i = 0; i < APPROVAL_CHOICE_COUNT; i++)
		out->becomes[i] = text_read(room);
	if ((flags & ~(OFFERS_VALUES | OFFERS_COOL_DOWN | IS_UNSHIELDED | IS_DEGRADABLE)) != 0 || out->choices >= 1u << APPROVAL_CHOICE_COUNT ||
	    out->choice_seconds < 0)
		room->reader.failed = true;
}

static int copy_new(size_t bytes, struct approval_copy **out, struct err *err)
{
	struct approval_copy *copy = calloc(1, sizeof(*copy));
	if (copy) {
		// The length before a text has more bytes than the NUL behind it.
		copy->texts = malloc(bytes + 1);
		copy->pointers = calloc(bytes / LENGTH_BYTES + LISTS, sizeof(*copy->pointers));
	}
	if (!copy || !copy->texts || !copy->pointers) {
		approval_copy_free(copy);
		return err_set(err, ERR_MEMORY, "out of memory");
	}
	copy->texts[0] = 0;
	*out = copy;
	return 0;
}

int approval_read(struct span bytes, struct approval_copy **out, struct err *err)
{
	_cleanup_approval_copy_ struct approval_copy *copy = NULL;
	if (bytes.len > APPROVAL_WIRE_BYTES_MAX)
		return err_set(err, ERR_INPUT, "this is no question: it has more than %u bytes", APPROVAL_WIRE_BYTES_MAX);
	int r = copy_new(bytes.len, &copy, err);
	if (r < 0)
		return r;
	struct approval *approval = &copy->approval;
	struct room room = {.reader = reader_of(bytes), .text = copy->texts, .pointer = copy->pointers};
	if (reader_u8(&room.reader) != WIRE_VERSION)
		return err_set(err, ERR_INPUT, "this is no question of this version of envseal");
	approval->action = text_take(&room, APPROVAL_WIRE_BYTES_MAX);
	approval->askers = &copy->askers;
	askers_read(&room, &copy->askers);
	program_read(&room, approval);
	lists_read(&room, approval);
	choices_read(&room, approval);
	if (!reader_end(&room.reader))
		return err_set(err, ERR_INPUT, "this is no question: it cannot be read");
	*out = TAKE_PTR(copy);
	return 0;
}

const struct approval *approval_of(const struct approval_copy *copy)
{
	return &copy->approval;
}

struct approval_copy *approval_copy_free(struct approval_copy *copy)
{
	if (copy) {
		free(copy->texts);
		free(copy->pointers);
		free(copy);
	}
	return NULL;
}

void approval_copy_free_ptr(struct approval_copy **copy)
{
	*copy = approval_copy_free(*copy);
}
