#include "manifest/setting_words.h"

#include <string.h>

static char byte_to_upper(uint8_t c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool span_is_word(struct span s, const char *upper)
{
	for (size_t i = 0; i < s.len; i++)
		if (upper[i] == 0 || byte_to_upper(s.data[i]) != upper[i])
			return false;
	return upper[s.len] == 0;
}

static bool span_holds_word(struct span s, const char *upper)
{
	size_t len = strlen(upper);
	for (size_t i = 0; i + len <= s.len; i++)
		if (span_is_word(span_of(s.data + i, len), upper))
			return true;
	return false;
}

static bool byte_is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Takes the next part of a name off its front: letters up to anything else, or up to the next hump of userPinCode.
static struct span name_take_part(struct span *rest)
{
	size_t start = 0;
	while (start < rest->len && !byte_is_letter(rest->data[start]))
		start++;
	size_t end = start;
	while (end < rest->len && byte_is_letter(rest->data[end])) {
		bool is_hump = end > start && rest->data[end] < 'a' && rest->data[end - 1] >= 'a';
		if (is_hump)
			break;
		end++;
	}
	struct span part = span_of(rest->data + start, end - start);
	*rest = span_of(rest->data + end, rest->len - end);
	return part;
}

bool name_sounds_secret(struct span name)
{
	// Anywhere in the name, even inside another word: MONKEY_ISLAND loses a little comfort, APIKEY must not be missed.
	static const char *const anywhere[] = {
		"KEY",	  "TOKEN",  "SECRET",  "PASS",	"PWD",	 "AUTH",   "CREDENTIAL", "PRIVATE", "CERT",   "DSN", "WEBHOOK",
		"SALT",	  "SIGN",   "PEPPER",  "SEED",	"NONCE", "BEARER", "JWT",	 "HMAC",    "COOKIE", "MNEMONIC",
		"PHRASE", "PSK",    "HASH",    "LICENSE", "LICENCE",
	};
	// Only as a part of its own, because longer words hold them by chance.
	static const char *const parts[] = {
		"PIN", "OTP", "TOTP", "SIG", "IV",  "SID",  "PAT",  "SAS", "PEM", "PFX", "CRED", "CREDS", "CRT",
		"JKS", "SSH", "GPG",  "PGP", "RSA", "CODE", "PW",   "SK",  "PK",  "MAC", "UNLOCK", "INVITE",
	};
	for (size_t i = 0; i < ARRAY_COUNT(anywhere); i++)
		if (span_holds_word(name, anywhere[i]))
			return true;
	for (struct span rest = name; rest.len > 0;) {
		struct span part = name_take_part(&rest);
		for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
			if (part.len > 0 && span_is_word(part, parts[i]))
				return true;
	}
	return false;
}

enum name_hint name_find_hint(struct span name)
{
	static const struct {
		const char *part;
		enum name_hint hint;
	} hints[] = {
		{"HOST", NAME_HINT_WORD},     {"HOSTS", NAME_HINT_WORD},     {"HOSTNAME", NAME_HINT_WORD},
		{"SERVER", NAME_HINT_WORD},   {"ENV", NAME_HINT_WORD},	     {"ENVIRONMENT", NAME_HINT_WORD},
		{"MODE", NAME_HINT_WORD},     {"LEVEL", NAME_HINT_WORD},     {"NAME", NAME_HINT_WORD},
		{"TITLE", NAME_HINT_WORD},    {"REGION", NAME_HINT_WORD},    {"ZONE", NAME_HINT_WORD},
		{"LOCATION", NAME_HINT_WORD}, {"LANG", NAME_HINT_WORD},	     {"LANGUAGE", NAME_HINT_WORD},
		{"LOCALE", NAME_HINT_WORD},   {"DRIVER", NAME_HINT_WORD},    {"CONNECTION", NAME_HINT_WORD},
		{"DIALECT", NAME_HINT_WORD},  {"ENGINE", NAME_HINT_WORD},    {"BACKEND", NAME_HINT_WORD},
		{"ADAPTER", NAME_HINT_WORD},  {"TYPE", NAME_HINT_WORD},	     {"FORMAT", NAME_HINT_WORD},
		{"CHANNEL", NAME_HINT_WORD},  {"DATABASE", NAME_HINT_WORD},  {"DB", NAME_HINT_WORD},
		{"SCHEMA", NAME_HINT_WORD},   {"BUCKET", NAME_HINT_WORD},    {"PREFIX", NAME_HINT_WORD},
		{"VERSION", NAME_HINT_WORD},  {"BRANCH", NAME_HINT_WORD},    {"STAGE", NAME_HINT_WORD},
		{"TIER", NAME_HINT_WORD},     {"CLUSTER", NAME_HINT_WORD},   {"SERVICE", NAME_HINT_WORD},
		{"PROFILE", NAME_HINT_WORD},  {"THEME", NAME_HINT_WORD},     {"PROTOCOL", NAME_HINT_WORD},
		{"SCHEME", NAME_HINT_WORD},   {"PLATFORM", NAME_HINT_WORD},  {"QUEUE", NAME_HINT_WORD},
		{"TOPIC", NAME_HINT_WORD},    {"TABLE", NAME_HINT_WORD},     {"MODEL", NAME_HINT_WORD},
		{"DOMAIN", NAME_HINT_WORD},   {"NAMESPACE", NAME_HINT_WORD}, {"PROJECT", NAME_HINT_WORD},
		{"APP", NAME_HINT_WORD},      {"TZ", NAME_HINT_PATH},	     {"TIMEZONE", NAME_HINT_PATH},
		{"PATH", NAME_HINT_PATH},     {"DIR", NAME_HINT_PATH},	     {"DIRECTORY", NAME_HINT_PATH},
		{"FILE", NAME_HINT_PATH},     {"FOLDER", NAME_HINT_PATH},    {"ROOT", NAME_HINT_PATH},
		{"EMAIL", NAME_HINT_MAIL},    {"MAIL", NAME_HINT_MAIL},	     {"FROM", NAME_HINT_MAIL},
		{"ADDRESS", NAME_HINT_MAIL},  {"SENDER", NAME_HINT_MAIL},    {"TO", NAME_HINT_MAIL},
		{"CONTACT", NAME_HINT_MAIL},  {"CRON", NAME_HINT_SCHEDULE},  {"SCHEDULE", NAME_HINT_SCHEDULE},
	};
	struct span last = span_text("");
	for (struct span rest = name; rest.len > 0;) {
		struct span part = name_take_part(&rest);
		last = part.len > 0 ? part : last;
	}
	for (size_t i = 0; i < ARRAY_COUNT(hints); i++)
		if (span_is_word(last, hints[i].part))
			return hints[i].hint;
	return NAME_HINT_NONE;
}

bool word_is_known(struct span word)
{
	static const char *const words[] = {
		// switches
		"TRUE", "FALSE", "YES", "NO", "ON", "OFF", "Y", "N", "T", "F", "ENABLED", "DISABLED", "ENABLE", "DISABLE", "NONE",
		"NULL", "NIL", "UNDEFINED", "AUTO", "AUTOMATIC", "DEFAULT", "ALWAYS", "NEVER", "OPTIONAL", "REQUIRED", "REQUIRE",
		"PREFER", "VERIFY-FULL", "VERIFY-CA", "LAX", "STRICT",
		// levels
		"TRACE", "DEBUG", "VERBOSE", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "ALERT", "EMERGENCY",
		"SILENT", "QUIET", "LOW", "MEDIUM", "HIGH",
		// environments
		"DEVELOPMENT", "DEV", "DEVELOP", "PRODUCTION", "PROD", "STAGING", "STAGE", "TEST", "TESTING", "LOCAL", "CI", "QA",
		"UAT", "SANDBOX", "PREVIEW", "LIVE", "DEMO",
		// hosts, users and services that come with the software
		"LOCALHOST", "POSTGRES", "POSTGRESQL", "PGSQL", "MYSQL", "MARIADB", "SQLITE", "SQLITE3", "SQLSRV", "MONGODB",
		"REDIS", "MEMCACHED", "RABBITMQ", "KAFKA", "ELASTICSEARCH", "S3", "MINIO", "SMTP", "SENDMAIL", "MAILGUN", "SES",
		"FILE", "SYNC", "ARRAY", "MEMORY", "DATABASE", "LOG", "STACK", "SINGLE", "DAILY", "SYSLOG", "STDOUT", "STDERR",
		"CONSOLE", "PUSHER", "ROOT",
		// protocols and formats
		"HTTP", "HTTPS", "TCP", "UDP", "GRPC", "WS", "WSS", "TLS", "SSL", "STARTTLS", "JSON", "YAML", "XML", "TEXT", "PLAIN",
		"HTML", "PRETTY", "UTF8", "UTF-8", "UTF8MB4", "UTF8MB4_UNICODE_CI", "ASCII", "UTC", "GMT",
	};
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (span_is_word(word, words[i]))
			return true;
	return false;
}
