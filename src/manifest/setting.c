#include "manifest/manifest.h"
#include "manifest/setting_words.h"

#include <string.h>

// Limits of what passes for a setting. A word of random letters cannot be told from a long one, so words are short; a
// random string changes between letters and digits more often than any name, so such changes are counted.
#define SETTING_BYTES_MAX 256
#define SETTING_ITEMS_MAX 32
#define WORD_BYTES_MAX 15
#define WORD_CHANGES_MAX 2
#define OPAQUE_BYTES_MIN 16
#define OPAQUE_CHANGES_MIN 5
#define NUMBER_DIGITS_MAX 10

// All functions work on the caller's bytes in place: the value may turn out to be a secret.

static bool byte_is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool byte_is_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static bool byte_is_alnum(uint8_t c)
{
	return byte_is_digit(c) || byte_is_lower(c) || byte_is_upper(c);
}

static struct span span_from(struct span s, size_t at)
{
	return span_of(s.data + at, s.len - at);
}

// Takes what stands before the next of `stops` off the front; the stop is dropped. *ret_more: there was one.
static struct span span_take_until(struct span *rest, const char *stops, bool *ret_more)
{
	size_t len = 0;
	while (len < rest->len && !strchr(stops, rest->data[len]))
		len++;
	struct span taken = span_of(rest->data, len);
	*ret_more = len < rest->len;
	*rest = span_from(*rest, *ret_more ? len + 1 : len);
	return taken;
}

static size_t span_count_digits(struct span s)
{
	size_t count = 0;
	while (count < s.len && byte_is_digit(s.data[count]))
		count++;
	return count;
}

static bool span_is_digits(struct span s, size_t max_digits)
{
	return s.len > 0 && s.len <= max_digits && span_count_digits(s) == s.len;
}

// How often neighbours in a word differ in kind (lower, upper, digit). The capital that begins a word does not count.
static size_t word_count_changes(struct span s)
{
	size_t changes = 0;
	for (size_t i = 1; i < s.len; i++) {
		uint8_t a = s.data[i - 1];
		uint8_t b = s.data[i];
		if (!byte_is_alnum(a) || !byte_is_alnum(b) || (byte_is_upper(a) && byte_is_lower(b)))
			continue;
		if (byte_is_digit(a) != byte_is_digit(b) || byte_is_upper(a) != byte_is_upper(b))
			changes++;
	}
	return changes;
}

// Nothing but letters and digits, and shaped like a word: eu, Postgres, utf8, 3000, myApp.
static bool piece_is_calm(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!byte_is_alnum(s.data[i]))
			return false;
	return s.len <= WORD_BYTES_MAX && word_count_changes(s) <= WORD_CHANGES_MAX;
}

// Calm pieces joined by any of `joints`; empty pieces are allowed, an empty whole is not.
static bool span_is_calm(struct span s, const char *joints)
{
	if (s.len == 0)
		return false;
	for (bool more = true; more;) {
		struct span piece = span_take_until(&s, joints, &more);
		if (!piece_is_calm(piece))
			return false;
	}
	return true;
}

// Long and mixed: keys, tokens, hashes, UUIDs, Base64, also when cut into calm pieces by dashes or dots.
static bool value_is_opaque(struct span value)
{
	return value.len >= OPAQUE_BYTES_MIN && word_count_changes(value) >= OPAQUE_CHANGES_MIN;
}

// How the tokens of well-known services begin (their own documentation), anywhere in the value.
static bool value_has_token_prefix(struct span value)
{
	static const char *const prefixes[] = {
	    "sk-",         "sk_",    "pk_",        "rk_",     "ghp_",    "gho_",  "ghu_",   "ghs_",    "ghr_",
	    "github_pat_", "glpat-", "xox",        "xapp-",   "AKIA",    "ASIA",  "AIza",   "ya29.",   "eyJ",
	    "npm_",        "pypi-",  "-----BEGIN", "whsec_",  "SG.",     "hf_",   "dop_",   "shpat_",  "shpss",
	    "dckr_",       "key-",   "AGE-",       "hvs.",    "lin_api", "sq0",   "EAACEd", "ssh-rsa", "ssh-ed",
	    "$2a$",        "$2b$",   "$2y$",       "$argon2", "$6$",     "{SSHA", "ATATT",  "rdme_",
	};
	for (size_t at = 0; at < value.len; at++) {
		if (at > 0 && byte_is_alnum(value.data[at - 1]))
			continue;
		for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++)
			if (span_has_prefix(span_from(value, at), span_text(prefixes[i])))
				return true;
	}
	return false;
}

