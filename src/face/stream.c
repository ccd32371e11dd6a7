#include "face/face.h"

#include <stdlib.h>
#include <string.h>

// What a sink of the first version of the library had. Later fields follow behind it.
#define SINK_BYTES_MIN (offsetof(struct envseal_sink, context) + sizeof(void *))

enum stream_state { STREAM_OPEN, STREAM_BUSY, STREAM_OVER };

struct envseal_stream {
	const struct envseal_redactor *redactor;
	struct envseal_sink sink;
	struct filter *filter;
	enum stream_state state;
};

static int sink_write(void *context, struct span bytes, struct err *err)
{
	const struct envseal_stream *stream = context;
	(void)err;
	return stream->sink.write(stream->sink.context, bytes.data, bytes.len) == 0 ? 0 : 1;
}

static void sink_leak(void *context, const struct redact_leak *leak)
{
	const struct envseal_stream *stream = context;
	if (!stream->sink.leak)
		return;
	struct envseal_leak told = {
		.offset = leak->offset,
		.len = leak->len,
		.value_index = leak->value_index,
		.name = stream->redactor->names[leak->value_index],
		.form = redact_form_name(leak->form),
		.partial = leak->partial,
	};
	stream->sink.leak(stream->sink.context, &told);
}

// A caller compiled against another version has a sink of another size. A shorter one lacks callbacks that came later;
// a longer one is taken if what this library does not know is not used.
static bool sink_copy(struct envseal_sink *out, const struct envseal_sink *sink)
{
	if (!sink || sink->size < SINK_BYTES_MIN)
		return false;
	const uint8_t *bytes = (const uint8_t *)sink;
	for (size_t i = sizeof(*out); i < sink->size; i++)
		if (bytes[i] != 0)
			return false;
	*out = (struct envseal_sink){0};
	memcpy(out, sink, sink->size < sizeof(*out) ? sink->size : sizeof(*out));
	return out->write != NULL;
}

int envseal_stream_new(const struct envseal_redactor *redactor, const struct envseal_sink *sink,
		       struct envseal_stream **out, struct envseal_error *error)
{
	if (face_check_given(redactor, out, error) < 0)
		return ENVSEAL_ERR_INVALID;
	struct envseal_sink own;
	if (!sink_copy(&own, sink))
		return face_fail(error, ENVSEAL_ERR_INVALID,
				 "a sink needs its size and a write callback, and no field that this version lacks");
	_cleanup_free_ struct envseal_stream *stream = calloc(1, sizeof(*stream));
	if (!stream)
		return face_fail(error, ENVSEAL_ERR_MEMORY, "out of memory for a stream");
	stream->redactor = redactor;
	stream->sink = own;
	struct redact_sink inner = {.write = sink_write, .leak = sink_leak, .context = stream};
	struct err err;
	int r = filter_new(redactor->tables, &inner, &stream->filter, &err);
	if (r < 0)
		return face_fail_err(error, r, &err);
	*out = TAKE_PTR(stream);
	return 0;
}

void envseal_stream_free(struct envseal_stream *stream)
{
	if (!stream)
		return;
	filter_free(stream->filter);
	free(stream);
}

// Every call that writes runs between these two.
static int stream_enter(struct envseal_stream *stream, struct envseal_error *error)
{
	if (face_check_given(stream, stream, error) < 0)
		return ENVSEAL_ERR_INVALID;
	if (stream->state == STREAM_BUSY)
		return face_fail(error, ENVSEAL_ERR_INVALID, "a callback must not call functions on its own stream");
	if (stream->state == STREAM_OVER)
		return face_fail(error, ENVSEAL_ERR_INVALID, "the stream is over: it failed or was ended before");
	stream->state = STREAM_BUSY;
	return 0;
}

static int stream_leave(struct envseal_stream *stream, int r, const struct err *err, enum stream_state next,
			struct envseal_error *error)
{
	stream->state = r == 0 ? next : STREAM_OVER;
	return r == 0 ? 0 : face_fail_err(error, r, err);
}

int envseal_stream_feed(struct envseal_stream *stream, const void *bytes, size_t len, struct envseal_error *error)
{
	int r = len > 0 ? face_check_given(stream, bytes, error) : 0;
	if (r == 0)
		r = stream_enter(stream, error);
	if (r < 0)
		return r;
	struct err err;
	r = len > 0 ? filter_feed(stream->filter, span_of(bytes, len), &err) : 0;
	return stream_leave(stream, r, &err, STREAM_OPEN, error);
}

int envseal_stream_quiet(struct envseal_stream *stream, struct envseal_error *error)
{
	int r = stream_enter(stream, error);
	if (r < 0)
		return r;
	struct err err;
	r = filter_quiet(stream->filter, &err);
	return stream_leave(stream, r, &err, STREAM_OPEN, error);
}

int envseal_stream_end(struct envseal_stream *stream, struct envseal_error *error)
{
	int r = stream_enter(stream, error);
	if (r < 0)
		return r;
	struct err err;
	r = filter_end(stream->filter, &err);
	return stream_leave(stream, r, &err, STREAM_OVER, error);
}

size_t envseal_stream_held(const struct envseal_stream *stream)
{
	return stream && stream->state == STREAM_OPEN ? filter_held(stream->filter) : 0;
}

bool envseal_stream_can_show(const struct envseal_stream *stream)
{
	return stream && stream->state == STREAM_OPEN && filter_can_show(stream->filter);
}
