#include "engine/engine_internal.h"
#include "engine/value_health.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool value_trim_newline(struct secret *value)
{
	size_t len = secret_len(value);
	const uint8_t *data = secret_data(value);
	if (len == 0 || data[len - 1] != '\n')
		return false;
	len--;
	if (len > 0 && data[len - 1] == '\r')
		len--;
	secret_shorten(value, len);
	return true;
}

// Letters and digits, each equally likely: bytes at or above the largest multiple of 62 are thrown away.
static int value_generate(size_t count, struct secret **out, struct err *err)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const size_t letters = sizeof(alphabet) - 1;
	_cleanup_secret_ struct secret *value = NULL;
	int r = secret_new(count, SECRET_LOCK_REQUIRED, &value, err);
	for (size_t i = 0; r == 0 && i < count;) {
		uint8_t byte;
		rng_fill(&byte, 1);
		if (byte < 256 / letters * letters)
			secret_data(value)[i++] = (uint8_t)alphabet[byte % letters];
		secret_wipe(&byte, 1);
	}
	if (r == 0)
		*out = TAKE_PTR(value);
	return r;
}

static int value_from_file(const char *path, struct secret **out, struct err *err)
{
	char brief[200];
	text_brief(span_text(path), brief, sizeof(brief));
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT, errno, "cannot open %s", brief);
	return secret_read_fd(fd, SECRET_VALUE_BYTES_MAX, brief, out, err);
}

static int value_from_terminal(const char *name, struct secret **out, struct err *err)
{
	_cleanup_terminal_ struct terminal *terminal = NULL;
	int r = terminal_open("the value", &terminal, err);
	if (r < 0)
		return err_set(err, ERR_LOCKED, "there is no terminal to ask for the value on; give it by --stdin, --file or "
						"--generate");
	_cleanup_buf_ struct buf prompt = BUF_INIT(NAME_BYTES_MAX + 32);
	r = buf_printf(&prompt, err, "Value of %s: ", name);
	return r < 0 ? r : terminal_ask_secret(terminal, buf_text(&prompt), SECRET_VALUE_BYTES_MAX, out, err);
}

static int value_from_source(const struct engine_set *request, struct secret **out, struct err *err)
{
	switch (request->source) {
	case ENGINE_FROM_TERMINAL:
		return value_from_terminal(request->name, out, err);
	case ENGINE_FROM_STDIN:
		return secret_read_fd(STDIN_FILENO, SECRET_VALUE_BYTES_MAX, "standard input", out, err);
	case ENGINE_FROM_FILE:
		return value_from_file(request->file, out, err);
	case ENGINE_FROM_GENERATOR:
		return value_generate(request->generate_count, out, err);
	}
	return err_set(err, ERR_USAGE, "no source for the value");
}

int value_check(struct engine *engine, const char *name, struct span value, bool allow_weak, bool *out_weak,
		struct err *err)
{
	const char *reason = "";
	if (value.len == 0)
		return err_set(err, ERR_INPUT, "the value of %s is empty", name);
	bool weak = redact_value_is_weak(value, &reason);
	if (weak && !allow_weak)
		return err_set(err, ERR_INPUT,
			       "the value of %s is weak (%s): masking it everywhere would spoil ordinary output; with --allow-weak "
			       "it is stored, and masked only where it stands alone as a word",
			       name, reason);
	if (weak)
		engine_notice(engine, "%s is weak (%s): as it is, it is masked only where it stands alone as a word", name, reason);
	*out_weak = weak;
	return 0;
}

int value_read(struct engine *engine, const struct engine_set *request, struct secret **out, bool *out_weak,
	       struct err *err)
{
	_cleanup_secret_ struct secret *value = NULL;
	int r = value_from_source(request, &value, err);
	if (r < 0)
		return r;
	bool trimmable = request->source == ENGINE_FROM_STDIN || request->source == ENGINE_FROM_FILE;
	if (trimmable && !request->keep_newline && value_trim_newline(value))
		engine_notice(engine, "one trailing newline was trimmed (--raw keeps it)");
	r = value_check(engine, request->name, secret_span(value), request->allow_weak, out_weak, err);
	if (r < 0)
		return r;
	if (value_is_placeholder(secret_span(value)))
		engine_notice(engine, "the value of %s looks like a placeholder, which stands where a value is still to come",
			      request->name);
	*out = TAKE_PTR(value);
	return 0;
}