// 3000, -1, 0.25, 30s, 512MB, 50%
static bool value_is_number(struct span s)
{
	static const char *const units[] = {"",   "s",   "m",   "h",   "d",  "w",  "ms",  "us", "k",  "K",
					    "M",  "G",   "kb",  "KB",  "mb", "MB", "gb",  "GB", "Ki", "Mi",
					    "Gi", "KiB", "MiB", "GiB", "%",  "px", "min", "sec"};
	if (s.len > 0 && (s.data[0] == '-' || s.data[0] == '+'))
		s = span_from(s, 1);
	size_t whole = span_count_digits(s);
	if (whole == 0)
		return false;
	size_t digits = whole;
	s = span_from(s, whole);
	if (s.len > 1 && s.data[0] == '.' && byte_is_digit(s.data[1])) {
		size_t fraction = span_count_digits(span_from(s, 1));
		digits += fraction;
		s = span_from(s, 1 + fraction);
	}
	for (size_t i = 0; i < ARRAY_COUNT(units); i++)
		if (span_is_equal(s, span_text(units[i])))
			return digits <= NUMBER_DIGITS_MAX;
	return false;
}

// 1.2.3, v18.0.1, 10.0.0.0/8, 12:30, 127.0.0.1:8080: short numbers, joined.
static bool value_is_numbers(struct span s)
{
	if (s.len > 1 && s.data[0] == 'v')
		s = span_from(s, 1);
	size_t count = 0;
	for (bool more = true; more; count++) {
		struct span number = span_take_until(&s, ".:/", &more);
		if (!span_is_digits(number, 5))
			return false;
	}
	return count <= 6;
}

static bool word_is_continent(struct span s)
{
	static const char *const words[] = {"europe",       "asia",         "africa", "australia",
					    "northamerica", "southamerica", "global"};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (span_is_equal(s, span_text(words[i])))
			return true;
	return s.len == 2;
}

// us-east-1, eu-central-1a, europe-west1, us-central1-a: a country or continent, lower-case words, a digit near an end.
static bool value_is_region(struct span s)
{
	size_t words = 0;
	bool has_digit = false;
	for (bool more = true; more; words++) {
		struct span word = span_take_until(&s, "-", &more);
		if (word.len == 0 || word.len > 12 || (words == 0 && !word_is_continent(word)))
			return false;
		for (size_t i = 0; i < word.len; i++)
			if (!byte_is_lower(word.data[i]) &&
			    !(byte_is_digit(word.data[i]) && words > 0 && i + 2 >= word.len))
				return false;
		has_digit = has_digit || byte_is_digit(word.data[word.len - 1]) || byte_is_digit(word.data[0]);
	}
	return words >= 2 && words <= 4 && has_digit;
}

// en_US, de-DE, en_GB.UTF-8, C.UTF-8
static bool value_is_locale(struct span s)
{
	struct span suffix = SPAN_LITERAL(".UTF-8");
	if (s.len > suffix.len && span_is_equal(span_from(s, s.len - suffix.len), suffix)) {
		s.len -= suffix.len;
		if (s.len == 1 && s.data[0] == 'C')
			return true;
	}
	return s.len == 5 && byte_is_lower(s.data[0]) && byte_is_lower(s.data[1]) &&
	       (s.data[2] == '_' || s.data[2] == '-') && byte_is_upper(s.data[3]) && byte_is_upper(s.data[4]);
}

// A host without its port: lower-case labels, the last one (of several, unless all are numbers) letters only.
static bool host_is_plain(struct span s, bool may_be_single)
{
	size_t labels = 0;
	struct span label = span_text("");
	struct span rest = s;
	for (bool more = true; more; labels++) {
		label = span_take_until(&rest, ".", &more);
		if (label.len == 0 || !span_is_calm(label, "-_"))
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (byte_is_upper(label.data[i]))
				return false;
	}
	if (labels == 1)
		return may_be_single || span_is_equal(s, SPAN_LITERAL("localhost"));
	bool is_name = label.len >= 2;
	for (size_t i = 0; i < label.len; i++)
		is_name = is_name && byte_is_lower(label.data[i]);
	return is_name || (labels == 4 && value_is_numbers(s));
}

static bool authority_is_plain(struct span s, bool may_be_single)
{
	static const char *const literals[] = {"::", "::1", "[::]", "[::1]"};
	for (size_t i = 0; i < ARRAY_COUNT(literals); i++)
		if (span_is_equal(s, span_text(literals[i])))
			return true;
	if (span_has_prefix(s, SPAN_LITERAL("[::1]:")))
		return span_is_digits(span_from(s, 6), 5);
	bool has_port;
	struct span host = span_take_until(&s, ":", &has_port);
	return host_is_plain(host, may_be_single) && (!has_port || span_is_digits(s, 5));
}

