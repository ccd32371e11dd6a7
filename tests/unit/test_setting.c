#include "manifest/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct pair {
	const char *variable;
	const char *value;
};

static void assert_all(const struct pair *pairs, size_t count, bool is_plain)
{
	size_t wrong = 0;
	for (size_t i = 0; i < count; i++)
		if (setting_is_plain(span_text(pairs[i].variable), span_text(pairs[i].value)) != is_plain) {
			print_error("%s=%s must%s be plain\n", pairs[i].variable, pairs[i].value,
				    is_plain ? "" : " not");
			wrong++;
		}
	assert_int_equal(wrong, 0);
}

#define ASSERT_PLAIN(pairs) assert_all(pairs, ARRAY_COUNT(pairs), true)
#define ASSERT_NOT_PLAIN(pairs) assert_all(pairs, ARRAY_COUNT(pairs), false)

static void test_empty_values_are_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {{"A", ""}, {"API_KEY", ""}, {"DB_PASSWORD", ""}};
	ASSERT_PLAIN(pairs);
}

static void test_numbers_and_switches_are_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"PORT", "3000"},
	    {"WORKERS", "0"},
	    {"OFFSET", "-1"},
	    {"RATIO", "0.25"},
	    {"TIMEOUT", "30s"},
	    {"CACHE_SIZE", "512MB"},
	    {"LIMIT", "1.5GiB"},
	    {"SHARE", "50%"},
	    {"DEBUG", "true"},
	    {"DEBUG", "False"},
	    {"FLAG", "YES"},
	    {"FLAG", "off"},
	    {"LOG_LEVEL", "debug"},
	    {"VERBOSITY", "WARN"},
	    {"NODE_ENV", "production"},
	    {"RAILS_ENV", "test"},
	    {"MAIL_ENCRYPTION", "tls"},
	    {"SESSION_DRIVER", "file"},
	    {"SESSION_LIFETIME", "120"},
	    {"BCRYPT_ROUNDS", "12"},
	    {"APP_VERSION", "1.2.3"},
	    {"NODE_VERSION", "v18.0.1"},
	    {"CHARSET", "utf8mb4"},
	    {"DB_SSLMODE", "require"},
	    {"CORS_ORIGIN", "*"},
	    {"SUBNET", "10.0.0.0/8"},
	    {"START", "12:30"},
	    {"MAX_BYTES", "1048576"},
	};
	ASSERT_PLAIN(pairs);
}

static void test_hosts_regions_and_locales_are_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"DB_HOST", "localhost"},
	    {"DB_HOST", "127.0.0.1"},
	    {"DB_HOST", "db"},
	    {"DB_HOST", "db-1.internal"},
	    {"LISTEN", "0.0.0.0:8080"},
	    {"LISTEN", "[::1]:8080"},
	    {"BIND", "::"},
	    {"MAIL_SERVER", "smtp.example.com"},
	    {"MAIL", "smtp.example.com:587"},
	    {"BROKERS", "kafka1.example.com:9092,kafka2.example.com:9092"},
	    {"ALLOWED_HOSTS", "localhost, 127.0.0.1, example.com"},
	    {"AWS_REGION", "us-east-1"},
	    {"AWS_DEFAULT", "us-gov-west-1"},
	    {"ZONE_A", "eu-central-1a"},
	    {"WHERE", "europe-west1"},
	    {"WHERE", "us-central1-a"},
	    {"LANG", "en_US.UTF-8"},
	    {"LC_ALL", "C.UTF-8"},
	    {"CULTURE", "de-DE"},
	    {"TZ", "Europe/Berlin"},
	    {"APP_TIMEZONE", "UTC"},
	    {"DB_CONNECTION", "mysql"},
	    {"DB_DATABASE", "laravel"},
	    {"APP_NAME", "Laravel"},
	    {"APP_NAME", "My little app"},
	    {"COMPOSE_PROJECT_NAME", "my-cool-app"},
	    {"OPENAI_MODEL", "gpt-4"},
	    {"MAIL_FROM_ADDRESS", "no-reply@example.com"},
	    {"BACKUP_CRON", "*/5 2 * * 1-5"},
	};
	ASSERT_PLAIN(pairs);
}

static void test_paths_are_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"DATA", "/srv/app/data"},           {"HERE", "./build"},          {"THERE", "../lib/x.so"},
	    {"HOME_OF_APP", "~/work/app"},       {"LOG_FILE", "logs/app.log"}, {"STATIC_DIR", "public/assets"},
	    {"PYTHON", "/usr/lib/python3.11/x"}, {"SOCKET", "/run/app.sock"},  {"SLASH", "/"},
	};
	ASSERT_PLAIN(pairs);
}

