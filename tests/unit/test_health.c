#include "engine/value_health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DAY 86400

static void assert_all(const char *const *values, size_t count, bool is_placeholder)
{
	size_t wrong = 0;
	for (size_t i = 0; i < count; i++)
		if (value_is_placeholder(span_text(values[i])) != is_placeholder) {
			print_error("%s must%s be a placeholder\n", values[i], is_placeholder ? "" : " not");
			wrong++;
		}
	assert_int_equal(wrong, 0);
}

static void test_placeholders(void **state)
{
	(void)state;
	static const char *const values[] = {
	    "changeme", "change_me", "ChangeMe", "CHANGE-ME", "change me", "change-this", "changeme!", "changeme123",
	    "password", "Password1!", "p@ssw0rd", "secret", "SECRET_KEY", "mysecret", "my-secret-password", "super-secret",
	    "todo", "TODO", "FIXME", "tbd", "replace-me", "replaceme", "REPLACE_WITH_REAL_TOKEN", "example", "dummy",
	    "dummy-token", "test", "test123", "testing", "none", "None", "NULL", "nil", "undefined", "n/a", "placeholder",
	    "your-api-key-here", "your_token", "your-stripe-key", "YOUR_OPENAI_API_KEY_HERE", "sk_test_your_key_here",
	    "insert-your-github-token-here", "enter password", "xxx", "XXXX", "xxxxxxxxxxxx", "xxxx-xxxx-xxxx",
	    "sk-xxxxxxxxxxxxxxxxxxxx", "ghp_XXXXXXXXXXXXXXXX", "********", "...", "---", "aaaaaaaa", "0000-0000", "123456",
	    "1234567890", "12345678901234567890", "0123456789abcdef", "abcdefgh", "abc123", "qwerty", "deadbeef",
	    "deadbeefdeadbeef", "<token>", "<your token here>", "<YOUR_API_KEY>", "<db/password>", "${TOKEN}",
	    "${TOKEN:-none}", "{{ token }}", "{{.Values.token}}", "\"changeme\"", "'changeme'", " changeme\n",
	    "postgres://app:password@db/app", "https://user:changeme@host:8080/x", "redis://:secret@localhost",
	    "amqp://u:<pw>@h",
	};
	assert_all(values, ARRAY_COUNT(values), true);
}

// None of these is a token of anybody; they have the forms of the services.
static void test_values_are_no_placeholders(void **state)
{
	(void)state;
	static const char *const values[] = {
	    "", "k", "x7", "-", "tok-4f9Jc2LmQx81ZwPe", "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
	    "pat_16C7e42F292c6912E7710c838347Ae178B4a", "AKIAIOSFODNN7Q3ZRW2P", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzQ8nT2vLk5",
	    "team-17653672481-pdFZKVeTuE8sk7oOcHrzqqgy", "correct horse battery staple", "quiet otter maps lemon stairs",
	    "correct-horse-77", "test-otter-lemon", "changemelon", "secretariat", "passwords-of-otters", "keystone",
	    "tokenizer", "tester", "your-otter-maps-lemon", "nonetheless", "todos-los-dias", "examplar",
	    "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "5f4dcc3b5aa765d61d8327deb882cf99", "password-4fQ9z", "4fQ9z-password",
	    "Passw0rdX7", "hunter2", "Tr0ub4dor&3", "135790", "124816", "987654", "abcdefgj", "xxyxx", "9xxxxx1", "aab",
	    "12", "<", "<>", "<<token>>", "<a>text</a>", "<k3J$9x!>", "<7fQ2>", "a < b > c", "$TOKEN", "${}", "{{}}",
	    "${A}${B}", "{\"key\": \"value-8c1f\"}", "{{a}} and {{b}}", "postgres://shop:correct-horse-77@db/shop",
	    "https://host/changeme", "https://host:8080/token@x", "https://user@host/",
	    "-----BEGIN PRIVATE KEY-----\nq7ZkTy2mWx9Lc4Rf\n-----END PRIVATE KEY-----",
	    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.q7ZkTy2mWx9Lc4RfHs8VbN3pJd6GuA1e",
	};
	assert_all(values, ARRAY_COUNT(values), false);
}

