#include "engine/value_health.h"

#include <math.h>
#include <string.h>

#define DAY_SECONDS 86400

// Words are looked for in values up to here: the places that they reach are the bits of one number.
#define WORDS_BYTES_MAX 63
// Digits and exclamation marks that may follow them: password123, changeme!
#define TRAILING_MAX 4
#define RUN_BYTES_MIN 6
#define SEQUENCE_BYTES_MIN 4
#define PERIOD_BYTES_MAX 64

// Words that say that a value is still to come, or that are what people type to have something there.
static const char *const telling_words[] = {
    "abc", "admin", "apikey", "asdf", "asdfgh", "bar", "baz", "blank", "cafebabe", "change", "deadbeef", "default",
    "demo", "dummy", "empty", "enter", "example", "fake", "fill", "fixme", "foo", "foobar", "insert", "key",
    "letmein", "mock", "n/a", "nil", "none", "null", "p@ssw0rd", "p@ssword", "pass", "passw0rd", "passwd",
    "password", "paste", "placeholder", "put", "pwd", "qwerty", "qwertyuiop", "redacted", "replace", "root",
    "sample", "secret", "string", "super", "tba", "tbd", "test", "testing", "todo", "token", "undefined", "unset",
    "value", "welcome", "your",
};

// What stands beside them, and may be a name of its own.
static const char *const filler_words[] = {
    "a", "access", "account", "an", "and", "api", "app", "auth", "aws", "client", "code", "credential",
    "credentials", "database", "db", "dev", "email", "for", "goes", "here", "host", "id", "in", "is", "it", "jwt",
    "later", "local", "me", "my", "name", "new", "not", "of", "only", "own", "please", "private", "prod", "public",
    "real", "set", "some", "the", "this", "to", "top", "url", "user", "username", "with",
};

static bool byte_is_separator(uint8_t c)
{
	return c == '-' || c == '_' || c == '.' || c == ' ';
}

static uint8_t byte_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static struct span span_cut(struct span s, size_t from, size_t to)
{
	return span_of(s.data + from, to - from);
}

static bool byte_is_wrapping(uint8_t c)
{
	return c != 0 && strchr(" \t\r\n\"'`", c);
}

// Without the white space and the quotes around it.
static struct span value_trim(struct span s)
{
	while (s.len > 0 && byte_is_wrapping(s.data[0]))
		s = span_cut(s, 1, s.len);
	while (s.len > 0 && byte_is_wrapping(s.data[s.len - 1]))
		s.len--;
	return s;
}

// ------------------------------------------------------------------------------------------------------------- words

// Where the word ends that begins at `at`, however it is parted and capitalised (change_me, ChangeMe); 0: there is none.
static size_t word_end(struct span s, size_t at, const char *word)
{
	for (; *word; word++, at++) {
		while (at < s.len && byte_is_separator(s.data[at]))
			at++;
		if (at == s.len || byte_lower(s.data[at]) != (uint8_t)*word)
			return 0;
	}
	while (at < s.len && byte_is_separator(s.data[at]))
		at++;
	return at;
}

static uint64_t word_ends(struct span s, size_t at, const char *const *words, size_t count)
{
	uint64_t ends = 0;
	for (size_t i = 0; i < count; i++)
		ends |= UINT64_C(1) << word_end(s, at, words[i]);
	return ends & ~UINT64_C(1);
}

// Nothing but these words, one of them telling, one behind the other in any way: changeme, my-secret-password, TODO.
static bool value_is_words(struct span s)
{
	if (s.len == 0 || s.len > WORDS_BYTES_MAX)
		return false;
	uint64_t reached = 1, told = 0;
	for (size_t at = 0; at < s.len; at++) {
		bool is_told = (told >> at & 1) != 0;
		if (!is_told && (reached >> at & 1) == 0)
			continue;
		uint64_t telling = word_ends(s, at, telling_words, ARRAY_COUNT(telling_words));
		uint64_t filler = word_ends(s, at, filler_words, ARRAY_COUNT(filler_words));
		told |= is_told ? telling | filler : telling;
		reached |= filler;
	}
	return (told >> s.len & 1) != 0;
}