static void test_urls_without_credentials_are_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"APP_URL", "http://localhost"},
	    {"APP_URL", "http://localhost:3000/"},
	    {"API_BASE", "https://api.example.com/v1"},
	    {"DOCS", "https://example.com/docs/guide.html#install"},
	    {"SEARCH", "https://example.com/search?page=2&sort=asc"},
	    {"REDIS_URL", "redis://redis:6379/0"},
	    {"DATABASE_URL", "postgres://db.example.com:5432/app?sslmode=require"},
	    {"DATABASE_URL", "sqlite:///data/app.db"},
	    {"DOCKER_HOST", "unix:///var/run/docker.sock"},
	    {"CALLBACK", "https://example.com/oauth/token"},
	    {"ORIGINS", "https://example.com,http://localhost:3000"},
	    {"METRICS", "http://127.0.0.1:9090/metrics"},
	    {"V6", "http://[::1]:8080/"},
	};
	ASSERT_PLAIN(pairs);
}

static void test_names_that_sound_secret(void **state)
{
	(void)state;
	static const char *const names[] = {
	    "API_KEY",
	    "apikey",
	    "apiKey",
	    "APP_KEY",
	    "AWS_ACCESS_KEY_ID",
	    "KEYFILE",
	    "TOKEN",
	    "GITHUB_TOKEN",
	    "tokens",
	    "TOKEN_TTL",
	    "CLIENT_SECRET",
	    "SECRETS",
	    "DB_PASSWORD",
	    "DB_PASS",
	    "PASSWD",
	    "PASSPHRASE",
	    "MYSQL_PWD",
	    "AUTH",
	    "BASIC_AUTH",
	    "CREDENTIALS",
	    "GOOGLE_CREDENTIAL",
	    "PRIVATE",
	    "TLS_CERT",
	    "CERTIFICATE",
	    "SENTRY_DSN",
	    "SLACK_WEBHOOK_URL",
	    "HASH_SALT",
	    "SIGNATURE",
	    "SIGNING_ID",
	    "PEPPER",
	    "CARD_PIN",
	    "userPin",
	    "OTP",
	    "TOTP_1",
	    "URL_SIG",
	    "AES_IV",
	    "TWILIO_SID",
	    "AZURE_SAS",
	    "GH_PAT",
	    "JWT_ISSUER",
	    "BEARER",
	    "SESSION_COOKIE",
	    "MNEMONIC",
	    "WALLET_SEED",
	    "STRIPE_SK",
	    "SSH_HOST_RSA",
	    "ACCESS_CODE",
	    "PREFIX_KEY_SUFFIX",
	    "LICENSE",
	    "DB_CREDS",
	    "TLS_PEM",
	    "HMAC_ID",
	    "WIFI_PSK",
	    "OAUTH_CLIENT",
	};
	static const char *const values[] = {"true",     "3000",      "localhost", "https://example.com/",
					     "/etc/app", "us-east-1", "x"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		for (size_t j = 0; j < ARRAY_COUNT(values); j++)
			if (setting_is_plain(span_text(names[i]), span_text(values[j])))
				fail_msg("%s=%s must not be plain", names[i], values[j]);
}

static void test_names_that_only_hold_a_short_word(void **state)
{
	(void)state;
	static const struct pair pairs[] = {{"SPINNER", "on"}, {"PATCH_LEVEL", "3"}, {"DIVISION", "2"},
					    {"ASIDE", "on"},   {"COMPAT", "true"},   {"MACHINE", "4"},
					    {"SKIP", "true"},  {"PIPELINE", "1"}};
	ASSERT_PLAIN(pairs);
}

// Put together here, so that no scanner takes this file for a leak.
static void test_token_prefixes_are_not_plain(void **state)
{
	(void)state;
	static const char *const prefixes[] = {"sk-",  "sk_live_",    "ghp_",   "gho_",   "github_pat_", "xoxb-",
					       "AKIA", "AIza",        "eyJ",    "glpat-", "npm_",        "pypi-",
					       "hf_",  "-----BEGIN ", "whsec_", "SG.",    "hvs."};
	static const char *const bodies[] = {"a", "abc", "ABC", "app"};
	static const char *const names[] = {"APP_NAME", "FILE", "DB_HOST", "X"};
	for (size_t i = 0; i < ARRAY_COUNT(prefixes) * ARRAY_COUNT(bodies) * ARRAY_COUNT(names); i++) {
		char value[64];
		snprintf(value, sizeof(value), "%s%s", prefixes[i % ARRAY_COUNT(prefixes)],
			 bodies[i / ARRAY_COUNT(prefixes) % ARRAY_COUNT(bodies)]);
		const char *name = names[i / ARRAY_COUNT(prefixes) / ARRAY_COUNT(bodies)];
		if (setting_is_plain(span_text(name), span_text(value)))
			fail_msg("%s=%s must not be plain", name, value);
		char url[96];
		snprintf(url, sizeof(url), "https://example.com/%s", value);
		if (setting_is_plain(span_text("APP_URL"), span_text(url)))
			fail_msg("%s must not be plain", url);
	}
}

static void test_opaque_values_are_not_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"APP_NAME", "a8Fk2LpQ9xZt4WmB"},
	    {"APP_NAME", "a8Fk2LpQ9x"},
	    {"APP_NAME", "aaaaaaaaaaaaaaaa1"},
	    {"DATA_DIR", "/srv/a8F2k"},
	    {"X", "https://x.io/a8F2k"},
	    {"APP_NAME", "5f4dcc3b5aa765d61d8327deb882cf99"},
	    {"APP_NAME", "DEADBEEFDEADBEEFDEADBEEFDEADBEEF"},
	    {"PROJECT", "123e4567-e89b-12d3-a456-426614174000"},
	    {"APP_NAME", "qwertyuiopasdfghjkl"},
	    {"DATA_DIR", "/srv/a8Fk2LpQ9xZt4WmB/x"},
	    {"DATA_DIR", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLE"},
	    {"DB_HOST", "a1b2c3d4e5f6a7b8c9.example.com"},
	    {"DB_HOST", "MTk4NjIyNDgzNDcx.Cl2FMQ.ZnCjm1XVW7vRze4b"},
	    {"X", "hunter2"},
	    {"X", "correct-horse-battery-staple"},
	    {"X", "blue-whale-9"},
	    {"X", "postgres2024!"},
	    {"X", "12345678901"},
	    {"X", "4111 1111 1111 1111"},
	    {"X", "Tr0ub4dor&3"},
	    {"X", "dGVzdA=="},
	    {"DB_USER", "alice"},
	};
	ASSERT_NOT_PLAIN(pairs);
}

