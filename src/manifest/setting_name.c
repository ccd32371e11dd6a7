#include "manifest/setting_words.h"

#include <string.h>

static char byte_to_upper(uint8_t c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool span_holds_word(struct span s, const char *upper)
{
	size_t len = strlen(upper);
	for (size_t i = 0; i + len <= s.len; i++) {
		size_t same = 0;
		while (same < len && byte_to_upper(s.data[i + same]) == upper[same])
			same++;
		if (same == len)
			return true;
	}
	return false;
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

// True when the word is one of those in `list`, which are divided by single blanks.
static bool word_is_listed(struct span word, const char *list)
{
	while (word.len > 0 && *list) {
		size_t len = strcspn(list, " ");
		bool is_same = len == word.len;
		for (size_t i = 0; is_same && i < len; i++)
			is_same = byte_to_upper(word.data[i]) == list[i];
		if (is_same)
			return true;
		list += len + (list[len] == ' ');
	}
	return false;
}

bool name_sounds_secret(struct span name)
{
	// Anywhere in the name, even inside another word: better MONKEY_ISLAND in the vault than APIKEY outside.
	static const char *const anywhere[] = {
	    "KEY",  "TOKEN",   "SECRET",   "PASS",   "PWD",    "AUTH", "CREDENTIAL", "PRIVATE", "CERT",
	    "DSN",  "WEBHOOK", "SALT",     "SIGN",   "PEPPER", "SEED", "NONCE",      "BEARER",  "JWT",
	    "HMAC", "COOKIE",  "MNEMONIC", "PHRASE", "PSK",    "HASH", "LICENSE",    "LICENCE",
	};
	// Only as a part of its own, because longer words hold them by chance.
	static const char parts[] =
	    "PIN OTP TOTP SIG IV SID PAT SAS PEM PFX CRED CREDS CRT JKS SSH GPG PGP RSA CODE PW "
	    "SK PK MAC UNLOCK INVITE";
	for (size_t i = 0; i < ARRAY_COUNT(anywhere); i++)
		if (span_holds_word(name, anywhere[i]))
			return true;
	for (struct span rest = name; rest.len > 0;)
		if (word_is_listed(name_take_part(&rest), parts))
			return true;
	return false;
}

enum name_hint name_find_hint(struct span name)
{
	static const struct {
		enum name_hint hint;
		const char *last_parts;
	} hints[] = {
	    {NAME_HINT_WORD, "HOST HOSTS HOSTNAME SERVER ENV ENVIRONMENT MODE LEVEL NAME TITLE REGION ZONE LOCATION"},
	    {NAME_HINT_WORD,
	     "LANG LANGUAGE LOCALE DRIVER CONNECTION DIALECT ENGINE BACKEND ADAPTER TYPE FORMAT CHANNEL"},
	    {NAME_HINT_WORD,
	     "DATABASE DB SCHEMA BUCKET PREFIX VERSION BRANCH STAGE TIER CLUSTER SERVICE PROFILE THEME"},
	    {NAME_HINT_WORD, "PROTOCOL SCHEME PLATFORM QUEUE TOPIC TABLE MODEL DOMAIN NAMESPACE PROJECT APP"},
	    {NAME_HINT_PATH, "TZ TIMEZONE PATH DIR DIRECTORY FILE FOLDER"},
	    {NAME_HINT_MAIL, "EMAIL MAIL FROM ADDRESS SENDER TO CONTACT"},
	    {NAME_HINT_SCHEDULE, "CRON SCHEDULE"},
	};
	struct span last = span_text("");
	for (struct span rest = name; rest.len > 0;) {
		struct span part = name_take_part(&rest);
		last = part.len > 0 ? part : last;
	}
	for (size_t i = 0; i < ARRAY_COUNT(hints); i++)
		if (word_is_listed(last, hints[i].last_parts))
			return hints[i].hint;
	return NAME_HINT_NONE;
}

bool word_is_known(struct span word)
{
	static const char *const lists[] = {
	    // switches
	    "TRUE FALSE YES NO ON OFF Y N T F ENABLED DISABLED ENABLE DISABLE NONE NULL NIL UNDEFINED AUTO AUTOMATIC",
	    "DEFAULT ALWAYS NEVER OPTIONAL REQUIRED REQUIRE PREFER VERIFY-FULL VERIFY-CA LAX STRICT",
	    // levels
	    "TRACE DEBUG VERBOSE INFO NOTICE WARN WARNING ERROR CRITICAL FATAL ALERT EMERGENCY SILENT QUIET LOW MEDIUM "
	    "HIGH",
	    // environments
	    "DEVELOPMENT DEV DEVELOP PRODUCTION PROD STAGING STAGE TEST TESTING LOCAL CI QA UAT SANDBOX PREVIEW LIVE "
	    "DEMO",
	    // hosts, users and services that come with the software
	    "LOCALHOST POSTGRES POSTGRESQL PGSQL MYSQL MARIADB SQLITE SQLITE3 SQLSRV MONGODB REDIS MEMCACHED RABBITMQ",
	    "KAFKA ELASTICSEARCH S3 MINIO SMTP SENDMAIL MAILGUN SES PUSHER ROOT",
	    "FILE SYNC ARRAY MEMORY DATABASE LOG STACK SINGLE DAILY SYSLOG STDOUT STDERR CONSOLE",
	    // protocols and formats
	    "HTTP HTTPS TCP UDP GRPC WS WSS TLS SSL STARTTLS JSON YAML XML TEXT PLAIN HTML PRETTY",
	    "UTF8 UTF-8 UTF8MB4 UTF8MB4_UNICODE_CI ASCII UTC GMT",
	};
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		if (word_is_listed(word, lists[i]))
			return true;
	return false;
}