static void test_only_short_texts_are_placeholders(void **state)
{
	(void)state;
	char text[HEALTH_PLACEHOLDER_BYTES_MAX + 2];
	memset(text, 'x', sizeof(text));
	assert_true(value_is_placeholder(span_of(text, HEALTH_PLACEHOLDER_BYTES_MAX)));
	assert_false(value_is_placeholder(span_of(text, HEALTH_PLACEHOLDER_BYTES_MAX + 1)));
	// Words end where their places are no longer counted, and nothing beyond the value is read.
	for (size_t i = 0; i + 4 <= 128; i += 4)
		memcpy(text + i, "none", 4);
	for (size_t len = 1; len <= 128; len++) {
		_cleanup_free_ char *exact = malloc(len);
		assert_non_null(exact);
		memcpy(exact, text, len);
		assert_int_equal(value_is_placeholder(span_of(exact, len)), len % 4 == 0 && len < 64);
	}
}

static void test_bytes_of_any_kind(void **state)
{
	(void)state;
	uint8_t bytes[256];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	assert_false(value_is_placeholder(span_of(bytes, sizeof(bytes))));
	assert_false(value_is_placeholder(SPAN_LITERAL("todo\0todo")));
	assert_false(value_is_placeholder(SPAN_LITERAL("\0")));
}

// ------------------------------------------------------------------------------------------------------------ entropy

static double bits(const char *text)
{
	return value_entropy_bits(span_text(text));
}

static void test_entropy_of_regular_values(void **state)
{
	(void)state;
	assert_true(bits("") == 0);
	assert_true(bits("a") == 0);
	assert_true(bits("aaaaaaaaaaaaaaaaaaaaaaaa") == 0);
	assert_true(bits("abcdefghijklmnop") == 0);
	assert_true(bits("ponmlkjihgfedcba") == 0);
	// The pattern alone counts, also when the last one is cut.
	assert_true(bits("q7Zk") == bits("q7Zkq7Zkq7Zkq7Zk"));
	assert_true(bits("q7Zk") == bits("q7Zkq7Zkq7Zkq7Zkq7"));
	static const char *const low[] = {
	    "aabbccddeeffgghh", "aaaaaaaaaaaaaaaaaaab", "1234567890123456", "abababababababab1", "secretsecretsecret",
	};
	for (size_t i = 0; i < ARRAY_COUNT(low); i++)
		assert_true(bits(low[i]) < HEALTH_ENTROPY_BITS && value_is_regular(span_text(low[i])));
}

static void test_short_values_are_measured_by_their_length(void **state)
{
	(void)state;
	static const char *const regular[] = {"aaa", "11111111", "abcdefgh", "87654321", "q7q7q7q7", "aabbccdd", "q7Zkq7Zk"};
	for (size_t i = 0; i < ARRAY_COUNT(regular); i++)
		assert_true(value_is_regular(span_text(regular[i])));
	for (size_t len = 0; len <= 16; len++)
		assert_false(value_is_regular(span_of("q7ZkTy2mWx9Lc4Rf", len)));
}

static void test_entropy_of_what_is_mixed(void **state)
{
	(void)state;
	// 16 different bytes: log2(16) bits each, and fewer for the steps, of which there are 15.
	double sixteen = bits("q7ZkTy2mWx9Lc4Rf");
	assert_true(sixteen > 50 && sixteen <= 64);
	static const char *const high[] = {"quiet otter maps lemon stairs", "postgres://shop:correct-horse-77@db/shop",
					   "5f4dcc3b5aa765d61d8327deb882cf99", "{\"key\": \"value-8c1f\"}"};
	for (size_t i = 0; i < ARRAY_COUNT(high); i++)
		assert_true(bits(high[i]) >= HEALTH_ENTROPY_BITS);
}