static void test_urls_with_credentials_are_not_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {
	    {"DATABASE_URL", "postgres://u:p@db:5432/app"},
	    {"DATABASE_URL", "postgres://user@db/app"},
	    {"REDIS_URL", "redis://:p@redis:6379"},
	    {"DATABASE_URL", "postgres://db/app?password=x"},
	    {"DATABASE_URL", "postgres://db/app?user=u&Password=x"},
	    {"API_URL", "https://example.com/?api_key=abc"},
	    {"API_URL", "https://example.com/?access_token=abc"},
	    {"API_URL", "https://example.com/?a=1&sig=abc"},
	    {"API_URL", "https://example.com/?q=a8Fk2LpQ9x"},
	    {"API_URL", "https://example.com/#a8Fk2LpQ9x"},
	    {"API_URL", "https://example.com/x/a8Fk2LpQ9x"},
	    {"API_URL", "https://example.com/%61%62"},
	    {"API_URL", "https://hooks.example.com/services/T1/B1/abc"},
	    {"API_URL", "https://example.com/api/webhooks/1/abc"},
	    {"API_URL", "https://a8Fk2LpQ9x.example.com/"},
	    {"API_URL", "https:///"},
	    {"API_URL", "https://"},
	    {"API_URL", "https:example.com"},
	    {"API_URL", "://example.com"},
	    {"BOT", "https://api.example.org/bot123456:ABC/get"},
	    {"DATABASE_URL", "jdbc:postgresql://db/app?user=u"},
	    {"ADO", "Server=db;Database=app;User Id=u;Password=p"},
	    {"DATA", "data:text/plain;base64,aGk="},
	    {"ORIGINS", "https://example.com,https://u:p@example.com"},
	};
	ASSERT_NOT_PLAIN(pairs);
}

static void test_what_cannot_be_written_is_not_plain(void **state)
{
	(void)state;
	static const struct pair pairs[] = {{"APP_NAME", "a\nb"},     {"APP_NAME", "a\rb"},
					    {"APP_NAME", "a\tb"},     {"APP_NAME", "\x1b[2J"},
					    {"APP_NAME", "\xff\xfe"}, {"APP_NAME", "\xc3\xa4"}};
	ASSERT_NOT_PLAIN(pairs);
	assert_false(setting_is_plain(SPAN_LITERAL("APP_NAME"), SPAN_LITERAL("a\0b")));
	assert_false(setting_is_plain(SPAN_LITERAL("PORT"), SPAN_LITERAL("3000\0")));
}

static void test_long_values_are_not_plain(void **state)
{
	(void)state;
	char path[300];
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? 'a' : '/';
	assert_true(setting_is_plain(SPAN_LITERAL("DIR"), span_of(path, 256)));
	assert_false(setting_is_plain(SPAN_LITERAL("DIR"), span_of(path, 257)));
	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? ',' : '1';
	assert_true(setting_is_plain(SPAN_LITERAL("LIST"), span_of(path, 63)));
	assert_false(setting_is_plain(SPAN_LITERAL("LIST"), span_of(path, 65)));
	assert_false(setting_is_plain(SPAN_LITERAL("LIST"), span_of(path, 64)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty_values_are_plain),
	    cmocka_unit_test(test_numbers_and_switches_are_plain),
	    cmocka_unit_test(test_hosts_regions_and_locales_are_plain),
	    cmocka_unit_test(test_paths_are_plain),
	    cmocka_unit_test(test_urls_without_credentials_are_plain),
	    cmocka_unit_test(test_names_that_sound_secret),
	    cmocka_unit_test(test_names_that_only_hold_a_short_word),
	    cmocka_unit_test(test_token_prefixes_are_not_plain),
	    cmocka_unit_test(test_opaque_values_are_not_plain),
	    cmocka_unit_test(test_urls_with_credentials_are_not_plain),
	    cmocka_unit_test(test_what_cannot_be_written_is_not_plain),
	    cmocka_unit_test(test_long_values_are_not_plain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
