#include "broker/protocol.h"

#include <stdlib.h>
#include <string.h>

// A request is a command line, or a value that was left in the vault.
enum form { FORM_COMMAND, FORM_DEPOSIT };

// The kernel has so many signals (signal(7)).
#define SIGNALS_MAX 64

void message_work_done(struct message_work *work)
{
	free(work->words);
	free(work->environment);
	free(work->deposit);
	*work = (struct message_work){0};
}

size_t message_work_fds(const struct message_work *work)
{
	size_t count = 1; // the folder
	for (size_t i = 0; i < ARRAY_COUNT(work->inherited.std_closed); i++)
		count += !work->inherited.std_closed[i];
	return count;
}

static int strings_write(char *const *strings, struct buf *out, struct err *err)
{
	size_t count = 0;
	while (strings[count])
		count++;
	if (count > WORK_STRINGS_MAX)
		return err_set(err, ERR_LIMIT, "more than %u words or variables are too many for the broker; use --direct",
			       WORK_STRINGS_MAX);
	int r = writer_u32(out, (uint32_t)count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = writer_string(out, span_text(strings[i]), err);
	return r;
}

// glibc keeps two signals to itself, and leaves them out of what it fills.
static uint64_t signals_mask(const sigset_t *signals)
{
	uint64_t mask = 0;
	for (int number = 1; number <= SIGNALS_MAX; number++)
		if (sigismember(signals, number) == 1)
			mask |= UINT64_C(1) << (number - 1);
	return mask;
}

static void signals_fill(uint64_t mask, sigset_t *out)
{
	sigemptyset(out);
	for (int number = 1; number <= SIGNALS_MAX; number++)
		if (mask & (UINT64_C(1) << (number - 1)))
			sigaddset(out, number);
}

static int inherited_write(const struct exec_inherited *inherited, const struct exec_limits *limits, struct buf *out,
			   struct err *err)
{
	uint8_t closed = 0;
	for (unsigned i = 0; i < ARRAY_COUNT(inherited->std_closed); i++)
		closed |= (uint8_t)(inherited->std_closed[i] << i);
	bool is_written = writer_u8(out, closed, err) == 0 && writer_u64(out, signals_mask(&inherited->mask), err) == 0 &&
			  writer_u64(out, signals_mask(&inherited->ignored), err) == 0 &&
			  writer_u32(out, (uint32_t)limits->umask, err) == 0 && writer_u32(out, RLIM_NLIMITS, err) == 0;
	for (size_t i = 0; is_written && i < RLIM_NLIMITS; i++)
		is_written = writer_u64(out, limits->rows[i].rlim_cur, err) == 0 &&
			     writer_u64(out, limits->rows[i].rlim_max, err) == 0;
	return is_written ? 0 : err->code;
}

int work_write(const struct broker_work *work, const struct exec_limits *limits, struct buf *out, struct err *err)
{
	static char *const none[] = {NULL};
	if (!work->deposit && (!work->words[0] || !work->words[0][0]))
		return err_set(err, ERR_INPUT, "there is no command in the request");
	int r = writer_u8(out, work->deposit ? FORM_DEPOSIT : FORM_COMMAND, err);
	if (r == 0 && work->deposit)
		r = writer_string(out, span_text(work->deposit), err);
	if (r == 0 && work->deposit)
		r = buf_append(out, span_of(work->digest, sizeof(work->digest)), err);
	if (r == 0)
		r = strings_write(work->deposit ? none : work->words, out, err);
	if (r == 0)
		r = strings_write(work->environment, out, err);
	return r < 0 ? r : inherited_write(work->inherited, limits, out, err);
}

// ------------------------------------------------------------------------------------------------------------- reading

// Texts as they lie in the payload: so many, and so many bytes with a NUL behind each.
struct strings {
	struct reader from;
	size_t count;
	size_t bytes;
};

static struct strings strings_read(struct reader *r)
{
	uint32_t count = reader_u32(r);
	r->failed |= count > WORK_STRINGS_MAX;
	struct strings strings = {.from = *r};
	for (; !r->failed && strings.count < count; strings.count++) {
		struct span text = reader_string(r, WORK_BYTES_MAX);
		r->failed |= text.len > 0 && memchr(text.data, 0, text.len);
		strings.bytes += text.len + 1;
	}
	return strings;
}

// One allocation: the pointers, and the texts behind them.
static char **strings_copy(struct strings strings)
{
	size_t pointers_bytes = (strings.count + 1) * sizeof(char *);
	char **list = malloc(pointers_bytes + strings.bytes);
	if (!list)
		return NULL;
	char *at = (char *)list + pointers_bytes;
	for (size_t i = 0; i < strings.count; i++) {
		struct span text = reader_string(&strings.from, WORK_BYTES_MAX);
		list[i] = at;
		memcpy(at, text.data, text.len);
		at[text.len] = 0;
		at += text.len + 1;
	}
	list[strings.count] = NULL;
	return list;
}

static void inherited_read(struct reader *r, struct message_work *work)
{
	uint8_t closed = reader_u8(r);
	r->failed |= closed > 7;
	for (unsigned i = 0; i < ARRAY_COUNT(work->inherited.std_closed); i++)
		work->inherited.std_closed[i] = closed & (1u << i);
	signals_fill(reader_u64(r), &work->inherited.mask);
	signals_fill(reader_u64(r), &work->inherited.ignored);
	uint32_t umask_bits = reader_u32(r);
	r->failed |= umask_bits > 0777 || reader_u32(r) != RLIM_NLIMITS;
	work->limits.umask = umask_bits;
	for (size_t i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit *row = &work->limits.rows[i];
		row->rlim_cur = reader_u64(r);
		row->rlim_max = reader_u64(r);
		r->failed |= row->rlim_cur > row->rlim_max;
	}
}

int work_read(struct span payload, struct message_work *out, struct err *err)
{
	_cleanup_message_work_ struct message_work work = {0};
	struct reader r = reader_of(payload);
	uint8_t form = reader_u8(&r);
	struct span deposit = {0};
	r.failed |= form != FORM_COMMAND && form != FORM_DEPOSIT;
	if (form == FORM_DEPOSIT) {
		deposit = reader_string(&r, NAME_BYTES_MAX);
		reader_bytes(&r, work.digest, sizeof(work.digest));
		r.failed |= !name_is_valid(deposit);
	}
	struct strings words = strings_read(&r), environment = strings_read(&r);
	inherited_read(&r, &work);
	if (!reader_end(&r) || (form == FORM_DEPOSIT) != (words.count == 0))
		return message_malformed(MESSAGE_WORK, err);
	work.words = strings_copy(words);
	work.environment = strings_copy(environment);
	work.deposit = form == FORM_DEPOSIT ? strndup((const char *)deposit.data, deposit.len) : NULL;
	if (!work.words || !work.environment || (form == FORM_DEPOSIT && !work.deposit))
		return err_set(err, ERR_MEMORY, "out of memory for a request of %zu bytes", payload.len);
	if (form == FORM_COMMAND && !work.words[0][0])
		return message_malformed(MESSAGE_WORK, err);
	*out = work;
	work = (struct message_work){0};
	return 0;
}