// A finding on a random key would make `--health` useless in a pipeline that must be green.
static void test_random_keys_have_no_finding(void **state)
{
	(void)state;
	static const struct {
		const char *alphabet;
		size_t len;
	} kinds[] = {{"0123456789abcdef", 20}, {"0123456789abcdef", 64}, {"0123456789", 32},
		     {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 16},
		     {"abcdefghijklmnopqrstuvwxyz", 24}};
	uint64_t seed = 0x9e3779b97f4a7c15;
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		for (size_t round = 0; round < 4000; round++) {
			char value[64];
			for (size_t i = 0; i < kinds[k].len; i++) {
				seed = seed * 6364136223846793005u + 1442695040888963407u;
				value[i] = kinds[k].alphabet[(seed >> 33) % strlen(kinds[k].alphabet)];
			}
			unsigned found = value_health(span_of(value, kinds[k].len));
			if (found)
				print_error("%.*s\n", (int)kinds[k].len, value);
			assert_int_equal(found, 0);
		}
}

// ---------------------------------------------------------------------------------------------------------- judgement

static void test_findings_of_values(void **state)
{
	(void)state;
	assert_int_equal(value_health(span_text("q7ZkTy2mWx9Lc4Rf")), 0);
	assert_int_equal(value_health(span_text("q7ZkTy2mWx9Lc4R")), HEALTH_BIT(HEALTH_SHORT));
	assert_int_equal(value_health(span_text("<the-production-token>")), HEALTH_BIT(HEALTH_PLACEHOLDER));
	assert_int_equal(value_health(span_text("aabbccddeeffgghh")), HEALTH_BIT(HEALTH_LOW_ENTROPY));
	assert_int_equal(value_health(span_text("k3")), HEALTH_BIT(HEALTH_SHORT) | HEALTH_BIT(HEALTH_WEAK));
	assert_int_equal(value_health(span_text("xxxxxxxxxxxxxxxxxxxx")),
			 HEALTH_BIT(HEALTH_PLACEHOLDER) | HEALTH_BIT(HEALTH_LOW_ENTROPY) | HEALTH_BIT(HEALTH_WEAK));
}

static unsigned times(int64_t stored, int64_t expires, int64_t now)
{
	const struct value_times value = {.stored = stored, .expires = expires};
	return times_health(&value, now);
}

static void test_findings_of_times(void **state)
{
	(void)state;
	const int64_t now = 1800000000;
	assert_int_equal(times(now, 0, now), 0);
	assert_int_equal(times(now - 365 * DAY, 0, now), 0);
	assert_int_equal(times(now - 365 * DAY - 1, 0, now), HEALTH_BIT(HEALTH_OLD));
	assert_int_equal(times(now + 400 * DAY, 0, now), 0);
	assert_int_equal(times(0, 0, now), 0);
	assert_int_equal(times(now, now + 1, now), HEALTH_BIT(HEALTH_EXPIRES_SOON));
	assert_int_equal(times(now, now + 14 * DAY, now), HEALTH_BIT(HEALTH_EXPIRES_SOON));
	assert_int_equal(times(now, now + 14 * DAY + 1, now), 0);
	assert_int_equal(times(now, now, now), HEALTH_BIT(HEALTH_EXPIRED));
	assert_int_equal(times(1, 1, now), HEALTH_BIT(HEALTH_EXPIRED) | HEALTH_BIT(HEALTH_OLD));
}

static void test_every_finding_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HEALTH_COUNT; i++) {
		assert_non_null(health_name(i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(health_name(i), health_name(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_placeholders),
	    cmocka_unit_test(test_values_are_no_placeholders),
	    cmocka_unit_test(test_only_short_texts_are_placeholders),
	    cmocka_unit_test(test_bytes_of_any_kind),
	    cmocka_unit_test(test_entropy_of_regular_values),
	    cmocka_unit_test(test_short_values_are_measured_by_their_length),
	    cmocka_unit_test(test_entropy_of_what_is_mixed),
	    cmocka_unit_test(test_random_keys_have_no_finding),
	    cmocka_unit_test(test_findings_of_values),
	    cmocka_unit_test(test_findings_of_times),
	    cmocka_unit_test(test_every_finding_has_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