// The query of a URL: each parameter's name harmless, each value a number, a known word or calm.
static bool query_is_plain(struct span s)
{
	for (bool more = true; more;) {
		struct span value = span_take_until(&s, "&;", &more);
		bool has_value;
		struct span name = span_take_until(&value, "=", &has_value);
		if (!span_is_calm(name, "-_.") || name_sounds_secret(name))
			return false;
		if (value.len > 0 && !value_is_number(value) && !word_is_known(value) && !span_is_calm(value, "-_."))
			return false;
	}
	return true;
}

static bool scheme_is_plain(struct span scheme)
{
	if (scheme.len == 0 || scheme.len > WORD_BYTES_MAX || !byte_is_lower(scheme.data[0]))
		return false;
	for (size_t i = 0; i < scheme.len; i++)
		if (!byte_is_lower(scheme.data[i]) && !byte_is_digit(scheme.data[i]) && scheme.data[i] != '+')
			return false;
	return true;
}

static bool path_is_plain(struct span s)
{
	return s.len == 0 || span_is_calm(s, "/-_.~ ");
}

static bool span_holds(struct span s, const char *text)
{
	return s.data && memmem(s.data, s.len, text, strlen(text)) != NULL;
}

// scheme://host[:port][/path][?query][#fragment]. User information, escapes and hooks (their path is the key) fail.
static bool value_is_url(struct span s)
{
	if (span_holds(s, "@") || span_holds(s, "%") || span_holds(s, "hook"))
		return false;
	bool has_scheme;
	struct span scheme = span_take_until(&s, ":", &has_scheme);
	if (!has_scheme || !scheme_is_plain(scheme) || !span_has_prefix(s, SPAN_LITERAL("//")))
		return false;
	struct span rest = span_from(s, 2);
	bool has_fragment;
	struct span before = span_take_until(&rest, "#", &has_fragment);
	if (has_fragment && !path_is_plain(rest))
		return false;
	bool has_query;
	struct span address = span_take_until(&before, "?", &has_query);
	if (has_query && !query_is_plain(before))
		return false;
	bool has_path;
	struct span authority = span_take_until(&address, "/", &has_path);
	// An empty host belongs to schemes of local files: file:///srv/data, unix:///run/app.sock.
	bool is_host = authority.len > 0 ? authority_is_plain(authority, true) : has_path && address.len > 0;
	return is_host && path_is_plain(address);
}

// /srv/app, ./data, ../x, ~/y and, where the name speaks of paths, src/main.c. Pieces are words, as everywhere.
static bool value_is_path(struct span s, bool may_be_relative)
{
	static const char *const starts[] = {"/", "./", "../", "~/"};
	bool is_path = may_be_relative;
	for (size_t i = 0; i < ARRAY_COUNT(starts); i++)
		is_path = is_path || span_has_prefix(s, span_text(starts[i]));
	return is_path && path_is_plain(s);
}

// noreply@example.com, where the name speaks of mail.
static bool value_is_mail(struct span s)
{
	bool has_at;
	struct span local = span_take_until(&s, "@", &has_at);
	return has_at && span_is_calm(local, ".-_+") && authority_is_plain(s, false) && !span_holds(s, ":");
}

static bool value_is_schedule(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!byte_is_digit(s.data[i]) && !strchr("*/,- ?", s.data[i]))
			return false;
	return s.len <= 40;
}

static bool value_fits_hint(struct span s, enum name_hint hint)
{
	switch (hint) {
	case NAME_HINT_WORD:
		return span_is_calm(s, "-_. ");
	case NAME_HINT_PATH:
		return value_is_path(s, true);
	case NAME_HINT_MAIL:
		return value_is_mail(s);
	case NAME_HINT_SCHEDULE:
		return value_is_schedule(s);
	case NAME_HINT_NONE:
		break;
	}
	return false;
}

static bool item_is_plain(struct span s, enum name_hint hint)
{
	return span_is_equal(s, SPAN_LITERAL("*")) || word_is_known(s) || value_is_number(s) || value_is_numbers(s) ||
	       value_is_region(s) || value_is_locale(s) || authority_is_plain(s, false) || value_is_url(s) ||
	       value_is_path(s, false) || value_fits_hint(s, hint);
}

static bool value_is_printable(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] < 0x20 || value.data[i] >= 0x7f)
			return false;
	return true;
}

bool setting_is_plain(struct span variable, struct span value)
{
	if (value.len == 0)
		return true;
	if (value.len > SETTING_BYTES_MAX || !value_is_printable(value) || name_sounds_secret(variable) ||
	    value_has_token_prefix(value) || value_is_opaque(value))
		return false;
	enum name_hint hint = name_find_hint(variable);
	if (item_is_plain(value, hint))
		return true;
	size_t items = 0;
	for (bool more = true; more; items++) {
		struct span item = span_take_until(&value, ",", &more);
		while (item.len > 0 && item.data[0] == ' ')
			item = span_from(item, 1);
		if (!item_is_plain(item, hint) || items == SETTING_ITEMS_MAX)
			return false;
	}
	return items > 1;
}