static bool value_is_words_numbered(struct span s)
{
	for (size_t i = 0; i <= TRAILING_MAX; i++) {
		if (value_is_words(s))
			return true;
		if (s.len == 0 || (!byte_is_digit(s.data[s.len - 1]) && s.data[s.len - 1] != '!'))
			return false;
		s.len--;
	}
	return false;
}

// your-stripe-key, sk_test_your_key_here: parted words, one of them "your", and a known one at the end.
static bool value_is_yours(struct span s)
{
	bool has_your = false, is_known = false;
	for (size_t at = 0; at < s.len;) {
		size_t end = at;
		while (end < s.len && (byte_is_letter(s.data[end]) || byte_is_digit(s.data[end])))
			end++;
		struct span word = span_cut(s, at, end);
		if (end < s.len && !byte_is_separator(s.data[end]))
			return false;
		has_your = has_your || (word.len == 4 && word_end(word, 0, "your") > 0);
		is_known = word.len > 0 && word.len <= WORDS_BYTES_MAX &&
			   ((word_ends(word, 0, telling_words, ARRAY_COUNT(telling_words)) |
			     word_ends(word, 0, filler_words, ARRAY_COUNT(filler_words))) >> word.len & 1) != 0;
		at = end + 1;
	}
	return has_your && is_known;
}

// ----------------------------------------------------------------------------------------------------------- patterns

// <token>, with words between the brackets: what holds more of them is a document.
static bool value_is_bracketed(struct span s)
{
	if (s.len < 3 || s.data[0] != '<' || s.data[s.len - 1] != '>' || !byte_is_letter(s.data[1]))
		return false;
	for (size_t i = 1; i < s.len - 1; i++)
		if (!byte_is_letter(s.data[i]) && !byte_is_digit(s.data[i]) && !byte_is_separator(s.data[i]) &&
		    s.data[i] != '/' && s.data[i] != ':')
			return false;
	return true;
}

static bool value_is_between(struct span s, struct span open, struct span close)
{
	if (s.len <= open.len + close.len || !span_has_prefix(s, open) ||
	    !span_is_equal(span_cut(s, s.len - close.len, s.len), close))
		return false;
	for (size_t i = open.len; i < s.len - close.len; i++)
		if (s.data[i] == '{' || s.data[i] == '}' || s.data[i] < ' ')
			return false;
	return true;
}

// {{ token }} and ${TOKEN}, which something was to fill in.
static bool value_is_template(struct span s)
{
	return value_is_between(s, SPAN_LITERAL("{{"), SPAN_LITERAL("}}")) ||
	       value_is_between(s, SPAN_LITERAL("${"), SPAN_LITERAL("}"));
}

// The same byte all along, separators aside (xxxx-xxxx, ********), or a long run of one that stands for others in examples.
static bool value_is_filled(struct span s)
{
	size_t run = 0, same = 0, others = 0;
	for (size_t i = 0; i < s.len; i++) {
		run = i > 0 && s.data[i] == s.data[i - 1] ? run + 1 : 1;
		if (run >= RUN_BYTES_MIN && (byte_lower(s.data[i]) == 'x' || s.data[i] == '*'))
			return true;
		bool is_filling = byte_lower(s.data[i]) == byte_lower(s.data[0]);
		same += is_filling;
		others += !is_filling && !byte_is_separator(s.data[i]);
	}
	return same >= 3 && others == 0;
}

// 123456, 0123456789abcdef, abcdefgh
static bool value_is_sequence(struct span s)
{
	for (size_t i = 1; i < s.len; i++) {
		uint8_t a = byte_lower(s.data[i - 1]), b = byte_lower(s.data[i]);
		bool is_alnum = byte_is_digit(b) || byte_is_letter(b);
		bool is_next = b == a + 1 || (a == '9' && (b == '0' || b == 'a'));
		if (!is_alnum || !is_next)
			return false;
	}
	return s.len >= SEQUENCE_BYTES_MIN;
}

static bool text_is_placeholder(struct span s)
{
	return s.len > 0 && s.len <= HEALTH_PLACEHOLDER_BYTES_MAX &&
	       (value_is_words_numbered(s) || value_is_yours(s) || value_is_bracketed(s) || value_is_template(s) ||
		value_is_filled(s) || value_is_sequence(s));
}

// The password of scheme://user:password@host; empty where there is none.
static struct span value_url_password(struct span s)
{
	const uint8_t *start = s.len > 0 ? memmem(s.data, s.len, "://", 3) : NULL;
	if (!start)
		return span_of(NULL, 0);
	struct span rest = span_cut(s, (size_t)(start - s.data) + 3, s.len);
	const uint8_t *at = memrchr(rest.data, '@', rest.len);
	const uint8_t *colon = at ? memchr(rest.data, ':', (size_t)(at - rest.data)) : NULL;
	return colon ? span_of(colon + 1, (size_t)(at - colon) - 1) : span_of(NULL, 0);
}

bool value_is_placeholder(struct span value)
{
	struct span text = value_trim(value);
	return text.len <= HEALTH_PLACEHOLDER_BYTES_MAX &&
	       (text_is_placeholder(text) || text_is_placeholder(value_url_password(text)));
}

// ------------------------------------------------------------------------------------------------------------ entropy

// Of `total` things that fall into these kinds: how many bits it takes to say which kind each is of.
static double counts_bits(const uint32_t counts[256], size_t total)
{
	double bits = 0;
	for (size_t i = 0; i < 256; i++)
		if (counts[i] > 0)
			bits += counts[i] * log2((double)total / counts[i]);
	return bits;
}

// How long the pattern is whose repetition is the whole; its own length where it is no repetition.
static size_t value_period(struct span value)
{
	for (size_t period = 1; period <= PERIOD_BYTES_MAX && 2 * period <= value.len; period++)
		if (memcmp(value.data, value.data + period, value.len - period) == 0)
			return period;
	return value.len;
}

double value_entropy_bits(struct span value)
{
	uint32_t bytes[256] = {0}, steps[256] = {0};
	size_t len = value_period(value);
	for (size_t i = 0; i < len; i++) {
		bytes[value.data[i]]++;
		if (i > 0)
			steps[(uint8_t)(value.data[i] - value.data[i - 1])]++;
	}
	double by_byte = counts_bits(bytes, len), by_step = counts_bits(steps, len > 0 ? len - 1 : 0);
	secret_wipe(bytes, sizeof(bytes));
	secret_wipe(steps, sizeof(steps));
	return by_step < by_byte ? by_step : by_byte;
}

// A short value cannot have many bits. It is measured by its own length, or the finding would tell that length.
bool value_is_regular(struct span value)
{
	double steps = value.len > 1 ? (double)value.len - 1 : 1;
	double half = steps * log2(steps) / 2;
	return value_entropy_bits(value) < (half < HEALTH_ENTROPY_BITS ? half : HEALTH_ENTROPY_BITS);
}

// ---------------------------------------------------------------------------------------------------------- judgement

unsigned value_health(struct span value)
{
	unsigned found = 0;
	if (value_is_placeholder(value))
		found |= HEALTH_BIT(HEALTH_PLACEHOLDER);
	if (value.len < HEALTH_SHORT_BYTES)
		found |= HEALTH_BIT(HEALTH_SHORT);
	if (value_is_regular(value))
		found |= HEALTH_BIT(HEALTH_LOW_ENTROPY);
	if (redact_value_is_weak(value, NULL))
		found |= HEALTH_BIT(HEALTH_WEAK);
	return found;
}

unsigned times_health(const struct value_times *times, int64_t now)
{
	unsigned found = 0;
	if (times->stored > 0 && now - times->stored > (int64_t)HEALTH_OLD_DAYS * DAY_SECONDS)
		found |= HEALTH_BIT(HEALTH_OLD);
	if (times->expires != 0 && times->expires <= now)
		found |= HEALTH_BIT(HEALTH_EXPIRED);
	else if (times->expires != 0 && times->expires - now <= (int64_t)HEALTH_SOON_DAYS * DAY_SECONDS)
		found |= HEALTH_BIT(HEALTH_EXPIRES_SOON);
	return found;
}
